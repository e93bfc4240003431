//! Histories in which the log has once broken a promise, each as small as it shows it.

#![cfg(test)]

use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_fault::{Dice, FaultDisk};
use tidegate_log::{
    Append, AppendError, Batch, Disk, DiskFile, Durability, History, Keep, Log, Options, Placed,
    ReadError, ReadLimit, StateChange,
};

const OPTIONS: Options = Options {
    segment_bytes: 4_000,
    ahead_bytes: 0,
    queue_bytes_max: 1 << 20,
    bytes_max: None,
    recent_bytes_max: 0,
    reserve_bytes: 0,
};

/// A disk that does something the next time that a file is read whose name ends so.
#[derive(Clone, Debug)]
struct Interrupted {
    disk: FaultDisk,
    then: Arc<Mutex<Option<Interruption>>>,
}

struct Interruption(&'static str, Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Interruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Interrupted {
    fn new() -> Self {
        Self {
            disk: FaultDisk::new(1),
            then: Arc::default(),
        }
    }

    fn when_read(&self, suffix: &'static str, then: impl FnOnce() + Send + 'static) {
        *self.then.lock().unwrap() = Some(Interruption(suffix, Box::new(then)));
    }

    fn file(&self, name: &str, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(InterruptedFile {
            name: name.trim_end_matches(".new").to_owned(),
            file,
            disk: self.clone(),
        })
    }
}

#[derive(Debug)]
struct InterruptedFile {
    name: String,
    file: Box<dyn DiskFile>,
    disk: Interrupted,
}

impl DiskFile for InterruptedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset);
        let then = {
            let mut then = self.disk.then.lock().unwrap();
            then.take_if(|Interruption(suffix, _)| self.name.ends_with(*suffix))
        };
        if let Some(Interruption(_, then)) = then {
            then();
        }
        read
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

impl Disk for Interrupted {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(name, self.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(name, self.disk.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }
}

const ALL: ReadLimit = ReadLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn seconds(at: u64) -> Timestamp {
    Timestamp::from_millis(at * 1_000)
}

fn open(disk: &FaultDisk, options: Options) -> Log {
    Log::open_stepped(Arc::new(disk.clone()), options)
        .unwrap()
        .0
}

/// Appends, and writes all that waits.
fn append(log: &Log, batch: Batch) -> Result<Placed, AppendError> {
    let (sender, receiver) = sync_channel(1);
    log.append(batch, Durability::Durable, move |result| {
        sender.send(result).unwrap();
    });
    while log.step() {}
    receiver.recv().unwrap()
}

/// A record of second `at` and 200 bytes.
fn record(channel: &str, at: u64) -> Append {
    let payload = Bytes::from(format!("{at:0>200}"));
    Append::new(name(channel), seconds(at), payload)
}

fn fill(log: &Log, channel: &str, range: std::ops::Range<u64>) {
    for at in range {
        append(log, Batch::of(vec![record(channel, at)])).unwrap();
    }
}

fn sequences(log: &Log, channel: &str) -> Result<Vec<u64>, ReadError> {
    let limit = ReadLimit {
        records: 50,
        bytes: 20_000,
    };
    let mut all = Vec::new();
    loop {
        let from = all.last().map_or(0, |last| last + 1);
        let records = log.read(&name(channel), from, limit)?;
        if records.is_empty() {
            return Ok(all);
        }
        all.extend(records.iter().map(|record| record.sequence));
    }
}

/// Everything before `needed_from` may go.
fn passed(needed_from: u64) -> Keep {
    Keep {
        age: Some(Duration::ZERO),
        needed_from,
        ..Keep::default()
    }
}

const LATER: u64 = 1_000_000;

#[test]
fn what_was_written_anew_is_not_written_anew_again_for_nothing() {
    let disk = FaultDisk::new(1);
    let log = open(&disk, OPTIONS);
    fill(&log, "a", 0..60);
    log.index().unwrap();
    // A segment has about 16: most of the first one, and not all of it.
    log.keep(&name("a"), passed(10));
    let first = log.clean(seconds(LATER)).unwrap();
    let second = log.clean(seconds(LATER)).unwrap();
    assert_eq!((first.segments, second.segments), (1, 0));
}

#[test]
fn what_is_pinned_is_not_written_anew_again_and_again() {
    let disk = FaultDisk::new(1);
    let log = open(&disk, OPTIONS);
    fill(&log, "a", 0..60);
    log.index().unwrap();
    let mut keep = passed(40);
    keep.pinned = vec![3, 5];
    log.keep(&name("a"), keep);
    let first = log.clean(seconds(LATER)).unwrap();
    let second = log.clean(seconds(LATER)).unwrap();
    assert!(first.segments > 0);
    assert_eq!(second.segments, 0);
}

#[test]
fn a_segment_that_is_closed_while_a_time_is_looked_for_is_looked_into() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..20);
    log.index().unwrap();
    let young = log.tail(&name("a"));
    fill(&log, "a", 100..102);
    let busy = Arc::clone(&log);
    disk.when_read(".idx", move || fill(&busy, "a", 110..130));
    assert_eq!(log.sequence_at(&name("a"), seconds(90)).unwrap(), young);
}

