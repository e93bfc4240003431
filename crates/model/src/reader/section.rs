//! Reading sections, lists and mappings.

use super::record::{Record, Value};
use super::scalar::{self, expected};
use super::schema_path;
use crate::code::{DUPLICATE, MISSING_FIELD, UNKNOWN_FIELD, WRONG_TYPE};
use crate::design::Located;
use crate::findings::{Findings, Problem, excerpt};
use crate::path::Path;
use crate::shape::{Field, Kind, Presence, Section, Short};
use crate::suggest::closest;
use crate::yaml::{Content, Entry, Node, Span, Style};

/// Reads nodes and reports what is wrong with them.
#[derive(Debug)]
pub(crate) struct Reader<'f> {
    pub(super) findings: &'f mut Findings,
}

impl<'f> Reader<'f> {
    pub(crate) fn new(findings: &'f mut Findings) -> Self {
        Self { findings }
    }

    /// Reads a section. `span` is where the section is said to stand: its key.
    pub(crate) fn section(
        &mut self,
        section: &'static Section,
        node: &Node<'_>,
        at: &Path<'_>,
        span: Span,
    ) -> Record {
        let mut slots: Vec<_> = section.fields.iter().map(|_| None).collect();
        match &node.content {
            Content::Mapping(entries) => {
                for entry in entries {
                    self.entry(section, entry, node, at, &mut slots);
                }
            }
            Content::Refused => {}
            _ if node.is_null() => {}
            _ => self.not_a_mapping(node, at, span, "fields"),
        }
        let mut refused = Vec::new();
        for (field, slot) in section.fields.iter().zip(&mut slots) {
            if slot.is_none() {
                if node
                    .get(field.name)
                    .is_some_and(|written| !written.value.is_null())
                {
                    refused.push(field.name);
                }
                *slot = self.absent(field, node, at, span);
            }
        }
        Record {
            place: self.findings.place(span),
            section,
            slots,
            refused,
        }
    }

    fn entry(
        &mut self,
        section: &'static Section,
        entry: &Entry<'_>,
        node: &Node<'_>,
        at: &Path<'_>,
        slots: &mut [Option<Located<Value>>],
    ) {
        let at = at.field(&entry.key);
        let known = section.position(&entry.key);
        let pair = known
            .and_then(|position| Some((section.fields.get(position)?, slots.get_mut(position)?)));
        match pair {
            Some((field, slot)) => {
                *slot = self.value(&field.kind, &entry.value, &at, entry.key_span);
            }
            None => {
                let problem = || unknown_field(section, &entry.key, node);
                self.findings.report_with(entry.key_span, &at, problem);
            }
        }
    }

    /// What a field without a good value counts as.
    fn absent(
        &mut self,
        field: &'static Field,
        node: &Node<'_>,
        at: &Path<'_>,
        span: Span,
    ) -> Option<Located<Value>> {
        match field.presence {
            Presence::Required => {
                if node.get(field.name).is_none() {
                    let message = format!("field `{}` is missing", field.name);
                    let hint = format!("write `{}: {}`", field.name, field.example);
                    let problem = Problem::new(&MISSING_FIELD, message).hint(hint);
                    self.findings.report(span, &at.field(field.name), problem);
                }
                None
            }
            Presence::Optional | Presence::Derived(_) => None,
            Presence::Default(_) => self.default_of(field, at, span),
        }
    }

    /// The value that the absence of a field means.
    fn default_of(
        &mut self,
        field: &'static Field,
        at: &Path<'_>,
        span: Span,
    ) -> Option<Located<Value>> {
        match field.presence {
            Presence::Required | Presence::Optional | Presence::Derived(_) => None,
            Presence::Default(text) => {
                let value = match &field.kind {
                    Kind::Section(section) => {
                        let nothing = Node {
                            span,
                            content: Content::Refused,
                        };
                        Some(Value::Section(Box::new(
                            self.section(section, &nothing, at, span),
                        )))
                    }
                    kind => scalar::read(kind, text, Style::Plain).value,
                };
                value.map(|value| Located {
                    value,
                    place: self.findings.place(span),
                })
            }
        }
    }

    /// Reads a value of a kind. `key` is where to point when the value itself has no good place.
    pub(super) fn value(
        &mut self,
        kind: &'static Kind,
        node: &Node<'_>,
        at: &Path<'_>,
        key: Span,
    ) -> Option<Located<Value>> {
        let value = match kind {
            _ if matches!(node.content, Content::Refused) => return None,
            Kind::Section(section) => Some(Value::Section(Box::new(
                self.section(section, node, at, key),
            ))),
            Kind::Named(section) => Some(Value::Named(self.named(section, node, at, key))),
            Kind::List(item, repeats) => self.list(item, *repeats, node, at, key).map(Value::List),
            Kind::Short(short) => self.short(short, node, at, key),
            Kind::Weights => Some(Value::Weights(self.weights(node, at, key))),
            Kind::Schema if matches!(node.content, Content::Mapping(_)) => {
                if let Some(problem) = schema_path::as_mapping(node) {
                    self.findings.report(key, at, problem);
                    return None;
                }
                Some(Value::SchemaInline(node.to_json()))
            }
            _ => return self.scalar(kind, node, at, key),
        }?;
        Some(Located {
            value,
            place: self.findings.place(key),
        })
    }

