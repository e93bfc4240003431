//! Cleaning.

use super::*;

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
