//! A log of the first format version is upgraded, whatever interrupts it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tidegate_fault::{Dice, FaultDisk};
use tidegate_log::Log;

use super::{ONE_SEGMENT, read_all};

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
