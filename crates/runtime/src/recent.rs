//! The events that a channel has taken lately, to recognise one that is published again.

use std::collections::VecDeque;

use foldhash::{HashMap, HashMapExt};
use tokio::sync::watch;

/// What is known of an identity.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// It is in the channel.
    Stored(u64),
    /// Somebody is about to store it; the receiver closes when that is done or has failed.
    UnderWay(watch::Receiver<()>),
}

/// The latest identities of one channel; the oldest is forgotten at the limit.
#[derive(Debug)]
pub(crate) struct Recent {
    max: usize,
    known: HashMap<String, Known>,
    order: VecDeque<String>,
}

impl Recent {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// What is known of an identity; one whose storing was given up is not known.
    pub(crate) fn get(&self, identity: &str) -> Option<Known> {
        let given_up = |known: &&Known| match known {
            Known::Stored(_) => false,
            Known::UnderWay(heard) => heard.has_changed().is_err(),
        };
        self.known
            .get(identity)
            .filter(|known| !given_up(known))
            .cloned()
    }

    /// Announces that an identity is about to be stored.
    pub(crate) fn announce(&mut self, identity: String, heard: watch::Receiver<()>) {
        self.known.insert(identity, Known::UnderWay(heard));
    }

    /// Notes where an identity is stored.
    pub(crate) fn store(&mut self, identity: String, sequence: u64) {
        let before = self.known.get(&identity);
        if matches!(before, Some(Known::Stored(_))) {
            // Twice in the order, it would be forgotten before its time.
            return;
        }
        self.known.insert(identity.clone(), Known::Stored(sequence));
        self.order.push_back(identity);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Forgets an identity that could not be stored.
    pub(crate) fn give_up(&mut self, identity: &str) {
        if matches!(self.known.get(identity), Some(Known::UnderWay(_))) {
            self.known.remove(identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut recent = Recent::new(2);
        for (sequence, identity) in ["a", "b", "c"].into_iter().enumerate() {
            recent.store(identity.to_owned(), sequence as u64);
        }
        assert!(recent.get("a").is_none());
        assert!(matches!(recent.get("c"), Some(Known::Stored(2))));
    }

    #[test]
    fn what_is_read_twice_is_remembered_as_long_as_the_rest() {
        let mut recent = Recent::new(2);
        for identity in ["a", "b", "a", "b"] {
            recent.store(identity.to_owned(), 0);
        }
        recent.store("c".to_owned(), 2);
        assert!(recent.get("a").is_none() && recent.get("b").is_some());
    }

    #[test]
    fn what_was_given_up_is_not_known() {
        let mut recent = Recent::new(2);
        let (told, heard) = watch::channel(());
        recent.announce("a".to_owned(), heard);
        assert!(matches!(recent.get("a"), Some(Known::UnderWay(_))));
        drop(told);
        assert!(recent.get("a").is_none());
    }
}
