//! Texts of others in source code: nothing in a description ends a comment or a literal.

/// The lines of a description, free of what an editor hides or a compiler takes for a line's end.
pub(crate) fn lines(doc: &str) -> Vec<String> {
    let doc = doc
        .replace("\r\n", "\n")
        .replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let mut lines: Vec<String> = doc
        .split('\n')
        .map(|line| {
            let shown: String = line
                .chars()
                .map(|c| if hides(c) { ' ' } else { c })
                .collect();
            shown.trim().to_owned()
        })
        .collect();
    // One empty line parts paragraphs; more say no more.
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    while lines.first().is_some_and(String::is_empty) {
        lines.remove(0);
    }
    lines
}

/// Control characters, and those that turn the direction of text or have no width.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A comment of `/** … */`, for what `escape` leaves of each line.
pub(crate) fn block(doc: &str, indent: &str, escape: fn(&str) -> String) -> String {
    let lines: Vec<String> = lines(doc).iter().map(|line| escape(line)).collect();
    match lines.as_slice() {
        [] => String::new(),
        [one] => format!("{indent}/** {one} */\n"),
        many => {
            let mut text = format!("{indent}/**\n");
            for line in many {
                text.push_str(format!("{indent} * {line}").trim_end());
                text.push('\n');
            }
            text.push_str(&format!("{indent} */\n"));
            text
        }
    }
}

/// A literal between double quotes, in ASCII; `escape` writes what has no short form.
pub(crate) fn literal(text: &str, escape: fn(char) -> String) -> String {
    between('"', text, escape)
}

/// A literal between the quotes of which it has fewer, as formatters have it.
pub(crate) fn quoted(text: &str, escape: fn(char) -> String) -> String {
    let count = |quote: char| text.matches(quote).count();
    let quote = if count('"') > count('\'') { '\'' } else { '"' };
    between(quote, text, escape)
}

fn between(quote: char, text: &str, escape: fn(char) -> String) -> String {
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            other => out.push_str(&escape(other)),
        }
    }
    out.push(quote);
    out
}

/// `\u00e9`, and two of them for what is beyond `U+FFFF`.
pub(crate) fn utf16(c: char) -> String {
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units).iter();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}
