//! What was asked for.

use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
usage: cargo bench -p tidegate-log [-- OPTIONS]
  --in DIR          where files are written (default: the target's folder for temporary files)
  --only PART       publish, end-to-end, latency, open or memory; may be repeated
  --gigabytes N     size of the backlog that is opened and read (default 2)
  --quick           single runs of a tenth of the time: shows that it works";

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Publish,
    EndToEnd,
    Latency,
    Open,
    Memory,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) parent: PathBuf,
    pub(crate) quick: bool,
    only: Vec<Part>,
    gigabytes: f64,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            parent: env!("CARGO_TARGET_TMPDIR").into(),
            quick: false,
            only: Vec::new(),
            gigabytes: 2.0,
        };
        let mut is_bench = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
            match word.as_str() {
                "--bench" => is_bench = true,
                "--quick" => arguments.quick = true,
                "--in" => arguments.parent = value()?.into(),
                "--only" => arguments.only.push(part(&value()?)?),
                "--gigabytes" => arguments.gigabytes = gigabytes(&value()?)?,
                _ => return Err(format!("`{word}` is not known")),
            }
        }
        // Only `cargo bench` says that it is one: `cargo test --benches` must not write gigabytes.
        arguments.quick |= !is_bench;
        match arguments.parent.is_dir() {
            true => Ok(arguments),
            false => Err(format!("no directory `{}`", arguments.parent.display())),
        }
    }

    pub(crate) fn includes(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// Alternating runs of each figure.
    pub(crate) fn runs(&self) -> usize {
        if self.quick { 1 } else { 7 }
    }

    /// A tenth of `time` when it must be quick.
    pub(crate) fn time(&self, time: Duration) -> Duration {
        if self.quick { time / 10 } else { time }
    }

    /// Bytes of the backlog.
    pub(crate) fn backlog_bytes(&self) -> f64 {
        self.gigabytes * if self.quick { 1e8 } else { 1e9 }
    }

    /// The log's own default, or a tenth, so that a small backlog has several segments too.
    pub(crate) fn segment_bytes(&self) -> u64 {
        let bytes = tidegate_log::Options::default().segment_bytes;
        if self.quick { bytes / 10 } else { bytes }
    }
}

fn part(name: &str) -> Result<Part, String> {
    Ok(match name {
        "publish" => Part::Publish,
        "end-to-end" => Part::EndToEnd,
        "latency" => Part::Latency,
        "open" => Part::Open,
        "memory" => Part::Memory,
        _ => return Err(format!("no part `{name}`")),
    })
}

fn gigabytes(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (0.5..=1_000.0).contains(number));
    number.ok_or(format!("`{text}` is not a number of gigabytes from 0.5 on"))
}
