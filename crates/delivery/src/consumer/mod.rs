//! One consumer: its window, its lanes and what it has gone through.

mod admission;
mod dead;
mod delivery;
mod discard;
mod done;
mod edit;
mod explain;
mod failure;
mod flow;
mod histories;
mod hold;
mod lane;
mod members;
mod redrives;
mod repetition;
mod restore;
mod seek;
mod settlement;
mod states;
mod status;
mod window;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use foldhash::{HashMap, HashMapExt};
use tidegate_base::Timestamp;
use tidegate_base::limit::{DEAD_LETTERS_MAX, WINDOW_DELIVERIES_MAX};

pub(crate) use admission::Admission;
pub use admission::Obstacle;
pub use dead::{DeadLetter, RedriveRefusal};
pub use discard::RestoreRefusal;
pub use edit::EditRefusal;
pub use explain::Explanation;
pub use seek::{Replaying, SeekPlan, SeekRefusal};
pub use status::{ConsumerStatus, DeliveryStatus, Failing};

pub(crate) use restore::Replay;
pub(crate) use seek::Skip;
pub(crate) use settlement::EndedBy;

use crate::budget::Budget;
use crate::config::ConsumerConfig;
use crate::cursor::Cursor;
use crate::identity::Identity;
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{Halt, Pause, StateRecord};
use crate::sequences::{SequenceMap, SequenceSet};
use crate::shared::Shared;
use delivery::{Before, Delivery};
use done::DoneSet;
use flow::Flow;
use histories::Histories;
use lane::Lanes;
use repetition::Live;
use seek::{Replays, Skips};
use states::States;

/// One consumer. Its invariants: a sequence is settled, in `deliveries`, in `restored` or still to
/// be fetched; what a replay is still to run is settled and to be fetched again; each delivery that may run is in exactly one of `fresh`, `again` and `suspects`, or
/// set aside in `twins`.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) config: ConsumerConfig,
    index: usize,
    /// Its dependencies, by index.
    needs: Vec<usize>,

    cursor: Cursor,
    pub(crate) tail: u64,
    next_fetch: u64,
    fetching: bool,
    deliveries: SequenceMap<Delivery>,
    /// Deliveries in memory that the cursor has not passed.
    in_window: usize,
    /// Deliveries in memory that the state keeps and that are no dead letters.
    kept: usize,
    /// What deliveries that are still to be fetched went through before a restart, or before a replay put them back.
    restored: BTreeMap<u64, Before>,

    lanes: Lanes,
    /// May run, never failed.
    fresh: SequenceSet,
    /// May run, failed before.
    again: SequenceSet,
    /// Runnable, but refused by an overload or by an open breaker: others go first, so that a few that
    /// are always refused starve nobody, and another one probes next time.
    put_off: SequenceSet,
    /// May run, may have ended the process.
    suspects: SequenceSet,
    /// Could run, but their event runs under another sequence.
    twins: HashMap<Identity, BTreeSet<u64>>,
    waiting: BTreeSet<(Timestamp, u64)>,
    leases: BTreeSet<(Timestamp, u64)>,

    starting: u32,
    running: u32,
    alone: Option<u64>,
    done: DoneSet,
    states: States,
    /// The identities of the deliveries in memory.
    live: HashMap<Identity, Live>,
    replays: Replays,
    skips: Skips,
    /// Replays and skips that are being recorded: nothing is fetched meanwhile.
    seeking: u32,
    /// The channel is to be read from elsewhere than where it is being read.
    stale_read: bool,
    ended: Histories,
    /// Deliveries that pullers wait for.
    pub(crate) wanted: u32,

    budget: Option<Budget>,
    /// For dead letters.
    letters: Option<Budget>,
    hold_since: Timestamp,
    hold_until: Timestamp,
    hold_reason: String,
    overloads: u32,
    faults: u32,
    pub(crate) halt: Option<Halt>,
    paused: Option<Pause>,
    probe_at: Timestamp,

    dead: usize,
    burying: usize,
    condemned: VecDeque<u64>,
    /// Letters that were given up and can be taken back, by when.
    discarded: BTreeSet<(Timestamp, u64)>,
    flow: Flow,
}

impl Consumer {
    /// A consumer with its dependencies and what it shares with others, by index.
    pub(crate) fn new(
        config: ConsumerConfig,
        index: usize,
        needs: Vec<usize>,
        places: Vec<usize>,
    ) -> Self {
        let window = config.window.clamp(1, WINDOW_DELIVERIES_MAX);
        let dead_letters = config.dead_letters.min(DEAD_LETTERS_MAX);
        Self {
            index,
            needs,
            cursor: Cursor::default(),
            tail: 0,
            next_fetch: 0,
            fetching: false,
            deliveries: SequenceMap::default(),
            in_window: 0,
            kept: 0,
            restored: BTreeMap::new(),
            lanes: Lanes::default(),
            fresh: SequenceSet::default(),
            again: SequenceSet::default(),
            put_off: SequenceSet::default(),
            suspects: SequenceSet::default(),
            twins: HashMap::new(),
            waiting: BTreeSet::new(),
            leases: BTreeSet::new(),
            starting: 0,
            running: 0,
            alone: None,
            done: DoneSet::default(),
            states: States::default(),
            live: HashMap::new(),
            replays: Replays::default(),
            skips: Skips::default(),
            seeking: 0,
            stale_read: false,
            ended: Histories::default(),
            wanted: 0,
            budget: config.retry.budget.map(Budget::of_retries),
            letters: config.dead_letter_budget.map(Budget::of_dead_letters),
            hold_since: Timestamp::EPOCH,
            hold_until: Timestamp::EPOCH,
            hold_reason: String::new(),
            overloads: 0,
            faults: 0,
            halt: None,
            paused: None,
            probe_at: Timestamp::EPOCH,
            dead: 0,
            burying: 0,
            condemned: VecDeque::new(),
            discarded: BTreeSet::new(),
            flow: Flow::new(&config, index, places),
            config: ConsumerConfig {
                window,
                dead_letters,
                ..config
            },
        }
    }

    /// A read failed in a way that reading again would not mend.
    pub(crate) fn stop_fetching(&mut self) {
        self.fetching = false;
        self.stale_read = false;
    }

    /// Starts nothing more, or goes on, as an operator has ordered.
    pub(crate) fn pause(&mut self, pause: Option<Pause>, shared: &mut Shared) {
        self.paused.clone_from(&pause);
        let consumer = self.config.id.clone();
        if mutant::is(Mutant::PauseNotKept) {
            return;
        }
        let record = StateRecord::Pause { consumer, pause };
        shared.out.durable(record, Then::Nothing);
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.starting + self.running
    }

    /// When it is its turn: before those with more in flight.
    pub(crate) fn turn(&self) -> crate::share::Turn {
        self.flow.turn(self.in_flight())
    }
}
