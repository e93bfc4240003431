//! One damaged byte: it is told, and everything else is read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use tidegate_base::Timestamp;
use tidegate_log::{Append, Batch, Durability, Log, ReadError, ReadLimit, Record};

use super::history::{Held, History, expected_of, tails};
use super::model::{CHANNELS, channel};

impl History {
    /// Damages one byte of one file, and checks that this is told and that everything else is read.
    pub(super) fn flip_and_check(&mut self) -> Held {
        let names = self.disk.names("");
        let segments = self.disk.names(".seg");
        let name = names[self.dice.roll(names.len())].clone();
        let length = self.disk.bytes(&name).len();
        if length == 0 {
            return Ok(());
        }
        let (byte, bit) = (self.dice.roll(length), 1 << self.dice.roll(8));
        self.tell(format!("flip {bit:#x} of byte {byte} of {name}"));
        self.disk.damage(&name, |bytes| bytes[byte] ^= bit);
        let opened = Log::open_stepped(Arc::new(self.disk.clone()), self.options);
        let (log, recovery) = opened.map_err(|error| format!("it does not open: {error}"))?;
        self.tell(format!("opened: {recovery:?}"));
        self.say_what_is_kept(&log);
        let is_last = segments.last() == Some(&name);
        if !name.ends_with(".seg") {
            return self.check_all(&log);
        }
        let mut lost = 0;
        let contents = self.base.clone();
        for at in 0..CHANNELS {
            let found = read_past_damage(&log, at)?;
            let should = &contents.channels[at];
            let whole = |record: &Record| {
                should.get(record.sequence as usize) == Some(&expected_of(record))
            };
            if !found.iter().all(whole) {
                return Err(format!("channel {at}: a record is not what was appended"));
            }
            let there: BTreeSet<u64> = found.iter().map(|record| record.sequence).collect();
            let stays = |s: &u64| !self.may_go.contains(&(at, *s));
            let absent = (0..should.len() as u64).filter(|s| !there.contains(s));
            lost += absent.filter(stays).count();
        }
        // What was cut as a torn tail may be given again: nobody knows that it was there.
        let given = match recovery.cut {
            Some(_) => [0; CHANNELS],
            None => contents.tails(),
        };
        self.go_on_behind_damage(log, given)?;
        // One frame, unless it could be taken for the torn end of the log.
        let rewritten = name.matches('.').count() > 1;
        match lost > 6 && !is_last && !rewritten {
            true => Err(format!("one byte took {lost} records along")),
            false => Ok(()),
        }
    }

    /// Appends, cleans and opens again: nothing more than what was hit is lost.
    fn go_on_behind_damage(&mut self, log: Log, given: [u64; CHANNELS]) -> Held {
        let append = |at| Append::new(channel(at), Timestamp::EPOCH, Bytes::from("behind"));
        let batch = Batch::of((0..CHANNELS).map(append).collect());
        let (sender, done) = sync_channel(1);
        log.append(batch, Durability::Durable, move |result| {
            sender.send(result.is_ok()).unwrap();
        });
        while log.step() {}
        let found = tails(&log);
        // It may be refused: the log has a size.
        if done.try_recv() == Ok(true) && (0..CHANNELS).any(|at| found[at] <= given[at]) {
            return Err(format!(
                "sequences are given twice: {found:?} after {given:?}"
            ));
        }
        let read = |log: &Log| -> Result<Vec<Vec<Record>>, String> {
            (0..CHANNELS).map(|at| read_past_damage(log, at)).collect()
        };
        let before = read(&log)?;
        let now = Timestamp::from_nanos(self.now);
        for at in 0..CHANNELS {
            if let Some(keep) = &self.keeps[at] {
                let base = &self.base;
                base.note_what_may_go(at, keep, now, &mut self.may_go);
            }
        }
        let cleaned = log
            .clean(now)
            .map_err(|error| format!("no clean behind damage: {error:?}"))?;
        self.tell(format!("cleaned: {cleaned:?}"));
        self.compare_behind_damage(&before, &read(&log)?)?;
        drop(log);
        let opened = Log::open_stepped(Arc::new(self.disk.clone()), self.options);
        let (log, recovery) = opened.map_err(|error| format!("it does not open: {error}"))?;
        self.tell(format!("opened: {recovery:?}"));
        self.say_what_is_kept(&log);
        self.compare_behind_damage(&before, &read(&log)?)
    }

    fn compare_behind_damage(&self, before: &[Vec<Record>], after: &[Vec<Record>]) -> Held {
        for (at, (before, after)) in before.iter().zip(after).enumerate() {
            let gone = |record: &&Record| {
                let may_go = self.may_go.contains(&(at, record.sequence));
                !after.contains(record) && !may_go && record.payload() != b"behind"
            };
            if let Some(record) = before.iter().find(gone) {
                return Err(format!("channel {at}: {} is gone since", record.sequence));
            }
        }
        Ok(())
    }
}

/// All records that can be read, whatever lies between.
fn read_past_damage(log: &Log, at: usize) -> Result<Vec<Record>, String> {
    let limit = ReadLimit {
        records: 100,
        bytes: 10_000,
    };
    let mut next = 0;
    let mut all = Vec::new();
    loop {
        match log.read(&channel(at), next, limit) {
            Ok(records) => match records.last() {
                Some(last) => {
                    next = last.sequence + 1;
                    all.extend(records);
                }
                None => return Ok(all),
            },
            Err(ReadError::Damaged { sequence, .. }) => next = sequence + 1,
            Err(ReadError::Lost { next: behind, .. }) => next = behind,
            Err(error) => return Err(format!("channel {at} from {next}: {error}")),
        }
    }
}
