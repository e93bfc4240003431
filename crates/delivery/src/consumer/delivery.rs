//! One delivery in memory.

use std::sync::Arc;

use tidegate_base::Timestamp;

use crate::breaker::Period;
use crate::ended::Provenance;
use crate::identity::Identity;
use crate::mutant::{self, Mutant};
use crate::record::{Company, Death, Discard, Edit, EventRef, KeptDelivery, Progress, Standing};

/// One event on its way to one consumer.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) sequence: u64,
    pub(crate) event: Arc<EventRef>,
    pub(crate) accepted: Timestamp,
    /// Since when it is wanted: when it was accepted, or its replay ordered.
    pub(crate) since: Timestamp,
    /// The replay that it is of; 0: of none.
    pub(crate) generation: u64,
    pub(crate) lane: LaneKey,
    /// Of the lane, while it is in there.
    pub(crate) lane_number: Option<usize>,
    /// Set for a deduplicated consumer: that of its event in its generation.
    pub(crate) identity: Option<Identity>,
    /// What is delivered in the place of the event of its channel.
    pub(crate) edit: Option<Arc<Edit>>,
    pub(crate) custody: Custody,
    pub(crate) progress: Progress,
    /// It has been sent in this process, whatever came of that.
    pub(crate) was_sent: bool,
    pub(crate) phase: Phase,
}

/// What is known of a delivery that the channel is still to bring again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    pub(crate) progress: Progress,
    pub(crate) until: Option<Timestamp>,
    pub(crate) was_sent: bool,
}

/// Which deliveries it may not overtake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LaneKey {
    /// None.
    Free,
    /// All of the consumer.
    Total,
    /// Those with the same key.
    Key(Arc<str>),
}

/// From where it would come after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Custody {
    /// From the channel: the cursor has not passed it.
    Channel,
    /// From the state once that is durable, from the channel until then.
    Moving,
    /// From the state.
    State,
}

/// Where a delivery is.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It may run when it is the next of its lane.
    Ready,
    /// It failed, and runs again later.
    Waiting { until: Timestamp },
    /// Its start is being recorded.
    Starting(Run),
    /// It runs.
    Running(Run),
    /// What became of it is being recorded: frozen until that is durable.
    Settling,
    /// It is a dead letter, and what an operator has decided about it is being recorded: frozen as well.
    Deciding(Death),
    /// It should be a dead letter, but there are too many.
    Condemned(Death),
    /// It is a dead letter.
    Dead(Death),
    /// It was a dead letter and is given up: in no lane, finished unless it is taken back.
    Discarded(Death, Discard),
}

/// One attempt under way.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) sequence: u64,
    /// Its number within the epoch.
    pub(crate) run: u64,
    pub(crate) started: Timestamp,
    pub(crate) deadline: Timestamp,
    /// For each need: the period of its breaker that admitted the attempt.
    pub(crate) periods: Vec<Period>,
    pub(crate) company: Company,
}

impl Delivery {
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.phase, Phase::Dead(_))
    }

    /// It has never run, and is not to run yet: others of its key go first.
    pub(crate) fn is_scheduled(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. }) && self.progress == Progress::default()
    }

    /// It is a dead letter, given up or not.
    pub(crate) fn is_letter(&self) -> bool {
        matches!(self.phase, Phase::Dead(_) | Phase::Discarded(..))
    }

    /// An attempt started in an earlier process, and nobody knows how it ended.
    pub(crate) fn is_suspect(&self) -> bool {
        self.progress.started.is_some()
    }

    /// It never failed and is no suspect: it may serve as a probe.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.is_suspect()
            && self.progress.failures == 0
            && self.progress.standing == Standing::Clean
    }

    /// The number of its next or present attempt, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.progress.failures + self.progress.crashes + 1
    }

    pub(crate) fn kept(&self, death: Option<Death>) -> Box<KeptDelivery> {
        let forgets_edit = death.is_none() && mutant::is(Mutant::EditLostByRedrive);
        Box::new(KeptDelivery {
            sequence: self.sequence,
            event: Arc::clone(&self.event),
            accepted: self.accepted,
            progress: self.progress.clone(),
            death,
            discard: None,
            generation: self.generation,
            edit: self.edit.clone().filter(|_| !forgets_edit),
        })
    }

    /// What its event is recognised by and, when it was edited, those that it replaced: none of them
    /// is delivered beside it. Nothing for a consumer that does not deduplicate.
    pub(crate) fn identities(&self) -> impl Iterator<Item = Identity> {
        self.identity.into_iter().chain(self.replaced())
    }

    /// What the events are recognised by that were replaced.
    pub(crate) fn replaced(&self) -> impl Iterator<Item = Identity> {
        let edit = self.edit.as_ref().filter(|_| self.identity.is_some());
        let edit = edit.filter(|_| !mutant::is(Mutant::EditedTwinRuns));
        let notes = edit.into_iter().flat_map(|edit| &edit.notes);
        notes.map(|note| Identity::of(&self.event.source, &note.id).in_generation(self.generation))
    }

    /// What is delivered in the place of its event, when it was edited.
    pub(crate) fn provenance(&self) -> Option<Provenance> {
        let edit = self.edit.as_ref()?;
        Some(Provenance {
            id: edit.id.clone(),
            source: self.event.source.clone(),
            notes: edit.notes.clone(),
        })
    }

    /// A number that grows with every redrive and every edit, so that a letter that has changed since
    /// it was looked at is told from one that has not.
    pub(crate) fn version(&self) -> u64 {
        let edits = self.edit.as_ref().map_or(0, |edit| edit.notes.len());
        1 + u64::from(self.progress.redrives) + u64::try_from(edits).unwrap_or(u64::MAX)
    }

    pub(crate) fn edited_bytes(&self) -> usize {
        self.edit.as_ref().map_or(0, |edit| edit.event.len())
    }
}
