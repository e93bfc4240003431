//! The causes of waiting are found again where they were planted.

#![cfg(test)]

mod process_generator;

use std::fs;
use std::path::Path;

use process_generator::{CAUSES, beyond, generate, scenarios};
use tidegate_discover::process::{Cause, Options, ProcessDiscovery, analyse};
use tidegate_trace::process::{Columns, read_log};

fn discover(name: &str, bytes: &[u8]) -> ProcessDiscovery {
    let log = read_log(name, bytes, &Columns::default()).unwrap();
    analyse(&[log], &Options::default())
}

fn shares(discovery: &ProcessDiscovery) -> [f64; 5] {
    let mut shares = [0.0; 5];
    for one in discovery.causes.as_deref().unwrap_or_default() {
        let place = CAUSES.iter().position(|name| *name == one.cause.code());
        shares[place.unwrap()] = one.share.value;
    }
    shares
}

#[test]
fn planted_shares_are_recovered_within_five_points() {
    for (name, stations, cases, every) in scenarios() {
        for seed in 1..=2 {
            let generated = generate(&stations, cases, every, seed);
            let found = shares(&discover(name, generated.csv.as_bytes()));
            let whole: u64 = generated.truth.iter().sum();
            for (place, cause) in CAUSES.iter().enumerate() {
                let truth = generated.truth[place] as f64 / whole as f64;
                let error = (found[place] - truth) * 100.0;
                assert!(
                    error.abs() <= 5.0,
                    "{name}, seed {seed}: {cause} off by {error:.1} points"
                );
            }
        }
    }
}

/// Batches of answers from outside are not seen: their waiting is said to be unexplained, and is
/// given to no other cause.
#[test]
fn what_is_not_seen_is_unexplained() {
    for (name, stations, cases, every) in beyond() {
        let generated = generate(&stations, cases, every, 1);
        let found = shares(&discover(name, generated.csv.as_bytes()));
        let whole: u64 = generated.truth.iter().sum();
        let truth = generated.truth.map(|time| time as f64 / whole as f64);
        let unseen = truth[0] + truth[4];
        assert!(
            (found[0] + found[4] - unseen).abs() < 0.05,
            "{name}: {found:?} {truth:?}"
        );
    }
}

#[test]
fn the_cause_that_names_a_real_log_is_its_top_planted_cause() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/eventlogs/simod");
    if !folder.is_dir() {
        println!("skipped: {} is absent", folder.display());
        return;
    }
    let planted = [Cause::Batching, Cause::Prioritisation, Cause::Extraneous];
    for (name, cause) in [
        ("Simple_log_with_batching.csv", Cause::Batching),
        ("Simple_log_with_prioritization.csv", Cause::Prioritisation),
        // Its column `extraneous_delay` says what was planted: 542 224 seconds.
        ("Insurance_Claims_test.csv", Cause::Extraneous),
    ] {
        let discovery = discover(name, &fs::read(folder.join(name)).unwrap());
        let causes = discovery.causes.unwrap();
        let top = causes
            .iter()
            .find(|one| planted.contains(&one.cause))
            .unwrap();
        assert_eq!(top.cause, cause, "{name}");
        if cause == Cause::Extraneous {
            let error = top.total.as_secs_f64() / 542_224.25 - 1.0;
            assert!(error.abs() < 0.01, "{error}");
        }
    }
}
