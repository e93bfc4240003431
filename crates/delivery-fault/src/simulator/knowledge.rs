//! What the records on the disk say of each delivery, worked out apart from the machine.

use std::collections::BTreeMap;

use tidegate_base::ConsumerId;
use tidegate_delivery::{Company, Cursor, Progress, StateRecord};

/// What is known of one delivery.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// An attempt started, and no end of it is recorded.
    pub(crate) started: Option<Company>,
    pub(crate) failures: u32,
    pub(crate) crashes: u32,
    pub(crate) dead: bool,
}

/// Of every delivery that is not finished and has records.
pub(crate) type Knowledge = BTreeMap<(ConsumerId, u64), Known>;

/// Reads the records of a disk.
pub(crate) fn of<'a>(records: impl Iterator<Item = &'a StateRecord>) -> Knowledge {
    let mut known = Knowledge::new();
    let mut cursors: BTreeMap<ConsumerId, Cursor> = BTreeMap::new();
    for record in records {
        let Some(id) = record.consumer() else {
            continue;
        };
        let cursor = cursors.entry(id.clone()).or_default();
        if let StateRecord::Cursor { below, above, .. } = record {
            cursor.settle_range(0, *below);
            for (start, end) in above {
                cursor.settle_range(*start, *end);
            }
            continue;
        }
        let Some(sequence) = sequence(record) else {
            continue;
        };
        let place = (id.clone(), sequence);
        match record {
            StateRecord::Done { .. } => {
                cursor.settle(sequence);
                known.remove(&place);
            }
            StateRecord::Kept { delivery, .. } => {
                cursor.settle(sequence);
                let mut entry = Known {
                    dead: delivery.death.is_some(),
                    ..Known::default()
                };
                take(&mut entry, &delivery.progress);
                known.insert(place, entry);
            }
            _ if cursor.is_settled(sequence) && !known.contains_key(&place) => {}
            _ => change(known.entry(place).or_default(), record),
        }
    }
    known
}

fn change(known: &mut Known, record: &StateRecord) {
    match record {
        StateRecord::Started { company, .. } => known.started = Some(*company),
        StateRecord::Released { .. } => known.started = None,
        StateRecord::Failed { failures, .. } => {
            known.started = None;
            known.failures = *failures;
        }
        StateRecord::Progress { progress, .. } => take(known, progress),
        _ => {}
    }
}

fn take(known: &mut Known, progress: &Progress) {
    known.started = progress.started;
    known.failures = progress.failures;
    known.crashes = progress.crashes;
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
