//! The page of a process.

use std::time::Duration;

use super::advice::{CANDIDATES_MAX, checks, costs, sure};
use super::figures::{Bar, Part, Step, bars, before_after, course, parts, ribbon, tone};
use super::sections::{card, page, section, table, tiles};
use crate::process::report::words::{self, long, per_day};
use crate::process::streams::nanos_words;
use crate::process::{Activity, Candidate, CandidateClass, ProcessDiscovery, Waits};
use crate::report::html::escape;
use crate::report::words::{percent, short_quantile};
use crate::{Proportion, Quantile};

/// Most transitions in the figure.
const BARS_MAX: usize = 8;
/// Most steps of the course of a case.
const STEPS_MAX: usize = 16;
/// Most rows of a table.
const ROWS_MAX: usize = 25;

/// The page of a process.
pub(crate) fn of_process(discovery: &ProcessDiscovery) -> String {
    let feasible: Vec<&Candidate> = discovery
        .candidates
        .iter()
        .filter(|candidate| candidate.class.is_feasible())
        .collect();
    let mut body = header(discovery, &feasible);
    body.push_str(&section("What happens today", &today(discovery)));
    body.push_str(&section("What would change", &change(discovery, &feasible)));
    body.push_str(&section("How sure this is", &sure(discovery, &feasible)));
    if !feasible.is_empty() {
        body.push_str(&section("What it costs", &costs(&feasible)));
    }
    body.push_str(&section("How to check it cheaply", &checks(&feasible)));
    body.push_str(&stays(discovery));
    body.push_str(&section("All activities", &activities(discovery)));
    body.push_str(&footer(discovery));
    page("Where cases wait, and what would change", &body)
}

/// `‘Register claim’ → ‘Assess claim’`.
pub(super) fn name(candidate: &Candidate) -> String {
    format!(
        "{} \u{2192} {}",
        candidate.after.as_deref().unwrap_or("arrival"),
        candidate.activities.join(", ")
    )
}

fn header(discovery: &ProcessDiscovery, feasible: &[&Candidate]) -> String {
    let logs: Vec<&str> = discovery.logs.iter().map(|log| log.name.as_str()).collect();
    let saved = feasible
        .iter()
        .filter_map(|candidate| Some((*candidate, candidate.change.as_ref()?)))
        .find(|(_, change)| !change.total.is_zero());
    let verdict = match (saved, feasible.first()) {
        (Some((best, change)), _) => format!(
            "An event after {} could save up to {} in each of the {} cases that go there. It \
             takes no extra hands: it only tells the next one at once.",
            quoted(best.after.as_deref().unwrap_or("the arrival")),
            nanos_long(change.mean.value),
            change.cases
        ),
        (None, Some(first)) => format!(
            "{} could go on beside the rest of the case: nothing that the case waits for depends \
             on it.",
            quoted(&first.activities.join(", "))
        ),
        (None, None) => nothing(discovery).to_owned(),
    };
    let mut numbers = vec![
        (discovery.cases.to_string(), "cases looked at"),
        (
            quantile(discovery.cycle.p50),
            "a case takes, half of them longer",
        ),
    ];
    if let Some(efficiency) = discovery.efficiency {
        numbers.push((
            format!("{:.0}%", (1.0 - efficiency.value) * 100.0),
            "of working and waiting time is waiting",
        ));
    }
    numbers.push((feasible.len().to_string(), "parts could become events"));
    if let Some((_, change)) = saved {
        numbers.push((
            long(change.total),
            "saved at most in all cases together, by the first alone",
        ));
    }
    format!(
        "<header>\n<p class=\"eyebrow\">Process report \u{b7} {}</p>\n<h1>Where cases wait, and what would \
         change</h1>\n<p class=\"verdict\">{}</p>\n{}</header>\n",
        escape(&logs.join(", ")),
        escape(&verdict),
        tiles(&numbers)
    )
}

pub(super) fn quoted(text: &str) -> String {
    format!("\u{201c}{text}\u{201d}")
}

fn quantile(quantile: Quantile) -> String {
    quantile.value().map_or_else(|| "-".to_owned(), long)
}

