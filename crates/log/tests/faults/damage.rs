//! Any damage leaves a prefix, or is refused with its place.

use proptest::prelude::*;
use tidegate_log::{Durability, OpenError};

use super::disk::FaultDisk;
use super::{ONE_SEGMENT, SMALL, append, batch, batches, name, open};

const HEADER: usize = 32;

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

/// Where each frame of a segment ends.
fn frame_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = HEADER;
    while let Some(length) = bytes.get(at..at + 4) {
        at += 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        ends.push(at);
    }
    ends
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn any_damage_leaves_a_prefix(
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
        let whole = ends.iter().filter(|end| **end <= at).count();
        // What is zero already may be zeroed without a change.
        let damaged = disk.bytes(&segment);
        let unchanged = damaged == bytes;
        let header = damaged.get(..HEADER) == bytes.get(..HEADER);
        match open(&disk, ONE_SEGMENT) {
            Ok((log, recovery)) => {
                let survived = batches(&log);
                prop_assert!(header, "a damaged header was accepted");
                prop_assert!(survived.len() >= whole, "lost a whole batch");
                prop_assert_eq!(&survived, &(0..survived.len()).collect::<Vec<_>>());
                prop_assert!(survived.len() == whole || unchanged, "accepted a damaged batch");
                let last = whole + 1 >= ends.len();
                prop_assert!(last || !matches!(damage, Damage::Flip(_)), "cut what was durable");
                if let Some(cut) = recovery.cut {
                    prop_assert_eq!(disk.bytes(&cut.kept).len() as u64, cut.bytes);
                }
                append(&log, batch(survived.len(), 3), Durability::Durable).unwrap();
                drop(log);
                let (log, recovery) = open(&disk, ONE_SEGMENT).unwrap();
                prop_assert_eq!(recovery.cut, None);
                prop_assert_eq!(batches(&log).len(), survived.len() + 1);
            }
            Err(OpenError::Damaged { byte, .. }) => {
                let start = if !header { 0 } else { ends.get(whole.wrapping_sub(1)).copied().unwrap_or(HEADER) };
                prop_assert_eq!(byte, start as u64, "the place is wrong");
                let flip = matches!(damage, Damage::Flip(_));
                prop_assert!(flip || !header, "a torn tail was refused: {:?}", damage);
            }
            Err(OpenError::Version { .. }) => prop_assert!(!header),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

/// A torn frame whose payload is a frame of another log, just where it would count as proof that the
/// torn bytes were on the disk. Only the salt tells it from one of this log.
#[test]
fn a_payload_cannot_pass_for_a_frame() {
    let write = |last: [tidegate_log::Batch; 2]| {
        let disk = FaultDisk::default();
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
    let (_, ends, bytes) = write([batch(3, 0), batch(4, 0)]);
    let forged = [vec![b'x'; 1_000], bytes[ends[3]..ends[4]].to_vec()].concat();

    let mut carrier = batch(3, 0);
    carrier.appends[0].payload = forged.into();
    let empty = tidegate_log::Batch {
        appends: vec![],
        state: tidegate_log::StateChange::NONE,
        cursors: vec![],
    };
    let (disk, ends, _) = write([carrier, empty]);
    disk.damage(&disk.names(".seg")[0], |bytes| bytes[ends[2] + 30] ^= 1);
    let (log, recovery) = open(&disk, ONE_SEGMENT).unwrap();
    assert_eq!(batches(&log), [0, 1, 2]);
    assert_eq!(recovery.cut.unwrap().byte, ends[2] as u64);
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
fn damage_before_the_last_segment_is_refused_with_its_place() {
    for change in [
        |bytes: &mut Vec<u8>| bytes.truncate(HEADER + 50),
        |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1,
        |bytes: &mut Vec<u8>| bytes.extend([0; 100]),
        |bytes: &mut Vec<u8>| bytes[HEADER..].fill(0),
    ] {
        let disk = several();
        let segment = disk.names(".seg").remove(1);
        disk.damage(&segment, change);
        let before = disk.bytes(&segment);
        let error = open(&disk, SMALL).unwrap_err();
        let told = matches!(&error, OpenError::Damaged { segment: told, .. } if *told == segment);
        assert!(told, "{error}");
        assert_eq!(
            disk.bytes(&segment),
            before,
            "a refused log is left as it is"
        );
    }
}

#[test]
fn what_is_wrong_is_said() {
    let disk = several();
    let segments = disk.names(".seg");
    disk.damage(&segments[1], |bytes| bytes[HEADER + 40] ^= 1);
    let said = open(&disk, SMALL).unwrap_err().to_string();
    let start = "segment `00000000000000000008.seg` is damaged at byte 32: checksum 0x";
    assert!(said.starts_with(start), "{said}");
    assert!(said.contains(", and the whole frame at byte "), "{said}");
    assert!(
        said.ends_with(" says that it was on the disk; records before it are whole"),
        "{said}"
    );

    let disk = several();
    tidegate_log::Disk::remove(&disk, &segments[1]).unwrap();
    let said = open(&disk, SMALL).unwrap_err().to_string();
    insta::assert_snapshot!(said, @"the segment that starts at position 8 is absent; `00000000000000000016.seg` follows it");

    let disk = several();
    disk.damage(&segments[0], |bytes| bytes[8] = 2);
    let said = open(&disk, SMALL).unwrap_err().to_string();
    insta::assert_snapshot!(said, @"segment `00000000000000000000.seg` has format version 2; this program reads up to 1");
}

#[test]
fn damage_that_comes_after_opening_is_told_by_the_read() {
    let disk = several();
    let (log, _) = open(&disk, SMALL).unwrap();
    let segment = disk.names(".seg").remove(1);
    disk.damage(&segment, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let said = log.state().unwrap_err().to_string();
    assert!(
        said.starts_with("segment `00000000000000000008.seg` is damaged at byte "),
        "{said}"
    );
    disk.damage(&segment, |bytes| bytes[HEADER + 28 + 60] ^= 1);
    let error = log.read(&name("a"), 4, super::ALL).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is damaged at byte 60: checksum "),
        "{error}"
    );
    // What lies before it is read up to it; what lies behind it is read too.
    assert_eq!(log.read(&name("a"), 0, super::ALL).unwrap().len(), 4);
    assert!(log.read(&name("a"), 8, super::ALL).unwrap().len() > 4);
}
