//! One call path, from its occurrences to what it could become.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use foldhash::fast::RandomState;
use tidegate_base::format_duration;
use tidegate_trace::recording::{Arrival, Outcome};

use crate::classify::{CALLS_MIN, classify};
use crate::coupling::Coupling;
use crate::discovery::{Alternatives, Call, Class, Evidence, Signal, Weight};
use crate::evidence::Facts;
use crate::interval::{Estimate, nanos};
use crate::observe::Observation;
use crate::operation;
use crate::options::Options;
use crate::queueing::Credit;
use crate::ranking::Worth;
use crate::replay::change::Change;
use crate::replay::{Saving, Site, WhatIf};
use crate::services::{latency, peak, rate};
use crate::signals::hash;
use crate::signals::judge::LAG_NANOS;
use crate::slowness;
use crate::statistics::Proportion;
use crate::vocabulary::{self, Verb};
use crate::workload::Workload;

/// Caller, its operation, callee, its operation.
pub(crate) type Path = (String, String, String, String);

/// The share of calls that must be made in a row to say that they are.
const ROW_SHARE: f64 = 0.5;

/// The fewest requests of which none would take another time, to say that none does.
const REQUESTS_MIN: usize = 20;

/// The delay that shows how much requests depend on the call, in nanoseconds.
const DELAY: i64 = 1_000_000;

/// What all calls are judged by.
pub(crate) struct Court<'a> {
    pub(crate) what_if: &'a WhatIf<'a>,
    pub(crate) options: &'a Options,
    pub(crate) observed: Duration,
    pub(crate) waiting: Duration,
    pub(crate) reads: Reads,
    pub(crate) followers: Followers,
}