/// Nanoseconds that may be negative, in two units at most.
pub(super) fn nanos_long(nanos: f64) -> String {
    if nanos < 0.0 {
        return nanos_words(nanos);
    }
    long(Duration::from_secs_f64((nanos / 1e9).min(1e10)))
}

fn today(discovery: &ProcessDiscovery) -> String {
    let days = discovery.window.as_secs_f64() / 86_400.0;
    let a_day = (days >= 1.0).then(|| discovery.cases as f64 / days);
    let rate = a_day.map_or_else(String::new, |rate| {
        format!(", {} a day", per_day(Some(rate)))
    });
    let lead = format!(
        "{} cases in {}{rate}. Half of them take longer than {}, one in twenty longer than {}.",
        discovery.cases,
        long(discovery.window),
        quantile(discovery.cycle.p50),
        quantile(discovery.cycle.p95)
    );
    let mut body = format!("<p class=\"lead\">{}</p>\n", escape(&lead));
    body.push_str(&card("Where the time goes", &time(discovery)));
    let course = typical(discovery);
    if !course.is_empty() {
        body.push_str(&card("How a case goes", &course));
    }
    body.push_str(&between(discovery));
    if discovery.processes.len() > 1 {
        let rows: Vec<Vec<String>> = discovery
            .processes
            .iter()
            .take(ROWS_MAX)
            .map(|one| {
                vec![
                    one.name.clone(),
                    one.cases.to_string(),
                    per_day(one.per_day),
                    quantile(one.cycle.p50),
                    long(one.waiting),
                ]
            })
            .collect();
        let head = [
            "process",
            "cases",
            "a day",
            "half take over",
            "waiting in all",
        ];
        body.push_str(&table(&head, &[1, 2, 3, 4], &rows));
    }
    body
}

/// The transitions with most waiting, each as a bar by cause.
fn between(discovery: &ProcessDiscovery) -> String {
    let rows: Vec<Bar> = discovery
        .arcs
        .iter()
        .filter(|arc| !arc.total.is_zero())
        .take(BARS_MAX)
        .map(|arc| Bar {
            name: format!(
                "{} \u{2192} {}",
                arc.from.as_deref().unwrap_or("arrival"),
                arc.to
            ),
            note: format!(
                "{} times, {} each",
                arc.count,
                long(mean(arc.total, arc.count))
            ),
            parts: parts(arc.total, arc.causes.as_ref()),
        })
        .collect();
    if !rows.is_empty() {
        let drawn = bars(&rows, "Waiting of each transition, added up");
        return card(
            "Between which steps cases wait most",
            &format!(
                "<p class=\"note\">All waiting of the period, added up, by its cause.</p>\n{drawn}"
            ),
        );
    }
    String::new()
}

fn mean(total: Duration, count: usize) -> Duration {
    total / u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

fn time(discovery: &ProcessDiscovery) -> String {
    let mut all = Vec::new();
    if !discovery.processing.is_zero() {
        all.push(Part {
            tone: "work",
            name: "work is done".to_owned(),
            time: discovery.processing,
        });
    }
    match &discovery.causes {
        Some(causes) => {
            all.extend(
                causes
                    .iter()
                    .filter(|one| !one.total.is_zero())
                    .map(|one| Part {
                        tone: tone(one.cause),
                        name: format!("waiting: {}", one.cause.words()),
                        time: one.total,
                    }),
            )
        }
        None => all.push(Part {
            tone: "wait",
            name: if discovery.processing.is_zero() {
                "waiting and work: the log does not tell them apart".to_owned()
            } else {
                "waiting: why is not in the log".to_owned()
            },
            time: discovery.waiting,
        }),
    }
    ribbon(&all, "Work and waiting of all cases, in parts")
}

/// The most usual way through the process, with the average times of its steps.
fn typical(discovery: &ProcessDiscovery) -> String {
    let Some(variant) = discovery.variants.first() else {
        return String::new();
    };
    if variant.activities.len() > STEPS_MAX {
        return String::new();
    }
    let steps: Vec<Step> = variant
        .activities
        .iter()
        .map(|name| {
            let found = discovery.activities.iter().find(|one| one.name == *name);
            let wait = found.map_or(Duration::ZERO, |one| mean(one.waiting_total, one.count));
            Step {
                name: name.clone(),
                wait: parts(wait, found.and_then(|one| one.causes.as_ref())),
                work: found.map_or(Duration::ZERO, |one| mean(one.processing_total, one.count)),
            }
        })
        .collect();
    let drawn = course(&steps, "The steps of the most usual way, in time");
    if drawn.is_empty() {
        return drawn;
    }
    format!(
        "<p class=\"note\">The most usual way, that of {} of {} cases; wide bars are work, thin ones the \
         waiting before it, both on average. What goes on side by side is drawn one after the \
         other.</p>\n{drawn}",
        variant.cases.hits, variant.cases.total
    )
}

/// What is said where there is no candidate: that nothing would help, or that the log does not
/// tell, are two answers.
fn nothing(discovery: &ProcessDiscovery) -> &'static str {
    let is_known = |one: &Candidate| matches!(one.class, CandidateClass::Stays { .. });
    if discovery.candidates.iter().any(is_known) {
        "By this evidence, events would not make these cases faster: they wait for hands or working \
         hours, and an event adds neither."
    } else {
        "This log does not tell whether events would make these cases faster: it does not say why \
         work waits."
    }
}

