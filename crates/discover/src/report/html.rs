//! The discovery as one HTML page for everybody: no script, nothing from elsewhere.

use tidegate_base::format_duration;

use super::{asked, chart, dependence, words};
use crate::discovery::{Call, Discovery, Weight};

pub(crate) const STYLE: &str = include_str!("page.css");
/// Most other calls that are listed.
const ROWS_MAX: usize = 40;

pub(super) fn render(discovery: &Discovery) -> String {
    let (feasible, others): (Vec<&Call>, Vec<&Call>) = discovery
        .calls
        .iter()
        .partition(|call| call.class.is_feasible());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>What could become events</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    page.push_str(&header(discovery, feasible.len()));
    let svg = chart::svg(discovery);
    if !svg.is_empty() {
        page.push_str(&format!(
            "<section>\n<h2>Where requests wait</h2>\n\
             <p class=\"note\">The share of all waiting in which nothing but this call went on. \
             Calls inside other calls count in both. <span class=\"key could\">could become an event</span> \
             <span class=\"key stays\">stays a call</span></p>\n{svg}\n</section>\n"
        ));
    }
    if !feasible.is_empty() {
        page.push_str("<section>\n<h2>What could become events</h2>\n");
        for (place, call) in feasible.iter().enumerate() {
            page.push_str(&candidate(place + 1, discovery, call));
        }
        page.push_str("</section>\n");
    }
    page.push_str(&crate::business::of_calls(discovery));
    page.push_str(&answers(discovery));
    page.push_str(&available(discovery));
    page.push_str(&stays(&others));
    page.push_str(&services(discovery));
    page.push_str(&footer(discovery));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn header(discovery: &Discovery, feasible: usize) -> String {
    let tiles = [
        (discovery.traces.to_string(), "requests traced"),
        (discovery.services.len().to_string(), "services"),
        (
            discovery.calls.len().to_string(),
            "kinds of calls between them",
        ),
        (feasible.to_string(), "could become events"),
        (format_duration(discovery.waiting), "of waiting, added up"),
    ];
    let tiles: String = tiles
        .iter()
        .map(|(value, name)| {
            format!(
                "<div class=\"tile\"><b>{}</b><span>{name}</span></div>",
                escape(value)
            )
        })
        .collect();
    format!(
        "<header>\n<h1>What could become events</h1>\n<p class=\"verdict\">{}</p>\n\
         <div class=\"tiles\">{tiles}</div>\n</header>\n",
        escape(&words::verdict(discovery))
    )
}

fn candidate(place: usize, discovery: &Discovery, call: &Call) -> String {
    let saved = words::saving(discovery, call);
    let saved: Vec<String> = saved.into_iter().map(|(_, value)| value).collect();
    let depends = dependence::lines(call).into_iter().map(|(name, value)| {
        let name = match name {
            "slowness" => "When it is slow",
            _ => "Less queueing",
        };
        (name, value)
    });
    let facts = [
        ("How often", volume(call)),
        ("Waiting", waiting(call)),
        ("What is saved", saved.join("; ")),
        ("Failures", failures(call)),
        (
            "What would change",
            format!("{}.", call.class.explanation()),
        ),
    ];
    let facts: String = facts
        .into_iter()
        .chain(depends)
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escape(&value)))
        .collect();
    let evidence: String = call
        .evidence
        .iter()
        .map(|evidence| {
            let (class, sign) = match evidence.weight {
                Weight::Veto | Weight::Against => ("against", "against"),
                Weight::For => ("for", "for"),
                Weight::Benefit => ("benefit", "benefit"),
            };
            let interval = words::interval(evidence);
            let interval = interval.map(|interval| format!(" <small>95 %: {interval}</small>"));
            format!(
                "<li class=\"{class}\"><i>{sign}</i> {}{}</li>",
                escape(&evidence.claim),
                interval.unwrap_or_default()
            )
        })
        .chain(call.missing.iter().map(|missing| {
            format!(
                "<li class=\"unknown\"><i>unknown</i> {}</li>",
                escape(missing)
            )
        }))
        .collect();
    format!(
        "<article>\n<h3><span class=\"place\">{place}</span> {} <span class=\"arrow\">&rarr;</span> {} \
         <code class=\"class\">{}</code></h3>\n<p class=\"operation\">{} <small>during {}</small></p>\n\
         <dl>{facts}</dl>\n<details><summary>Evidence for and against</summary>\n<ul>{evidence}</ul>\n\
         <p class=\"traces\">Traces to look at: {}</p>\n</details>\n</article>\n",
        escape(&call.caller),
        escape(&call.callee),
        call.class.code(),
        escape(&call.callee_operation),
        escape(&call.caller_operation),
        call.exemplars
            .iter()
            .map(|id| format!("<code>{}</code>", escape(id)))
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// How available endpoints are, and by what.
fn available(discovery: &Discovery) -> String {
    let rows = dependence::rows(discovery).into_iter();
    let rows = rows.map(|(endpoint, one)| dependence::cells(endpoint, one));
    let title = "How available requests are, and by what";
    section(title, dependence::AVAILABILITY, &dependence::HEAD, rows)
}

fn answers(discovery: &Discovery) -> String {
    let rows = asked::rows(discovery).into_iter();
    section(asked::TITLE, asked::MEANING, &asked::HEAD, rows)
}

/// A section with a table; nothing, where that has no rows.
fn section<const COLUMNS: usize>(
    title: &str,
    meaning: &str,
    head: &[&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let rows: String = rows
        .map(|cells| {
            let cells = cells.iter();
            let cells: String = cells
                .map(|cell| format!("<td>{}</td>", escape(cell)))
                .collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!(
        "<section>\n<h2>{title}</h2>\n<p class=\"note\">{}</p>\n\
         <div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n\
         </section>\n",
        escape(meaning)
    )
}

fn volume(call: &Call) -> String {
    let stands_for = call.stands_for.round();
    let times = if stands_for > crate::interval::number(call.count) {
        format!("{} times, which stand for {stands_for}", call.count)
    } else {
        format!("{} times", call.count)
    };
    match call.rate {
        Some(rate) if rate < 1.0 => {
            format!(
                "{times}, {:.1} a minute, at most {} in one second",
                rate * 60.0,
                call.peak
            )
        }
        Some(rate) => format!(
            "{times}, {rate:.1} a second, at most {} in one second",
            call.peak
        ),
        None => times,
    }
}

fn waiting(call: &Call) -> String {
    let half = call
        .latency
        .p50
        .value()
        .map(|p50| format!("half of them take over {}", format_duration(p50)));
    let worst = match call.latency.p99.value() {
        Some(p99) => format!("one in a hundred over {}", format_duration(p99)),
        None => format!("the longest took {}", format_duration(call.latency.max)),
    };
    let typical = half.map_or_else(|| worst.clone(), |half| format!("{half}, {worst}"));
    format!(
        "{typical}. At most {} of the waiting in these captures would go, {} of all",
        format_duration(call.critical),
        words::percent(call.critical_share)
    )
}

fn failures(call: &Call) -> String {
    if call.failures.hits == 0 {
        return format!(
            "none in {}; what a failure would do is not known",
            call.failures.total
        );
    }
    let coupled = call.coupling;
    format!(
        "{} of {} failed; the request failed with it in {} of {}",
        call.failures.hits, call.failures.total, coupled.hits, coupled.total
    )
}

fn stays(others: &[&Call]) -> String {
    if others.is_empty() {
        return String::new();
    }
    let rows: String = others
        .iter()
        .take(ROWS_MAX)
        .map(|call| {
            format!(
                "<tr><td>{} &rarr; {}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
                 <td>{}</td></tr>\n",
                escape(&call.caller),
                escape(&call.callee),
                operation(call),
                call.count,
                words::percent(call.critical_share),
                escape(&call.class.explanation())
            )
        })
        .collect();
    let more = others.len().saturating_sub(ROWS_MAX);
    let more = if more > 0 {
        format!("<p class=\"note\">And {more} more.</p>\n")
    } else {
        String::new()
    };
    format!(
        "<section>\n<h2>What stays as it is, and why</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>call</th>\
         <th>operation</th><th class=\"number\">times</th><th class=\"number\">waiting</th><th>because</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table></div>\n{more}</section>\n"
    )
}

fn operation(call: &Call) -> String {
    let during = escape(&call.caller_operation);
    format!(
        "{}<br><small>during {during}</small>",
        escape(&call.callee_operation)
    )
}

fn services(discovery: &Discovery) -> String {
    let rows: String = discovery
        .services
        .iter()
        .map(|service| {
            format!(
                "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{}</td></tr>\n",
                escape(&service.name),
                service.failures.total,
                service.failures.hits,
                service.operations
            )
        })
        .collect();
    format!(
        "<section>\n<h2>Services</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>service</th>\
         <th class=\"number\">requests</th><th class=\"number\">failed</th>\
         <th class=\"number\">operations</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )
}

fn footer(discovery: &Discovery) -> String {
    let scope: String = words::scope(discovery)
        .iter()
        .map(|line| format!("<li>{}</li>", escape(line)))
        .collect();
    format!(
        "<footer>\n<p>{}</p>\n<ul>{scope}</ul>\n<p>Intervals hold the true value in 95 of 100 cases: \
         Wilson's for shares, order statistics for times.</p>\n</footer>\n",
        escape(words::PREDICTED)
    )
}

/// Text as HTML content or attribute value; control characters become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
