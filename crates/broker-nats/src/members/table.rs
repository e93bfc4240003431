//! What a process knows of the others, and what it decides by it: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// How long a process may be silent until it is gone.
const GONE: Duration = Duration::from_secs(10);
/// How long a process may fail to say that it lives, until it counts its shards as lost: before the others do.
const LOST: Duration = Duration::from_secs(8);
/// How long nothing may be heard of oneself, until what one is told counts as stale.
const STALE: Duration = Duration::from_secs(6);
/// How long a process may be silent until its key is removed.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// What keys of processes begin with.
const MEMBER: &str = "member.";
/// What keys of shards begin with.
const SHARD: &str = "shard.";

/// A shard as its key says.
#[derive(Clone, Debug, Default)]
struct Lease {
    /// Nobody: empty.
    owner: String,
    revision: u64,
}

/// When a process was heard of last, by our clock.
#[derive(Clone, Copy, Debug)]
struct Heard {
    revision: u64,
    at: Instant,
}

/// A write that succeeds only if nobody else was first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) key: String,
    pub(crate) value: String,
    /// `None`: the key is to be new.
    pub(crate) revision: Option<u64>,
}

/// What a process knows.
#[derive(Debug)]
pub(crate) struct Table {
    id: String,
    shards: u32,
    leases: BTreeMap<u32, Lease>,
    members: BTreeMap<String, Heard>,
    /// When it said last that it lives.
    said: Option<Instant>,
    /// Shards that it is to give up, once it works on them no longer.
    giving: BTreeSet<u32>,
}

impl Table {
    pub(crate) fn new(id: String, shards: u32) -> Self {
        Self {
            id,
            shards,
            leases: BTreeMap::new(),
            members: BTreeMap::new(),
            said: None,
            giving: BTreeSet::new(),
        }
    }

    pub(crate) fn own_key(&self) -> String {
        format!("{MEMBER}{}", self.id)
    }

    /// Notes what a key says. What is older than what is known is passed over.
    pub(crate) fn note(
        &mut self,
        key: &str,
        value: String,
        is_there: bool,
        revision: u64,
        at: Instant,
    ) {
        if let Some(id) = key.strip_prefix(MEMBER) {
            if !is_there {
                self.members.remove(id);
                return;
            }
            let heard = self.members.entry(id.to_owned());
            let heard = heard.or_insert(Heard { revision, at });
            if revision > heard.revision {
                *heard = Heard { revision, at };
            }
        } else if let Some(shard) = key.strip_prefix(SHARD).and_then(|shard| shard.parse().ok()) {
            let lease = self.leases.entry(shard).or_default();
            if revision > lease.revision {
                *lease = Lease {
                    owner: value,
                    revision,
                };
            }
        }
    }

    /// Notes that it was said that this process lives.
    pub(crate) fn said(&mut self, at: Instant) {
        self.said = Some(at);
    }

