//! A Markdown table, for the summary of a CI job.

use tidegate_model::Finding;

use super::summary::{Summary, word};

/// Most rows.
const ROWS_MAX: usize = 1_000;
/// Most bytes: summaries of CI jobs are limited to 1 MiB, and others may write there too.
const BYTES_MAX: usize = 400 << 10;

pub(super) fn render(findings: &[Finding], sources: &[(&str, &str)]) -> String {
    let mut text = format!("**{}**\n", Summary::of(findings, sources));
    if findings.is_empty() {
        return text;
    }
    text.push_str("\n| severity | code | place | finding | next step |\n|---|---|---|---|---|\n");
    let mut rows = 0;
    for finding in findings.iter().take(ROWS_MAX) {
        let row = format!(
            "| {} | {} | {} | {} | {} |\n",
            word(finding.severity),
            finding.code,
            cell(&finding.place.to_string()),
            cell(&finding.message),
            cell(finding.hint.as_deref().unwrap_or_default()),
        );
        if text.len().saturating_add(row.len()) > BYTES_MAX {
            break;
        }
        text.push_str(&row);
        rows += 1;
    }
    match findings.len().saturating_sub(rows) {
        0 => {}
        more => text.push_str(&format!("\n… and {more} more\n")),
    }
    text
}

/// Text for one cell of a table of Markdown. What stands between a pair of back-ticks stays code;
/// nothing else can be markup, a link or a mention of somebody.
#[must_use]
pub fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // A back-tick without its pair would open code that ends in another cell, and several in a row
    // pair with as many alone: only single ones, in pairs, are left as they are.
    let mut left = single_ticks(text) / 2 * 2;
    let mut is_code = false;
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        match character {
            '`' if before != '`' && after != '`' && left > 0 => {
                left -= 1;
                is_code = !is_code;
                escaped.push('`');
            }
            '`' => escaped.push_str("&#96;"),
            '|' => escaped.push_str("\\|"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            control if control.is_control() => escaped.push(' '),
            // Marks that change the direction of text can make a line read as something else.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            other if is_code => escaped.push(other),
            '&' => escaped.push_str("&amp;"),
            // An entity, as some of these mean something behind a backslash too. Readers make links
            // of what looks like an address.
            '[' | ']' | '*' | '_' | '\\' | '~' | '@' | '#' | '$' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            ':' if after == '/' => escaped.push_str("&#58;"),
            '.' if ends_in_www(&escaped) => escaped.push_str("&#46;"),
            other => escaped.push(other),
        }
        before = character;
    }
    escaped
}

/// How many back-ticks stand alone.
fn single_ticks(text: &str) -> usize {
    let runs = text.split(|character| character != '`');
    runs.filter(|run| run.len() == 1).count()
}

fn ends_in_www(text: &str) -> bool {
    let end = text.get(text.len().saturating_sub(3)..);
    end.is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn code_stays_code_and_nothing_else_is_markup() {
        assert_eq!(
            cell("event `a_b[0]` of team_a"),
            "event `a_b[0]` of team&#95;a"
        );
        assert_eq!(cell("design.yaml:4:48"), "design.yaml:4:48");
        assert_eq!(cell("a | b\n`c|d`"), "a \\| b `c\\|d`");
        assert_eq!(
            cell("[x](http://e.example)"),
            "&#91;x&#93;(http&#58;//e.example)"
        );
        assert_eq!(
            cell("WWW.e.example @me #1 \\*"),
            "WWW&#46;e.example &#64;me &#35;1 &#92;&#42;"
        );
        assert_eq!(cell("<b> & \u{202e}"), "&lt;b&gt; &amp; \u{fffd}");
    }

    /// Runs of several pair by their length: none is left to open or to end code.
    #[test]
    fn back_ticks_cannot_make_a_link_of_what_looks_like_code() {
        assert_eq!(
            cell("`` ` [l](x) ```"),
            "&#96;&#96; &#96; &#91;l&#93;(x) &#96;&#96;&#96;"
        );
        assert_eq!(cell("`a` `[l](x)"), "`a` &#96;&#91;l&#93;(x)");
        assert_eq!(cell("``[l](x)``"), "&#96;&#96;&#91;l&#93;(x)&#96;&#96;");
    }
}
