//! The relay with an outbox in memory: what is refused, halved, held and handed over again.

use std::sync::Mutex;

use super::*;
use crate::outbox::{Change, Filter, Kept, Listed, Status};

/// Rows with their states.
#[derive(Debug, Default)]
struct Memory {
    rows: Vec<(Pending, &'static str)>,
    /// Calls that fail first.
    fails: usize,
}

impl Memory {
    fn of(rows: &[(&str, Option<&str>)]) -> Self {
        let row = |(number, (id, key)): (i64, &(&str, Option<&str>))| {
            let event = Envelope::from_attributes(
                [("id", *id), ("source", "/s"), ("type", "T")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
                None,
            );
            let key = key.map(str::to_owned);
            let event = if *id == "bad" {
                Err("no event\0".to_owned())
            } else {
                Ok(event)
            };
            (Pending { number, key, event }, "new")
        };
        Self {
            rows: (1..).zip(rows).map(row).collect(),
            fails: 0,
        }
    }

    fn states(&self) -> Vec<&'static str> {
        self.rows.iter().map(|(_, state)| *state).collect()
    }

    fn mark(&mut self, number: i64, to: &'static str) {
        for (row, state) in &mut self.rows {
            if row.number == number {
                *state = to;
            }
        }
    }
}

impl Outbox for &mut Memory {
    async fn claim(&mut self) -> Result<bool, OutboxError> {
        Ok(true)
    }
    async fn pending(&mut self, events: usize, _: usize) -> Result<Vec<Pending>, OutboxError> {
        if let Some(fails) = self.fails.checked_sub(1) {
            self.fails = fails;
            return Err(OutboxError::NotClaimed);
        }
        let refused = self.rows.iter().filter(|(_, state)| *state == "refused");
        let is_held = |row: &Pending| {
            let goes_first = |other: &Pending| other.key == row.key && other.number < row.number;
            row.key.is_some() && refused.clone().any(|(other, _)| goes_first(other))
        };
        let new = self
            .rows
            .iter()
            .filter(|(row, state)| *state == "new" && !is_held(row));
        Ok(new.map(|(row, _)| row.clone()).take(events).collect())
    }
    async fn mark_sent(&mut self, numbers: &[i64]) -> Result<(), OutboxError> {
        numbers.iter().for_each(|number| self.mark(*number, "sent"));
        Ok(())
    }
    async fn mark_refused(&mut self, number: i64, reason: &str) -> Result<(), OutboxError> {
        assert!(!reason.contains('\0'));
        self.mark(number, "refused");
        Ok(())
    }
    async fn clean(&mut self, _: &Kept) -> Result<u64, OutboxError> {
        Ok(0)
    }
    async fn wait(&mut self, at_most: Duration) {
        sleep(at_most).await;
    }
    async fn close(&mut self) {}
    async fn status(&mut self) -> Result<Status, OutboxError> {
        Err(OutboxError::NotClaimed)
    }
    async fn list(&mut self, _: &Filter) -> Result<Vec<Listed>, OutboxError> {
        Ok(Vec::new())
    }
    async fn change(&mut self, _: &[i64], _: &Change) -> Result<Vec<i64>, OutboxError> {
        Ok(Vec::new())
    }
}

/// Runs a relay for an hour of paused time; the notes, and the ids of the batches that were handed over.
async fn run(
    memory: &mut Memory,
    answer: impl Fn(usize, &[String]) -> Published + Send + Sync,
) -> (Vec<Note>, Vec<Vec<String>>) {
    let batches: Mutex<Vec<Vec<String>>> = Mutex::default();
    let notes: Mutex<Vec<Note>> = Mutex::default();
    let publisher = |batch: Vec<Envelope>| {
        let ids: Vec<String> = batch.into_iter().map(|event| event.id).collect();
        let mut batches = batches.lock().unwrap();
        let answer = answer(batches.len(), &ids);
        batches.push(ids);
        std::future::ready(answer)
    };
    let (sender, stop) = watch::channel(false);
    let mut relay = Relay::new(memory, RelaySettings::default());
    let (ended, ()) = tokio::join!(
        relay.run(&publisher, stop, |note| notes.lock().unwrap().push(note)),
        async {
            sleep(Duration::from_secs(3_600)).await;
            sender.send_replace(true);
        }
    );
    ended.unwrap();
    (notes.into_inner().unwrap(), batches.into_inner().unwrap())
}

fn refused(index: Option<usize>) -> Published {
    Published::Refused {
        index,
        reason: "schema".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_row_holds_its_key_and_no_other() {
    let mut memory = Memory::of(&[
        ("0", Some("a")),
        ("1", Some("a")),
        ("2", Some("b")),
        ("3", Some("a")),
        ("4", None),
        ("bad", Some("c")),
        ("6", Some("c")),
        ("bad", None),
    ]);
    let (_, batches) = run(&mut memory, |_, ids| {
        match ids.iter().position(|id| id == "1") {
            Some(at) => refused(Some(at)),
            None => Published::Accepted,
        }
    })
    .await;
    assert_eq!(
        memory.states(),
        [
            "sent", "refused", "sent", "new", "sent", "refused", "new", "refused"
        ]
    );
    assert_eq!(
        batches,
        [vec!["0", "1", "2", "3", "4"], vec!["0", "2", "4"]]
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_halved_until_the_event_at_fault_is_known() {
    let rows: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
    let rows: Vec<_> = rows.iter().map(|id| (id.as_str(), Some("k"))).collect();
    let mut memory = Memory::of(&rows);
    let (_, batches) = run(&mut memory, |_, ids| match ids.iter().any(|id| id == "5") {
        true => refused(None),
        false => Published::Accepted,
    })
    .await;
    // What is before it in its key is sent, in order; what is behind it waits.
    let sent = ["sent"; 4].into_iter();
    let states: Vec<_> = sent.chain(["refused"]).chain(["new"; 4]).collect();
    assert_eq!(memory.states(), states);
    let accepted = batches.iter().filter(|ids| !ids.contains(&"5".to_owned()));
    let accepted: Vec<_> = accepted.flatten().map(String::as_str).collect();
    assert_eq!(accepted, ["1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_points_nowhere_refuses_nothing_it_did_not_name() {
    let mut memory = Memory::of(&[("1", None), ("2", None), ("3", None)]);
    run(&mut memory, |_, ids| match ids {
        [id] if id != "3" => Published::Accepted,
        _ => refused(Some(7)),
    })
    .await;
    assert_eq!(memory.states(), ["sent", "sent", "refused"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_handed_over_again_after_a_growing_pause() {
    let mut memory = Memory::of(&[("1", Some("a"))]);
    let (notes, batches) = run(&mut memory, |tries, _| match tries {
        0 => Published::Later {
            after: Some(Duration::from_secs(90)),
            reason: String::new(),
        },
        1..9 => Published::Later {
            after: None,
            reason: String::new(),
        },
        _ => Published::Accepted,
    })
    .await;
    assert_eq!(batches.len(), 10);
    assert_eq!(memory.states(), ["sent"]);
    let delays: Vec<Duration> = notes
        .iter()
        .filter_map(|note| match note {
            Note::Later { delay, .. } => Some(*delay),
            _ => None,
        })
        .collect();
    assert_eq!(delays[0], Duration::from_secs(90));
    for (n, delay) in delays.iter().enumerate().skip(1) {
        let longest = Duration::from_millis(100 << n).min(Duration::from_secs(30));
        assert!(*delay <= longest && *delay >= longest / 2, "{n}: {delay:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_database_is_asked_again() {
    let mut memory = Memory {
        fails: 5,
        ..Memory::of(&[("1", None)])
    };
    let (notes, _) = run(&mut memory, |_, _| Published::Accepted).await;
    let lost = notes
        .iter()
        .filter(|note| matches!(note, Note::Disconnected { .. }))
        .count();
    assert_eq!((lost, memory.states()), (5, vec!["sent"]));
}
