//! What the consumers of a machine share: breakers, ownership and the outbox.

use std::collections::BTreeSet;

use tidegate_base::BreakerName;

use crate::breaker::Breaker;
use crate::job::Jobs;
use crate::outbox::Outbox;
use crate::record::StateRecord;
use crate::share::Shares;

/// A breaker with its dependency's name and the consumers that need it.
#[derive(Clone, Debug)]
pub(crate) struct NamedBreaker {
    pub(crate) name: BreakerName,
    pub(crate) breaker: Breaker,
    pub(crate) dependents: Vec<usize>,
    /// Why an operator holds it open.
    pub(crate) reason: Option<String>,
}

impl NamedBreaker {
    pub(crate) fn record(&self) -> StateRecord {
        StateRecord::Breaker {
            dependency: self.name.clone(),
            breaker: self.breaker.record(),
            reason: self.reason.clone(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
    /// The epoch is durable: attempts may start.
    pub(crate) owned: bool,
    pub(crate) draining: bool,
    pub(crate) breakers: Vec<NamedBreaker>,
    /// Breakers that may move on by themselves at another time than before.
    pub(crate) turned: BTreeSet<usize>,
    /// The one suspect of the system that runs although it ended the process alone before.
    pub(crate) exclusive: Option<(usize, u64)>,
    /// Consumers that may have something to start or to fetch.
    pub(crate) dirty: BTreeSet<usize>,
    pub(crate) consumers: usize,
    pub(crate) out: Outbox,
    /// Starts that are recorded, by consumer: sent at the next decision, unless what is heard before closes
    /// their way.
    pub(crate) dispatch: Vec<(usize, u64)>,
    pub(crate) runs: u64,
    pub(crate) shares: Shares,
    pub(crate) jobs: Jobs,
}

impl Shared {
    pub(crate) fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    pub(crate) fn all_dirty(&mut self) {
        self.dirty.extend(0..self.consumers);
    }

    /// A call of a dependency ended: when the breaker limits calls, others may go on.
    pub(crate) fn breaker_touched(&mut self, index: usize, changed: bool) {
        let Some(named) = self.breakers.get(index) else {
            return;
        };
        if changed {
            self.out.advise(named.record());
            self.turned.insert(index);
        }
        if changed || named.breaker.is_limiting() {
            self.dirty.extend(named.dependents.iter().copied());
        }
    }
}
