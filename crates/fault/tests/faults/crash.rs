//! Power failures at any moment.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tidegate_log::Durability;

use super::{SMALL, append, batch, batches, open};
use tidegate_fault::{Dice, FaultDisk};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// Batches of both classes are in flight while the power fails, again and again.
    #[test]
    fn a_crash_leaves_a_prefix_with_all_that_was_durable(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let mut disk = FaultDisk::default();
        let mut kept = 0;
        for _ in 0..4 {
            let (log, _) = open(&disk, SMALL).unwrap();
            prop_assert_eq!(batches(&log), (0..kept).collect::<Vec<_>>());
            let durable = Arc::new(Mutex::new(kept));
            let count = dice.roll(25);
            for at in kept..kept + count {
                let class = if dice.roll(3) == 0 { Durability::Written } else { Durability::Durable };
                let durable = Arc::clone(&durable);
                log.append(batch(at, dice.roll(900)), class, move |result| {
                    result.unwrap();
                    if class == Durability::Durable {
                        *durable.lock().unwrap() = at + 1;
                    }
                });
                if dice.roll(4) == 0 {
                    std::thread::yield_now();
                }
            }
            // First what was acknowledged, then the crash: the writer goes on in between.
            let acknowledged = *durable.lock().unwrap();
            let crashed = disk.crash(&mut dice);
            drop(log);
            let (log, _) = open(&crashed, SMALL).unwrap();
            let survived = batches(&log);
            prop_assert!(survived.len() >= acknowledged, "lost what was acknowledged as durable");
            prop_assert!(survived.len() <= kept + count);
            prop_assert_eq!(&survived, &(0..survived.len()).collect::<Vec<_>>());
            kept = survived.len();
            disk = crashed;
        }
    }
}

/// What a killed process has written and nobody has synced is seen after opening: it must then
/// survive a power failure.
#[test]
fn what_is_seen_after_opening_is_durable() {
    for seed in 0..50 {
        let disk = FaultDisk::default();
        let (log, _) = open(&disk, SMALL).unwrap();
        append(&log, batch(0, 10), Durability::Written).unwrap();
        // The process is gone, but the disk has seen no power failure.
        std::mem::forget(log);
        let (log, _) = open(&disk, SMALL).unwrap();
        assert_eq!(batches(&log), [0]);
        let crashed = disk.crash(&mut Dice::new(seed));
        assert_eq!(batches(&open(&crashed, SMALL).unwrap().0), [0]);
    }
}
