//! The arguments of `size`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidegate_base::{Bytes, Ratio, parse_duration};

use super::ReportFormat;

#[derive(Debug, Args)]
pub(crate) struct Size {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// Take peaks, bursts, keys and the spread of handler times from a recording [default: a
    /// recording.jsonl beside the design]
    #[arg(long, value_name = "FILE")]
    pub(crate) recording: Option<PathBuf>,
    /// Copies of everything on brokers
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) replicas: u32,
    /// How much of their time workers and brokers may be busy at the peak
    #[arg(long, value_name = "SHARE", default_value = "70%", value_parser = utilisation)]
    pub(crate) utilisation: Ratio,
    /// How long consumers are down, in the question of how long they catch up
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub(crate) outage: Duration,
    /// The share of attempts that fail and are retried [default: as recorded, or none]
    #[arg(long, value_name = "SHARE", value_parser = failures)]
    pub(crate) failures: Option<Ratio>,
    /// The partitions that each event has on its broker: are they enough?
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) partitions: Option<u32>,
    /// What one partition takes in a second, as measured [default: the fact about the broker]
    #[arg(long, value_name = "BYTES", value_parser = bytes_a_second)]
    pub(crate) partition_rate: Option<Bytes>,
    /// What the network of one broker carries in a second, each way, such as 1.25GB
    #[arg(long, value_name = "BYTES", value_parser = bytes_a_second)]
    pub(crate) network: Option<Bytes>,
    /// What the disk of one broker writes in a second, such as 250MB
    #[arg(long, value_name = "BYTES", value_parser = bytes_a_second)]
    pub(crate) disk: Option<Bytes>,
    /// How long one fsync takes on a broker's disk [default: the fact about the broker]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) fsync: Option<Duration>,
    /// How to print the sizes
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub(crate) format: ReportFormat,
}

/// `125MB` or `125MB/s`, and more than nothing.
fn bytes_a_second(text: &str) -> Result<Bytes, String> {
    let bytes = text.strip_suffix("/s").unwrap_or(text);
    let bytes = Bytes::parse(bytes).map_err(|error| error.to_string())?;
    match bytes {
        Bytes(0) => {
            Err("nothing a second carries nothing; leave it out when it is not known".to_owned())
        }
        bytes => Ok(bytes),
    }
}

/// A share of time that leaves some, and uses some.
fn utilisation(text: &str) -> Result<Ratio, String> {
    let share = Ratio::parse(text).map_err(|error| error.to_string())?;
    if (0.01..=0.99).contains(&share.value()) {
        return Ok(share);
    }
    Err(format!(
        "{share} is not between 1% and 99%: at 100% every queue grows without end"
    ))
}

/// Attempts that all fail have no end that could be sized for.
fn failures(text: &str) -> Result<Ratio, String> {
    let share = Ratio::parse(text).map_err(|error| error.to_string())?;
    if share.value() < 1.0 {
        return Ok(share);
    }
    Err("when every attempt fails nothing is handled: give less than 100%".to_owned())
}
