//! Which parts of a process could become events.
//!
//! Two kinds are looked at. Transitions with a hand-off that wait in batches or for nobody to take
//! the work up: an event tells at once, one by one. And activities that cases do not wait for:
//! they can have a stream of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidegate_base::{Timestamp, format_duration};

use super::evidence::{self, Facts};
use super::found::{Arrived, Candidate, CandidateClass, Change, Waits};
use super::load::{hours, per_day};
use super::path::{begin, end, sooner};
use super::share::mean;
use super::study::Study;
use crate::statistics::{Proportion, Quantile};

/// Fewer instances tell nothing.
const COUNT_MIN: usize = 20;
/// The share of instances with slack that makes an activity one that cases do not wait for.
const SLACK_SHARE: f64 = 0.95;
/// The share of all waiting from which a transition is looked at.
const WAITING_SHARE: f64 = 0.01;
/// Most transitions that are looked at.
const ARCS_MAX: usize = 40;

/// The candidates: feasible ones first, then by what cases gain, then by waiting removed, most first: waiting that no case
/// waits for is worth little.
pub(super) fn candidates(study: &Study<'_>) -> Vec<Candidate> {
    let mut found = handoffs(study);
    found.extend(streams(study));
    found.sort_by(|a, b| {
        let rank = |one: &Candidate| {
            (
                std::cmp::Reverse(one.class.is_feasible()),
                std::cmp::Reverse(gain(one)),
                std::cmp::Reverse(one.removable),
                std::cmp::Reverse(one.waiting),
            )
        };
        (rank(a), &a.after, &a.activities).cmp(&(rank(b), &b.after, &b.activities))
    });
    found
}

/// What all cases together gain.
fn gain(candidate: &Candidate) -> Duration {
    let change = candidate.change.as_ref();
    change.map_or(Duration::ZERO, |change| change.total)
}

/// The works of one candidate, with what each would wait less.
struct Works {
    /// Indexes, by when they could start.
    entries: Vec<usize>,
    waits: Waits,
    explained: usize,
    /// Those whose start is recorded, and those of which it is recorded who did them.
    starts: usize,
    resources: usize,
    waiting: Duration,
    handoffs: Proportion,
}

impl Works {
    fn new(study: &Study<'_>, mut entries: Vec<usize>) -> Self {
        entries.sort_by_key(|index| study.ready(*index));
        let mut works = Self {
            waits: Waits::default(),
            explained: 0,
            starts: 0,
            resources: 0,
            waiting: Duration::ZERO,
            handoffs: Proportion::default(),
            entries,
        };
        for index in &works.entries {
            works.waiting += study.waited(*index);
            if let Some(waits) = study.waits(*index) {
                works.waits.add_all(&waits);
                works.explained += 1;
            }
            let by = study.enablings.get(*index).copied().flatten();
            let by = by.and_then(|by| study.timeline.works.get(by.by?)?.resource);
            let own = study.timeline.works.get(*index);
            works.starts += usize::from(own.is_some_and(|work| work.start.is_some()));
            let own = own.and_then(|work| work.resource);
            works.resources += usize::from(own.is_some());
            if let (Some(by), Some(own)) = (by, own) {
                works.handoffs.count((by != own).into());
            }
        }
        works
    }

    fn times(&self, study: &Study<'_>) -> Vec<Timestamp> {
        let ready = |index: &usize| study.ready(*index);
        self.entries.iter().filter_map(ready).collect()
    }

