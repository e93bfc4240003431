//! How well savings are predicted, over random systems whose counterfactuals are known exactly.
//!
//! `cargo run --release -p tidegate-discover --example accuracy [systems] [traces] [setting]`
//!
//! With `misses` as a fourth argument it also prints each call whose interval of the mean does not hold the
//! truth: whether the estimate or the sample is off, beside the interval.

#![expect(clippy::print_stdout, reason = "its table is all that it makes")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a measurement may stop at the first mistake, and its numbers are small"
)]

#[path = "../tests/systems/mod.rs"]
mod systems;

use systems::World;
use systems::capture::Faults;
use systems::predict::{Case, PREDICTORS, Row, Setting, cases, misses, row};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let systems = numbers.next().and_then(Result::ok).unwrap_or(131);
    let traces = numbers.next().and_then(Result::ok).unwrap_or(1_000);
    println!("{systems} systems, {traces} traces each; errors in percent of what requests take\n");
    println!(
        "{:<52} {:>6} {:>8} {:>7} {:>7} {:>7} {:>7} {:>6} {:>7} {:>9} {:>9} {:>7}",
        "",
        "calls",
        "withheld",
        "mean",
        "p95",
        "bias",
        "p99",
        "tau",
        "regret",
        "coverage",
        "of p99",
        "half"
    );
    let only = std::env::args().nth(3);
    for (name, world, faults, predictors) in settings() {
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        println!("{name}");
        let setting = Setting {
            world,
            faults,
            traces,
            // For coverage, of the world in which intervals are to hold.
            population: if world == World::Plain {
                traces * 10
            } else {
                0
            },
        };
        let all: Vec<Case> = (0..systems)
            .flat_map(|seed| cases(seed, &setting))
            .collect();
        for predictor in predictors {
            let mut row = row(&all, *predictor);
            if setting.population == 0 {
                (row.coverage, row.p99_coverage, row.half_width) = (None, None, None);
            }
            print_row(PREDICTORS[*predictor], &row);
        }
        if std::env::args().nth(4).as_deref() == Some("misses") {
            for line in misses(&all) {
                println!("  {line}");
            }
        }
    }
}

/// What is measured: its name, the world, what the capture does to it, and the predictors.
fn settings() -> [(&'static str, World, Faults, &'static [usize]); 9] {
    let none = Faults::NONE;
    let skew = 500_000_000;
    let step = 1_000_000;
    let lost = |loss| Faults { loss, ..none };
    [
        ("complete", World::Plain, none, &[0, 1, 2, 3]),
        (
            "clocks wrong by 500 ms",
            World::Plain,
            Faults { skew, ..none },
            &[3],
        ),
        (
            "clocks of milliseconds",
            World::Plain,
            Faults { step, ..none },
            &[2, 3],
        ),
        ("5 % of spans lost", World::Plain, lost(0.05), &[2, 3]),
        ("20 % of spans lost", World::Plain, lost(0.2), &[2, 3]),
        (
            "several calls in branches",
            World::Branches,
            none,
            &[1, 2, 3],
        ),
        ("hardly any variation", World::Steady, none, &[2, 3]),
        ("slow requests", World::SlowRequests, none, &[2, 3]),
        (
            "contention, hedges, own work",
            World::Contended,
            none,
            &[0, 1, 2, 3],
        ),
    ]
}

fn print_row(name: &str, row: &Row) {
    let share = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.3}"));
    println!(
        "  {name:<50} {:>6} {:>8} {:>7.3} {:>7.3} {:>7.3} {:>7.3} {:>6.3} {:>7.3} {:>9} {:>9} {:>7}",
        row.calls,
        row.withheld,
        row.error,
        row.error_p95,
        row.bias,
        row.p99_error,
        row.tau,
        row.regret,
        share(row.coverage),
        share(row.p99_coverage),
        share(row.half_width),
    );
}
