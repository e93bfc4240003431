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
mod world;

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
    for seed in 0..seeds {
        let result = std::panic::catch_unwind(|| run(seed, false));
        assert!(
            result.is_ok(),
            "the invariants broke with TIDEGATE_SEED={seed}"
        );
    }
}

#[test]
fn the_same_seed_does_the_same() {
    for seed in 0..2 {
        assert_eq!(run(seed, true), run(seed, true));
    }
    assert_ne!(run(1, true), run(2, true));
}
