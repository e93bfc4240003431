//! Large files are read in two parts at the same time.
//!
//! The parts are cut before a name of the top level. Only what is in order by itself, on both sides, counts: anything
//! else is read again as a whole, so that findings are those of one reading.

use super::tree::{Content, Node};

/// Smaller ones are read faster by one.
const TEXT_MIN: usize = 64 << 10;

/// Where a text can be cut: at the beginning of the line nearest to its middle that begins with a name.
///
/// Where YAML does not end with the line before, in a quoted text or between brackets, the first part is not whole.
pub(super) fn cut(text: &str) -> Option<usize> {
    let elsewhere = ["\n---", "\n...", "\n%", "\r"];
    if text.len() < TEXT_MIN
        || !begins_with_name(first_line(text))
        || elsewhere.iter().any(|marker| text.contains(marker))
    {
        return None;
    }
    let middle = text.floor_char_boundary(text.len() / 2);
    let (before, after) = text.split_at(middle);
    let is_start = |start: &usize| text.get(*start..).is_some_and(begins_with_name);
    let later = after.match_indices('\n').map(|(at, _)| middle + at + 1);
    let earlier = before.rmatch_indices('\n').map(|(at, _)| at + 1);
    let (later, earlier) = (later.take_while(|at| *at < text.len()), earlier);
    let near = [
        later.into_iter().find(is_start),
        earlier.into_iter().find(is_start),
    ];
    let at = near
        .into_iter()
        .flatten()
        .min_by_key(|at| at.abs_diff(middle))?;
    // An empty block of text gets another place where nothing follows.
    let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let line_before = text.get(..at)?.lines().rfind(is_said);
    (!line_before?.contains(['|', '>'])).then_some(at)
}

/// The first line with something to read.
fn first_line(text: &str) -> &str {
    let is_empty = |line: &&str| line.is_empty() || line.starts_with('#');
    text.lines()
        .find(|line| !is_empty(line))
        .unwrap_or_default()
}

fn begins_with_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// The two parts as one tree; `None` when they are not the mappings that one reading would give.
pub(super) fn join<'s>(mut first: Node<'s>, second: Node<'s>) -> Option<Node<'s>> {
    let (Content::Mapping(entries), Content::Mapping(more)) = (&mut first.content, second.content)
    else {
        return None;
    };
    // Nothing at all, or a null, is no part of a mapping.
    if entries.is_empty() || more.is_empty() {
        return None;
    }
    let is_new = |key: &str| !entries.iter().any(|entry| entry.key == key);
    if more.len() > NAMES_MAX
        || entries.len() > NAMES_MAX
        || !more.iter().all(|entry| is_new(&entry.key))
    {
        return None;
    }
    entries.extend(more);
    Some(first)
}

/// More names of the top level than any design has are not compared one with the other.
const NAMES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::findings::Findings;
    use crate::yaml::load::{Start, load, load_from};

    /// A text that is large enough, cut somewhere in `services`' neighbourhood.
    fn large() -> String {
        let mut text = String::from("# what is sold\ntidegate: 1\nsystem: large\nevents:\n");
        for n in 0..600 {
            let summary = "\"of kind: {\n      more\"";
            write!(text, "  Event{n}:\n    summary: {summary}\n    schema: {{type: object,\n      required: [a, b]}}\n").unwrap();
        }
        text.push_str("services:\n");
        for n in 0..900 {
            write!(
                text,
                "  service-{n}:\n    owner: |\n      team {n}\n    publishes:\n    - Event{n}\n"
            )
            .unwrap();
        }
        text.push_str("notes: 'it''s all'\n");
        text
    }

    fn read(text: &str, in_parts: bool) -> String {
        let mut findings = Findings::in_files(vec!["design.yaml".into()]);
        let tree = match in_parts {
            true => load(text, 0, &mut findings),
            false => {
                load_from(text, Start { file: 0, line: 0 }, &mut findings).map(|(tree, _)| tree)
            }
        };
        format!("{tree:?}\n{:?}", findings.finish())
    }

    #[test]
    fn a_large_text_is_cut_and_is_the_same() {
        let text = large();
        let at = cut(&text).expect("it is large enough");
        assert!(text.get(at..).unwrap().starts_with("services:"));
        assert!(in_two(&text), "it is in order on both sides");
        assert_eq!(read(&text, true), read(&text, false));
    }

    fn in_two(text: &str) -> bool {
        let findings = Findings::in_files(vec!["design.yaml".into()]);
        cut(text).is_some_and(|at| crate::yaml::load::in_parts(text, at, 0, &findings).is_some())
    }

    #[test]
    fn what_only_looks_like_two_parts_is_read_as_one() {
        let half = "# and so on\n".repeat(4_000);
        for (start, end) in [
            ("a: 'open\n", "b: closed'\n"),
            ("a: [1,\n", "b: 2]\n"),
            ("a: 1\n", "a: 2\n"),
            ("a: 1\n--- \n", "b: 2\n"),
            ("{a: 1,\n", "b: 2}\n"),
            ("a\n", "b: 1\n"),
            ("a: 1\n", "null\n"),
            ("null\n", "b: 1\n"),
            ("a:\n  b: |\n", "c: 1\n"),
        ] {
            let text = format!("{start}{half}{end}{half}");
            assert!(!in_two(&text), "{start}{end}");
            assert_eq!(read(&text, true), read(&text, false), "{start}{end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn whatever_is_written_anywhere_is_read_as_in_one(
            (place, mark) in (0..1_000_usize, prop::sample::select(&MARKS[..])),
            (other, more) in (0..1_000_usize, prop::sample::select(&MARKS[..])),
        ) {
            let mut text = large();
            for (place, mark) in [(place, mark), (other, more)] {
                let at = text.floor_char_boundary(text.len() * place / 1_000);
                // At the beginning of a line, where it does most.
                let line = text.get(..at).and_then(|before| before.rfind('\n'));
                let at = line.map_or(0, |end| end + 1);
                text.insert_str(at, mark);
            }
            prop_assert_eq!(read(&text, true), read(&text, false));
        }
    }

    const MARKS: [&str; 18] = [
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        "services: {}\n",
        "b: ",
        "---\n",
        "...\n",
        "\t",
        "- x\n",
        "null\n",
        "  empty: |\n",
        "&a ",
        "*a\n",
        "|\n",
        "  \r",
    ];
}
