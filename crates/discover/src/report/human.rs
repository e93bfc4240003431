//! The discovery for a terminal.

use tidegate_base::format_duration;

use super::Paint;
use super::table::{Align, Table};
use super::words;
use super::{asked, dependence};
use crate::discovery::{Call, Class, Discovery, Weight};

/// Most rows of tables that are not about candidates.
const ROWS_MAX: usize = 15;

pub(super) fn render(discovery: &Discovery, paint: Paint) -> String {
    let mut lines: Vec<String> = words::scope(discovery)
        .iter()
        .map(|line| clean(line))
        .collect();
    lines.push(String::new());
    lines.push(paint.strong(&clean(&words::verdict(discovery))));
    lines.push(words::PREDICTED.to_owned());
    let (feasible, others): (Vec<&Call>, Vec<&Call>) = discovery
        .calls
        .iter()
        .partition(|call| call.class.is_feasible());
    for (place, call) in feasible.iter().enumerate() {
        lines.push(String::new());
        candidate(&mut lines, place + 1, (discovery, call), paint);
    }
    let asked = asked::table(discovery);
    if !asked.rows.is_empty() {
        let count = asked.rows.len();
        section(&mut lines, paint, asked::TITLE, &asked, count);
        lines.push(asked::MEANING.to_owned());
    }
    section(
        &mut lines,
        paint,
        "Other calls, by critical-path time",
        &other_calls(&others),
        others.len(),
    );
    let needed = dependence::table(discovery);
    if !needed.rows.is_empty() {
        let count = needed.rows.len();
        section(
            &mut lines,
            paint,
            "How available requests are, and by what",
            &needed,
            count,
        );
        lines.push(dependence::AVAILABILITY.to_owned());
    }
    section(
        &mut lines,
        paint,
        "Services",
        &services(discovery),
        discovery.services.len(),
    );
    section(
        &mut lines,
        paint,
        "Operations, by time spent in themselves",
        &operations(discovery),
        discovery.operations.len(),
    );
    lines.join("\n") + "\n"
}

fn candidate(
    lines: &mut Vec<String>,
    place: usize,
    (discovery, call): (&Discovery, &Call),
    paint: Paint,
) {
    let title = format!(
        "{place}. {} -> {}: {}",
        call.caller, call.callee, call.callee_operation
    );
    lines.push(format!(
        "{}  {}",
        paint.strong(&clean(&title)),
        paint.good(call.class.code())
    ));
    lines.push(format!("   {}.", call.class.explanation()));
    let facts = [
        ("during", call.caller_operation.clone()),
        (
            "volume",
            format!(
                "{} calls, {}, at most {} in a second",
                call.count,
                words::rate(call.rate),
                call.peak
            ),
        ),
        (
            "waiting",
            format!(
                "p50 {}, p99 {}",
                words::quantile(call.latency.p50),
                words::quantile(call.latency.p99)
            ),
        ),
        (
            "on path",
            format!(
                "{} in all, {}, {} of all waiting",
                format_duration(call.critical),
                words::per_second(call.critical_per_second),
                words::percent(call.critical_share)
            ),
        ),
        ("failures", words::proportion(call.failures)),
    ];
    let savings = words::saving(discovery, call);
    let depends = dependence::lines(call);
    for (name, value) in facts.into_iter().chain(savings).chain(depends) {
        lines.push(clean(&format!("   {name:<11}{value}")));
    }
    reasons(lines, call, paint);
}

/// What speaks for and against it, what is not known, and traces to look at.
fn reasons(lines: &mut Vec<String>, call: &Call, paint: Paint) {
    for evidence in &call.evidence {
        let sign = match evidence.weight {
            Weight::Veto | Weight::Against => paint.bad("against    "),
            Weight::For => paint.good("for        "),
            Weight::Benefit => "benefit    ".to_owned(),
        };
        let interval = words::interval(evidence);
        let interval = interval.map(|interval| format!(" (95%: {interval})"));
        lines.push(format!(
            "   {sign}{}{}",
            clean(&format!("{} [{}]", evidence.claim, evidence.signal.id())),
            interval.unwrap_or_default()
        ));
    }
    for missing in &call.missing {
        lines.push(format!("   unknown    {}", clean(missing)));
    }
    lines.push(clean(&format!(
        "   traces     {}",
        call.exemplars.join(" ")
    )));
}

fn section(lines: &mut Vec<String>, paint: Paint, title: &str, table: &Table, all: usize) {
    if table.rows.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(paint.strong(title));
    lines.extend(table.lines());
    if all > table.rows.len() {
        lines.push(format!(
            "... and {} more; the JSON report has all",
            all - table.rows.len()
        ));
    }
}

fn other_calls(calls: &[&Call]) -> Table {
    let rows = calls.iter().take(ROWS_MAX).map(|call| {
        let reason = match &call.class {
            Class::NotACandidate { reason } => reason.clone(),
            Class::Unknown { missing } => missing.clone(),
            class => class.explanation(),
        };
        let cells = [
            call.class.code().to_owned(),
            format!("{} -> {}", call.caller, call.callee),
            call.callee_operation.clone(),
            call.caller_operation.clone(),
            call.count.to_string(),
            format_duration(call.critical),
            words::percent(call.critical_share),
            reason,
        ];
        cells.map(|cell| clean(&cell)).to_vec()
    });
    Table {
        head: vec![
            ("class", Align::Left),
            ("call", Align::Left),
            ("operation", Align::Left),
            ("during", Align::Left),
            ("calls", Align::Right),
            ("critical", Align::Right),
            ("share", Align::Right),
            ("because", Align::Left),
        ],
        rows: rows.collect(),
    }
}

fn services(discovery: &Discovery) -> Table {
    let rows = discovery.services.iter().map(|service| {
        vec![
            clean(&service.name),
            service.failures.total.to_string(),
            words::proportion(service.failures),
            service.operations.to_string(),
            service.spans.to_string(),
        ]
    });
    Table {
        head: vec![
            ("service", Align::Left),
            ("requests", Align::Right),
            ("failed", Align::Left),
            ("operations", Align::Right),
            ("spans", Align::Right),
        ],
        rows: rows.collect(),
    }
}

fn operations(discovery: &Discovery) -> Table {
    let rows = discovery.operations.iter().take(ROWS_MAX).map(|operation| {
        vec![
            clean(&operation.service),
            clean(&operation.name),
            operation.count.to_string(),
            words::rate(operation.rate),
            operation.peak.to_string(),
            words::short_quantile(operation.latency.p50),
            words::short_quantile(operation.latency.p95),
            words::short_quantile(operation.latency.p99),
            format_duration(operation.self_time),
        ]
    });
    Table {
        head: vec![
            ("service", Align::Left),
            ("operation", Align::Left),
            ("count", Align::Right),
            ("rate", Align::Right),
            ("peak/s", Align::Right),
            ("p50", Align::Right),
            ("p95", Align::Right),
            ("p99", Align::Right),
            ("self", Align::Right),
        ],
        rows: rows.collect(),
    }
}

/// Text of a capture without control characters, which could drive the terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

impl Paint {
    pub(crate) fn strong(self, text: &str) -> String {
        self.style("1", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.style("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.style("33", text)
    }

    fn style(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