fn change(discovery: &ProcessDiscovery, feasible: &[&Candidate]) -> String {
    if feasible.is_empty() {
        return format!("<p class=\"lead\">{}</p>\n", escape(nothing(discovery)));
    }
    let mut body: String = feasible
        .iter()
        .take(CANDIDATES_MAX)
        .enumerate()
        .map(|(place, candidate)| one_change(place + 1, candidate))
        .collect();
    let more = feasible.len().saturating_sub(CANDIDATES_MAX);
    if more > 0 {
        body.push_str(&format!(
            "<p class=\"note\">And {more} more: <code>--format json</code> has all.</p>\n"
        ));
    }
    body
}

fn one_change(place: usize, candidate: &Candidate) -> String {
    let facts: String = facts(candidate)
        .iter()
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escape(value)))
        .collect();
    let saves = saves(candidate);
    format!(
        "<article>\n<h3><span class=\"place\">{place}</span> {} <code class=\"class\">{}</code></h3>\n{saves}\
         <dl>{facts}</dl>\n<details><summary>Evidence for and against</summary>\n<ul>{}</ul>\n\
         <p class=\"traces\">Cases to look at: {}</p>\n</details>\n</article>\n",
        escape(&name(candidate)),
        candidate.class.code(),
        evidence(candidate),
        candidate
            .exemplars
            .iter()
            .map(|id| format!("<code>{}</code>", escape(id)))
            .collect::<Vec<_>>()
            .join(" ")
    )
}

/// What is known of a change, by name.
fn facts(candidate: &Candidate) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        (
            "What changes",
            format!("{}.", candidate.class.explanation()),
        ),
        (
            "How often",
            format!(
                "{} times{}, at most {} in one hour",
                candidate.count,
                candidate.per_day.map_or_else(String::new, |rate| format!(
                    ", {} a day",
                    per_day(Some(rate))
                )),
                candidate.peak_hour
            ),
        ),
    ];
    if !candidate.waiting.is_zero() {
        facts.push((
            "Waiting today",
            format!(
                "{} in all, {} each time; an event can take away {} of it at most",
                long(candidate.waiting),
                long(mean(candidate.waiting, candidate.count)),
                long(candidate.removable)
            ),
        ));
    }
    if candidate.handoffs.total > 0 {
        let Proportion { hits, total } = candidate.handoffs;
        facts.push((
            "Hand-over",
            format!("to somebody else in {hits} of {total}"),
        ));
    }
    if !candidate.joins.is_empty() {
        facts.push((
            "Waited for by",
            format!("{}: it needs a second event", candidate.joins.join(", ")),
        ));
    }
    facts.push((
        "Kept in order",
        format!("events of the same {}", candidate.key),
    ));
    facts
}

