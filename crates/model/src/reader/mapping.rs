//! Reading mappings from names: to sections, and to weights.

use tidegate_base::Name;

use super::record::{Record, Value};
use super::section::{Reader, what};
use super::{scalar, text};
use crate::code::WRONG_TYPE;
use crate::design::Located;
use crate::findings::Problem;
use crate::path::Path;
use crate::shape::Section;
use crate::yaml::{Content, Entry, Node, Span, Style};

/// More names than this are read in two halves.
const ENTRIES_OF_ONE: usize = 64;

impl Reader<'_> {
    pub(super) fn named(
        &mut self,
        section: &'static Section,
        node: &Node<'_>,
        at: &Path<'_>,
        key: Span,
    ) -> Vec<(Name, Record)> {
        match &node.content {
            Content::Mapping(entries) => self.entries(section, entries, at),
            // A list of names: reported, and read as names that take every default.
            Content::Sequence(items) => {
                let problem = Problem::new(
                    &WRONG_TYPE,
                    "a mapping of names is expected here, not a list",
                )
                .hint("write each as `Name:` with its fields indented below, or `Name: {}`");
                self.findings.report(key, at, problem);
                self.named_of_list(section, items, at)
            }
            Content::Refused => Vec::new(),
            Content::Scalar { .. } => {
                if !node.is_null() {
                    self.not_a_mapping(node, at, key, "names");
                }
                Vec::new()
            }
        }
    }

    /// Many are read on all processors; what is found is the same.
    fn entries(
        &mut self,
        section: &'static Section,
        entries: &[Entry<'_>],
        at: &Path<'_>,
    ) -> Vec<(Name, Record)> {
        if entries.len() > ENTRIES_OF_ONE {
            let (first, second) = entries.split_at(entries.len() / 2);
            let mut findings = self.findings.of_a_part();
            let (mut named, more) = rayon::join(
                || self.entries(section, first, at),
                || Reader::new(&mut findings).entries(section, second, at),
            );
            self.findings.take_in(findings);
            named.extend(more);
            return named;
        }
        let read = entries.iter().filter_map(|entry| {
            let at = at.field(&entry.key);
            let name = self.name(&entry.key, entry.key_style, &at, entry.key_span);
            let record = self.section(section, &entry.value, &at, entry.key_span);
            Some((name?, record))
        });
        read.collect()
    }

    fn named_of_list(
        &mut self,
        section: &'static Section,
        items: &[Node<'_>],
        at: &Path<'_>,
    ) -> Vec<(Name, Record)> {
        let names = items.iter().filter_map(|item| {
            let Content::Scalar { text, .. } = &item.content else {
                return None;
            };
            let name = Name::new(text).ok()?;
            let nothing = Node {
                span: item.span,
                content: Content::Refused,
            };
            Some((
                name,
                self.section(section, &nothing, &at.field(text), item.span),
            ))
        });
        names.collect()
    }

    fn name(&mut self, text: &str, style: Style, at: &Path<'_>, span: Span) -> Option<Name> {
        let read = text::read_key(text, style);
        if let Some(problem) = read.problem {
            self.findings.report(span, at, problem);
        }
        match read.value {
            Some(Value::Name(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn weights(
        &mut self,
        node: &Node<'_>,
        at: &Path<'_>,
        key: Span,
    ) -> Vec<(String, Located<f64>)> {
        let Content::Mapping(entries) = &node.content else {
            if !node.is_null() {
                self.not_a_mapping(node, at, key, "names");
            }
            return Vec::new();
        };
        let mut weights = Vec::new();
        for entry in entries {
            let at = at.field(&entry.key);
            let weight = match &entry.value.content {
                Content::Scalar { text, style } => scalar::weight(&entry.key, text, *style),
                Content::Refused => continue,
                _ => Err(Problem::new(
                    &WRONG_TYPE,
                    format!("a number is expected here, not {}", what(&entry.value)),
                )),
            };
            match weight {
                Ok(value) => {
                    let place = self.findings.place(entry.value.span);
                    weights.push((entry.key.clone().into_owned(), Located { value, place }));
                }
                Err(problem) => self.findings.report(entry.key_span, &at, problem),
            }
        }
        weights
    }
}
