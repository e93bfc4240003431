//! A simulation as text: for people, for programs, for documents.

use std::fmt;

use serde_json::Value;

use crate::backlog::Backlog;
use crate::outcome::{
    ConsumerSimulation, Outcome, Recovery, Simulated, Simulation, StabilityState, Verdict,
};
use crate::statistics::readable;

const COLUMNS: [&str; 11] = [
    "consumer", "rate", "peak", "load", "at peak", "p50", "p99", "p99.9", "behind", "backlog",
    "verdict",
];

/// A simulation, written for a terminal.
struct Human<'a>(&'a Simulation);

impl fmt::Display for Human<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_human(f)
    }
}

/// A simulation, written for a document.
struct Markdown<'a>(&'a Simulation);

impl fmt::Display for Markdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_markdown(f)
    }
}

impl Simulation {
    /// The simulation as JSON, `tidegate/simulate/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The simulation for a terminal: an aligned table, backlogs as sparklines, sentences.
    #[must_use]
    pub fn to_human(&self) -> String {
        Human(self).to_string()
    }

    fn write_human(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.headline())?;
        let rows: Vec<Vec<String>> = self.simulated().map(|(c, s)| row(c, s)).collect();
        f.write_str(&aligned(&rows))?;
        f.write_str("\n")?;
        let width = self
            .consumers
            .iter()
            .map(|c| c.consumer.to_string().len())
            .max()
            .unwrap_or(0);
        for (consumer, simulated) in self.simulated() {
            let line = sparkline(&simulated.backlog);
            let id = consumer.consumer.to_string();
            writeln!(f, "{id:width$}  {line}  max {}", simulated.backlog.max)?;
        }
        for sentence in self.sentences() {
            write!(f, "\n- {sentence}")?;
        }
        write!(f, "\n\nAssumed: {}.\n", self.assumptions.join("; "))
    }

    /// The simulation as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        Markdown(self).to_string()
    }

    fn write_markdown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Simulation of {}\n\n{}\n",
            self.system,
            self.headline()
        )?;
        writeln!(f, "| {} |", COLUMNS.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(COLUMNS.len()))?;
        for (consumer, simulated) in self.simulated() {
            writeln!(f, "| {} |", row(consumer, simulated).join(" | "))?;
        }
        f.write_str("\n## Findings\n\n")?;
        for sentence in self.sentences() {
            writeln!(f, "- {sentence}")?;
        }
        f.write_str("\n## Assumptions\n\n")?;
        for assumption in &self.assumptions {
            writeln!(f, "- {assumption}")?;
        }
        Ok(())
    }

    fn simulated(&self) -> impl Iterator<Item = (&ConsumerSimulation, &Simulated)> {
        self.consumers
            .iter()
            .filter_map(|consumer| match &consumer.outcome {
                Outcome::Simulated(simulated) => Some((consumer, simulated.as_ref())),
                Outcome::Skipped { .. } => None,
            })
    }

    fn headline(&self) -> String {
        let deliveries: u64 = self.simulated().map(|(_, s)| s.deliveries).sum();
        format!(
            "{}: {} of {} consumers simulated for {}, {deliveries} deliveries, seed {}: {}",
            self.system,
            self.simulated().count(),
            self.consumers.len(),
            readable(self.duration_seconds),
            self.seed,
            self.verdict.words(),
        )
    }

    /// What a reader must know, consumer by consumer.
    fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for consumer in &self.consumers {
            let id = &consumer.consumer;
            match &consumer.outcome {
                Outcome::Skipped { reason } => {
                    sentences.push(format!("{id}: not simulated, {reason}"))
                }
                Outcome::Simulated(simulated) => {
                    sentences.extend(simulated.sentences().map(|s| format!("{id}: {s}")));
                }
            }
        }
        sentences
    }
}

