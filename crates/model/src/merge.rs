//! Several files, one design: sections are merged by name.

use crate::code::{DUPLICATE, WRONG_TYPE};
use crate::findings::{Findings, Problem, excerpt};
use crate::path::Path;
use crate::yaml::{Content, Entry, Node, Span};

/// One tree of the trees of all files. What two files say about the same name is a finding, unless
/// it is the same plain value; the first counts.
pub(crate) fn merge<'s>(trees: Vec<Node<'s>>, findings: &mut Findings) -> Node<'s> {
    let span = trees
        .first()
        .map_or(Span::start_of(0), |tree| Span::start_of(tree.span.file));
    let mut merged: Vec<Entry<'s>> = Vec::new();
    for tree in trees {
        match tree.content {
            Content::Mapping(entries) => {
                for entry in entries {
                    merge_entry(&mut merged, entry, findings);
                }
            }
            Content::Refused => {}
            Content::Scalar { .. } | Content::Sequence(_) => {
                let problem = Problem::new(&WRONG_TYPE, "a design is a mapping of fields")
                    .hint("start with `tidegate: 1` and `system: NAME`");
                findings.report(tree.span, &Path::Root, problem);
            }
        }
    }
    Node {
        span,
        content: Content::Mapping(merged),
    }
}

fn merge_entry<'s>(merged: &mut Vec<Entry<'s>>, entry: Entry<'s>, findings: &mut Findings) {
    // The top level has a handful of keys; unknown ones are few before the findings are full.
    let Some(first) = merged.iter_mut().find(|first| first.key == entry.key) else {
        merged.push(entry);
        return;
    };
    match (&mut first.value.content, entry.value.content) {
        (Content::Mapping(first), Content::Mapping(second)) => {
            merge_section(first, second, &entry.key, findings);
        }
        (first, second) if is_empty(first) => *first = second,
        (_, second) if is_empty(&second) => {}
        (Content::Scalar { text: first, .. }, Content::Scalar { text: second, .. })
            if *first == second => {}
        _ => {
            let path = Path::Root.field(&entry.key);
            report(entry.key_span, first.key_span, &entry.key, &path, findings);
        }
    }
}

fn merge_section<'s>(
    first: &mut Vec<Entry<'s>>,
    second: Vec<Entry<'s>>,
    section: &str,
    findings: &mut Findings,
) {
    let known: std::collections::HashMap<_, _> = first
        .iter()
        .map(|entry| (entry.key.clone(), entry.key_span))
        .collect();
    for entry in second {
        match known.get(&entry.key) {
            Some(span) => {
                let root = Path::Root.field(section);
                report(
                    entry.key_span,
                    *span,
                    &entry.key,
                    &root.field(&entry.key),
                    findings,
                );
            }
            None => first.push(entry),
        }
    }
}

fn report(span: Span, first: Span, name: &str, path: &Path<'_>, findings: &mut Findings) {
    let problem = Problem::new(
        &DUPLICATE,
        format!("`{}` is written in two files", excerpt(name)),
    )
    .hint("the first one counts; merge the two, or rename one");
    findings.report_related(span, path, problem, &[(first, "first written here")]);
}

fn is_empty(content: &Content<'_>) -> bool {
    match content {
        Content::Scalar { text, .. } => text.is_empty(),
        Content::Mapping(entries) => entries.is_empty(),
        Content::Sequence(_) | Content::Refused => false,
    }
}