impl Court<'_> {
    /// What is saved by one change of all the occurrences.
    fn savings(&self, seen: &[Observation], change: Change) -> Vec<Saving> {
        let (sites, own) = self.moved(seen, change);
        let change = |site: Site| of_site(change, own.as_deref(), site);
        self.what_if.savings(&sites, change, self.observed)
    }

    /// What is saved by one change of all the occurrences of several call paths.
    pub(crate) fn saved_by_all(&self, about: &[&[Observation]], change: Change) -> Vec<Saving> {
        let mut own = Vec::new();
        let mut moved = Vec::new();
        for seen in about {
            own.extend(sites(seen));
            moved.extend(self.moved(seen, change).0);
        }
        own.sort_unstable();
        // What only prepares one of the calls may be asked about itself.
        moved.sort_unstable();
        moved.dedup();
        let change = |site: Site| of_site(change, Some(&own), site);
        self.what_if.savings(&moved, change, self.observed)
    }

    /// The calls that a change of all the occurrences moves; and which of them are the occurrences, in order,
    /// where not all are.
    fn moved(&self, seen: &[Observation], change: Change) -> (Vec<Site>, Option<Vec<Site>>) {
        let mut sites = sites(seen);
        if change == Change::Parallelise {
            return (sites, None);
        }
        let followers = self.followers.of(seen);
        if followers.is_empty() {
            return (sites, None);
        }
        let mut own = sites.clone();
        sites.extend(followers.into_iter().map(|(site, _)| site));
        own.sort_unstable();
        (sites, Some(own))
    }

    pub(crate) fn publish(&self) -> Change {
        Change::Asynchronous {
            publish: self.options.publish_time(),
        }
    }

    /// Judges one call path by its occurrences, in order of time.
    pub(crate) fn judge(&self, path: &Path, seen: &[Observation]) -> Call {
        let (caller, caller_operation, callee, callee_operation) = path.clone();
        let facts = Facts::new(
            seen,
            (&callee, &callee_operation),
            self.options.vocabulary,
            self.reads.after(seen, &callee, &callee_operation),
        );
        let critical_of_requests = seen.iter().map(|one| (one.request, one.critical));
        let critical_of_requests = self.what_if.by_request(critical_of_requests);
        let critical: Duration = seen.iter().map(|observation| observation.critical).sum();
        let long_enough = self.observed >= Duration::from_secs(1);
        let (class, row, savings) = self.class(&facts);
        let mut evidence = facts.evidence();
        evidence.extend(row);
        evidence.extend(self.followers.evidence(seen));
        let stands_for: f64 = seen.iter().map(|seen| self.weight(seen)).sum();
        Call {
            slowness: slowness::of(self.what_if, seen, self.options.limit),
            queueing: self.queueing(&savings),
            stands_for,
            alternatives: class.is_feasible().then(|| self.alternatives(seen)),
            evidence,
            missing: facts.missing(),
            failures: facts.share(|observation| observation.failed),
            coupling: facts.coupled(),
            coupled: Coupling::of(seen, facts.attempts()),
            workload: Workload::of(seen, self.observed, |seen| self.weight(seen)),
            worth: Worth::default(),
            count: seen.len(),
            rate: rate(stands_for, self.observed),
            peak: peak(seen.iter().map(|seen| (seen.offset, self.weight(seen)))),
            latency: latency(seen.iter().map(|observation| observation.waited).collect()),
            handling: latency(seen.iter().map(|observation| observation.handled).collect()),
            critical,
            critical_share: ratio(critical, self.waiting),
            critical_per_second: long_enough
                .then(|| self.all_critical(seen) / self.observed.as_secs_f64()),
            on_path: facts.share(|observation| !observation.critical.is_zero()),
            critical_at: self.what_if.around(&critical_of_requests),
            savings,
            exemplars: self.exemplars(seen),
            arrivals: Vec::new(),
            payloads: Vec::new(),
            class,
            caller,
            caller_operation,
            callee,
            callee_operation,
        }
    }

    /// The seconds that requests waited for the call in all, those among them that traces stand for.
    fn all_critical(&self, seen: &[Observation]) -> f64 {
        let each = seen.iter();
        each.map(|one| one.critical.as_secs_f64() * self.weight(one))
            .sum()
    }

    /// How many calls an occurrence stands for.
    fn weight(&self, observation: &Observation) -> f64 {
        self.what_if.weight(observation.site.trace as usize)
    }

    fn trace_id(&self, observation: &Observation) -> &str {
        let trace = self.what_if.traces.get(observation.site.trace as usize);
        trace.map_or("", |trace| trace.id())
    }

    /// What requests wait less for their workers, by the endpoint that saves most.
    fn queueing(&self, savings: &[Saving]) -> Option<Credit> {
        let saving = savings.first()?;
        let (low, _) = saving.mean.interval()?;
        let saved = saving.mean.value().filter(|_| low > 0.0)?;
        Credit::of(saving.rate?, saving.before, saved, self.options.workers)
    }

    /// The traces of the slowest, the median and the fastest call, without repetition.
    fn exemplars(&self, seen: &[Observation]) -> Vec<String> {
        let mut by_wait: Vec<(Duration, &str)> = seen
            .iter()
            .map(|observation| (observation.waited, self.trace_id(observation)))
            .collect();
        by_wait.sort_unstable_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
        let mut chosen: Vec<String> = Vec::new();
        for index in [0, by_wait.len() / 2, by_wait.len().saturating_sub(1)] {
            let id = by_wait.get(index).map(|(_, id)| (*id).to_owned());
            chosen.extend(id.filter(|id| !chosen.contains(id)));
        }
        chosen
    }

    /// One occurrence, as a replay needs it.
    pub(crate) fn arrival(&self, observation: &Observation) -> Arrival {
        Arrival {
            offset: observation.offset,
            handler_time: observation.handled,
            outcome: if observation.failed {
                Outcome::Failed
            } else {
                Outcome::Succeeded
            },
            key: self.trace_id(observation).to_owned(),
            payload_bytes: observation.request_bytes,
        }
    }

    fn alternatives(&self, seen: &[Observation]) -> Alternatives {
        // Both move the same calls.
        let (sites, own) = self.moved(seen, Change::Remove);
        let own = own.as_deref();
        let remove = |site: Site| of_site(Change::Remove, own, site);
        let slow = |site: Site| of_site(Change::Slow { by: DELAY }, own, site);
        let [removed, slowed] = self.what_if.means(&sites, [&remove, &slow]);
        let nothing = Estimate::NotEstimable { n: 0, needed: 1 };
        Alternatives {
            removed: removed.first().copied().unwrap_or(nothing),
            per_delay: slowed
                .last()
                .and_then(|mean| Some(-mean.value()? / nanos(DELAY))),
        }
    }

    /// Why an event in place of the call brings nothing, where that is certain.
    fn no_gain(&self, facts: &Facts<'_>, savings: &[Saving]) -> Option<String> {
        let coupled = Coupling::of(facts.observations, None);
        let most = savings.first()?.mean.value().unwrap_or(0.0);
        gains_nothing(savings, &coupled).then(|| {
            let publish = format_duration(self.options.publish);
            let longer = Duration::try_from_secs_f64(-most / 1e9).unwrap_or_default();
            let longer = format_duration(longer);
            if most < 0.0 {
                format!(
                    "requests would take {longer} longer: they wait less for it than the {publish} that \
                     publishing takes"
                )
            } else {
                let fails = match coupled.excess {
                    Some(_) => "they do not fail with it for certain",
                    None => "it was not seen that they fail with it",
                };
                format!("requests would not take less long, as something else takes as long, and {fails}")
            }
        })
    }

    /// The class, the evidence of calls in a row, and what the change that it means saves.
    fn class(&self, facts: &Facts<'_>) -> (Class, Option<Evidence>, Vec<Saving>) {
        let class = classify(facts);
        if facts.observations.len() < CALLS_MIN {
            // Too few to tell what is saved, and operations with names of their own are many.
            return (class, None, Vec::new());
        }
        let row = facts.share(|observation| observation.marks.in_row > 1);
        let in_row = row.share() >= ROW_SHARE && row.hits >= CALLS_MIN;
        let plain = self.savings(facts.observations, self.publish());
        let only_reads = facts.read_only().is_some() && facts.veto().is_none();
        if !in_row || !only_reads {
            let class = match self.no_gain(facts, &plain).filter(|_| class.is_feasible()) {
                Some(reason) => Class::NotACandidate { reason },
                None => class,
            };
            return (class, None, plain);
        }
        let claim = format!(
            "the caller makes several of them, one after the other, in {} of {}; nothing shows that one \
             needs the answer of another",
            row.hits, row.total
        );
        let evidence = Evidence::share(Signal::Loop, Weight::For, claim, row);
        let together = self.savings(facts.observations, Change::Parallelise);
        let gains = together.first().and_then(|saving| saving.mean.interval());
        if gains.is_some_and(|(low, _)| low > 0.0) {
            (Class::Parallelise, Some(evidence), together)
        } else {
            (class, Some(evidence), plain)
        }
    }
}

