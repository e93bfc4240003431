//! What happens in one history, one thing after the other.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{
    Append, AppendError, Batch, Durability, Keep, Log, Options, ReadLimit, Record, StateChange,
};

use super::Violation;
use super::model::{CHANNELS, Contents, Expected, Sent, channel};
use crate::{Dice, FaultDisk};

/// Most things that happen between two openings.
const EVENTS_MAX: usize = 45;
/// Most openings of one history.
const LIVES_MAX: usize = 5;

/// What happened in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Everything that happened, in order.
    pub story: Vec<String>,
    /// A hash of all bytes that the disk held in the end.
    pub disk: u64,
}

/// How a batch ended.
type Answer = Option<Result<u64, AppendError>>;

pub(super) struct History {
    pub(super) dice: Dice,
    pub(super) disk: FaultDisk,
    pub(super) options: Options,
    story: Vec<String>,
    /// What was there for sure at the last opening.
    pub(super) base: Contents,
    /// What was appended since, in order, but for what was refused.
    sent: Vec<Sent>,
    answers: Arc<Mutex<Vec<Answer>>>,
    pub(super) may_go: BTreeSet<(usize, u64)>,
    pub(super) keeps: [Option<Keep>; CHANNELS],
    /// What was ever pinned.
    pub(super) pinned: BTreeSet<(usize, u64)>,
    pub(super) now: u64,
    numbers: usize,
    /// Whether the writer may have stopped.
    failing: bool,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Killed,
    PowerLost,
}

pub(super) type Held = Result<(), String>;

