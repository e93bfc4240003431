//! A seeded simulator: random handlers, slow commits, crashes of the process and of the machine's
//! power at any point, restarts from what was kept; invariants are held at every step.
//!
//! A failure prints its seed; `TIDEGATE_SEED=17 cargo test -p tidegate-delivery --test simulator`
//! replays it. `TIDEGATE_SEEDS=50000 cargo test --release -p tidegate-delivery --test simulator` runs
//! many.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test: what is wrong here should stop it, with its place"
)]

mod chance;
mod handler;
mod invariants;
mod operator;
mod seek;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

const SEEDS: u64 = 40;
const STEPS: u32 = 1_500;

fn run(seed: u64, noting: bool) -> u64 {
    let mut world = World::new(seed, noting);
    for _ in 0..STEPS {
        world.tick();
    }
    world.settle();
    world.digest()
}

#[test]
fn whatever_happens_the_invariants_hold_and_all_is_done_in_the_end() {
    if let Some(seed) = option_env!("TIDEGATE_SEED") {
        run(seed.parse().expect("a seed is a number"), false);
        return;
    }
    let seeds = option_env!("TIDEGATE_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let next = AtomicU64::new(0);
    let take_turns = || {
        while let seed = next.fetch_add(1, Ordering::Relaxed)
            && seed < seeds
        {
            let result = std::panic::catch_unwind(|| run(seed, false));
            assert!(
                result.is_ok(),
                "the invariants broke with TIDEGATE_SEED={seed}"
            );
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(take_turns);
        }
    });
}

#[test]
fn the_same_seed_does_the_same() {
    for seed in 0..2 {
        assert_eq!(run(seed, true), run(seed, true));
    }
    assert_ne!(run(1, true), run(2, true));
}
