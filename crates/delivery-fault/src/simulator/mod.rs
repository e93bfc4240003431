//! One history of a delivery machine, and the promises that it is held to.
//!
//! The seed decides everything: events, their twins, events for later, what handlers answer and when, slow commits,
//! checkpoints, retention, operators, ends of the process, power failures, clocks that jump.

mod broken;
mod chance;
mod classes;
mod disk;
mod flow;
mod handler;
mod knowledge;
mod letters;
mod operator;
mod process;
mod promises;
mod rates;
mod schedule;
mod seek;
mod settle;
mod starts;
mod states;
mod tokens;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tidegate_delivery::mutant::{self, Mutant};

use world::World;

/// Steps of one history before everything is mended.
const STEPS: u32 = 1_500;

/// What happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story(pub Vec<String>);

/// A promise that was broken, or a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which, and how.
    pub what: String,
    /// What happened before; empty unless it was asked for.
    pub story: Story,
}

/// Runs the history of `seed`.
///
/// # Errors
///
/// [`Violation`] at the first promise that is broken.
pub fn run(seed: u64) -> Result<(), Box<Violation>> {
    history(seed, false).map(drop)
}

/// Runs the history of `seed` and tells what happens; slower.
///
/// # Errors
///
/// [`Violation`] at the first promise that is broken.
pub fn tell(seed: u64) -> Result<Story, Box<Violation>> {
    history(seed, true)
}

/// Runs the histories of seeds from `first` on with a fault built in, up to `count`. Returns the first
/// seed that shows it, with what it broke; `None` when none does.
#[must_use]
pub fn hunt(mutant: Mutant, first: u64, count: u64) -> Option<(u64, String)> {
    mutant::build_in(Some(mutant));
    let found = (first..first + count).find_map(|seed| Some((seed, run(seed).err()?.what)));
    mutant::build_in(None);
    found
}

fn history(seed: u64, telling: bool) -> Result<Story, Box<Violation>> {
    let mut world = World::new(seed, telling);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..STEPS {
            world.tick();
            if world.watch.broken.is_set() {
                return;
            }
        }
        world.settle();
    }));
    let panicked = || Some("a panic".to_owned()).filter(|_| ran.is_err());
    match world.watch.broken.take().or_else(panicked) {
        None => Ok(Story(world.story)),
        Some(what) => Err(Box::new(Violation {
            what,
            story: Story(world.story),
        })),
    }
}
