//! What a side took: time, latencies, and the work of the processors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tidegate_servers::Server;

use crate::load::Marks;

/// Reads the clock, and how long the processors have worked for this process and for the server.
#[derive(Debug)]
pub(crate) struct Meter {
    server: Vec<String>,
}

/// What a meter says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    client: Duration,
    server: Duration,
}

impl Meter {
    pub(crate) fn new(server: &Server) -> Self {
        let pids = std::fs::read_to_string(server.folder.join("pids")).unwrap_or_default();
        Self {
            server: pids.split_whitespace().map(str::to_owned).collect(),
        }
    }

    pub(crate) fn read(&self) -> Reading {
        let busy = |pid: &String| busy(pid).unwrap_or_default();
        Reading {
            at: Instant::now(),
            client: busy(&"self".to_owned()),
            server: self.server.iter().map(busy).sum(),
        }
    }
}

/// How long the processors have worked for a process, to a hundredth of a second: on Linux.
fn busy(pid: &str) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program may have spaces. After it, user and system time are the 12th and the 13th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Option<Vec<u64>> = ticks.map(|ticks| ticks.parse().ok()).collect();
    Some(Duration::from_millis(10 * ticks?.iter().sum::<u64>()))
}

/// What became of a load.
#[derive(Debug)]
pub(crate) struct Took {
    pub(crate) rate: f64,
    /// Until an event was confirmed, in microseconds.
    pub(crate) confirmed: Histogram<u64>,
    /// Until it was handled.
    pub(crate) handled: Histogram<u64>,
    /// Microseconds of the processors for an event, of this process and of the server.
    pub(crate) client: f64,
    pub(crate) server: f64,
}

impl Took {
    pub(crate) fn of(marks: &Marks) -> Result<Self> {
        let begun = marks.begun.get().context("it did not begin")?;
        let done = marks.done.get().context("it did not end")?;
        let events = f64::from(u32::try_from(marks.published.len())?);
        let each = |begun: Duration, done: Duration| {
            done.saturating_sub(begun).as_secs_f64() * 1e6 / events
        };
        Ok(Self {
            rate: events / done.at.duration_since(begun.at).as_secs_f64(),
            confirmed: latencies(&marks.published, &marks.confirmed)?,
            handled: latencies(&marks.published, &marks.handled)?,
            client: each(begun.client, done.client),
            server: each(begun.server, done.server),
        })
    }
}

fn latencies(from: &[AtomicU64], until: &[AtomicU64]) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    for (from, until) in from.iter().zip(until) {
        let (from, until) = (from.load(Ordering::Relaxed), until.load(Ordering::Relaxed));
        histogram.record(until.saturating_sub(from) / 1_000)?;
    }
    Ok(histogram)
}
