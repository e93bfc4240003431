//! The discovery for a terminal.

use tidegate_base::format_duration;

use super::words;
use crate::discovery::{Latency, Weight};
use crate::process::found::{Candidate, CandidateClass, ProcessDiscovery, Waits};
use crate::process::streams::nanos_words;
use crate::report::Paint;
use crate::report::human::clean;
use crate::report::table::{Align, Table};
use crate::report::words::{percent, proportion, short_quantile};

/// Most rows of a table.
const ROWS_MAX: usize = 15;

pub(super) fn render(discovery: &ProcessDiscovery, paint: Paint) -> String {
    let scope = words::scope(discovery);
    let mut lines: Vec<String> = scope.iter().map(|line| clean(line)).collect();
    lines.push(String::new());
    lines.push(paint.strong(&clean(&words::verdict(discovery))));
    head(&mut lines, discovery);
    let (feasible, others): (Vec<&Candidate>, Vec<&Candidate>) = discovery
        .candidates
        .iter()
        .partition(|candidate| candidate.class.is_feasible());
    for (place, candidate) in feasible.iter().enumerate() {
        lines.push(String::new());
        self::candidate(&mut lines, place + 1, candidate, paint);
    }
    section(&mut lines, paint, "Why work waits", causes(discovery));
    section(
        &mut lines,
        paint,
        "Transitions, by waiting",
        arcs(discovery),
    );
    section(
        &mut lines,
        paint,
        "Activities, by waiting before them",
        activities(discovery),
    );
    section(&mut lines, paint, "What stays as it is", stays(&others));
    section(
        &mut lines,
        paint,
        "Processes, by waiting",
        processes(discovery),
    );
    section(&mut lines, paint, "Batches", batches(discovery));
    section(
        &mut lines,
        paint,
        "Ways through the process",
        variants(discovery),
    );
    if !discovery.missing.is_empty() {
        lines.push(String::new());
        lines.push(paint.strong("Not in the logs"));
        lines.extend(
            discovery
                .missing
                .iter()
                .map(|missing| clean(&format!("  {missing}"))),
        );
    }
    lines.join("\n") + "\n"
}

fn head(lines: &mut Vec<String>, discovery: &ProcessDiscovery) {
    lines.push(format!(
        "A case takes {} at the median, {} at the 95th percentile.",
        short_quantile(discovery.cycle.p50),
        short_quantile(discovery.cycle.p95)
    ));
    match discovery.efficiency {
        Some(efficiency) => lines.push(format!(
            "Work is {} of work and waiting: {} of work, {} of waiting in all.",
            words::share(efficiency),
            words::long(discovery.processing),
            words::long(discovery.waiting)
        )),
        None => lines.push(format!(
            "Waiting and work together are {}: the log does not tell them apart.",
            words::long(discovery.waiting)
        )),
    }
}

fn candidate(lines: &mut Vec<String>, place: usize, candidate: &Candidate, paint: Paint) {
    let title = format!("{place}. {}", words::candidate(candidate));
    lines.push(format!(
        "{}  {}",
        paint.strong(&clean(&title)),
        paint.good(candidate.class.code())
    ));
    lines.push(format!("   {}.", candidate.class.explanation()));
    let mut facts = vec![
        (
            "volume",
            format!(
                "{} events, {} a day, at most {} in an hour; ordered by {}",
                candidate.count,
                words::per_day(candidate.per_day),
                candidate.peak_hour,
                candidate.key
            ),
        ),
        (
            "waiting",
            format!(
                "{} in all, of which an event takes away at most {}",
                words::long(candidate.waiting),
                words::long(candidate.removable)
            ),
        ),
    ];
    if let Some(change) = &candidate.change {
        facts.push((
            "saves",
            format!(
                "at most {} for each of {} cases ({} to {}); median case {} to {}",
                nanos_words(change.mean.value),
                change.cases,
                nanos_words(change.mean.low),
                nanos_words(change.mean.high),
                short_quantile(change.p50.0),
                short_quantile(change.p50.1)
            ),
        ));
    }
    for (name, value) in facts {
        lines.push(clean(&format!("   {name:<11}{value}")));
    }
    for reason in &candidate.evidence {
        let sign = match reason.weight {
            Weight::Veto | Weight::Against => paint.bad("against    "),
            Weight::For => paint.good("for        "),
            Weight::Benefit => paint.good("benefit    "),
        };
        lines.push(format!("   {sign}{}", clean(&reason.claim)));
    }
    lines.push(clean(&format!(
        "   cases      {}",
        candidate.exemplars.join(" ")
    )));
}

fn section(lines: &mut Vec<String>, paint: Paint, title: &str, (table, total): (Table, usize)) {
    if table.rows.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(paint.strong(title));
    lines.extend(table.lines().iter().map(|line| clean(&format!("  {line}"))));
    let more = total.saturating_sub(ROWS_MAX);
    if more > 0 {
        lines.push(format!("  and {more} more: --format json has all"));
    }
}

