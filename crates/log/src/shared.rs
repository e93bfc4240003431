//! What the writer and the callers share: what is visible, and who follows channels.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tidegate_base::Name;

use crate::Keep;
use crate::directories::Directories;
use crate::encode::{Change, Encoded};
use crate::files::Files;
use crate::places::{ChannelPlaces, Place, Places};
use crate::recent::Recent;
use crate::registry::{Number, Registry, slot, slot_mut};
use crate::segment::Segment;
use crate::snapshot::Extent;

/// Called with a channel's tail whenever it has grown.
type Observer = Box<dyn FnMut(u64) + Send>;

/// A segment that is not written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) segment: Arc<Segment>,
    /// Its size.
    pub(crate) bytes: u64,
}

/// A closed segment whose index is not on the disk yet.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) closed: Closed,
    pub(crate) places: Arc<Places>,
}

/// Every record that readers see.
#[derive(Debug)]
pub(crate) struct Visible {
    /// In order of their positions.
    pub(crate) closed: Arc<Vec<Closed>>,
    /// Those of them whose indexes are not on the disk yet.
    pub(crate) sealed: Vec<Sealed>,
    /// The segment that is written.
    pub(crate) active: Arc<Segment>,
    /// Where its visible records are.
    pub(crate) places: Places,
    /// Where its last visible frame ends.
    pub(crate) end: u64,
    /// The position that comes next.
    pub(crate) position: u64,
    /// How far every channel has come, by number.
    pub(crate) extents: Vec<Extent>,
    pub(crate) cursors: BTreeMap<Name, u64>,
    /// Where a checkpoint of several batches has begun since the log was opened, until it is finished.
    pub(crate) begun: Option<u64>,
    /// The first sequence of a channel that has none yet.
    pub(crate) floor: u64,
    /// The latest frames.
    pub(crate) recent: Recent,
    /// Channels that have grown since they were last asked for.
    grown: Vec<Number>,
    has_grown: Vec<bool>,
}

impl Visible {
    /// What was found at open.
    pub(crate) fn new(closed: Vec<Closed>, active: Arc<Segment>, places: Places, end: u64) -> Self {
        Self {
            closed: Arc::new(closed),
            sealed: Vec::new(),
            active,
            places,
            end,
            position: 0,
            extents: Vec::new(),
            cursors: BTreeMap::new(),
            begun: None,
            floor: 0,
            recent: Recent::default(),
            grown: Vec::new(),
            has_grown: Vec::new(),
        }
    }

    /// How far a channel has come.
    pub(crate) fn extent(&self, number: Number) -> Extent {
        self.extents.get(slot(number)).copied().unwrap_or_default()
    }

    /// Bytes of all segments that are closed.
    pub(crate) fn closed_bytes(&self) -> u64 {
        self.closed.iter().map(|closed| closed.bytes).sum()
    }

    /// Adds records that are in the active segment.
    pub(crate) fn add(&mut self, records: &[Encoded]) {
        for record in records {
            let (sequence, byte) = (record.sequence, record.byte);
            let extent = slot_mut(&mut self.extents, record.number);
            let places = self.places.channel_mut(record.number);
            if extent.next == 0 && sequence > 0 {
                extent.low = sequence;
                *places = ChannelPlaces::starting(sequence);
            }
            extent.next = sequence + 1;
            places.push(Place { sequence, byte }, record.time, record.bytes.into());
            let grown = slot_mut(&mut self.has_grown, record.number);
            if !std::mem::replace(grown, true) {
                self.grown.push(record.number);
            }
        }
    }

