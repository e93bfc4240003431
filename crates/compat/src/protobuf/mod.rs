//! Protobuf: what a reader makes of the bytes of a writer, and what registries say of two versions.
//!
//! A Protobuf reader refuses little: it reads on, and takes the value for something else. So in
//! [`Profile::Exact`] a *no* is a message that the reader refuses **or reads as something else**,
//! shown with its bytes and both readings. The other profiles are rules about definitions.

mod buf;
mod confluent;
mod element;
mod exact;
mod kinds;
mod meaning;
mod sample;

use tidegate_schema::protobuf::{Protobuf, Sources};

use crate::mode::{Direction, Mode};
use crate::profile::Profile;
use crate::sides::{VersionError, sides};
use crate::verdict::{Answer, Finding, Verdict};

pub use buf::{Broken, broken};
pub use meaning::{Difference, difference};

/// Most findings of one pair of versions; what is beyond it is counted.
const FINDINGS_MAX: usize = 64;

/// One version: its files, and the message that an event is.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Files by the name under which others import them.
    pub files: &'a Sources,
    /// The message of an event; without it every message is compared.
    pub root: Option<&'a str>,
}

/// Compares a new version with those before it, given from the oldest to the last.
///
/// # Errors
///
/// [`VersionError`] when a version is no Protobuf schema.
pub fn compare(
    olds: &[Version<'_>],
    new: &Version<'_>,
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
    olds: &[Version<'_>],
    new: &Version<'_>,
    (mode, profile): (Mode, Profile),
    keep_going: &dyn Fn() -> bool,
) -> Result<Verdict, VersionError> {
    let compile = |given: &Version<'_>, version| {
        let compiled = Protobuf::compile(given.files, given.root);
        compiled.map_err(|error| VersionError { version, error })
    };
    let new = compile(new, None)?;
    let mut findings = Vec::new();
    let mut compiled: Option<(usize, Protobuf)> = None;
    for (against, direction) in sides(olds.len(), mode) {
        let old = match (compiled.take(), olds.get(against)) {
            (Some((index, old)), _) if index == against => old,
            (_, Some(old)) => compile(old, Some(against))?,
            (_, None) => continue,
        };
        let (writer, reader) = match direction {
            Direction::Backward => (&old, &new),
            Direction::Forward => (&new, &old),
        };
        let found = match profile {
            Profile::Exact => exact::compare(writer, reader, keep_going),
            Profile::Confluent => confluent::compare(writer, reader),
            Profile::BufWire | Profile::BufWireJson => {
                let broken = broken(writer, reader, profile == Profile::BufWireJson);
                broken.into_iter().map(Broken::into_found).collect()
            }
        };
        findings.extend(finish(found, against, direction));
        compiled = Some((against, old));
    }
    Ok(Verdict::of(findings))
}

/// A finding that does not know yet between which versions it is.
#[derive(Clone, Debug)]
struct Found {
    answer: Answer,
    code: &'static str,
    path: String,
    reason: String,
    fix: Option<String>,
    witness: Option<crate::verdict::Witness>,
}

impl Found {
    fn new(answer: Answer, code: &'static str, path: &str, reason: String) -> Self {
        Self {
            answer,
            code,
            path: path.to_owned(),
            reason,
            fix: None,
            witness: None,
        }
    }
}

fn finish(mut found: Vec<Found>, against: usize, direction: Direction) -> Vec<Finding> {
    found.sort_by(|a, b| (&a.path, a.code).cmp(&(&b.path, b.code)));
    let too_many = found.len().saturating_sub(FINDINGS_MAX);
    if too_many > 0 {
        // What breaks is shown first; the rest is only counted.
        found.sort_by_key(|found| found.answer == Answer::Compatible);
        let lost = found.split_off(FINDINGS_MAX);
        let answer = if lost
            .iter()
            .any(|found| found.answer == Answer::Incompatible)
        {
            Answer::Incompatible
        } else if lost.iter().any(|found| found.answer == Answer::NotProved) {
            Answer::NotProved
        } else {
            Answer::Compatible
        };
        let reason = format!("{too_many} more findings are not shown");
        found.push(Found::new(answer, "too-many-findings", "", reason));
    }
    let findings = found.into_iter().map(|found| Finding {
        direction,
        against,
        answer: found.answer,
        code: found.code,
        path: found.path,
        reason: found.reason,
        fix: found.fix,
        witness: found.witness,
    });
    findings.collect()
}