fn causes(discovery: &ProcessDiscovery) -> (Table, usize) {
    let causes = discovery.causes.as_deref().unwrap_or_default();
    let rows = causes.iter().map(|one| {
        vec![
            one.cause.code().to_owned(),
            words::long(one.total),
            words::share(one.share),
            format!("{:+.1} points", one.gain * 100.0),
            one.cause.words().to_owned(),
        ]
    });
    let table = Table {
        head: vec![
            ("cause", Align::Left),
            ("waiting", Align::Right),
            ("share", Align::Right),
            ("efficiency without", Align::Right),
            ("is", Align::Left),
        ],
        rows: rows.collect(),
    };
    (table, 0)
}

fn top(waits: Option<&Waits>) -> String {
    let Some((waits, cause)) = waits.and_then(|waits| Some((waits, waits.top()?))) else {
        return "-".to_owned();
    };
    let share = waits.of(cause).as_secs_f64() / waits.total().as_secs_f64();
    format!("{} {}", cause.code(), percent(share))
}

fn arcs(discovery: &ProcessDiscovery) -> (Table, usize) {
    let rows = discovery.arcs.iter().take(ROWS_MAX).map(|arc| {
        vec![
            words::arc(arc),
            arc.count.to_string(),
            short_quantile(arc.waiting.p50),
            short_quantile(arc.waiting.p95),
            words::long(arc.total),
            percent(arc.share),
            proportion(arc.handoffs),
            top(arc.causes.as_ref()),
        ]
    });
    let table = Table {
        head: vec![
            ("transition", Align::Left),
            ("times", Align::Right),
            ("p50", Align::Right),
            ("p95", Align::Right),
            ("waiting", Align::Right),
            ("share", Align::Right),
            ("hand-offs", Align::Right),
            ("most for", Align::Left),
        ],
        rows: rows.collect(),
    };
    (table, discovery.arcs.len())
}

fn median(latency: Option<&Latency>) -> String {
    latency.map_or_else(|| "-".to_owned(), |latency| short_quantile(latency.p50))
}

fn activities(discovery: &ProcessDiscovery) -> (Table, usize) {
    let rows = discovery.activities.iter().take(ROWS_MAX).map(|one| {
        vec![
            one.name.clone(),
            one.count.to_string(),
            words::per_day(one.per_day),
            median(one.duration.as_ref()),
            short_quantile(one.waiting.p50),
            words::long(one.waiting_total),
            proportion(one.slack),
            words::bottleneck(&one.bottleneck).to_owned(),
        ]
    });
    let table = Table {
        head: vec![
            ("activity", Align::Left),
            ("times", Align::Right),
            ("a day", Align::Right),
            ("work p50", Align::Right),
            ("wait p50", Align::Right),
            ("waiting", Align::Right),
            ("with slack", Align::Right),
            ("bottleneck", Align::Left),
        ],
        rows: rows.collect(),
    };
    (table, discovery.activities.len())
}

fn stays(others: &[&Candidate]) -> (Table, usize) {
    let rows = others.iter().take(ROWS_MAX).map(|one| {
        let reason = match &one.class {
            CandidateClass::Stays { reason } => reason.clone(),
            CandidateClass::Unknown { missing } => format!("not told: {missing}"),
            _ => String::new(),
        };
        vec![words::candidate(one), words::long(one.waiting), reason]
    });
    let table = Table {
        head: vec![
            ("part", Align::Left),
            ("waiting", Align::Right),
            ("because", Align::Left),
        ],
        rows: rows.collect(),
    };
    (table, others.len())
}

fn processes(discovery: &ProcessDiscovery) -> (Table, usize) {
    let rows = discovery.processes.iter().take(ROWS_MAX).map(|one| {
        vec![
            one.name.clone(),
            one.cases.to_string(),
            words::per_day(one.per_day),
            short_quantile(one.cycle.p50),
            words::long(one.waiting),
        ]
    });
    let table = Table {
        head: vec![
            ("process", Align::Left),
            ("cases", Align::Right),
            ("a day", Align::Right),
            ("case p50", Align::Right),
            ("waiting", Align::Right),
        ],
        rows: rows.collect(),
    };
    (table, discovery.processes.len())
}

fn batches(discovery: &ProcessDiscovery) -> (Table, usize) {
    let rows = discovery.batched.iter().take(ROWS_MAX).map(|one| {
        vec![
            one.activity.clone(),
            one.batches.to_string(),
            one.size.to_string(),
            proportion(one.instances),
        ]
    });
    let table = Table {
        head: vec![
            ("activity", Align::Left),
            ("batches", Align::Right),
            ("usual size", Align::Right),
            ("in batches", Align::Right),
        ],
        rows: rows.collect(),
    };
    (table, discovery.batched.len())
}

fn variants(discovery: &ProcessDiscovery) -> (Table, usize) {
    let rows = discovery.variants.iter().take(5).map(|one| {
        let way = one.activities.join(", ");
        let short: String = way.chars().take(100).collect();
        let way = if short.len() < way.len() {
            format!("{short}…")
        } else {
            way
        };
        vec![
            percent(one.cases.share()),
            format_duration(one.cycle_mean),
            way,
        ]
    });
    let table = Table {
        head: vec![
            ("cases", Align::Right),
            ("mean", Align::Right),
            ("way", Align::Left),
        ],
        rows: rows.collect(),
    };
    (table, 0)
}
