//! How fast the log is, beside the limit of this machine measured in the same run.
//!
//! ```text
//! cargo bench -p tidegate-log                          everything, in less than five minutes
//! cargo bench -p tidegate-log -- --in /dev/shm         the processor's part alone: aims are for a disk
//! cargo bench -p tidegate-log -- --only publish        one part
//! ```
//!
//! The limit is a bare file (see [`bare`]) that is written as the log is: by one thread, with group
//! commit, zero-filled ahead, synced before it acknowledges. It knows no channels, checksums or
//! indexes, and its reader gets what was written from memory. What counts is the ratio: absolute
//! figures move with the machine. Runs of the two alternate, each in a folder of its own; the warm-up
//! is cut; figures are medians with their range, and so are ratios, of runs that follow each other.

#![expect(clippy::print_stdout, reason = "it prints its result")]
#![expect(clippy::print_stderr, reason = "it prints what it does not understand")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "it stops at the first error"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "quantiles of samples and channels that are there"
)]

mod arguments;
mod bare;
mod child;
mod end_to_end;
mod inbox;
mod latency;
mod memory;
mod open;
mod publish;
mod sink;
mod table;
mod window;

use std::process::ExitCode;

use mimalloc::MiMalloc;

use arguments::{Arguments, Part};

/// As in the program that the log is part of; the bare file has the same.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    if child::run() {
        return ExitCode::SUCCESS;
    }
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(reason) => {
            eprintln!("{reason}\n\n{}", arguments::USAGE);
            return ExitCode::FAILURE;
        }
    };
    println!("in {}, allocator mimalloc", arguments.parent.display());
    if arguments.quick {
        println!("--quick: single short runs show that it works, not how fast it is");
    }
    if arguments.includes(Part::Publish) {
        publish::run(&arguments);
    }
    if arguments.includes(Part::EndToEnd) {
        end_to_end::run(&arguments);
    }
    if arguments.includes(Part::Latency) {
        latency::run(&arguments);
    }
    let opened = arguments
        .includes(Part::Open)
        .then(|| open::run(&arguments));
    if arguments.includes(Part::Memory) {
        let backlog = opened.unwrap_or_else(|| open::Backlog::filled(&arguments));
        memory::run(&arguments, &backlog);
    }
    ExitCode::SUCCESS
}
