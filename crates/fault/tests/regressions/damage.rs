//! Damage.

use super::*;

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
fn what_stands_behind_the_first_record_of_a_channel_at_the_floor_is_read() {
    // Larger than what a damaged frame could have held records: no jump over lost ones explains it.
    let options = Options {
        segment_bytes: 100_000,
        ..OPTIONS
    };
    let disk = FaultDisk::new(1);
    fill(&open(&disk, options), "quiet", 0..1);
    fill(&open(&disk, options), "a", 0..60);
    disk.damage(&disk.names(".seg")[0], |bytes| bytes[1_200] ^= 1);
    let floor = {
        let log = open(&disk, options);
        let placed = append(&log, Batch::of(vec![record("new", 0)])).unwrap();
        fill(&log, "new", 1..4);
        placed.sequences[0]
    };
    assert!(floor >= 60, "{floor}");
    disk.damage(&disk.names(".seg").pop().unwrap(), |bytes| {
        let first = bytes.windows(4).position(|four| four == b"\x03new");
        bytes[first.unwrap() + 20] ^= 1;
    });
    let log = open(&disk, options);
    let lost = log.read(&name("new"), floor, ALL).unwrap_err();
    assert!(!matches!(lost, ReadError::Io { .. }), "{lost:?}");
    let read = log.read(&name("new"), floor + 1, ALL).unwrap();
    assert_eq!(read[0].sequence, floor + 1);
    let placed = append(&log, Batch::of(vec![record("new", 9)])).unwrap();
    assert_eq!(placed.sequences[0], floor + 4);
}