/// Requests would certainly not take less long, and no failure would go: then an event costs and brings nothing.
fn gains_nothing(savings: &[Saving], coupled: &Coupling) -> bool {
    let no_less = |saving: &Saving| {
        let is_untouched = saving.affected == 0 && saving.requests >= REQUESTS_MIN;
        is_untouched || saving.mean.interval().is_some_and(|(_, high)| high <= 0.0)
    };
    let fails_with_it = coupled.excess.is_some_and(|(_, low, _)| low > 0.0);
    !savings.is_empty() && savings.iter().all(no_less) && !fails_with_it
}

/// Calls whose answers only another call uses: they go where that one goes.
#[derive(Debug, Default)]
pub(crate) struct Followers(HashMap<Site, Vec<(Site, String)>, RandomState>);

impl Followers {
    pub(crate) fn note(&mut self, path: &Path, seen: &[Observation]) {
        for observation in seen.iter().filter(|seen| seen.writes + seen.sends == 0) {
            if let Some(span) = observation.marks.feeds {
                let trace = observation.site.trace;
                let followers = self.0.entry(Site { trace, span }).or_default();
                followers.push((observation.site, format!("{} of {}", path.3, path.2)));
            }
        }
    }

    /// The followers of a call, where they follow it in nearly all of its occurrences.
    fn of(&self, seen: &[Observation]) -> Vec<(Site, &str)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let followers = || {
            let all = seen.iter().filter_map(|seen| self.0.get(&seen.site));
            all.flatten().map(|(site, name)| (*site, name.as_str()))
        };
        for (_, name) in followers() {
            *counts.entry(name).or_default() += 1;
        }
        let often = |name: &str| {
            let count = counts.get(name).copied().unwrap_or_default();
            count >= CALLS_MIN && count * 10 >= seen.len() * 9
        };
        followers().filter(|(_, name)| often(name)).collect()
    }

    fn evidence(&self, seen: &[Observation]) -> Vec<Evidence> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, name) in self.of(seen) {
            *counts.entry(name).or_default() += 1;
        }
        let total = seen.len();
        let evidence = counts.into_iter().map(|(name, count)| {
            let hits = count.min(total);
            let claim = format!("{name} only prepares it, in {hits} of {total}: it moves with it");
            let share = Proportion { hits, total };
            Evidence::share(Signal::Follower, Weight::Benefit, claim, share)
        });
        evidence.collect()
    }
}

