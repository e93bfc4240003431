//! Runs many histories of the simulator, on all cores, and replays one.
//!
//! ```text
//! cargo run --release -p tidegate-delivery-fault -- --seeds 50000 [--from N]
//! cargo run --release -p tidegate-delivery-fault -- --seed N
//! ```

#![expect(clippy::print_stdout, reason = "it prints its result")]
#![expect(clippy::print_stderr, reason = "progress")]

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tidegate_delivery_fault::simulator::{self, Violation};

const USAGE: &str = "usage: delivery-simulator --seeds COUNT [--from FIRST] | --seed SEED";
/// Histories between two lines of progress.
const PROGRESS: u64 = 1_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    match (number("--seeds"), number("--seed"), words.len()) {
        (Some(count), None, 2 | 4) => many(number("--from").unwrap_or(0), count),
        (None, Some(seed), 2) => replay(seed),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn replay(seed: u64) -> ExitCode {
    let (story, what) = match simulator::tell(seed) {
        Ok(story) => (story, None),
        Err(violation) => (violation.story, Some(violation.what)),
    };
    for line in story.0 {
        println!("{line}");
    }
    match what {
        None => ExitCode::SUCCESS,
        Some(what) => {
            println!("seed {seed}: {what}");
            ExitCode::from(1)
        }
    }
}

fn many(first: u64, count: u64) -> ExitCode {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(count);
    let telling = stderr().is_terminal();
    let hunt = || -> Option<(u64, Box<Violation>)> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return None;
            }
            if telling && seed > first && (seed - first).is_multiple_of(PROGRESS) {
                eprintln!("{} of {count}", seed - first);
            }
            if let Err(violation) = simulator::run(seed) {
                next.store(end, Ordering::Relaxed);
                return Some((seed, violation));
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let found = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(hunt)).collect();
        let found = workers.into_iter().filter_map(|worker| worker.join().ok());
        found.flatten().collect::<Vec<_>>()
    });
    match found.first() {
        None => {
            println!("{count} histories from seed {first}: every promise was kept");
            ExitCode::SUCCESS
        }
        Some((seed, violation)) => {
            println!("seed {seed}: {}", violation.what);
            println!("replay: cargo run --release -p tidegate-delivery-fault -- --seed {seed}");
            ExitCode::from(1)
        }
    }
}