impl History {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let options = Options {
            segment_bytes: 200 + dice.roll(3_000) as u64,
            ahead_bytes: dice.roll(2_000),
            queue_bytes_max: 1 << 20,
            bytes_max: dice.once_in(5).then(|| 20_000 + dice.roll(60_000) as u64),
            recent_bytes_max: dice.roll(6_000),
            reserve_bytes: [0, 3_000][dice.roll(2)],
        };
        Self {
            disk: FaultDisk::new(dice.bits()),
            dice,
            options,
            story: Vec::new(),
            base: Contents::default(),
            sent: Vec::new(),
            answers: Arc::default(),
            may_go: BTreeSet::new(),
            keeps: [const { None }; CHANNELS],
            pinned: BTreeSet::new(),
            now: 1_000,
            numbers: 0,
            failing: false,
        }
    }

    pub(super) fn run(mut self) -> Result<Trace, Box<Violation>> {
        match self.live() {
            Ok(()) => Ok(Trace {
                disk: self.hash_of_disk(),
                story: self.story,
            }),
            Err(what) => Err(Box::new(Violation {
                what,
                story: self.story,
            })),
        }
    }

    fn live(&mut self) -> Held {
        let mut end = End::Closed;
        for _ in 0..=self.dice.roll(LIVES_MAX) {
            let log = self.open(end)?;
            for _ in 0..self.dice.roll(EVENTS_MAX) {
                self.event(&log)?;
            }
            end = self.end(log)?;
        }
        let log = self.open(end)?;
        self.check_all(&log)?;
        if !self.failing && self.dice.once_in(3) {
            while log.step() {}
            self.settle();
            self.check_all(&log)?;
            drop(log);
            self.flip_and_check()?;
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, what: impl Into<String>) {
        self.story.push(what.into());
    }

    /// Opens the log and finds out which of the batches it has kept.
    fn open(&mut self, end: End) -> Result<Log, String> {
        self.disk.limit(None);
        self.disk.fail_syncs_after(None);
        self.failing = false;
        let end = self.open_in_vain(end);
        self.disk.limit(None);
        let opened = Log::open_stepped(Arc::new(self.disk.clone()), self.options);
        let (log, recovery) = opened.map_err(|error| format!("it does not open: {error}"))?;
        self.tell(format!("opened after {end:?}: {recovery:?}"));
        if !recovery.damages.is_empty() {
            return Err(format!(
                "damage where there is none: {:?}",
                recovery.damages
            ));
        }
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        let kept = |sent: &Sent| match &answers[sent.number] {
            Some(Ok(_)) => end != End::PowerLost || sent.durable,
            _ => false,
        };
        let least = self.sent.iter().rposition(kept).map_or(0, |at| at + 1);
        let mut contents = self.base.clone();
        let mut best = None;
        for count in 0..=self.sent.len() {
            if let Some(sent) = count.checked_sub(1).map(|at| &self.sent[at]) {
                contents.apply(&sent.batch);
            }
            if tails(&log) == contents.tails() && holds_cursors(&log, &contents) {
                let state = log.state().map_err(|error| format!("the state: {error}"))?;
                if state == contents.state {
                    best = Some((count, contents.clone()));
                }
            }
        }
        let Some((count, mut contents)) = best else {
            let (found, most) = (tails(&log), contents.tails());
            return Err(format!(
                "no prefix of the batches is there: {found:?} of {most:?}"
            ));
        };
        if count < least {
            return Err(format!(
                "{least} batches were acknowledged, {count} are there"
            ));
        }
        contents.begun = None;
        self.base = contents;
        self.sent.clear();
        self.numbers = 0;
        let tails = self.base.tails();
        self.may_go.retain(|(at, sequence)| *sequence < tails[*at]);
        self.say_what_is_kept(&log);
        self.check_heads(&log)?;
        self.check_all(&log)?;
        Ok(log)
    }

    fn event(&mut self, log: &Log) -> Held {
        self.now += self.dice.bits() % 30;
        match self.dice.roll(40) {
            0..=14 => self.append(log),
            15..=25 => {
                let stepped = log.step();
                self.tell(format!("step {stepped}"));
                self.settle();
            }
            26..=28 => self.check_channel(log)?,
            29 => self.check_time(log)?,
            30..=32 => self.clean(log)?,
            33 => self.keep(log)?,
            34 => {
                self.tell("index");
                drop(log.index());
            }
            35 => {
                let room = self.dice.roll(3_000);
                let limit = self.dice.once_in(2).then(|| self.disk.used() + room);
                self.tell(format!("disk limit {limit:?}"));
                self.disk.limit(limit);
            }
            36 if self.dice.once_in(6) => {
                self.tell("a sync will fail");
                self.failing = true;
                self.disk.fail_syncs_after(Some(self.dice.roll(3)));
            }
            _ => self.check_visible(log)?,
        }
        Ok(())
    }

    fn append(&mut self, log: &Log) {
        let number = self.numbers;
        self.numbers += 1;
        let batch = self.batch();
        let durable = !self.dice.once_in(3);
        let class = match durable {
            true => Durability::Durable,
            false => Durability::Written,
        };
        self.tell(format!("append {number} {class:?} {}", describe(&batch)));
        self.answers.lock().unwrap().push(None);
        self.sent.push(Sent {
            number,
            batch: batch.clone(),
            durable,
        });
        let answers = Arc::clone(&self.answers);
        log.append(batch, class, move |result| {
            let position = result.map(|placed| placed.position);
            answers.lock().unwrap()[number] = Some(position);
        });
        self.settle();
    }

    /// Forgets what was refused: it must leave no trace.
    fn settle(&mut self) {
        let answers = self.answers.lock().unwrap();
        let refused = |sent: &Sent| {
            matches!(
                answers[sent.number],
                Some(Err(AppendError::Full { .. } | AppendError::Large { .. }))
            )
        };
        self.sent.retain(|sent| !refused(sent));
    }

    fn batch(&mut self) -> Batch {
        let dice = &mut self.dice;
        let count = [0, 1, 1, 2, 3, 6][dice.roll(6)];
        let mut appends = Vec::new();
        for _ in 0..count {
            let time = self.now.saturating_sub(dice.bits() % 40);
            let size = [0, 10, 40, 300, 900][dice.roll(5)];
            let payload = format!("{:016x}{}", dice.bits(), "x".repeat(size));
            let mut append = Append::new(
                channel(dice.roll(CHANNELS)),
                Timestamp::from_nanos(time),
                Bytes::from(payload),
            );
            append.key = (!dice.once_in(3)).then(|| format!("key-{}", dice.roll(5)));
            if dice.once_in(4) {
                append.headers = vec![("type".to_owned(), format!("{}", dice.roll(9)))];
            }
            appends.push(append);
        }
        let items = |dice: &mut Dice| -> Vec<Bytes> {
            let count = dice.roll(3);
            let item = |_| Bytes::from(format!("{:x}", dice.bits()));
            (0..count).map(item).collect()
        };
        let state = match dice.roll(8) {
            0..=2 => StateChange::NONE,
            3 => StateChange::Replace(items(dice)),
            4 => StateChange::Begin(items(dice)),
            5 => StateChange::Finish(items(dice)),
            _ => StateChange::Append(items(dice)),
        };
        let mut cursors = Vec::new();
        for _ in 0..dice.roll(3) {
            cursors.push((consumer(dice.roll(3)), dice.bits() % 1_000));
        }
        Batch {
            appends,
            state,
            cursors,
        }
    }

    fn clean(&mut self, log: &Log) -> Held {
        // Noting what has passed writes what waits first: that becomes visible too.
        while log.step() {}
        self.settle();
        let visible = self.visible();
        let now = Timestamp::from_nanos(self.now);
        for at in 0..CHANNELS {
            if let Some(keep) = &self.keeps[at] {
                visible.note_what_may_go(at, keep, now, &mut self.may_go);
            }
        }
        let cleaned = log.clean(now);
        self.tell(format!("clean {cleaned:?}"));
        self.check_all(log)
    }

    /// Ends a life in one of three ways.
    fn end(&mut self, log: Log) -> Result<End, String> {
        let end = match self.dice.roll(5) {
            0 => End::Closed,
            1 => End::Killed,
            _ => End::PowerLost,
        };
        self.tell(format!("{end:?}"));
        if end != End::Closed && self.dice.once_in(2) {
            return Ok(self.die_amid(log, end));
        }
        match end {
            End::Closed => {
                drop(log);
                self.settle();
            }
            End::Killed => {
                self.disk = self.disk.killed();
                self.let_die(log);
            }
            End::PowerLost => {
                let crashed = self.disk.crash(&mut self.dice);
                self.disk = crashed;
                self.let_die(log);
            }
        }
        if self.failing {
            // After a failed sync the operating system may have forgotten what was written.
            return Ok(End::PowerLost);
        }
        Ok(end)
    }

    /// Ends a life in the middle of something.
    fn die_amid(&mut self, log: Log, end: End) -> End {
        let answered = self.answers.lock().unwrap().clone();
        let what = self.dice.roll(4);
        if what == 0 {
            let visible = self.after_all_that_waits();
            let now = Timestamp::from_nanos(self.now);
            for at in 0..CHANNELS {
                if let Some(keep) = &self.keeps[at] {
                    visible.note_what_may_go(at, keep, now, &mut self.may_go);
                }
            }
        }
        let changes = self.dice.roll(20);
        self.tell(format!("dies amid {what} after {changes} changes"));
        self.disk.remember_after(changes);
        match what {
            0 => drop(log.clean(Timestamp::from_nanos(self.now))),
            1 => drop(log.index()),
            2 => while log.step() {},
            _ => log.close(),
        }
        let disk = self.disk.remembered();
        drop(log);
        // What was answered meanwhile may be there, or not.
        *self.answers.lock().unwrap() = answered;
        self.disk = match end {
            End::PowerLost => disk.crash(&mut self.dice),
            End::Killed | End::Closed => disk,
        };
        match self.failing {
            true => End::PowerLost,
            false => end,
        }
    }

    /// What readers see once all that waits is written.
    fn after_all_that_waits(&self) -> Contents {
        let answers = self.answers.lock().unwrap();
        let mut contents = self.base.clone();
        for sent in &self.sent {
            if !matches!(answers[sent.number], Some(Err(_))) {
                contents.apply(&sent.batch);
            }
        }
        contents
    }

    /// Opens it some times before it stays open: the power fails amid, or the disk is full.
    fn open_in_vain(&mut self, mut end: End) -> End {
        while self.dice.once_in(3) {
            if self.dice.once_in(2) {
                let limit = self.disk.used() + self.dice.roll(800);
                self.tell(format!("opening with a limit of {limit}"));
                self.disk.limit(Some(limit));
            }
            let changes = self.dice.roll(20);
            self.disk.remember_after(changes);
            let opened = Log::open_stepped(Arc::new(self.disk.clone()), self.options);
            self.tell(format!(
                "opening dies after {changes} changes: {:?}",
                opened.as_ref().map(|(_, recovery)| recovery)
            ));
            let disk = self.disk.remembered();
            drop(opened);
            self.disk = disk.crash(&mut self.dice);
            end = End::PowerLost;
        }
        end
    }

    /// Drops a log whose process is dead: it closes on a disk that nobody looks at any more, and what it
    /// answers then, nobody has heard.
    fn let_die(&self, log: Log) {
        let heard = self.answers.lock().unwrap().clone();
        drop(log);
        *self.answers.lock().unwrap() = heard;
    }

    /// What readers should see.
    pub(super) fn visible(&self) -> Contents {
        let answers = self.answers.lock().unwrap();
        let mut contents = self.base.clone();
        for sent in &self.sent {
            if matches!(answers[sent.number], Some(Ok(_))) {
                contents.apply(&sent.batch);
            }
        }
        contents
    }

    fn check_visible(&mut self, log: &Log) -> Held {
        let visible = self.visible();
        if tails(log) != visible.tails() {
            let (found, should) = (tails(log), visible.tails());
            return Err(format!(
                "tails {found:?} are visible, {should:?} acknowledged"
            ));
        }
        if !holds_cursors(log, &visible) {
            return Err("cursors are not what was acknowledged".to_owned());
        }
        match log.state() {
            Ok(state) if state == visible.state => Ok(()),
            Ok(state) => Err(format!(
                "the state is not what was acknowledged: {state:?}, should be {:?}",
                visible.state
            )),
            Err(error) => Err(format!("the state: {error}")),
        }
    }

    pub(super) fn check_all(&mut self, log: &Log) -> Held {
        self.check_visible(log)?;
        let visible = self.visible();
        (0..CHANNELS).try_for_each(|at| {
            let records = self.read_all(log, at, 0)?;
            self.compare(at, 0, &records, &visible.channels[at])
        })
    }

    fn check_channel(&mut self, log: &Log) -> Held {
        let at = self.dice.roll(CHANNELS);
        let expected = self.visible().channels[at].clone();
        let from = self.dice.bits() % (expected.len() as u64 + 2);
        let records = self.read_all(log, at, from)?;
        self.compare(at, from, &records, &expected)
    }

    fn read_all(&mut self, log: &Log, at: usize, from: u64) -> Result<Vec<Record>, String> {
        let limit = ReadLimit {
            records: 1 + self.dice.roll(20),
            bytes: self.dice.roll(3_000),
        };
        let mut next = from;
        let mut all: Vec<Record> = Vec::new();
        loop {
            let read = log.read(&channel(at), next, limit);
            let records = read.map_err(|error| format!("channel {at} from {next}: {error}"))?;
            let Some(last) = records.last() else {
                return Ok(all);
            };
            if records.iter().any(|record| record.sequence < next) {
                return Err(format!("channel {at} from {next}: a record before it"));
            }
            next = last.sequence + 1;
            all.extend(records);
        }
    }

    fn compare(&self, at: usize, from: u64, found: &[Record], should: &[Expected]) -> Held {
        let mut last = None;
        for record in found {
            let sequence = record.sequence;
            if last >= Some(sequence) {
                return Err(format!("channel {at}: {sequence} is out of order"));
            }
            last = Some(sequence);
            let expected = should.get(sequence as usize);
            if expected != Some(&expected_of(record)) {
                return Err(format!("channel {at}: {sequence} is not what was appended"));
            }
        }
        let there: BTreeSet<u64> = found.iter().map(|record| record.sequence).collect();
        let absent = (from..should.len() as u64)
            .find(|s| !there.contains(s) && !self.may_go.contains(&(at, *s)));
        match absent {
            Some(sequence) => Err(format!("channel {at}: {sequence} is absent")),
            None => Ok(()),
        }
    }

    fn check_time(&mut self, log: &Log) -> Held {
        let at = self.dice.roll(CHANNELS);
        let time = Timestamp::from_nanos(self.dice.bits() % (self.now + 10));
        let (head, tail) = (log.head(&channel(at)), log.tail(&channel(at)));
        let found = log.sequence_at(&channel(at), time);
        let found = found.map_err(|error| format!("channel {at} at {time}: {error}"))?;
        let records = self.read_all(log, at, head)?;
        let first = records.iter().find(|record| record.time >= time);
        let should = first.map_or(tail, |first| first.sequence);
        match found == should {
            true => Ok(()),
            false => Err(format!(
                "channel {at} at {time}: {found}, should be {should}"
            )),
        }
    }

    fn hash_of_disk(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for name in self.disk.names("") {
            (&name, self.disk.bytes(&name)).hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn consumer(at: usize) -> Name {
    Name::new(&format!("consumer-{at}")).unwrap()
}

fn describe(batch: &Batch) -> String {
    let channels = batch.appends.iter().map(|append| append.channel.as_str());
    let channels: Vec<&str> = channels.collect();
    format!("{channels:?} {:?} {:?}", batch.state, batch.cursors)
}

pub(super) fn tails(log: &Log) -> [u64; CHANNELS] {
    std::array::from_fn(|at| log.tail(&channel(at)))
}

fn holds_cursors(log: &Log, contents: &Contents) -> bool {
    (0..3).all(|at| log.cursor(&consumer(at)) == contents.cursors.get(&consumer(at)).copied())
}

pub(super) fn expected_of(record: &Record) -> Expected {
    let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Expected {
        time: record.time,
        key: record.key().map(str::to_owned),
        headers: record.headers().map(text).collect(),
        payload: record.clone().into_payload(),
    }
}