/// What a change means for one of the calls that it moves: what only prepares the call happens where the event
/// is handled.
fn of_site(change: Change, own: Option<&[Site]>, site: Site) -> Change {
    let follows = own.is_some_and(|own| own.binary_search(&site).is_err());
    match change {
        Change::Slow { .. } if follows => Change::Slow { by: 0 },
        Change::Asynchronous { .. } if follows => Change::Remove,
        change => change,
    }
}

fn sites(seen: &[Observation]) -> Vec<Site> {
    seen.iter().map(|observation| observation.site).collect()
}

/// When each session reads from each service.
#[derive(Debug, Default)]
pub(crate) struct Reads(HashMap<(u64, u64), Vec<u64>, RandomState>);

impl Reads {
    pub(crate) fn note(&mut self, path: &Path, seen: &[Observation]) {
        let by_name = is_read_by_name(&path.3);
        let callee = hash(&path.2);
        for observation in seen.iter().filter(|seen| is_read(by_name, seen)) {
            if let Some(session) = observation.marks.session {
                let times = self.0.entry((session, callee)).or_default();
                times.push(observation.marks.start);
            }
        }
    }

    /// How often the session of a call that changes something reads from the same service soon.
    fn after(&self, seen: &[Observation], callee: &str, operation: &str) -> Proportion {
        let mut share = Proportion::default();
        let by_name = is_read_by_name(operation);
        let callee = hash(&callee);
        for observation in seen.iter().filter(|seen| !is_read(by_name, seen)) {
            let Some(session) = observation.marks.session else {
                continue;
            };
            let start = observation.marks.start;
            let soon = |time: &u64| *time > start && *time - start < LAG_NANOS;
            let times = self.0.get(&(session, callee));
            share.count(times.is_some_and(|times| times.iter().any(soon)).into());
        }
        share
    }
}

fn is_read_by_name(operation: &str) -> bool {
    vocabulary::verb(&operation::words(operation)) == Verb::Answer
}

fn is_read(by_name: bool, seen: &Observation) -> bool {
    let by_method = matches!(seen.method, Some("GET" | "HEAD"));
    seen.writes == 0 && (by_name || by_method)
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        0.0
    } else {
        part.as_secs_f64() / whole.as_secs_f64()
    }
}
