//! Full disks, and crashes on the way.

use super::*;

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
fn a_full_disk_can_be_cleaned_when_an_index_must_be_made_again() {
    let disk = FaultDisk::new(1);
    let options = Options {
        reserve_bytes: 10_000,
        ..OPTIONS
    };
    let log = open(&disk, options);
    fill(&log, "a", 0..60);
    log.index().unwrap();
    for index in disk.names(".idx") {
        // In the block of places, which is read when it is asked for.
        disk.damage(&index, |bytes| bytes[80] ^= 1);
    }
    disk.limit(Some(disk.used()));
    log.keep(&name("a"), passed(20));
    let cleaned = log.clean(seconds(LATER)).unwrap();
    assert!(cleaned.segments > 0, "{cleaned:?}");
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
fn a_segment_that_finds_no_room_leaves_nothing_behind() {
    let disk = FaultDisk::new(1);
    let log = open(&disk, OPTIONS);
    fill(&log, "a", 0..15);
    disk.limit(Some(disk.used() + 500));
    assert!(append(&log, Batch::of(vec![record("a", 1)])).is_err());
    assert_eq!(disk.names(".new"), Vec::<String>::new());
}