    /// Makes a change.
    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::Low(number, low) => slot_mut(&mut self.extents, number).low = low,
            Change::Cursor(name, value) => {
                self.cursors.insert(name, value);
            }
            Change::Begun(begun) => self.begun = begun,
        }
    }

    /// Goes on in a new segment.
    pub(crate) fn roll(&mut self, segment: Arc<Segment>) {
        let starts = self.extents.iter().map(|extent| extent.next);
        let places = std::mem::replace(&mut self.places, Places::starting(starts));
        let closed = Closed {
            segment: std::mem::replace(&mut self.active, segment),
            bytes: self.end,
        };
        self.end = self.active.frames_at.into();
        Arc::make_mut(&mut self.closed).push(closed.clone());
        self.sealed.push(Sealed {
            closed,
            places: Arc::new(places),
        });
    }

    /// The channels that have grown since the last call, each with its tail.
    pub(crate) fn take_grown(&mut self) -> Vec<(Number, u64)> {
        let grown = std::mem::take(&mut self.grown);
        let with_tail = |number| {
            *slot_mut(&mut self.has_grown, number) = false;
            (number, self.extent(number).next)
        };
        let mut with_tail = with_tail;
        grown.into_iter().map(&mut with_tail).collect()
    }
}

thread_local! {
    /// The log, by its address, whose callers and observers are called on this thread.
    static ANSWERS_FOR: Cell<usize> = const { Cell::new(0) };
}

/// What the writer, the readers and the cleaner share.
pub(crate) struct Shared {
    registry: RwLock<Registry>,
    visible: RwLock<Visible>,
    observers: Mutex<Vec<Vec<Observer>>>,
    keeps: RwLock<BTreeMap<Number, Arc<Keep>>>,
    pub(crate) files: Files,
    pub(crate) directories: Directories,
}

impl Shared {
    /// Shares what was found.
    pub(crate) fn new(registry: Registry, visible: Visible, files: Files) -> Self {
        Self {
            registry: RwLock::new(registry),
            visible: RwLock::new(visible),
            observers: Mutex::default(),
            keeps: RwLock::default(),
            files,
            directories: Directories::default(),
        }
    }

    /// Callers and observers are called on this thread from now on.
    pub(crate) fn answer_here(&self) {
        ANSWERS_FOR.set(std::ptr::from_ref(self).addr());
    }

    /// Whether callers and observers are called on this thread.
    pub(crate) fn answers_here(&self) -> bool {
        ANSWERS_FOR.get() == std::ptr::from_ref(self).addr()
    }

    /// The names of channels, to read.
    pub(crate) fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of channels, to add to.
    pub(crate) fn registry_mut(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is visible. Changes are whole whenever the lock is free.
    pub(crate) fn visible(&self) -> RwLockReadGuard<'_, Visible> {
        self.visible.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is visible, to change.
    pub(crate) fn visible_mut(&self) -> RwLockWriteGuard<'_, Visible> {
        self.visible.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a channel keeps; `None` when nobody has said it.
    pub(crate) fn keep(&self, number: Number) -> Option<Arc<Keep>> {
        let keeps = self.keeps.read().unwrap_or_else(PoisonError::into_inner);
        keeps.get(&number).cloned()
    }

    /// What all channels keep of which somebody has said it.
    pub(crate) fn keeps(&self) -> BTreeMap<Number, Arc<Keep>> {
        let keeps = self.keeps.read().unwrap_or_else(PoisonError::into_inner);
        keeps.clone()
    }

    /// Says what a channel keeps.
    pub(crate) fn set_keep(&self, number: Number, keep: Keep) {
        let mut keeps = self.keeps.write().unwrap_or_else(PoisonError::into_inner);
        keeps.insert(number, Arc::new(keep));
    }

    /// Calls `observer` with the tail of a channel now, and from then on whenever it has grown.
    pub(crate) fn follow(&self, number: Number, mut observer: Observer) {
        let mut observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Under the lock of the observers, so that no growth falls between the two.
        observer(self.visible().extent(number).next);
        let slot = slot(number);
        if observers.len() <= slot {
            observers.resize_with(slot + 1, Vec::new);
        }
        if let Some(of_channel) = observers.get_mut(slot) {
            of_channel.push(observer);
        }
    }

    /// Tells the observers of channels that have grown.
    pub(crate) fn notify(&self, grown: Vec<(Number, u64)>) {
        let mut observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (number, tail) in grown {
            for observer in observers.get_mut(slot(number)).into_iter().flatten() {
                observer(tail);
            }
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("position", &self.visible().position)
            .finish_non_exhaustive()
    }
}