#[test]
fn retention_keeps_what_is_young_while_a_segment_is_closed() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..20);
    log.index().unwrap();
    let young = log.tail(&name("a"));
    fill(&log, "a", 100..102);
    log.keep(
        &name("a"),
        Keep {
            age: Some(Duration::from_secs(50)),
            needed_from: u64::MAX,
            ..Keep::default()
        },
    );
    let busy = Arc::clone(&log);
    disk.when_read(".idx", move || fill(&busy, "a", 110..130));
    log.clean(seconds(130)).unwrap();
    assert_eq!(log.head(&name("a")), young);
}

#[test]
fn a_time_is_found_in_what_was_written_anew_meanwhile() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..60);
    log.index().unwrap();
    log.keep(&name("a"), passed(10));
    let busy = Arc::clone(&log);
    disk.when_read(".idx", move || {
        busy.clean(seconds(LATER)).unwrap();
    });
    assert_eq!(log.sequence_at(&name("a"), seconds(12)).unwrap(), 12);
}

#[test]
fn the_state_is_one_state_when_it_is_replaced_meanwhile() {
    let disk = Interrupted::new();
    let state = |text: &str| Batch {
        state: StateChange::Replace(vec![Bytes::from(text.to_owned())]),
        ..Batch::EMPTY
    };
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    append(&log, state("old")).unwrap();
    fill(&log, "a", 0..40);
    log.index().unwrap();
    let busy = Arc::clone(&log);
    let new = state("new");
    disk.when_read(".seg", move || drop(append(&busy, new).unwrap()));
    let found = log.state().unwrap();
    assert!(found == ["old"] || found == ["new"], "{found:?}");
}

/// Three closed segments of `a` and one that is written, and a record of `a` that is damaged in the
/// second.
fn damaged(keyed: bool) -> FaultDisk {
    let disk = FaultDisk::new(1);
    {
        let log = open(&disk, OPTIONS);
        for at in 0..60 {
            let mut append_a = record("a", at);
            append_a.key = keyed.then(|| "key".to_owned());
            append(&log, Batch::of(vec![append_a])).unwrap();
        }
        fill(&log, "b", 0..60);
    }
    let segment = disk.names(".seg")[1].clone();
    disk.damage(&segment, |bytes| {
        let text = b"0024";
        let at = bytes.windows(4).position(|four| four == text).unwrap();
        bytes[at] ^= 1;
    });
    disk
}

#[test]
fn one_damaged_record_of_a_compacted_channel_does_not_end_all_cleaning() {
    let disk = damaged(true);
    let log = open(&disk, OPTIONS);
    log.keep(
        &name("a"),
        Keep {
            history: History::LatestPerKey,
            needed_from: u64::MAX,
            ..Keep::default()
        },
    );
    log.keep(&name("b"), passed(50));
    log.clean(seconds(LATER)).unwrap();
    assert_eq!(log.head(&name("b")), 50);
    assert!(
        log.read(
            &name("a"),
            59,
            ReadLimit {
                records: 1,
                bytes: 0
            }
        )
        .is_ok()
    );
}

#[test]
fn one_damaged_record_does_not_end_all_cleaning_by_age() {
    let disk = damaged(false);
    let log = open(&disk, OPTIONS);
    log.keep(
        &name("a"),
        Keep {
            age: Some(Duration::from_secs(100 - 26)),
            needed_from: u64::MAX,
            ..Keep::default()
        },
    );
    log.keep(&name("b"), passed(50));
    log.clean(seconds(100)).unwrap();
    assert_eq!(log.head(&name("b")), 50);
    assert!(log.head(&name("a")) <= 26);
}

