//! Changes that are accepted nevertheless: each with a reason and a day on which that ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;
use tidegate_model::{CodeInfo, Finding, Place, Severity, Source, closest};

use super::changes::{Change, Kind};
use super::codes::{ACCEPTANCE_EXPIRED, ACCEPTANCE_STALE, ACCEPTANCE_UNUSABLE, CODES, PAST_UNREAD};

/// Most acceptances of one file.
const ACCEPTANCES_MAX: usize = 10_000;

/// A change that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Where it is written.
    pub place: Place,
    /// The code of the change.
    pub code: String,
    /// The path of the change, as findings have it.
    pub path: String,
    /// Why it is accepted.
    pub because: String,
    /// The last day on which it is, such as `2027-01-31`.
    pub until: String,
}

/// What a file of acceptances says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acceptances {
    /// Those that can be used.
    pub list: Vec<Acceptance>,
    /// What is wrong with the others.
    pub findings: Vec<Finding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    accepted: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: String,
    path: String,
    because: String,
    until: String,
}

/// Whether a file has acceptances and nothing else, so that it is no part of the design that it lies
/// beside.
#[must_use]
pub fn is_of_acceptances(text: &str) -> bool {
    // Few files have the word, and only those are read twice.
    if !text.contains("accepted") {
        return false;
    }
    let keys: Result<BTreeMap<String, IgnoredAny>, _> = serde_saphyr::from_str(text);
    keys.is_ok_and(|keys| keys.len() == 1 && keys.contains_key("accepted"))
}

impl Acceptances {
    /// Reads a file: a YAML mapping with the list `accepted`.
    #[must_use]
    pub fn read(file: &Source) -> Self {
        let mut read = Self::default();
        let start = place(&file.name, (1, 1));
        let document: Document = match serde_saphyr::from_str(&file.text) {
            Ok(document) => document,
            Err(error) => {
                let at = error.location().map(|at| (at.line(), at.column()));
                let said = error.without_snippet().to_string();
                let said = said.lines().next().unwrap_or_default();
                let at = at.map_or(start, |at| place(&file.name, at));
                read.unusable(at, "", format!("the file cannot be read: {said}"));
                return read;
            }
        };
        if document.accepted.len() > ACCEPTANCES_MAX {
            let message = format!("there are more than {ACCEPTANCES_MAX} acceptances");
            read.unusable(start, "", message);
            return read;
        }
        for entry in document.accepted {
            let at = (entry.defined.line(), entry.defined.column());
            read.take(place(&file.name, at), entry.value);
        }
        read
    }

    fn take(&mut self, place: Place, entry: Entry) {
        let Entry {
            code,
            path,
            because,
            until,
        } = entry;
        let known = CODES.iter().find(|info| info.code.0 == code);
        let wrong = match known {
            None => {
                let all = CODES.iter().map(|info| info.code.0);
                let like = closest(&code, all).map(|like| format!("; did you mean {like}?"));
                Some(format!(
                    "no change has the code `{code}`{}",
                    like.unwrap_or_default()
                ))
            }
            Some(info) if !can_be_accepted(info) => Some(format!(
                "{code} ({}) is no change that can be accepted",
                info.title
            )),
            Some(_) if because.trim().is_empty() => {
                Some("`because` is empty: say why the change is accepted".to_owned())
            }
            Some(_) if !is_day(&until) => Some(format!(
                "`until` is `{until}`: write a day, such as 2027-01-31"
            )),
            Some(_) => None,
        };
        match wrong {
            Some(wrong) => self.unusable(place, &path, wrong),
            None => self.list.push(Acceptance {
                place,
                code,
                path,
                because,
                until,
            }),
        }
    }

    fn unusable(&mut self, place: Place, path: &str, message: String) {
        let hint = "write `{code: E1011, path: events.OrderPlaced.retention, because: …, until: 2027-01-31}`";
        self.findings
            .push(finding(ACCEPTANCE_UNUSABLE, place, path, message, hint));
    }
}

/// Changes alone, not what is said about acceptances or harmless ones.
fn can_be_accepted(info: &CodeInfo) -> bool {
    info.severity > Severity::Note
        && ![
            ACCEPTANCE_STALE,
            ACCEPTANCE_EXPIRED,
            ACCEPTANCE_UNUSABLE,
            PAST_UNREAD,
        ]
        .contains(info)
}

/// Accepts those of `changes` that `acceptances` name, on the day `today`; what is wrong with the
/// acceptances.
pub fn accept(changes: &mut [Change], acceptances: &[Acceptance], today: &str) -> Vec<Finding> {
    let mut by_change: HashMap<(&str, &str), (&Acceptance, bool)> = HashMap::new();
    for acceptance in acceptances {
        let named = (acceptance.code.as_str(), acceptance.path.as_str());
        by_change.entry(named).or_insert((acceptance, false));
    }
    for change in changes {
        let named = (change.finding.code.0, change.finding.path.as_str());
        let Some((acceptance, was_used)) = by_change.get_mut(&named) else {
            continue;
        };
        *was_used = true;
        if acceptance.until.as_str() < today || change.kind == Kind::Harmless {
            continue;
        }
        let (because, until) = (acceptance.because.clone(), acceptance.until.clone());
        let message = &mut change.finding.message;
        message.push_str(&format!("; accepted until {until}: {because}"));
        change.finding.severity = Severity::Note;
        let at = (acceptance.place.clone(), "it is accepted here".to_owned());
        change.finding.related.push(at);
        change.accepted = Some((because, until));
    }
    let said = acceptances.iter().filter_map(|acceptance| {
        let Acceptance {
            place,
            code,
            path,
            until,
            ..
        } = acceptance;
        let named = (code.as_str(), path.as_str());
        let (first, was_used) = by_change.get(&named)?;
        let is_first = std::ptr::eq(*first, acceptance);
        if !was_used || !is_first {
            let message = format!("{code} at `{path}` is accepted, and there is no such change");
            return Some(finding(
                ACCEPTANCE_STALE,
                place.clone(),
                path,
                message,
                "remove it",
            ));
        }
        (until.as_str() < today).then(|| {
            let message =
                format!("{code} at `{path}` was accepted until {until}, which has passed");
            let hint = "mend the change, or decide anew and write a later day";
            finding(ACCEPTANCE_EXPIRED, place.clone(), path, message, hint)
        })
    });
    said.collect()
}

fn finding(info: CodeInfo, place: Place, path: &str, message: String, hint: &str) -> Finding {
    let path = if path.is_empty() { "accepted" } else { path };
    Finding {
        code: info.code,
        severity: info.severity,
        place,
        path: path.to_owned(),
        message,
        hint: Some(hint.to_owned()),
        related: Vec::new(),
    }
}

fn place(file: &Arc<str>, (line, column): (u64, u64)) -> Place {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    Place {
        file: file.clone(),
        line: number(line),
        column: number(column),
        length: 1,
    }
}

/// Whether `text` is a day as ISO 8601 writes it, so that the order of texts is that of days.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let number = |text: &str, digits: usize| -> Option<u32> {
        let is_whole = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        is_whole.then(|| text.parse().ok())?
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}
