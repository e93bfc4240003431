//! The machine keeps its promises in every history; a fault that is built in is found; one seed is one
//! history.
//!
//! `TIDEGATE_SEED=n cargo test -p tidegate-delivery-fault --test simulator` runs the histories from that
//! seed on; `cargo run --release -p tidegate-delivery-fault -- --seeds 50000` runs many.

#![cfg(test)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_delivery::mutant::Mutant;
use tidegate_delivery_fault::simulator;

/// Histories of one run of this test.
const HISTORIES: usize = 40;
/// Histories in which every fault that is built in must have been found.
const HUNT: u64 = 400;

#[expect(clippy::disallowed_methods, reason = "a seed to replay")]
fn first_seed() -> u64 {
    let seed = std::env::var("TIDEGATE_SEED").ok();
    seed.and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// Does something with every number below `end`, on all processors.
fn on_all_processors(end: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        while let turn = next.fetch_add(1, Ordering::Relaxed)
            && turn < end
        {
            work(turn);
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
fn every_promise_is_kept_in_every_history() {
    let first = first_seed();
    on_all_processors(HISTORIES, |turn| {
        let seed = first + turn as u64;
        if let Err(violation) = simulator::run(seed) {
            panic!("TIDEGATE_SEED={seed}: {}", violation.what);
        }
    });
}

#[test]
fn every_fault_that_is_built_in_is_found() {
    let hidden = Mutex::new(Vec::new());
    on_all_processors(Mutant::ALL.len(), |turn| {
        let mutant = Mutant::ALL[turn];
        match simulator::hunt(mutant, 0, HUNT) {
            Some((seed, what)) => println!("{mutant:?}: {} histories: {what}", seed + 1),
            None => hidden.lock().unwrap().push(mutant),
        }
    });
    let hidden = hidden.into_inner().unwrap();
    assert!(
        hidden.is_empty(),
        "{hidden:?} are not found in {HUNT} histories"
    );
}

/// A replay, an event for later and a redriven letter of one lane; a replay and a clock that is set back.
#[test]
fn histories_that_broke_a_promise_once_keep_them() {
    for seed in [18_980, 47_402, 203_939, 244_251, 244_289, 440_602] {
        if let Err(violation) = simulator::run(seed) {
            panic!("TIDEGATE_SEED={seed}: {}", violation.what);
        }
    }
}

#[test]
fn one_seed_is_one_history() {
    for seed in first_seed()..first_seed() + 3 {
        assert_eq!(simulator::tell(seed), simulator::tell(seed), "seed {seed}");
    }
    assert_ne!(simulator::tell(1), simulator::tell(2));
}