#[test]
fn a_log_beyond_its_size_can_be_cleaned() {
    let disk = FaultDisk::new(1);
    fill(
        &open(
            &disk,
            Options {
                segment_bytes: 1 << 20,
                ..OPTIONS
            },
        ),
        "a",
        0..200,
    );
    let options = Options {
        segment_bytes: 1 << 20,
        bytes_max: Some(40_000),
        ..OPTIONS
    };
    let log = open(&disk, options);
    assert!(append(&log, Batch::of(vec![record("a", 1)])).is_err());
    log.keep(&name("a"), passed(200));
    log.clean(seconds(LATER)).unwrap();
    append(&log, Batch::of(vec![record("a", 1)])).unwrap();
}

#[test]
fn a_full_disk_can_be_cleaned() {
    let disk = FaultDisk::new(1);
    let options = Options {
        reserve_bytes: 10_000,
        ..OPTIONS
    };
    let log = open(&disk, options);
    fill(&log, "a", 0..60);
    disk.limit(Some(disk.used() + 700));
    let small = || {
        let append = Append::new(name("a"), seconds(1), Bytes::new());
        Batch::of(vec![append])
    };
    while append(&log, small()).is_ok() {}
    log.keep(&name("a"), passed(40));
    log.clean(seconds(LATER)).unwrap();
    append(&log, small()).unwrap();
}

#[test]
fn what_is_lost_is_told_after_its_neighbours_were_written_into_one() {
    let disk = FaultDisk::new(1);
    fill(&open(&disk, OPTIONS), "a", 0..120);
    let names = disk.names(".seg");
    disk.remove(&names[3]).unwrap();
    let larger = Options {
        segment_bytes: 100_000,
        ..OPTIONS
    };
    let log = open(&disk, larger);
    let lost = sequences(&log, "a").unwrap_err();
    log.clean(seconds(LATER)).unwrap();
    assert_eq!(sequences(&log, "a").unwrap_err(), lost);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells that the clean waits; when it is not there yet, the test shows nothing"
)]
fn who_waits_for_a_clean_learns_that_the_writer_has_ended() {
    let disk = FaultDisk::new(1);
    let (log, _) = Log::open_on(Arc::new(disk.clone()), OPTIONS).unwrap();
    log.follow(&name("a"), |tail| assert_eq!(tail, 0, "an observer fails"));
    log.keep(&name("a"), passed(1));
    let held = disk.hold_syncs();
    log.append(Batch::of(vec![record("b", 1)]), Durability::Durable, drop);
    disk.wait_for_sync();
    // It is in one group with what the clean notes.
    log.append(Batch::of(vec![record("a", 1)]), Durability::Written, drop);
    std::thread::scope(|scope| {
        let cleaning = scope.spawn(|| log.clean(seconds(LATER)));
        std::thread::sleep(Duration::from_millis(200));
        drop(held);
        assert!(cleaning.join().unwrap().is_err());
    });
}

#[test]
fn no_sequence_is_given_twice_when_the_only_snapshot_is_damaged() {
    let disk = FaultDisk::new(1);
    {
        let log = open(&disk, OPTIONS);
        fill(&log, "quiet", 0..20);
        fill(&log, "a", 0..60);
        log.keep(&name("quiet"), passed(20));
        log.keep(&name("a"), passed(60));
        log.clean(seconds(LATER)).unwrap();
    }
    let [only] = &disk.names(".seg")[..] else {
        panic!("{:?}", disk.names(".seg"));
    };
    disk.damage(only, |bytes| bytes[1_024 + 30] ^= 1);
    let log = open(&disk, OPTIONS);
    let placed = append(&log, Batch::of(vec![record("quiet", 1)])).unwrap();
    assert!(placed.sequences[0] >= 20, "{placed:?}");
}

#[test]
fn what_is_durable_stays_after_a_kill_while_a_segment_starts_and_a_power_failure() {
    for changes in 0..12 {
        for seed in 0..20 {
            let disk = FaultDisk::new(1);
            let log = open(&disk, OPTIONS);
            fill(&log, "a", 0..14);
            disk.remember_after(changes);
            fill(&log, "a", 14..17);
            let killed = disk.remembered();
            std::mem::forget(log);
            let log = open(&killed, OPTIONS);
            append(&log, Batch::of(vec![record("a", 100)])).unwrap();
            let tail = log.tail(&name("a"));
            let crashed = killed.crash(&mut Dice::new(seed));
            std::mem::forget(log);
            assert_eq!(
                open(&crashed, OPTIONS).tail(&name("a")),
                tail,
                "{changes} {seed}"
            );
        }
    }
}

