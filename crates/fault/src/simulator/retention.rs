//! What is kept in a history, and how far retention may come.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_log::{History as KeepHistory, Keep, Log};

use super::history::{Held, History};
use super::model::{CHANNELS, channel};

impl History {
    /// As whoever uses a log does: what is needed is said before anything else.
    pub(super) fn say_what_is_kept(&self, log: &Log) {
        for (at, keep) in self.keeps.iter().enumerate() {
            if let Some(keep) = keep {
                log.keep(&channel(at), keep.clone());
            }
        }
    }

    /// What is before a head was allowed to go, or is seen only as long as it is pinned.
    pub(super) fn check_heads(&mut self, log: &Log) -> Held {
        for at in 0..CHANNELS {
            for passed in (0..log.head(&channel(at))).map(|sequence| (at, sequence)) {
                if !self.may_go.contains(&passed) && !self.pinned.contains(&passed) {
                    return Err(format!("channel {at}: retention has passed {}", passed.1));
                }
                let keep = self.keeps[at].as_ref();
                if !keep.is_some_and(|keep| keep.pinned.contains(&passed.1)) {
                    self.may_go.insert(passed);
                }
            }
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, log: &Log) -> Held {
        let at = self.dice.roll(CHANNELS);
        let tail = self.visible().channels[at].len() as u64;
        let before = self.keeps[at].as_ref().map_or(0, |keep| keep.needed_from);
        let needed_from = before.max(self.dice.bits() % (tail + 1));
        let mut pinned = BTreeSet::new();
        for _ in 0..self.dice.roll(3) {
            pinned.insert(self.dice.bits() % (tail + 1));
        }
        let keep = Keep {
            age: (!self.dice.once_in(3)).then(|| Duration::from_nanos(self.dice.bits() % 200)),
            bytes: self.dice.once_in(4).then(|| self.dice.bits() % 4_000),
            history: match self.dice.once_in(2) {
                true => KeepHistory::LatestPerKey,
                false => KeepHistory::All,
            },
            needed_from,
            pinned: pinned.into_iter().collect(),
        };
        self.tell(format!("keep {at} {keep:?}"));
        log.keep(&channel(at), keep.clone());
        let pinned = keep.pinned.iter().map(|sequence| (at, *sequence));
        self.pinned.extend(pinned);
        self.keeps[at] = Some(keep);
        self.check_heads(log)
    }
}