    /// Whether what it is told is of now: it hears itself.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        let heard = self.members.get(&self.id);
        heard.is_some_and(|heard| now.duration_since(heard.at) < STALE)
    }

    fn lives(&self, id: &str, now: Instant) -> bool {
        let heard = self.members.get(id);
        id == self.id || heard.is_some_and(|heard| now.duration_since(heard.at) < GONE)
    }

    /// The shards that are this process's to work on.
    pub(crate) fn mine(&self, now: Instant) -> BTreeSet<u32> {
        if self
            .said
            .is_none_or(|said| now.duration_since(said) >= LOST)
        {
            return BTreeSet::new();
        }
        let mine = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.owner == self.id);
        let mine = mine.map(|(shard, _)| *shard);
        mine.filter(|shard| !self.giving.contains(shard)).collect()
    }

    fn decision(&self, shard: u32, value: &str) -> Decision {
        let lease = self.leases.get(&shard);
        Decision {
            key: format!("{SHARD}{shard}"),
            value: value.to_owned(),
            revision: lease.map(|lease| lease.revision),
        }
    }

    /// How many shards this process should have.
    fn share(&self, now: Instant) -> usize {
        let living = self.members.keys().filter(|id| self.lives(id, now));
        let mut living: BTreeSet<&str> = living.map(String::as_str).collect();
        living.insert(&self.id);
        let shards = usize::try_from(self.shards).unwrap_or(usize::MAX);
        let rank = living
            .iter()
            .take_while(|id| **id < self.id.as_str())
            .count();
        shards / living.len() + usize::from(rank < shards % living.len())
    }

    /// What is to be written, given what it works on.
    pub(crate) fn decide(&mut self, held: &BTreeSet<u32>, now: Instant) -> Vec<Decision> {
        if !self.is_fresh(now) {
            return Vec::new();
        }
        let own: BTreeSet<u32> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.owner == self.id)
            .map(|(shard, _)| *shard)
            .collect();
        self.giving.retain(|shard| own.contains(shard));
        let share = self.share(now);
        let mut decisions = Vec::new();
        for shard in self.giving.iter().filter(|shard| !held.contains(shard)) {
            decisions.push(self.decision(*shard, ""));
        }
        let keeps = own.len().saturating_sub(self.giving.len());
        if keeps > share {
            // The last ones: whoever keeps has what is open longest.
            let spare = own
                .iter()
                .rev()
                .filter(|shard| !self.giving.contains(shard));
            let spare: Vec<u32> = spare.take(keeps - share).copied().collect();
            self.giving.extend(spare);
        }
        if keeps < share {
            let is_free = |shard: &u32| {
                let lease = self.leases.get(shard);
                lease.is_none_or(|lease| lease.owner.is_empty() || !self.lives(&lease.owner, now))
            };
            let free = (0..self.shards).filter(is_free).take(share - keeps);
            decisions.extend(free.map(|shard| self.decision(shard, &self.id)));
        }
        decisions
    }

    /// The key of a process that is long gone.
    pub(crate) fn forgotten(&self, now: Instant) -> Option<String> {
        let mut members = self.members.iter();
        let found = members.find(|(_, heard)| now.duration_since(heard.at) >= FORGOTTEN);
        let (id, _) = found.filter(|_| self.is_fresh(now))?;
        Some(format!("{MEMBER}{id}"))
    }

    /// Gives everything back.
    pub(crate) fn free_all(&self) -> Vec<Decision> {
        let own = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.owner == self.id);
        own.map(|(shard, _)| self.decision(*shard, "")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket and processes on it, in time that a test moves.
    struct World {
        now: Instant,
        revision: u64,
        keys: BTreeMap<String, (String, u64)>,
        tables: Vec<Table>,
        held: Vec<BTreeSet<u32>>,
        is_dead: Vec<bool>,
    }

    impl World {
        fn new(processes: usize, shards: u32) -> Self {
            Self {
                now: Instant::now(),
                revision: 0,
                keys: BTreeMap::new(),
                tables: (0..processes)
                    .map(|at| Table::new(format!("p{at}"), shards))
                    .collect(),
                held: vec![BTreeSet::new(); processes],
                is_dead: vec![false; processes],
            }
        }

        fn put(&mut self, key: String, value: String) {
            self.revision += 1;
            for (table, is_dead) in self.tables.iter_mut().zip(&self.is_dead) {
                if !is_dead {
                    table.note(&key, value.clone(), true, self.revision, self.now);
                }
            }
            self.keys.insert(key, (value, self.revision));
        }

        /// A second passes for all that live.
        fn second(&mut self) {
            self.now += Duration::from_secs(1);
            for at in 0..self.tables.len() {
                if self.is_dead[at] {
                    continue;
                }
                let key = self.tables[at].own_key();
                self.put(key, "1".to_owned());
                self.tables[at].said(self.now);
                let mine = self.tables[at].mine(self.now);
                self.held[at] = mine;
                let held = self.held[at].clone();
                for decision in self.tables[at].decide(&held, self.now) {
                    let there = self.keys.get(&decision.key).map(|(_, revision)| *revision);
                    if there == decision.revision {
                        self.put(decision.key, decision.value);
                    }
                }
            }
        }

        fn owners(&self) -> BTreeMap<String, usize> {
            let mut owners = BTreeMap::new();
            for (key, (value, _)) in &self.keys {
                if key.starts_with(SHARD) && !value.is_empty() {
                    *owners.entry(value.clone()).or_insert(0) += 1;
                }
            }
            owners
        }
    }

    #[test]
    fn shares_are_fair_and_what_the_dead_had_is_taken_in_time() {
        let mut world = World::new(3, 7);
        world.is_dead[1] = true;
        world.is_dead[2] = true;
        for _ in 0..3 {
            world.second();
        }
        assert_eq!(world.owners(), [("p0".to_owned(), 7)].into());
        // Others come, and are given their share.
        world.is_dead = vec![false; 3];
        for key in world.keys.clone() {
            for table in &mut world.tables {
                table.note(&key.0, key.1.0.clone(), true, key.1.1, world.now);
            }
        }
        for _ in 0..6 {
            world.second();
        }
        let fair = [("p0", 3), ("p1", 2), ("p2", 2)];
        assert_eq!(
            world.owners(),
            fair.map(|(id, count)| (id.to_owned(), count)).into()
        );
        // One dies. Within ten seconds and a few its shards are the others'.
        world.is_dead[0] = true;
        for _ in 0..9 {
            world.second();
        }
        assert_eq!(world.owners().get("p0"), Some(&3));
        for _ in 0..4 {
            world.second();
        }
        assert_eq!(
            world.owners(),
            [("p1".to_owned(), 4), ("p2".to_owned(), 3)].into()
        );
    }

    #[test]
    fn whoever_cannot_speak_or_hear_has_and_takes_nothing() {
        let mut world = World::new(1, 2);
        for _ in 0..3 {
            world.second();
        }
        let table = &mut world.tables[0];
        assert_eq!(table.mine(world.now).len(), 2);
        assert_eq!(table.mine(world.now + LOST).len(), 0);
        let held = BTreeSet::new();
        assert!(!table.is_fresh(world.now + STALE));
        assert_eq!(table.decide(&held, world.now + STALE), []);
    }

    #[test]
    fn a_shard_is_handed_over_once_nobody_works_on_it() {
        let now = Instant::now();
        let mut table = Table::new("a".to_owned(), 2);
        table.said(now);
        for (key, value) in [
            ("member.a", "1"),
            ("member.b", "1"),
            ("shard.0", "a"),
            ("shard.1", "a"),
        ] {
            table.note(key, value.to_owned(), true, 5, now);
        }
        let held = BTreeSet::from([0, 1]);
        assert_eq!(table.decide(&held, now), []);
        assert_eq!(table.mine(now), [0].into());
        assert_eq!(table.decide(&held, now), []);
        let given = table.decide(&[0].into(), now);
        let key = "shard.1".to_owned();
        assert_eq!(
            given,
            [Decision {
                key,
                value: String::new(),
                revision: Some(5)
            }]
        );
    }
}
