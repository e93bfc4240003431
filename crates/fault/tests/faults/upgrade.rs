//! A log of the first format version is upgraded, whatever interrupts it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tidegate_fault::{Dice, FaultDisk};
use tidegate_log::Log;

use super::{ONE_SEGMENT, name, read_all};

fn first_version(seed: u64) -> FaultDisk {
    let disk = FaultDisk::new(seed);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../log/fixtures/v1/whole");
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        disk.put(&name, &fs::read(entry.path()).unwrap());
    }
    disk
}

#[test]
fn an_upgrade_that_is_cut_short_goes_on() {
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let mut disk = first_version(seed);
        for _ in 0..4 {
            match dice.roll(3) {
                0 => disk.limit(Some(disk.used() + dice.roll(3_000))),
                1 => disk.fail_syncs_after(Some(dice.roll(4))),
                _ => {}
            }
            drop(Log::open_stepped(Arc::new(disk.clone()), ONE_SEGMENT));
            disk = disk.crash(&mut dice);
        }
        let (log, _) = Log::open_stepped(Arc::new(disk), ONE_SEGMENT).unwrap();
        let counts = ["OrderPlaced", "payments"].map(|channel| read_all(&log, channel).len());
        assert_eq!(counts, [10, 5], "seed {seed}");
        assert_eq!(log.state().unwrap().len(), 5, "seed {seed}");
    }
}

/// A frame of the first format version with that many records of channel `a`.
fn large_frame(records: u64) -> FaultDisk {
    fn seal(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let checksum = crc(crc(7, &length), body);
        [&length[..], &checksum.to_le_bytes(), body].concat()
    }
    let mut segment = b"tidelog\n".to_vec();
    segment.extend(1_u32.to_le_bytes());
    segment.extend(7_u32.to_le_bytes());
    segment.extend(0_u64.to_le_bytes());
    segment.extend(crc(0, &segment).to_le_bytes());
    segment.extend([0; 4]);
    let mut frame = Vec::new();
    frame.extend(0_u64.to_le_bytes());
    frame.extend(0_u64.to_le_bytes());
    frame.extend(u32::try_from(records).unwrap().to_le_bytes());
    for sequence in 0..records {
        let mut record = vec![1];
        record.extend(sequence.to_le_bytes());
        record.extend(0_u64.to_le_bytes());
        record.extend(*b"\x01a");
        record.extend([0xFF, 0xFF, 0, 0]);
        record.extend([b'x'; 240]);
        frame.extend(seal(&record));
    }
    assert!(frame.len() < 16 << 20);
    segment.extend(seal(&frame));
    let disk = FaultDisk::new(1);
    disk.put("00000000000000000000.seg", &segment);
    disk
}

/// CRC-32C, as slow as can be.
fn crc(start: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn the_largest_batch_of_the_first_version_is_there_after_its_upgrade() {
    // 60,000 is the most that a batch has; what it grows by is in its records.
    let disk = large_frame(60_000);
    let (log, recovery) = Log::open_stepped(Arc::new(disk), ONE_SEGMENT).unwrap();
    assert_eq!((recovery.cut, recovery.damages), (None, vec![]));
    assert_eq!(log.tail(&name("a")), 60_000);
}
