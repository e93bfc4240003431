//! Where a consumer is to be sent, and what came of it.

use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;
use tidegate_base::{ConsumerId, Timestamp};

/// A place in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// The oldest event that is left.
    Earliest,
    /// Behind the newest event.
    Latest,
    /// The event with this sequence.
    Sequence(u64),
    /// The first event accepted at this time or later.
    Time(Timestamp),
}

/// A text that is no place in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a place: write `earliest`, `latest`, a sequence such as 4711, or a time such as \
     2026-11-27T08:00:00Z"
)]
pub struct SeekToError(String);

impl FromStr for SeekTo {
    type Err = SeekToError;

    fn from_str(text: &str) -> Result<Self, SeekToError> {
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Sequence(sequence));
        }
        let time = Timestamp::parse_rfc3339(text).map(Self::Time);
        time.ok_or_else(|| SeekToError(text.chars().take(100).collect()))
    }
}

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeekRequest {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Where to. Before where it is, what it has finished from there on runs again; behind, what it has
    /// not finished before there is skipped.
    pub to: SeekTo,
    /// Run again only what is before this place, wherever the consumer is.
    pub until: Option<SeekTo>,
    /// Why, in the operator's words.
    pub reason: String,
    /// Say what would be done, and change nothing.
    pub dry_run: bool,
    /// Skip deliveries: they never run.
    pub confirmed: bool,
}

/// What was done, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeekReport {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Which way it went.
    pub action: SeekAction,
    /// The first sequence of what was looked at.
    pub from: u64,
    /// One past its last.
    pub until: u64,
    /// How many deliveries run again or are skipped. Of those to run again, compaction may have removed
    /// some: these do not run.
    pub deliveries: u64,
    /// The number of the replay, which its deliveries carry.
    pub generation: Option<u64>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What the operator should know.
    pub note: Option<String>,
}

/// What a consumer may still be sent, by whatever way: a delivery at or above `below`, or one of a later replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayWatermark {
    /// Every delivery of a lower sequence is over.
    pub below: u64,
    /// The last replay that was ordered, 0 when there was none: only a later one brings what is below.
    pub generation: u64,
}

/// Which way a consumer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeekAction {
    /// What it has finished runs again.
    Replay,
    /// What it has not finished never runs.
    Skip,
    /// There is nothing to be done.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read() {
        let time = Timestamp::parse_rfc3339("2026-11-27T08:00:00+01:00").unwrap();
        for (text, place) in [
            ("earliest", Some(SeekTo::Earliest)),
            ("latest", Some(SeekTo::Latest)),
            ("4711", Some(SeekTo::Sequence(4_711))),
            ("2026-11-27T07:00:00Z", Some(SeekTo::Time(time))),
            ("-1", None),
            ("2026-11-27", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), place, "{text}");
        }
    }
}
