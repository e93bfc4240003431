//! Several files, one design: sections are merged by name.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::code::{DUPLICATE, WRONG_TYPE};
use crate::findings::{Findings, Problem};
use crate::path::Path;
use crate::yaml::{Content, Entry, Node, Span};

/// One tree of the trees of all files. What two files say about the same name is a finding, unless
/// it is the same plain value; the first counts.
pub(crate) fn merge<'s>(trees: Vec<Node<'s>>, findings: &mut Findings) -> Node<'s> {
    let span = trees
        .first()
        .map_or(Span::start_of(0), |tree| Span::start_of(tree.span.file));
    let mut merged: Vec<Merged<'s>> = Vec::new();
    let mut positions: HashMap<Cow<'s, str>, usize> = HashMap::new();
    for tree in trees {
        match tree.content {
            Content::Mapping(entries) => {
                for entry in entries {
                    let position = *positions.entry(entry.key.clone()).or_insert(merged.len());
                    match merged.get_mut(position) {
                        Some(first) => first.add(entry, findings),
                        None => merged.push(Merged {
                            entry,
                            names: HashMap::new(),
                        }),
                    }
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
    let entries = merged.into_iter().map(|merged| merged.entry).collect();
    Node {
        span,
        content: Content::Mapping(entries),
    }
}

/// A top-level entry, merged so far.
struct Merged<'s> {
    entry: Entry<'s>,
    /// Where each name of the section is written; filled in when a second file has the section.
    names: HashMap<Cow<'s, str>, Span>,
}

impl<'s> Merged<'s> {
    /// Adds what another file says about the same top-level entry.
    fn add(&mut self, other: Entry<'s>, findings: &mut Findings) {
        let (key_span, key) = (other.key_span, &other.key);
        match (&mut self.entry.value.content, other.value.content) {
            (Content::Mapping(first), Content::Mapping(second)) => {
                if self.names.is_empty() {
                    self.names
                        .extend(first.iter().map(|e| (e.key.clone(), e.key_span)));
                }
                let section = Path::Root.field(key);
                for entry in second {
                    match self.names.get(&entry.key) {
                        Some(at) => {
                            report(entry.key_span, *at, &section.field(&entry.key), findings);
                        }
                        None => {
                            self.names.insert(entry.key.clone(), entry.key_span);
                            first.push(entry);
                        }
                    }
                }
            }
            (first, second) if is_empty(first) => *first = second,
            (_, second) if is_empty(&second) => {}
            (Content::Scalar { text: first, .. }, Content::Scalar { text: second, .. })
                if *first == second => {}
            _ => report(
                key_span,
                self.entry.key_span,
                &Path::Root.field(key),
                findings,
            ),
        }
    }
}

fn report(second: Span, first: Span, path: &Path<'_>, findings: &mut Findings) {
    let message = format!("`{}` is written in two files", path.name());
    let problem = Problem::new(&DUPLICATE, message)
        .hint("the first one counts; merge the two, or rename one");
    findings.report_related(second, path, problem, &[(first, "first written here")]);
}

fn is_empty(content: &Content<'_>) -> bool {
    match content {
        Content::Scalar { text, .. } => text.is_empty(),
        Content::Mapping(entries) => entries.is_empty(),
        Content::Sequence(_) | Content::Refused => false,
    }
}