impl Simulated {
    fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        let targets = self
            .targets
            .iter()
            .filter(|target| target.verdict != Verdict::Met)
            .map(|target| {
                let wanted = readable(target.wanted_seconds);
                let simulated = target.simulated_seconds.map_or_else(
                    || "too few deliveries to tell".to_owned(),
                    |seconds| format!("{} simulated", readable(seconds)),
                );
                let word = target.verdict.words();
                format!("{} {word}: {simulated}, {wanted} wanted", target.target)
            });
        let dead = (self.dead_letters > 0).then(|| {
            format!(
                "{} of {} end as dead letters",
                self.dead_letters, self.deliveries
            )
        });
        [self.stability_sentence()]
            .into_iter()
            .chain(targets)
            .chain(self.recoveries.iter().map(Recovery::sentence))
            .chain(dead)
            .chain(self.notes.iter().cloned())
    }

    fn stability_sentence(&self) -> String {
        let stability = &self.stability;
        let load = stability.load * 100.0;
        let limit = &stability.limit;
        match stability.state {
            StabilityState::Stable => {
                let times = match stability.headroom {
                    headroom if headroom > 100.0 => "more than 100".to_owned(),
                    headroom => format!("{headroom:.1}"),
                };
                format!(
                    "stable, {load:.0}% loaded; it stands {times} times its usual rate; what binds is {limit}"
                )
            }
            StabilityState::GrowsAtPeak => format!(
                "its backlog grows at the peak, {:.0}% loaded, and drains after; what binds is {limit}",
                stability.load_at_peak * 100.0
            ),
            StabilityState::Unstable => {
                format!("never settles, {load:.0}% loaded at its usual rate; what binds is {limit}")
            }
        }
    }
}

impl Recovery {
    fn sentence(&self) -> String {
        let cause = self
            .dependency
            .as_ref()
            .map_or("everything is down".to_owned(), |name| {
                format!("`{name}` is down")
            });
        let recovered = self.recovered_after_seconds.map_or_else(
            || "not back to its usual backlog by the end of the run".to_owned(),
            |after| format!("back to its usual backlog {} after", readable(after)),
        );
        let predicted = self.predicted_seconds.map_or_else(
            || "by formula never".to_owned(),
            |after| format!("by formula {} without peaks", readable(after)),
        );
        format!(
            "{cause} at {}: held {}, backlog up to {}, {recovered} ({predicted})",
            readable(self.held_from_seconds),
            readable(self.held_seconds),
            self.backlog_max
        )
    }
}

impl Verdict {
    /// The verdict in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Unknown => "unknown",
            Self::TooClose => "too close to call",
            Self::Missed => "missed",
        }
    }
}

fn row(consumer: &ConsumerSimulation, simulated: &Simulated) -> Vec<String> {
    let latency = &simulated.latency;
    let estimate = |seconds: Option<f64>| seconds.map_or("-".to_owned(), readable);
    let p99 = latency.p99.map_or("-".to_owned(), |p99| {
        let interval = p99.plus_minus.map(|width| format!("±{}", readable(width)));
        format!("{}{}", readable(p99.value), interval.unwrap_or_default())
    });
    vec![
        consumer.consumer.to_string(),
        rate(simulated.rate),
        rate(simulated.peak),
        format!("{:.0}%", simulated.stability.load * 100.0),
        format!("{:.0}%", simulated.stability.load_at_peak * 100.0),
        estimate(latency.p50),
        p99,
        estimate(latency.p999),
        readable(simulated.behind_max_seconds),
        simulated.backlog.max.to_string(),
        simulated.verdict.words().to_owned(),
    ]
}

fn rate(value: f64) -> String {
    tidegate_base::Rate::per_second(value).map_or("-".to_owned(), |rate| rate.to_string())
}

/// A table with the first column to the left and figures to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let header: Vec<String> = COLUMNS.iter().map(|&column| column.to_owned()).collect();
    let all = || std::iter::once(&header).chain(rows);
    let width = |place: usize| {
        all()
            .filter_map(|row| row.get(place))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let padded = cells.map(|(place, (cell, width))| match place {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    all().map(line).collect()
}

/// The backlog in eight heights, scaled to its highest; a space is none.
fn sparkline(backlog: &Backlog) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let max = backlog.max.max(1);
    backlog
        .highest
        .iter()
        .map(|&level| {
            let height = usize::try_from((level.saturating_mul(8)).div_ceil(max)).unwrap_or(0);
            height
                .checked_sub(1)
                .and_then(|h| HEIGHTS.get(h))
                .copied()
                .unwrap_or(' ')
        })
        .collect()
}
