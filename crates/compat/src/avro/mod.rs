//! Avro: whether a reader resolves every datum that a writer may write.
//!
//! The rules are those of the specification ("Schema Resolution"). In [`Profile::Exact`] a *no*
//! comes with a datum that was written with the writer's schema and refused when it was read with
//! the reader's; [`Profile::Confluent`] answers what the Confluent Schema Registry answers, which
//! asks Apache Avro's own checker.

mod name;
mod read;
mod rules;
mod walk;
mod witness;

use tidegate_schema::avro::Avro;

use crate::mode::{Direction, Mode};
use crate::profile::Profile;
use crate::sides::{VersionError, sides};
use crate::verdict::{Answer, Finding, Verdict};

use walk::{Found, Pair};
use witness::Maker;

pub use read::{Refusal, read};

/// Most findings of one pair of versions; what is beyond it is counted.
const FINDINGS_MAX: usize = 64;

/// Compares a new version with those before it, given from the oldest to the last.
///
/// # Errors
///
/// [`VersionError`] when a version is no Avro schema.
pub fn compare(
    olds: &[&str],
    new: &str,
    mode: Mode,
    profile: Profile,
) -> Result<Verdict, VersionError> {
    compare_while(olds, new, (mode, profile), &|| true)
}

/// As [`compare`]; `keep_going` is asked now and then, and may stop the work.
///
/// # Errors
///
/// As [`compare`].
pub fn compare_while(
    olds: &[&str],
    new: &str,
    (mode, profile): (Mode, Profile),
    keep_going: &dyn Fn() -> bool,
) -> Result<Verdict, VersionError> {
    let parse =
        |text: &str, version| Avro::parse(text).map_err(|error| VersionError { version, error });
    let new = parse(new, None)?;
    let mut findings = Vec::new();
    let mut parsed: Option<(usize, Avro)> = None;
    for (against, direction) in sides(olds.len(), mode) {
        let old = match parsed.take() {
            Some((index, old)) if index == against => old,
            _ => parse(
                olds.get(against).copied().unwrap_or_default(),
                Some(against),
            )?,
        };
        let sides = (&old, &new);
        findings.extend(one_way(sides, (against, direction), profile, keep_going));
        parsed = Some((against, old));
    }
    Ok(Verdict::of(findings))
}

/// What one version as a reader makes of what the other one writes.
fn one_way(
    (old, new): (&Avro, &Avro),
    (against, direction): (usize, Direction),
    profile: Profile,
    keep_going: &dyn Fn() -> bool,
) -> Vec<Finding> {
    let (writer, reader) = match direction {
        Direction::Backward => (old, new),
        Direction::Forward => (new, old),
    };
    let pair = Pair { writer, reader };
    let walked = walk::walk(&pair, profile, keep_going);
    let maker = Maker::new(&pair);
    let mut findings = Vec::new();
    let too_many = walked.found.len().saturating_sub(FINDINGS_MAX);
    let mut stopped = !keep_going();
    for found in walked.found.iter().take(FINDINGS_MAX) {
        stopped = stopped || !keep_going();
        if stopped {
            break;
        }
        findings.push(finding(&maker, found, against, direction, profile));
    }
    let mut unproved = |code: &'static str, reason: String| {
        findings.push(Finding {
            direction,
            against,
            answer: Answer::NotProved,
            code,
            path: String::new(),
            reason,
            fix: None,
            witness: None,
        });
    };
    if stopped {
        let reason = "the comparison takes more work than it may";
        unproved("effort-spent", reason.to_owned());
    } else if walked.stopped {
        let reason = "the schemas have too many pairs of types to compare them all";
        unproved("too-large", reason.to_owned());
    }
    if too_many > 0 {
        let reason = format!("{too_many} more places differ and were not looked into");
        unproved("too-many-findings", reason);
    }
    findings.sort_by(|a, b| a.path.cmp(&b.path));
    findings
}

fn finding(
    maker: &Maker<'_>,
    found: &Found,
    against: usize,
    direction: Direction,
    profile: Profile,
) -> Finding {
    let path = match direction {
        Direction::Backward => found.reader_pointer.clone(),
        Direction::Forward => found.writer_pointer.clone(),
    };
    let mut made = Finding {
        direction,
        against,
        answer: Answer::Compatible,
        code: found.code,
        path,
        reason: found.reason.clone(),
        fix: found.fix.clone(),
        witness: None,
    };
    let Some(kind) = &found.breaks else {
        return made;
    };
    made.answer = Answer::Incompatible;
    match maker.witness(found, kind) {
        witness::Made::Shown(witness) => made.witness = Some(witness),
        // What no datum can reach breaks nothing, whatever a registry says.
        witness::Made::Unreachable if profile == Profile::Exact => {
            made.answer = Answer::Compatible;
            made.fix = None;
            let why = "; no event has a value there, so none breaks";
            made.reason.push_str(why);
        }
        witness::Made::Not(why) if profile == Profile::Exact => {
            made.answer = Answer::NotProved;
            made.reason.push_str("; no event was found that shows it: ");
            made.reason.push_str(why);
        }
        witness::Made::Unreachable | witness::Made::Not(_) => {}
    }
    made
}
