//! Starts, and ends, that follow each other as one line: they are most of what is recorded, and each by
//! itself would repeat its consumer.

use serde::{Deserialize, Serialize};
use tidegate_base::ConsumerId;
use tidegate_delivery::{Company, Identity, StateRecord};

/// Most records of one line.
const TOGETHER_MAX: usize = 4_096;
/// What a line takes beside its consumer and its records.
const FRAME_BYTES: usize = 64;
/// What a start or an end takes at most: a sequence and an identity.
const EACH_BYTES: usize = 64;

/// How the lines of starts and ends begin.
const BEGINNINGS: [&[u8]; 2] = [b"{\"started-together\":", b"{\"done-together\":"];

/// Records that are to be one line, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together {
    line: Option<Line>,
    records: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// Starts of one consumer, none of which runs alone.
    StartedTogether {
        consumer: ConsumerId,
        /// The deliveries: in ranges that follow each other, each with its end excluded.
        started: Vec<(u64, u64)>,
    },
    /// Ends of deliveries of one consumer that leave nothing else: of no replay, and without a state.
    DoneTogether {
        consumer: ConsumerId,
        /// The deliveries, each with its event for a deduplicated consumer.
        done: Vec<(u64, Option<Identity>)>,
    },
}

impl Together {
    /// Takes the record in, if there is a place for it: begins a line if there is none, or goes on with it.
    pub(crate) fn takes(&mut self, record: &StateRecord) -> bool {
        let taken = self.records < TOGETHER_MAX
            && match record {
                StateRecord::Started {
                    consumer,
                    sequence,
                    company: Company::Shared,
                } => self.takes_start(consumer, *sequence),
                StateRecord::Done {
                    consumer,
                    sequence,
                    identity,
                    state: None,
                    generation: 0,
                } => self.takes_end(consumer, *sequence, *identity),
                _ => false,
            };
        self.records += usize::from(taken);
        taken
    }

    fn takes_start(&mut self, consumer: &ConsumerId, sequence: u64) -> bool {
        let begun = self.line.get_or_insert_with(|| Line::StartedTogether {
            consumer: consumer.clone(),
            started: Vec::new(),
        });
        let Line::StartedTogether {
            consumer: of,
            started,
        } = begun
        else {
            return false;
        };
        if of != consumer {
            return false;
        }
        match started.last_mut() {
            Some((_, end)) if *end == sequence => *end += 1,
            _ => started.push((sequence, sequence.saturating_add(1))),
        }
        true
    }

    fn takes_end(
        &mut self,
        consumer: &ConsumerId,
        sequence: u64,
        identity: Option<Identity>,
    ) -> bool {
        let begun = self.line.get_or_insert_with(|| Line::DoneTogether {
            consumer: consumer.clone(),
            done: Vec::new(),
        });
        let Line::DoneTogether { consumer: of, done } = begun else {
            return false;
        };
        if of != consumer {
            return false;
        }
        done.push((sequence, identity));
        true
    }

    /// The line, and none of its records any more; `None` when there are none.
    pub(crate) fn take_line(&mut self) -> Option<Vec<u8>> {
        self.records = 0;
        let line = self.line.take()?;
        // Plain data with string keys: serialisation into memory has no way to fail.
        Some(serde_json::to_vec(&line).unwrap_or_default())
    }

    /// About how many bytes the line will have, or a few more.
    pub(crate) fn bytes(&self) -> usize {
        let consumer = match &self.line {
            None => return 0,
            Some(Line::StartedTogether { consumer, .. } | Line::DoneTogether { consumer, .. }) => {
                consumer.service.as_str().len() + consumer.event.as_str().len()
            }
        };
        FRAME_BYTES + consumer + self.records * EACH_BYTES
    }
}

