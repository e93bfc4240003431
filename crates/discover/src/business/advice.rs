//! How sure the changes of a process are, what they cost and how to check them.

use super::process::{name, nanos_long, quoted};
use super::sections::{COSTS, card, list};
use crate::process::report::words::per_day;
use crate::process::{Candidate, Estimate, ProcessDiscovery};
use crate::report::html::escape;

/// Most candidates that are gone through one by one.
pub(super) const CANDIDATES_MAX: usize = 5;

/// How far a number is supported: by its interval against itself, and by how much there is of it.
fn support(estimate: Estimate, cases: usize) -> (&'static str, &'static str) {
    let half = (estimate.high - estimate.low) / 2.0;
    if cases >= 100 && half <= estimate.value.abs() * 0.15 {
        ("well", "well supported")
    } else if cases >= 30 && estimate.low > 0.0 {
        ("fairly", "fairly supported")
    } else {
        ("not", "not sure")
    }
}

/// How sure each change is, and what to keep in mind.
pub(super) fn sure(discovery: &ProcessDiscovery, feasible: &[&Candidate]) -> String {
    let rows: String = feasible
        .iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| {
            let (class, word, why) = match &candidate.change {
                Some(change) => {
                    let (class, word) = support(change.mean, change.cases);
                    let why = format!(
                        "{} cases replayed; {} to {} saved in each",
                        change.cases,
                        nanos_long(change.mean.low),
                        nanos_long(change.mean.high)
                    );
                    (class, word, why)
                }
                None => (
                    "fairly",
                    "fairly supported",
                    format!("{} times seen, never on the way that cases wait for more than rarely", candidate.count),
                ),
            };
            format!(
                "<tr><td>{}</td><td><span class=\"sure {class}\">{word}</span></td><td>{}</td></tr>\n",
                escape(&name(candidate)),
                escape(&why)
            )
        })
        .collect();
    let mut body = String::new();
    if !rows.is_empty() {
        body.push_str(&format!(
            "<div class=\"scroll\"><table>\n<thead><tr><th>change</th><th>is</th><th>because</th></tr></thead>\n\
             <tbody>\n{rows}</tbody>\n</table></div>\n"
        ));
    }
    let mut lines = vec![
        "The time saved is replayed case by case in the order that was learned from all cases. It \
         takes it that nobody needs the time that is saved for anything else, and that the next \
         one is free as often as today."
            .to_owned(),
        "Why work waits is worked out from who was busy with what, and when. Work that is not in \
         the log, as meetings or other processes, looks like being free."
            .to_owned(),
    ];
    lines.extend(
        discovery
            .missing
            .iter()
            .map(|missing| format!("Not in the log: {missing}.")),
    );
    body.push_str(&card("What to keep in mind", &list(&lines)));
    body
}

/// What the changes cost.
pub(super) fn costs(feasible: &[&Candidate]) -> String {
    let joins = feasible.iter().filter(|one| !one.joins.is_empty()).count();
    let shared = feasible
        .iter()
        .filter(|one| one.shared.is_some_and(|shared| shared.share() > 0.5))
        .count();
    let mut own = vec![format!(
        "{} to define, each with somebody who owns it.",
        counted(feasible.len(), "event")
    )];
    let daily: f64 = feasible.iter().filter_map(|one| one.per_day).sum();
    if daily > 0.0 {
        own.push(format!(
            "{} events a day: any broker, and one small machine, carries that.",
            per_day(Some(daily))
        ));
    }
    own.push(if joins == 0 {
        "None of them needs a second event: nothing waits for their end.".to_owned()
    } else {
        format!("{joins} of them need a second event, as something waits for their end.")
    });
    if shared > 0 {
        own.push(format!(
            "{shared} of them touch the same objects as work elsewhere: who changes what first has \
             to be agreed on."
        ));
    }
    own.push(
        "Whoever is next works from a queue instead of a list, a mailbox or a stack: that is a \
         change for people, and the larger part of the effort."
            .to_owned(),
    );
    let always: Vec<String> = COSTS.map(str::to_owned).to_vec();
    format!(
        "<div class=\"grid-2\">{}{}</div>\n",
        card("For these changes", &list(&own)),
        card("For events in general", &list(&always))
    )
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// How each change can be checked before anything is built.
pub(super) fn checks(feasible: &[&Candidate]) -> String {
    let lines: Vec<String> = feasible
        .iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| {
            let after = quoted(candidate.after.as_deref().unwrap_or("the arrival of a case"));
            let next = quoted(&candidate.activities.join(", "));
            match (candidate.trial, candidate.per_day) {
                (Some(cases), rate) => {
                    let long = rate.filter(|rate| *rate > 0.0).map_or_else(String::new, |rate| {
                        format!(", about {:.0} days at today's volume", (2.0 * cases as f64 / rate).ceil())
                    });
                    format!(
                        "Ask first whether {next} waits for somebody outside, such as a customer: an \
                         event does not make them faster. If not: after {after}, tell who does it at \
                         once, by a message, in every second case. {cases} cases on each side show \
                         the difference if it is there{long}. No software is needed."
                    )
                }
                (None, _) => format!(
                    "Do {next} an hour later on one day a week, and ask who noticed. Nobody should: \
                     cases do not wait for it."
                ),
            }
        })
        .collect();
    let mut lines = lines;
    if lines.is_empty() {
        lines.push(
            "Export the log again with the start of each activity and who did it, and run this \
             report again: what it says then is worth more than a trial now."
                .to_owned(),
        );
    }
    let next = [
        "`tidegate discover LOG --draft DIR` writes these events as a design, with the volumes of \
         the log.",
        "`tidegate check DIR` finds what is missing in it; `tidegate simulate DIR` shows the backlog.",
        "`tidegate discover --diff BEFORE AFTER` compares the log of the trial with this one.",
    ]
    .map(str::to_owned);
    format!(
        "<div class=\"grid-2\">{}{}</div>\n",
        card("Before anything is built", &list(&lines)),
        card("With this program, in an afternoon", &list(&next))
    )
}
