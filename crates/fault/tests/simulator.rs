//! The log keeps its promises in every history; a fault that is built in is found; one seed is one
//! history.
//!
//! `TIDEGATE_SEED=n cargo test -p tidegate-fault --test simulator` runs the histories from that seed on;
//! `cargo run --release -p tidegate-fault -- --seeds 100000` runs many.

#![cfg(test)]

use tidegate_fault::simulator;
use tidegate_log::mutant::Mutant;

/// Histories of one run of this test.
const HISTORIES: u64 = 1_500;
/// Histories in which every fault that is built in must have been found.
const HUNT: u64 = 4_000;

const MUTANTS: [Mutant; 12] = [
    Mutant::NoChecksum,
    Mutant::ChecksumWithoutLength,
    Mutant::AckBeforeSync,
    Mutant::IndexAheadOfData,
    Mutant::BatchSplit,
    Mutant::SequencesNotTakenBack,
    Mutant::BegunNotTakenBack,
    Mutant::NameNotSynced,
    Mutant::SyncRetried,
    Mutant::RemovedTooEarly,
    Mutant::RefusedNotCut,
    Mutant::NeededRemoved,
];

#[expect(clippy::disallowed_methods, reason = "a seed to replay")]
fn first_seed() -> u64 {
    let seed = std::env::var("TIDEGATE_SEED").ok();
    seed.and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

#[test]
fn every_promise_is_kept_in_every_history() {
    let first = first_seed();
    for seed in first..first + HISTORIES {
        if let Err(violation) = simulator::run(seed) {
            panic!(
                "seed {seed}: {}\n{}",
                violation.what,
                violation.story.join("\n")
            );
        }
    }
}

#[test]
fn every_fault_that_is_built_in_is_found() {
    // A panic counts as found; its message is not wanted.
    std::panic::set_hook(Box::new(|_| {}));
    let found = MUTANTS.map(|mutant| (mutant, simulator::hunt(mutant, 0, HUNT)));
    drop(std::panic::take_hook());
    for (mutant, found) in found {
        match found {
            Some((seed, what)) => println!("{mutant:?}: seed {seed}: {what}"),
            None => panic!("{mutant:?} is not found in {HUNT} histories"),
        }
    }
}

#[test]
fn one_seed_is_one_history_to_the_byte() {
    for seed in first_seed()..first_seed() + 40 {
        assert_eq!(simulator::run(seed), simulator::run(seed), "seed {seed}");
    }
}
