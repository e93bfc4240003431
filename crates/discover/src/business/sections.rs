//! What pages of calls and of processes share.

use crate::report::html::{STYLE, escape};

/// A page of its own.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

/// A part of a page under its title.
pub(super) fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(title))
}

/// Numbers with what they are.
pub(super) fn tiles(tiles: &[(String, &str)]) -> String {
    let tiles: String = tiles
        .iter()
        .map(|(value, name)| {
            format!(
                "<div class=\"tile\"><b>{}</b><span>{}</span></div>",
                escape(value),
                escape(name)
            )
        })
        .collect();
    format!("<div class=\"tiles\">{tiles}</div>\n")
}

/// Sentences below each other.
pub(super) fn list(lines: &[String]) -> String {
    let lines: String = lines
        .iter()
        .map(|line| format!("<li>{}</li>", with_code(line)))
        .collect();
    format!("<ul class=\"steps\">{lines}</ul>\n")
}

/// Text in which what stands between backticks is code.
fn with_code(text: &str) -> String {
    let mut out = String::new();
    for (place, part) in text.split('`').enumerate() {
        if place % 2 == 1 {
            out.push_str(&format!("<code>{}</code>", escape(part)));
        } else {
            out.push_str(&escape(part));
        }
    }
    out
}

/// A box with a title.
pub(super) fn card(title: &str, body: &str) -> String {
    format!(
        "<div class=\"card\"><h3>{}</h3>\n{body}</div>\n",
        escape(title)
    )
}

/// A table; the columns in `numbers` keep to the right.
pub(super) fn table(head: &[&str], numbers: &[usize], rows: &[Vec<String>]) -> String {
    let class = |column: usize| {
        if numbers.contains(&column) {
            " class=\"number\""
        } else {
            ""
        }
    };
    let cells = |tag: &str, cells: Vec<&str>| -> String {
        cells
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("<{tag}{}>{}</{tag}>", class(column), escape(cell)))
            .collect()
    };
    let body: String = rows
        .iter()
        .map(|row| {
            let row = row.iter().map(String::as_str).collect();
            format!("<tr>{}</tr>\n", cells("td", row))
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n",
        cells("th", head.to_vec())
    )
}

/// At most so many letters.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars()
        .take(letters.saturating_sub(1))
        .chain(['\u{2026}'])
        .collect()
}

/// What every change to events costs, whatever it saves.
pub(super) const COSTS: [&str; 4] = [
    "Somebody has to run the broker. Tidegate's own log is one process and one folder; what else \
     fits, `tidegate select` says with reasons.",
    "An event may come twice: whoever handles it must have its effect once. An inbox in the \
     handler's database does that.",
    "The work is done a little later than it is asked for. Who looks at the result at once must be \
     told that it is on its way.",
    "Somebody owns every event: its meaning, its fields, and what happens to the ones that fail.",
];
