//! Prints how well the causes of waiting are found again: processes with planted causes, and the
//! shares that the analysis gives them.
//!
//! `cargo run -p tidegate-discover --example cause_table`

#[path = "../tests/process_generator/mod.rs"]
#[expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it indexes what it made itself"
)]
mod process_generator;

use process_generator::{CAUSES, beyond, generate, scenarios};
use tidegate_discover::process::{Options, analyse};
use tidegate_trace::process::{Columns, read_log};

#[expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program that prints a table of what it made itself"
)]
fn main() {
    println!(
        "planted and found shares of waiting, in percent; the last column is the largest error in points\n"
    );
    print!("{:36}", "process");
    for cause in CAUSES {
        print!("{:>16}", cause.to_ascii_lowercase());
    }
    println!("{:>8}", "error");
    let all = scenarios().into_iter().chain(beyond());
    for (name, stations, cases, every) in all {
        for seed in 1..=3 {
            let generated = generate(&stations, cases, every, seed);
            let log = read_log(name, generated.csv.as_bytes(), &Columns::default()).unwrap();
            let discovery = analyse(&[log], &Options::default());
            let whole: u64 = generated.truth.iter().sum();
            let mut worst = 0.0_f64;
            print!("{:36}", format!("{name} #{seed}"));
            for (place, cause) in CAUSES.iter().enumerate() {
                let truth = generated.truth[place] as f64 / whole as f64 * 100.0;
                let causes = discovery.causes.as_deref().unwrap_or_default();
                let found = causes.iter().find(|one| one.cause.code() == *cause);
                let found = found.map_or(0.0, |one| one.share.value * 100.0);
                worst = worst.max((found - truth).abs());
                print!("{:>16}", format!("{truth:.1} {found:.1}"));
            }
            println!("{worst:>8.1}");
        }
    }
}
