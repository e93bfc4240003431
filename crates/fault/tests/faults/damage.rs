//! Any damage costs what it hits, and is told with its place; a torn tail is no damage.

use proptest::prelude::*;
use tidegate_fault::FaultDisk;
use tidegate_log::{Durability, Log, OpenError, ReadError};

use super::{ALL, ONE_SEGMENT, SMALL, append, batch, batches, name, open};

/// Where the frames of the first segment start: its snapshot is empty.
const FRAMES_AT: usize = 1_024 + 16;

#[derive(Clone, Debug)]
enum Damage {
    /// The file ends early.
    Cut,
    /// One byte is another.
    Flip(u8),
    /// All is zero from there on.
    ZeroTail,
    /// Something else follows the last frame.
    Garbage(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Cut),
        (1..=255_u8).prop_map(Damage::Flip),
        Just(Damage::ZeroTail),
        proptest::collection::vec(any::<u8>(), 1..200).prop_map(Damage::Garbage),
    ]
}

/// Where each frame of the first segment ends.
fn frame_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = FRAMES_AT;
    while let Some(length) = bytes.get(at + 4..at + 8) {
        at += 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        ends.push(at);
    }
    ends
}

/// The numbers in channel `b` that can be read, whatever lies between.
fn readable(log: &Log) -> Vec<usize> {
    let mut next = 0;
    let mut numbers = Vec::new();
    loop {
        match log.read(&name("b"), next, ALL) {
            Ok(records) => {
                let Some(last) = records.last() else {
                    return numbers;
                };
                next = last.sequence + 1;
                let number = |bytes: &[u8]| -> usize {
                    let text = std::str::from_utf8(bytes).unwrap();
                    text.split_once(' ').unwrap().0.parse().unwrap()
                };
                numbers.extend(records.iter().map(|record| number(record.payload())));
            }
            Err(ReadError::Damaged { sequence, .. }) => next = sequence + 1,
            Err(ReadError::Lost { next: behind, .. }) => next = behind,
            Err(error) => panic!("{error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn damage_costs_what_it_hits(
        paddings in proptest::collection::vec(0..700_usize, 1..12),
        at in any::<prop::sample::Index>(),
        damage in damage(),
    ) {
        let disk = FaultDisk::default();
        let (log, _) = open(&disk, ONE_SEGMENT).unwrap();
        for (number, padding) in paddings.iter().enumerate() {
            append(&log, batch(number, *padding), Durability::Durable).unwrap();
        }
        drop(log);
        let segment = disk.names(".seg").pop().unwrap();
        let bytes = disk.bytes(&segment);
        let ends = frame_ends(&bytes);
        prop_assert_eq!(ends.len(), paddings.len());
        let count = ends.len();
        let mut at = at.index(bytes.len());
        match &damage {
            Damage::Cut => disk.damage(&segment, |bytes| bytes.truncate(at)),
            Damage::Flip(with) => disk.damage(&segment, |bytes| bytes[at] ^= with),
            Damage::ZeroTail => disk.damage(&segment, |bytes| bytes[at..].fill(0)),
            Damage::Garbage(garbage) => {
                at = bytes.len();
                disk.damage(&segment, |bytes| bytes.extend(garbage));
            }
        }
        // What is zero already may be zeroed without a change.
        let unchanged = disk.bytes(&segment) == bytes;
        let whole = ends.iter().filter(|end| **end <= at).count();
        let opened = open(&disk, ONE_SEGMENT);
        if at < FRAMES_AT && !matches!(damage, Damage::Flip(_)) {
            // Even the snapshot is gone, or the header and its copy.
            prop_assert!(opened.is_ok_and(|_| true) || at < 1_024);
            return Ok(());
        }
        let (log, recovery) = opened.unwrap();
        let found = readable(&log);
        let flip = matches!(damage, Damage::Flip(_));
        if unchanged || at < FRAMES_AT {
            prop_assert_eq!(found, (0..count).collect::<Vec<_>>());
        } else if flip && whole + 1 < count {
            // A later frame proves that these bytes were on the disk.
            let start = whole.checked_sub(1).map_or(FRAMES_AT, |before| ends[before]);
            prop_assert_eq!(recovery.damages.len(), 1);
            prop_assert_eq!(recovery.damages[0].byte, start as u64, "the place is wrong");
            let others = (0..count).filter(|number| *number != whole);
            prop_assert_eq!(found, others.collect::<Vec<_>>());
        } else {
            prop_assert_eq!(&recovery.damages, &[], "a torn tail is no damage");
            prop_assert_eq!(found, (0..whole).collect::<Vec<_>>());
        }
        if let Some(cut) = recovery.cut {
            prop_assert_eq!(disk.bytes(&cut.kept).len() as u64, cut.bytes);
        }
        let before = log.tail(&name("b"));
        let placed = append(&log, batch(99, 3), Durability::Durable).unwrap();
        prop_assert!(placed.sequences[1] >= before);
        drop(log);
        let (log, recovery) = open(&disk, ONE_SEGMENT).unwrap();
        prop_assert_eq!(recovery.cut, None);
        let found = readable(&log);
        prop_assert_eq!(found.last(), Some(&99));
    }
}

/// A torn frame whose payload is a frame of another log, just where it would count as proof that the
/// torn bytes were on the disk. Only the salt tells it from one of this log.
#[test]
fn a_payload_cannot_pass_for_a_frame() {
    let write = |seed, last: [tidegate_log::Batch; 2]| {
        let disk = FaultDisk::new(seed);
        let (log, _) = open(&disk, ONE_SEGMENT).unwrap();
        for batch in [batch(0, 0), batch(1, 0), batch(2, 0)]
            .into_iter()
            .chain(last)
        {
            append(&log, batch, Durability::Durable).unwrap();
        }
        drop(log);
        let bytes = disk.bytes(&disk.names(".seg")[0]);
        (disk, frame_ends(&bytes), bytes)
    };
    let (_, ends, bytes) = write(1, [batch(3, 0), batch(4, 0)]);
    let forged = [vec![b'x'; 1_000], bytes[ends[3]..ends[4]].to_vec()].concat();

    for (seed, told) in [(2, false), (1, true)] {
        let mut carrier = batch(3, 0);
        carrier.appends[0].payload = forged.clone().into();
        let (disk, ends, _) = write(seed, [carrier, tidegate_log::Batch::EMPTY]);
        disk.damage(&disk.names(".seg")[0], |bytes| bytes[ends[2] + 20] ^= 1);
        let (log, recovery) = open(&disk, ONE_SEGMENT).unwrap();
        assert_eq!(readable(&log)[..3], [0, 1, 2]);
        // With the same salt the forgery works, which shows that the test would see it.
        assert_eq!(!recovery.damages.is_empty(), told);
    }
}

/// A log of several segments, closed.
fn several() -> FaultDisk {
    let disk = FaultDisk::default();
    let (log, _) = open(&disk, SMALL).unwrap();
    for number in 0..12 {
        append(&log, batch(number, 400), Durability::Durable).unwrap();
    }
    drop(log);
    assert!(disk.names(".seg").len() > 3);
    disk
}

#[test]
fn damage_in_a_closed_segment_is_told_by_the_read_of_what_it_hit() {
    let disk = several();
    let segment = disk.names(".seg").remove(1);
    let at = disk.bytes(&segment).len() - 1;
    disk.damage(&segment, |bytes| bytes[at] ^= 1);
    let (log, recovery) = open(&disk, SMALL).unwrap();
    // Closed segments are not read at open.
    assert_eq!(recovery.damages, []);
    let said = log.state().unwrap_err().to_string();
    let start = format!("segment `{segment}` is damaged at byte ");
    assert!(said.starts_with(&start), "{said}");
    assert_eq!(readable(&log), (0..12).collect::<Vec<_>>());
    drop(log);

    // Without its index the segment is read at open, and the damage is told then.
    let index = segment.replace(".seg", ".idx");
    tidegate_log::Disk::remove(&disk, &index).unwrap();
    let (log, recovery) = open(&disk, SMALL).unwrap();
    assert_eq!(recovery.damages.len(), 1);
    assert_eq!(recovery.damages[0].segment, segment);
    let found = readable(&log);
    assert_eq!(found.len(), 11, "{found:?}");
    assert!(log.state().is_err(), "a hole in the state is told");
}

#[test]
fn an_index_that_is_damaged_or_gone_is_made_again() {
    for change in [
        |bytes: &mut Vec<u8>| bytes.truncate(50),
        |bytes: &mut Vec<u8>| bytes[20] ^= 1,
        |bytes: &mut Vec<u8>| bytes[80] ^= 1,
        |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1,
        |bytes: &mut Vec<u8>| bytes.fill(0),
    ] {
        let disk = several();
        for index in disk.names(".idx") {
            disk.damage(&index, change);
        }
        let (log, recovery) = open(&disk, SMALL).unwrap();
        assert_eq!(recovery.damages, []);
        assert_eq!(batches(&log), (0..12).collect::<Vec<_>>());
        drop(log);
        let (log, _) = open(&disk, SMALL).unwrap();
        assert_eq!(batches(&log), (0..12).collect::<Vec<_>>());
    }
}

#[test]
fn a_segment_that_is_absent_is_told_and_read_around() {
    let disk = several();
    let segment = disk.names(".seg").remove(1);
    tidegate_log::Disk::remove(&disk, &segment).unwrap();
    let (log, _) = open(&disk, SMALL).unwrap();
    let error = log.read(&name("b"), 2, ALL).unwrap_err();
    insta::assert_snapshot!(error, @"the records of `b` from 2 up to 3 are lost: no segment has them");
    assert_eq!(readable(&log), [vec![0, 1], (4..12).collect()].concat());
}

#[test]
fn the_start_of_a_segment_is_there_twice() {
    let disk = several();
    let segments = disk.names(".seg");
    for segment in &segments {
        disk.damage(segment, |bytes| bytes[20] ^= 1);
    }
    assert_eq!(batches(&open(&disk, SMALL).unwrap().0).len(), 12);
    for segment in &segments {
        disk.damage(segment, |bytes| bytes[520] ^= 1);
    }
    // Closed ones have a third copy in their index; the last one has not.
    let said = open(&disk, SMALL).unwrap_err();
    assert!(matches!(&said, OpenError::Header { segment } if Some(segment) == segments.last()));
    insta::assert_snapshot!(said, @"the header of segment `00000000000000000040.seg` is damaged, and so is its copy; `tidegate log repair` sets the segment aside");

    let disk = several();
    disk.damage(&segments[0], |bytes| bytes[8] = 3);
    disk.damage(&segments[0], |bytes| bytes[520] = 3);
    let said = open(&disk, SMALL).unwrap_err();
    insta::assert_snapshot!(said, @"segment `00000000000000000000.seg` has format version 3; this program reads up to 2");
}

#[test]
fn a_damaged_snapshot_loses_no_record_and_no_sequence() {
    for at in [1_030, 1_050] {
        let disk = several();
        for segment in disk.names(".seg").iter().skip(1) {
            disk.damage(segment, |bytes| bytes[at] ^= 1);
        }
        let (log, recovery) = open(&disk, SMALL).unwrap();
        assert!(!recovery.damages.is_empty());
        assert_eq!(readable(&log), (0..12).collect::<Vec<_>>());
        append(&log, batch(12, 0), Durability::Durable).unwrap();
        drop(log);
        let (log, _) = open(&disk, SMALL).unwrap();
        assert_eq!(readable(&log), (0..13).collect::<Vec<_>>());
    }
}
