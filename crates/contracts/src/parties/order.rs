//! In which order services are upgraded so that nobody meets an event that it cannot read.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::Name;
use tidegate_model::Design;
use tidegate_model::design::{Compatibility, Event};

use super::demand::Clause;
use super::demand::version_read;
use super::judge::{Verdict, judge};
use super::matrix::{Answer, EventContracts, Matrix, schema_of};
use super::promise::Promise;

/// The order of an upgrade to the newest version of every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Services that are upgraded together or in any order, step by step.
    pub steps: Vec<Vec<Move>>,
    /// Services that each wait for another of them, so that none can go first.
    pub cycle: Vec<Move>,
}

/// A service that is upgraded, with what has to come before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The service.
    pub service: Name,
    /// What changes, in words.
    pub what: Vec<String>,
    /// After whom, and why.
    pub after: Vec<(Name, String)>,
}

/// What each service has to change, and whom it waits for.
#[derive(Default)]
struct Plan {
    what: BTreeMap<Name, BTreeSet<String>>,
    after: BTreeMap<Name, BTreeMap<Name, String>>,
}

impl Upgrade {
    /// The order for a design, out of its matrix.
    #[must_use]
    pub fn of(design: &Design, matrix: &Matrix) -> Self {
        let mut plan = Plan::default();
        for contracts in &matrix.events {
            if let Some(event) = design.events.get(&contracts.event) {
                plan.take(design, contracts, event);
            }
        }
        plan.ordered()
    }

    /// Whether there is nothing to upgrade.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.cycle.is_empty()
    }
}

impl Plan {
    fn take(&mut self, design: &Design, contracts: &EventContracts, event: &Event) {
        let newest = event.newest();
        let name = &contracts.event;
        let behind: Vec<&Name> = contracts
            .producers
            .iter()
            .filter(|producer| producer.versions.iter().any(|version| version != newest))
            .filter_map(|producer| producer.service.as_ref())
            .collect();
        for service in &behind {
            self.says(service, format!("publish {name} in version {newest} alone"));
        }
        let consumers = design.consumers().filter(|one| one.event_name == name);
        for consumer in consumers {
            let service = consumer.service_name;
            let reads = version_read(consumer.consume, event);
            let answer = contracts
                .cell(service, newest)
                .map(super::matrix::Cell::answer);
            let is_behind = reads != newest;
            if is_behind || answer == Some(Answer::No) {
                self.says(service, format!("take {name} in version {newest}"));
            }
            let must_be_first = match answer {
                Some(Answer::No) => Some(format!(
                    "as it is, {service} does not read version {newest} of {name}"
                )),
                Some(Answer::NotProved) if is_behind && consumers_first(event) => Some(format!(
                    "whether {service} reads version {newest} of {name} as it is, is not proved"
                )),
                _ => None,
            };
            if let Some(why) = must_be_first {
                for producer in &behind {
                    self.waits(producer, service, &why);
                }
            }
            if is_behind
                && consumer.consume.requires.is_empty()
                && consumer.consume.rules.is_empty()
            {
                self.reads_old(contracts, event, service);
            }
        }
    }

    /// Once it reads the newest version, a consumer must still read what others go on publishing.
    fn reads_old(&mut self, contracts: &EventContracts, event: &Event, service: &Name) {
        let newest = event.newest();
        for producer in &contracts.producers {
            let Some(publisher) = &producer.service else {
                continue;
            };
            for version in producer
                .versions
                .iter()
                .filter(|version| *version != newest)
            {
                let promise = Promise::of(event, schema_of(event, version));
                let whole = Clause::Whole(newest);
                let verdict = judge(&promise, &whole, &|version| schema_of(event, version));
                let name = &contracts.event;
                let why = match verdict {
                    Verdict::Met => continue,
                    Verdict::Unmet(_) => format!(
                        "a reader of version {newest} of {name} does not read version {version}"
                    ),
                    Verdict::NotProved(_) if consumers_first(event) => continue,
                    Verdict::NotProved(_) => format!(
                        "whether a reader of version {newest} of {name} reads version {version}, is \
                         not proved"
                    ),
                };
                self.waits(service, publisher, &why);
            }
        }
    }

    fn says(&mut self, service: &Name, what: String) {
        self.what.entry(service.clone()).or_default().insert(what);
    }

    fn waits(&mut self, service: &Name, before: &Name, why: &str) {
        // A service that is both is upgraded as one.
        if service != before {
            let after = self.after.entry(service.clone()).or_default();
            after
                .entry(before.clone())
                .or_insert_with(|| why.to_owned());
        }
    }

    /// Step by step, whoever waits for nobody that is left.
    fn ordered(mut self) -> Upgrade {
        let mut upgrade = Upgrade::default();
        let mut left: BTreeSet<Name> = self.what.keys().cloned().collect();
        while !left.is_empty() {
            let waits = |service: &&Name| {
                let after = self.after.get(*service);
                after.is_some_and(|after| after.keys().any(|before| left.contains(before)))
            };
            let free: Vec<Name> = left.iter().filter(|name| !waits(name)).cloned().collect();
            let chosen = match free.is_empty() {
                true => self.in_cycle(&left),
                false => free.clone(),
            };
            let moves = chosen.iter().map(|service| self.step(service)).collect();
            if free.is_empty() {
                upgrade.cycle = moves;
                return upgrade;
            }
            upgrade.steps.push(moves);
            for service in &free {
                left.remove(service);
                self.what.remove(service);
            }
        }
        upgrade
    }

    /// Of those that are left, the ones that wait for each other and not only for them.
    fn in_cycle(&self, left: &BTreeSet<Name>) -> Vec<Name> {
        let mut core = left.clone();
        loop {
            // Whom nobody of the rest waits for is behind the cycle, not in it.
            let is_waited_for = |name: &Name| {
                core.iter().any(|other| {
                    let after = self.after.get(other);
                    after.is_some_and(|after| after.contains_key(name))
                })
            };
            let kept: BTreeSet<Name> = core
                .iter()
                .filter(|name| is_waited_for(name))
                .cloned()
                .collect();
            if kept.len() == core.len() || kept.is_empty() {
                return core.into_iter().collect();
            }
            core = kept;
        }
    }

    fn step(&self, service: &Name) -> Move {
        let what = self.what.get(service).into_iter().flatten();
        let after = self.after.get(service).into_iter().flatten();
        Move {
            service: service.clone(),
            what: what.cloned().collect(),
            after: after
                .map(|(name, why)| (name.clone(), why.clone()))
                .collect(),
        }
    }
}

/// Whether the event's mode has consumers upgraded first.
fn consumers_first(event: &Event) -> bool {
    matches!(
        event.compatibility,
        Compatibility::Backward | Compatibility::BackwardTransitive | Compatibility::None
    )
}