/// What a change saves, as a number and a figure; empty where it saves no time.
fn saves(candidate: &Candidate) -> String {
    candidate.change.as_ref().map_or_else(String::new, |change| {
        let rows: Vec<(&str, Duration, Duration)> = [
            ("half of cases within", change.p50),
            ("19 of 20 within", change.p95),
        ]
        .into_iter()
        .filter_map(|(name, (now, then))| Some((name, now.value()?, then.value()?)))
        .collect();
        format!(
            "<p class=\"big\">up to {} sooner</p><p class=\"note\">on average, in each of {} cases; the interval is {} \
             to {}</p>\n{}",
            escape(&nanos_long(change.mean.value)),
            change.cases,
            escape(&nanos_long(change.mean.low)),
            escape(&nanos_long(change.mean.high)),
            before_after(&rows)
        )
    })
}

fn evidence(candidate: &Candidate) -> String {
    use crate::discovery::Weight;
    candidate
        .evidence
        .iter()
        .map(|reason| {
            let class = match reason.weight {
                Weight::Veto | Weight::Against => "against",
                Weight::For => "for",
                Weight::Benefit => "benefit",
            };
            let interval = reason.share.and_then(Proportion::interval);
            let interval = interval.map_or_else(String::new, |(low, high)| {
                format!(
                    " <small>95 %: {} to {}</small>",
                    percent(low),
                    percent(high)
                )
            });
            format!(
                "<li class=\"{class}\"><i>{class}</i> {}{interval}</li>",
                escape(&reason.claim)
            )
        })
        .collect()
}

fn stays(discovery: &ProcessDiscovery) -> String {
    let rows: Vec<Vec<String>> = discovery
        .candidates
        .iter()
        .filter_map(|candidate| {
            let reason = match &candidate.class {
                CandidateClass::Stays { reason } => reason.clone(),
                CandidateClass::Unknown { missing } => format!("not told: {missing}"),
                _ => return None,
            };
            Some(vec![name(candidate), long(candidate.waiting), reason])
        })
        .take(ROWS_MAX)
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    section(
        "What stays as it is, and why",
        &table(&["part", "waiting", "because"], &[1], &rows),
    )
}

fn activities(discovery: &ProcessDiscovery) -> String {
    let rows: Vec<Vec<String>> = discovery
        .activities
        .iter()
        .take(ROWS_MAX)
        .map(row)
        .collect();
    let head = [
        "activity",
        "times",
        "a day",
        "work, half over",
        "wait, half over",
        "waiting in all",
        "mostly",
        "bottleneck",
    ];
    let mut body = table(&head, &[1, 2, 3, 4, 5], &rows);
    let more = discovery.activities.len().saturating_sub(ROWS_MAX);
    if more > 0 {
        body.push_str(&format!("<p class=\"note\">And {more} more.</p>\n"));
    }
    body.push_str(
        "<p class=\"note\">A bottleneck is only what waits longer the more is waiting already, and for \
         who does it.</p>\n",
    );
    body
}

fn row(one: &Activity) -> Vec<String> {
    let mostly = one.causes.as_ref().and_then(Waits::top);
    vec![
        one.name.clone(),
        one.count.to_string(),
        per_day(one.per_day),
        one.duration
            .as_ref()
            .map_or_else(|| "-".to_owned(), |latency| short_quantile(latency.p50)),
        quantile(one.waiting.p50),
        long(one.waiting_total),
        mostly.map_or_else(|| "-".to_owned(), |cause| cause.words().to_owned()),
        words::bottleneck(&one.bottleneck).to_owned(),
    ]
}

fn footer(discovery: &ProcessDiscovery) -> String {
    let scope: String = words::scope(discovery)
        .iter()
        .map(|line| format!("<li>{}</li>", escape(line)))
        .collect();
    format!(
        "<footer>\n<ul>{scope}</ul>\n<p>Causes of waiting after Lashkevich and others, \u{201c}Why am I \
         waiting?\u{201d} (CAiSE 2023), and Chapela-Campa and Dumas (Information Systems 122, 2024). \
         Intervals hold the true value in 95 of 100 cases. People in the log count as hands, and are \
         not named here.</p>\n</footer>\n"
    )
}