/// Adds the records of a line, of whichever kind, or says what is wrong with it.
pub(crate) fn decode(line: &[u8], records: &mut Vec<StateRecord>) -> Result<(), String> {
    if !BEGINNINGS.iter().any(|begins| line.starts_with(begins)) {
        let record = StateRecord::decode(line).map_err(|error| error.to_string())?;
        records.push(record);
        return Ok(());
    }
    let line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    match line {
        Line::StartedTogether { consumer, started } => {
            let count = |(start, end): &(u64, u64)| end.saturating_sub(*start);
            if started.iter().map(count).fold(0, u64::saturating_add) > TOGETHER_MAX as u64 {
                return Err(format!("more than {TOGETHER_MAX} starts in one line"));
            }
            let sequences = started.into_iter().flat_map(|(start, end)| start..end);
            records.extend(sequences.map(|sequence| StateRecord::Started {
                consumer: consumer.clone(),
                sequence,
                company: Company::Shared,
            }));
        }
        Line::DoneTogether { consumer, done } => {
            let ends = done.into_iter();
            records.extend(ends.map(|(sequence, identity)| StateRecord::Done {
                consumer: consumer.clone(),
                sequence,
                identity,
                state: None,
                generation: 0,
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal;

    fn record() -> impl Strategy<Value = StateRecord> {
        let consumer = prop::sample::select(vec!["billing/OrderPlaced", "audit/OrderPlaced"]);
        let sequence = prop_oneof![0..6_u64, Just(u64::MAX)];
        (consumer, sequence, 0..8_u8).prop_map(|(consumer, sequence, kind)| {
            let consumer: ConsumerId = consumer.parse().unwrap();
            let identity = (kind % 2 == 0).then(|| Identity::of("/shop", &sequence.to_string()));
            match kind {
                0..=2 => StateRecord::Started {
                    consumer,
                    sequence: sequence.min(u64::MAX - 1),
                    company: Company::Shared,
                },
                3 => StateRecord::Started {
                    consumer,
                    sequence,
                    company: Company::Alone,
                },
                4..=6 => StateRecord::Done {
                    consumer,
                    sequence,
                    identity,
                    state: None,
                    generation: u64::from(kind == 6),
                },
                _ => StateRecord::Epoch(sequence),
            }
        })
    }

    proptest! {
        /// Whatever follows what, all of it comes back in its order.
        #[test]
        fn records_come_back_in_their_order(records in prop::collection::vec(record(), 0..60)) {
            let mut lines = journal::Lines::default();
            for record in &records {
                lines.push(record);
            }
            let most = lines.bytes();
            let pieces = lines.pieces();
            prop_assert!(pieces.iter().map(|piece| piece.len()).sum::<usize>() <= most);
            prop_assert_eq!(journal::decode(&pieces).unwrap(), records);
        }
    }

    #[test]
    fn starts_and_ends_that_follow_each_other_are_one_line_each() {
        let consumer: ConsumerId = "billing/OrderPlaced".parse().unwrap();
        let mut lines = journal::Lines::default();
        for sequence in 0..500 {
            lines.push(&StateRecord::Started {
                consumer: consumer.clone(),
                sequence,
                company: Company::Shared,
            });
        }
        for sequence in [7, 3] {
            lines.push(&StateRecord::Done {
                consumer: consumer.clone(),
                sequence,
                identity: Some(Identity::of("/shop", &sequence.to_string())),
                state: None,
                generation: 0,
            });
        }
        let pieces = lines.pieces();
        let text: Vec<_> = pieces
            .iter()
            .map(|piece| String::from_utf8_lossy(piece))
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        {"started-together":{"consumer":"billing/OrderPlaced","started":[[0,500]]}}
        {"done-together":{"consumer":"billing/OrderPlaced","done":[[7,"b3193f0d594ff78c6c70f7a6785f4693"],[3,"b3193f0d5d4ff78c6c70f7a6785f4b7f"]]}}
        "#);
    }

    #[test]
    fn a_line_of_endless_starts_is_refused() {
        let line = br#"{"started-together":{"consumer":"billing/OrderPlaced","started":[[0,18446744073709551615]]}}"#;
        let mut records = Vec::new();
        let error = decode(line, &mut records).unwrap_err();
        assert!(error.contains("more than 4096 starts"), "{error}");
    }
}