    /// A section, or the value of one of its fields alone.
    fn short(
        &mut self,
        short: &'static Short,
        node: &Node<'_>,
        at: &Path<'_>,
        key: Span,
    ) -> Option<Value> {
        if matches!(node.content, Content::Mapping(_)) {
            let record = self.section(short.section, node, at, key);
            self.one_of(short, node, at, key);
            return Some(Value::Section(Box::new(record)));
        }
        let value = self.scalar(&short.kind, node, at, key)?;
        let position = short.section.position(short.field)?;
        let slots = short.section.fields.iter().enumerate();
        let slots = slots.map(|(index, field)| match index == position {
            true => Some(value.clone()),
            false => self.default_of(field, at, key),
        });
        let slots = slots.collect();
        Some(Value::Section(Box::new(Record {
            place: self.findings.place(key),
            section: short.section,
            slots,
            refused: Vec::new(),
        })))
    }

    /// Reports when not exactly one of the fields is there of which one must be.
    fn one_of(&mut self, short: &'static Short, node: &Node<'_>, at: &Path<'_>, key: Span) {
        let there = short.one_of.iter().filter(|name| node.get(name).is_some());
        let names: Vec<_> = short.one_of.iter().map(|n| format!("`{n}`")).collect();
        let problem = match (there.count(), names.is_empty()) {
            (_, true) | (1, _) => return,
            (0, _) => Problem::new(&MISSING_FIELD, format!("{} is missing", names.join(" or "))),
            _ => Problem::new(
                &DUPLICATE,
                format!("{} exclude each other", names.join(" and ")),
            ),
        };
        let problem = problem.hint("write each as an item of its own");
        self.findings.report(key, at, problem);
    }

    fn scalar(
        &mut self,
        kind: &'static Kind,
        node: &Node<'_>,
        at: &Path<'_>,
        key: Span,
    ) -> Option<Located<Value>> {
        let Content::Scalar { text, style } = &node.content else {
            let message = format!("{} is expected here, not {}", expected(kind), what(node));
            let problem = Problem::new(&WRONG_TYPE, message).hint(scalar::written(kind));
            self.findings.report(key, at, problem);
            return None;
        };
        let read = match kind {
            Kind::Schema => schema_path::read(text, *style),
            kind => scalar::read(kind, text, *style),
        };
        let span = if node.is_null() && text.is_empty() {
            key
        } else {
            node.span
        };
        if let Some(problem) = read.problem {
            self.findings.report(span, at, problem);
        }
        read.value.map(|value| Located {
            value,
            place: self.findings.place(span),
        })
    }

    pub(super) fn not_a_mapping(&mut self, node: &Node<'_>, at: &Path<'_>, key: Span, of: &str) {
        let message = format!("a mapping of {of} is expected here, not {}", what(node));
        let problem = Problem::new(&WRONG_TYPE, message)
            .hint("write each as `name: value`, indented below, or `{}` for none");
        self.findings.report(key, at, problem);
    }
}

/// What a node is, in words.
pub(super) fn what(node: &Node<'_>) -> String {
    match &node.content {
        Content::Scalar { .. } if node.is_null() => "nothing".to_owned(),
        Content::Scalar { text, .. } => format!("`{}`", excerpt(text)),
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
        Content::Refused => "this".to_owned(),
    }
}

/// An unknown field, with where it may belong.
fn unknown_field(section: &Section, name: &str, node: &Node<'_>) -> Problem {
    let problem = Problem::new(&UNKNOWN_FIELD, format!("unknown field `{}`", excerpt(name)));
    let inner = section.fields.iter().find(|field| match &field.kind {
        Kind::Section(inner) => inner.position(name).is_some(),
        _ => false,
    });
    if let Some(inner) = inner {
        return problem.hint(format!("`{name}` goes into `{}`", inner.name));
    }
    match closest(name, section.names()) {
        Some(known) if node.get(known).is_some() => {
            problem.hint(format!("`{known}` is already there: remove this one"))
        }
        Some(known) => problem.hint(format!("did you mean `{known}`?")),
        None => {
            let names: Vec<_> = section.names().map(|name| format!("`{name}`")).collect();
            problem.hint(format!(
                "the fields of {} are {}",
                section.name,
                names.join(", ")
            ))
        }
    }
}