    fn arrivals(&self, study: &Study<'_>) -> Vec<Arrived> {
        let (first, _) = study.timeline.span();
        self.entries
            .iter()
            .filter_map(|index| {
                let work = study.timeline.works.get(*index)?;
                Some(Arrived {
                    offset: study.ready(*index)?.since(first),
                    work: work.end.since(work.begin()),
                    case: study
                        .timeline
                        .ids
                        .get(work.case)
                        .cloned()
                        .unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Cases: the one that waited longest, the median, the one that waited least.
    fn exemplars(&self, study: &Study<'_>) -> Vec<String> {
        let mut by_wait: Vec<(Duration, usize)> = self
            .entries
            .iter()
            .map(|index| (study.waited(*index), *index))
            .collect();
        by_wait.sort_unstable();
        let places = [by_wait.len().saturating_sub(1), by_wait.len() / 2, 0];
        let mut ids: Vec<String> = Vec::new();
        for place in places {
            let id = by_wait
                .get(place)
                .and_then(|(_, index)| study.timeline.works.get(*index))
                .and_then(|work| study.timeline.ids.get(work.case));
            if let Some(id) = id
                && !ids.contains(id)
            {
                ids.push(id.clone());
            }
        }
        ids
    }
}

/// Transitions that wait, each as a candidate.
fn handoffs(study: &Study<'_>) -> Vec<Candidate> {
    let mut arcs: BTreeMap<(Option<usize>, usize), Vec<usize>> = BTreeMap::new();
    for (index, work) in study.timeline.works.iter().enumerate() {
        if let Some(enabling) = study.enablings.get(index).copied().flatten() {
            let by = enabling.by.and_then(|by| study.timeline.works.get(by));
            let key = (by.map(|by| by.activity), work.activity);
            arcs.entry(key).or_default().push(index);
        }
    }
    let mut arcs: Vec<((Option<usize>, usize), Works)> = arcs
        .into_iter()
        .filter(|((from, to), _)| *from != Some(*to))
        .map(|(key, entries)| (key, Works::new(study, entries)))
        .collect();
    let all: Duration = arcs.iter().map(|(_, works)| works.waiting).sum();
    arcs.sort_by_key(|(key, works)| (std::cmp::Reverse(works.waiting), *key));
    let least = all.mul_f64(WAITING_SHARE);
    arcs.iter()
        .filter(|(_, works)| works.waiting >= least && !works.waiting.is_zero())
        .take(ARCS_MAX)
        .map(|((from, to), works)| handoff(study, *from, *to, works))
        .collect()
}

fn handoff(study: &Study<'_>, from: Option<usize>, to: usize, works: &Works) -> Candidate {
    let class = handoff_class(works);
    let set = BTreeSet::from([to]);
    let is_event = class == CandidateClass::EventAtHandoff;
    let less = |index: usize| study.waits(index).map_or(Duration::ZERO, |w| w.removable());
    let change = is_event.then(|| change(study, &works.entries, &less));
    let part = Part {
        after: from,
        set: &set,
        joins: Vec::new(),
    };
    candidate(study, class, part, works, change)
}

fn handoff_class(works: &Works) -> CandidateClass {
    let n = works.entries.len();
    if n < COUNT_MIN {
        return CandidateClass::Unknown {
            missing: format!("only {n} of them: it takes {COUNT_MIN}"),
        };
    }
    if works.explained == 0 {
        let lacks = match (works.starts, works.resources) {
            (0, 0) => "when work starts and who does it is not recorded",
            (0, _) => "when work starts is not recorded",
            (_, 0) => "who does the work is not recorded",
            (_, _) => "no work says both when it started and who did it",
        };
        return CandidateClass::Unknown {
            missing: format!("why it waits: {lacks}"),
        };
    }
    let total = works.waits.total();
    let part = works.waits.removable().as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
    let goes_on = works.handoffs.total > 0 && works.handoffs.share() < 0.5;
    if part < 0.1 {
        CandidateClass::Stays {
            reason: format!(
                "{:.0}% of its waiting is for hands or working hours, and an event adds neither",
                (1.0 - part) * 100.0
            ),
        }
    } else if goes_on && part < 0.5 {
        let Proportion { hits, total } = works.handoffs;
        CandidateClass::Stays {
            reason: format!(
                "who did the work before goes on in {} of {total}",
                total - hits
            ),
        }
    } else {
        CandidateClass::EventAtHandoff
    }
}

/// Sets of activities that cases do not wait for.
fn streams(study: &Study<'_>) -> Vec<Candidate> {
    let mut slack: BTreeMap<usize, Proportion> = BTreeMap::new();
    for (work, free) in study.timeline.works.iter().zip(&study.slacks) {
        if let Some(free) = free {
            slack
                .entry(work.activity)
                .or_default()
                .count((*free).into());
        }
    }
    let free: BTreeSet<usize> = slack
        .iter()
        .filter(|(_, share)| share.total >= COUNT_MIN && share.share() >= SLACK_SHARE)
        .map(|(activity, _)| *activity)
        .collect();
    connected(study, &free)
        .iter()
        .filter_map(|set| stream(study, set))
        .collect()
}

/// `free` in sets whose members enable each other.
fn connected(study: &Study<'_>, free: &BTreeSet<usize>) -> Vec<BTreeSet<usize>> {
    let mut sets: Vec<BTreeSet<usize>> = free.iter().map(|one| BTreeSet::from([*one])).collect();
    for (index, work) in study.timeline.works.iter().enumerate() {
        let by = study.enablings.get(index).copied().flatten();
        let Some(by) = by.and_then(|by| study.timeline.works.get(by.by?)) else {
            continue;
        };
        if !free.contains(&by.activity) || !free.contains(&work.activity) {
            continue;
        }
        let place = |activity| {
            sets.iter()
                .position(|set: &BTreeSet<usize>| set.contains(&activity))
        };
        if let (Some(one), Some(two)) = (place(by.activity), place(work.activity))
            && one != two
        {
            let moved = sets.swap_remove(one.max(two));
            if let Some(set) = sets.get_mut(one.min(two)) {
                set.extend(moved);
            }
        }
    }
    sets.sort();
    sets
}

fn stream(study: &Study<'_>, set: &BTreeSet<usize>) -> Option<Candidate> {
    let mut entries = Vec::new();
    let mut sources: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    let mut joins: BTreeSet<usize> = BTreeSet::new();
    for (index, work) in study.timeline.works.iter().enumerate() {
        let enabling = study.enablings.get(index).copied().flatten();
        let by = enabling.and_then(|one| study.timeline.works.get(one.by?));
        let by = by.map(|by| by.activity);
        let inside = by.is_some_and(|by| set.contains(&by));
        if set.contains(&work.activity) && !inside {
            entries.push(index);
            *sources.entry(by).or_default() += 1;
        } else if inside && !set.contains(&work.activity) {
            joins.insert(work.activity);
        }
    }
    let after = sources.iter().max_by_key(|(_, count)| **count)?;
    let (after, works) = (*after.0, Works::new(study, entries));
    let class = if joins.is_empty() {
        CandidateClass::OwnStream
    } else {
        CandidateClass::JoinNeeded
    };
    let joins = joins.into_iter().map(|one| study.activity(one)).collect();
    let part = Part { after, set, joins };
    Some(candidate(study, class, part, &works, None))
}

/// The part of a process that a candidate is.
struct Part<'a> {
    after: Option<usize>,
    set: &'a BTreeSet<usize>,
    joins: Vec<String>,
}

fn candidate(
    study: &Study<'_>,
    class: CandidateClass,
    part: Part<'_>,
    works: &Works,
    change: Option<Change>,
) -> Candidate {
    let Part { after, set, joins } = part;
    let span = study.timeline.span();
    let times = works.times(study);
    let (peak_hour, dispersion) = hours(&times, span);
    let facts = Facts {
        waits: works.waits,
        explained: works.explained,
        handoffs: works.handoffs,
        dispersion,
        shared: evidence::shared(study, set),
        slack: evidence::slack(study, set),
        joins: &joins,
    };
    let evidence = facts.reasons(&class);
    let removable = match class {
        CandidateClass::EventAtHandoff => works.waits.removable(),
        _ => Duration::ZERO,
    };
    Candidate {
        after: after.map(|after| study.activity(after)),
        activities: set.iter().map(|one| study.activity(*one)).collect(),
        count: works.entries.len(),
        per_day: per_day(works.entries.len(), span.1.since(span.0)),
        peak_hour,
        dispersion,
        key: evidence::key(study, set),
        waiting: works.waiting,
        removable,
        change,
        handoffs: works.handoffs,
        shared: facts.shared,
        trial: trial(study, works, removable),
        evidence,
        exemplars: works.exemplars(study),
        arrivals: works.arrivals(study),
        joins,
        class,
    }
}

/// How many cases a trial needs on each side: two groups, the difference of their mean waiting, a
/// two-sided test at 5 % with power 80 %. Source: J. M. Lachin, "Introduction to sample size
/// determination and power analysis for clinical trials", Controlled Clinical Trials 2 (1981).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^52, and the number is positive and cut before"
)]
fn trial(study: &Study<'_>, works: &Works, removable: Duration) -> Option<usize> {
    const QUANTILES: f64 = 1.959_964 + 0.841_621;
    let n = works.entries.len() as f64;
    let difference = removable.as_secs_f64() / n.max(1.0);
    if difference <= 0.0 || works.entries.len() < 2 {
        return None;
    }
    let waits = works
        .entries
        .iter()
        .map(|index| study.waited(*index).as_secs_f64());
    let mean = works.waiting.as_secs_f64() / n;
    let variance = waits.map(|wait| (wait - mean) * (wait - mean)).sum::<f64>() / (n - 1.0);
    let cases = 2.0 * QUANTILES * QUANTILES * variance / (difference * difference);
    // Fewer than ten are no groups to take a mean of.
    Some(cases.ceil().clamp(10.0, 1e9) as usize)
}

/// What cases gain when these works wait less, replayed case by case with the learned order.
#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds of years are below 2^63; rounding is far below a second"
)]
fn change(study: &Study<'_>, entries: &[usize], less: &impl Fn(usize) -> Duration) -> Change {
    let reached: BTreeSet<usize> = entries.iter().copied().collect();
    let (mut before, mut after, mut saved) = (Vec::new(), Vec::new(), Vec::new());
    let mut total = Duration::ZERO;
    for (first, works) in study.timeline.each() {
        let whole = end(works).since(begin(works));
        before.push(whole);
        let mut touched = false;
        let less: Vec<Duration> = (first..first + works.len())
            .map(|index| {
                let here = reached.contains(&index);
                touched |= here;
                if here { less(index) } else { Duration::ZERO }
            })
            .collect();
        let gain = if touched {
            sooner(works, &study.order, &less)
        } else {
            Duration::ZERO
        };
        if touched {
            saved.push(gain.as_nanos() as f64);
        }
        total += gain;
        after.push(whole.saturating_sub(gain));
    }
    before.sort_unstable();
    after.sort_unstable();
    let both = |p: f64| (Quantile::of(&before, p), Quantile::of(&after, p));
    Change {
        cases: saved.len(),
        mean: mean(&saved),
        p50: both(0.5),
        p95: both(0.95),
        total,
    }
}

/// A duration as readers see it, of nanoseconds that may be negative.
pub(crate) fn nanos_words(nanos: f64) -> String {
    let size = Duration::from_secs_f64(nanos.abs().min(1e19) / 1e9);
    let sign = if nanos < 0.0 { "-" } else { "" };
    format!("{sign}{}", format_duration(size))
}
