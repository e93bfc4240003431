//! What the records on the disk say of each delivery, worked out apart from the machine.

use std::collections::BTreeMap;

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{ClassCounts, Company, Cursor, Hold, Progress, Standing, StateRecord};

/// What is known of one delivery.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// An attempt started, and no end of it is recorded.
    pub(crate) started: Option<Company>,
    pub(crate) failures: u32,
    pub(crate) classes: ClassCounts,
    pub(crate) crashes: u32,
    pub(crate) dead: bool,
    /// It has gone through something, besides a start of which no end is recorded.
    touched: bool,
}

impl Known {
    /// Whether it has run: no time that was set for it holds it any more.
    pub(crate) fn has_run(&self) -> bool {
        self.started.is_some() || self.touched
    }
}

/// Of every delivery that is not finished and has records.
pub(crate) type Knowledge = BTreeMap<(ConsumerId, u64), Known>;

/// Reads the records of a disk.
pub(crate) fn of<'a>(records: impl Iterator<Item = &'a StateRecord>) -> Knowledge {
    let mut known = Knowledge::new();
    let mut positions: BTreeMap<ConsumerId, Position> = BTreeMap::new();
    for record in records {
        let Some(id) = record.consumer() else {
            continue;
        };
        let position = positions.entry(id.clone()).or_default();
        position.take(id, record, &mut known);
        let Some(sequence) = sequence(record) else {
            continue;
        };
        let place = (id.clone(), sequence);
        match record {
            StateRecord::Done { generation, .. } => {
                if position.settle(sequence, *generation) {
                    known.remove(&place);
                }
            }
            StateRecord::Kept { delivery, .. } => {
                position.settle(sequence, delivery.generation);
                let mut entry = Known {
                    dead: delivery.death.is_some(),
                    ..Known::default()
                };
                take(&mut entry, &delivery.progress);
                known.insert(place, entry);
            }
            _ if position.is_over(sequence) && !known.contains_key(&place) => {}
            _ => change(known.entry(place).or_default(), record),
        }
    }
    known
}

/// Until when the handlers of consumers have asked to be left alone: where the clock was set back, for no longer than that.
pub(crate) fn left_alone<'a>(
    records: impl Iterator<Item = &'a StateRecord>,
    now: Timestamp,
) -> BTreeMap<ConsumerId, Timestamp> {
    let until = |hold: &Hold| hold.until.min(now + hold.until.since(hold.since));
    let mut alone = BTreeMap::new();
    for record in records {
        if let StateRecord::Hold { consumer, hold } = record {
            alone.remove(consumer);
            alone.extend(hold.iter().map(|hold| (consumer.clone(), until(hold))));
        }
    }
    alone
}

/// Up to where a consumer is, and what it is to run again.
#[derive(Default)]
struct Position {
    cursor: Cursor,
    /// By delivery: the replay.
    left: BTreeMap<u64, u64>,
}

impl Position {
    /// Takes in what a record says of many deliveries.
    fn take(&mut self, id: &ConsumerId, record: &StateRecord, known: &mut Knowledge) {
        match record {
            StateRecord::Cursor { below, above, .. } => {
                self.cursor.settle_range(0, *below);
                for (start, end) in above {
                    self.cursor.settle_range(*start, *end);
                }
            }
            StateRecord::Replay {
                generation, ranges, ..
            } => {
                self.left.retain(|_, of| of != generation);
                for (start, end) in ranges {
                    self.cursor.settle_range(*start, *end);
                    self.left.extend((*start..*end).map(|s| (s, *generation)));
                }
            }
            StateRecord::Skipped { ranges, .. } => {
                for (start, end) in ranges {
                    self.cursor.settle_range(*start, *end);
                    for sequence in *start..*end {
                        self.left.remove(&sequence);
                        known.remove(&(id.clone(), sequence));
                    }
                }
            }
            _ => {}
        }
    }

    /// A delivery is settled, in a generation. Returns whether that is the one in which it is wanted.
    fn settle(&mut self, sequence: u64, generation: u64) -> bool {
        self.cursor.settle(sequence);
        let wanted = self.left.get(&sequence).is_none_or(|of| *of == generation);
        if wanted {
            self.left.remove(&sequence);
        }
        wanted
    }

    fn is_over(&self, sequence: u64) -> bool {
        self.cursor.is_settled(sequence) && !self.left.contains_key(&sequence)
    }
}

fn change(known: &mut Known, record: &StateRecord) {
    match record {
        StateRecord::Started { company, .. } => known.started = Some(*company),
        StateRecord::Released { standing, .. } => {
            known.started = None;
            known.touched |= *standing == Standing::Tainted;
        }
        StateRecord::Failed {
            failures, classes, ..
        } => {
            known.started = None;
            known.touched = true;
            known.failures = *failures;
            known.classes = *classes;
        }
        StateRecord::Progress { progress, .. } => take(known, progress),
        _ => {}
    }
}

fn take(known: &mut Known, progress: &Progress) {
    known.started = progress.started;
    known.failures = progress.failures;
    known.classes = progress.classes;
    known.crashes = progress.crashes;
    let rest = Progress {
        started: None,
        ..progress.clone()
    };
    known.touched = rest != Progress::default();
}

fn sequence(record: &StateRecord) -> Option<u64> {
    match record {
        StateRecord::Started { sequence, .. }
        | StateRecord::Released { sequence, .. }
        | StateRecord::Failed { sequence, .. }
        | StateRecord::Done { sequence, .. }
        | StateRecord::Progress { sequence, .. } => Some(*sequence),
        StateRecord::Kept { delivery, .. } => Some(delivery.sequence),
        _ => None,
    }
}