#[test]
fn no_sequence_is_given_twice_when_the_first_record_of_a_channel_is_damaged() {
    let disk = FaultDisk::new(1);
    {
        let log = open(&disk, OPTIONS);
        fill(&log, "quiet", 0..1);
        fill(&log, "a", 0..5);
    }
    let segment = disk.names(".seg")[0].clone();
    disk.damage(&segment, |bytes| bytes[1_200] ^= 1);
    let log = open(&disk, OPTIONS);
    let placed = append(&log, Batch::of(vec![record("quiet", 1)])).unwrap();
    assert!(placed.sequences[0] >= 1, "{placed:?}");
}

#[test]
fn a_log_opens_on_a_full_disk() {
    let disk = FaultDisk::new(1);
    let log = open(&disk, OPTIONS);
    fill(&log, "a", 0..40);
    // Its indexes were not made yet.
    let disk = disk.killed();
    disk.limit(Some(disk.used()));
    let opened = Log::open_stepped(Arc::new(disk.clone()), OPTIONS);
    assert!(opened.is_ok(), "{:?}", opened.err());
}

#[test]
fn a_damaged_snapshot_behind_damage_loses_no_record() {
    let disk = FaultDisk::new(1);
    {
        let log = open(&disk, OPTIONS);
        fill(&log, "a", 0..10);
        fill(&log, "b", 0..2);
    }
    let first = disk.names(".seg")[0].clone();
    disk.damage(&first, |bytes| bytes[3_400] ^= 1);
    let placed = {
        let log = open(&disk, OPTIONS);
        append(&log, Batch::of(vec![record("a", 77), record("b", 77)])).unwrap()
    };
    let last = disk.names(".seg")[1].clone();
    disk.damage(&last, |bytes| bytes[1_024 + 30] ^= 1);
    let log = open(&disk, OPTIONS);
    let limit = ReadLimit {
        records: 1,
        bytes: 0,
    };
    for (channel, sequence) in ["a", "b"].into_iter().zip(placed.sequences) {
        let records = log.read(&name(channel), sequence, limit).unwrap();
        assert_eq!(records[0].time, seconds(77));
    }
}

#[test]
fn an_append_does_not_wait_while_an_index_is_made_again() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..40);
    log.index().unwrap();
    let index = disk.disk.names(".idx")[0].clone();
    disk.disk.damage(&index, |bytes| bytes[20] ^= 1);
    let (sender, done) = sync_channel(1);
    let busy = Arc::clone(&log);
    disk.when_read(".seg", move || {
        let (appended, waits) = sync_channel(1);
        std::thread::spawn(move || {
            append(&busy, Batch::of(vec![record("new", 1)])).unwrap();
            assert_eq!(appended.send(()), Ok(()));
        });
        let waited = waits.recv_timeout(Duration::from_secs(2));
        sender.send(waited.is_ok()).unwrap();
    });
    assert_eq!(sequences(&log, "a").unwrap().len(), 40);
    assert!(done.recv().unwrap());
}

#[test]
fn a_segment_that_finds_no_room_leaves_nothing_behind() {
    let disk = FaultDisk::new(1);
    let log = open(&disk, OPTIONS);
    fill(&log, "a", 0..15);
    disk.limit(Some(disk.used() + 500));
    assert!(append(&log, Batch::of(vec![record("a", 1)])).is_err());
    assert_eq!(disk.names(".new"), Vec::<String>::new());
}

#[test]
fn what_stands_behind_the_first_record_of_a_channel_at_the_floor_is_read() {
    let disk = FaultDisk::new(1);
    fill(&open(&disk, OPTIONS), "quiet", 0..1);
    fill(&open(&disk, OPTIONS), "a", 0..5);
    disk.damage(&disk.names(".seg")[0], |bytes| bytes[1_200] ^= 1);
    let floor = {
        let log = open(&disk, OPTIONS);
        let placed = append(&log, Batch::of(vec![record("new", 0)])).unwrap();
        fill(&log, "new", 1..4);
        placed.sequences[0]
    };
    assert!(floor >= 6, "{floor}");
    let last = disk.names(".seg").pop().unwrap();
    let frame = disk.bytes(&last).len() - 4 * 290;
    disk.damage(&last, |bytes| bytes[frame] ^= 1);
    let log = open(&disk, OPTIONS);
    let read = log.read(&name("new"), floor + 3, ALL).unwrap();
    assert_eq!(read[0].sequence, floor + 3);
    let placed = append(&log, Batch::of(vec![record("new", 9)])).unwrap();
    assert!(placed.sequences[0] >= floor + 4, "{placed:?}");
}
