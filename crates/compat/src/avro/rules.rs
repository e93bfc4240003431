//! What a reader's type makes of a writer's, one step deep.

use std::collections::BTreeSet;

use tidegate_schema::avro::{Field, Kind, NodeId};

use super::name::{self, Promotion};
use super::walk::{Break, Found, Pair, Step};
use crate::profile::Profile;

/// Where to go on, or what was found.
#[derive(Debug)]
pub(super) enum Next {
    /// Another pair of types.
    Down(Step, NodeId, NodeId),
    /// A difference.
    Found(Box<Found>),
}

struct Here<'a> {
    pair: &'a Pair<'a>,
    profile: Profile,
    writer: NodeId,
    reader: NodeId,
    next: Vec<Next>,
}

/// Compares two types; `choose` picks among the branches that could stand for the writer's type.
pub(super) fn compare(
    pair: &Pair<'_>,
    profile: Profile,
    writer: NodeId,
    reader: NodeId,
    choose: &dyn Fn(Vec<NodeId>) -> Option<NodeId>,
) -> Vec<Next> {
    let mut here = Here {
        pair,
        profile,
        writer,
        reader,
        next: Vec::new(),
    };
    here.types(choose);
    here.next
}

impl Here<'_> {
    fn down(&mut self, step: Step, writer: NodeId, reader: NodeId) {
        self.next.push(Next::Down(step, writer, reader));
    }

    fn found(&mut self, code: &'static str, breaks: Option<Break>, reason: String, fix: &str) {
        let found = Found {
            code,
            reason,
            fix: (!fix.is_empty()).then(|| fix.to_owned()),
            writer_pointer: self.pair.writer.node(self.writer).pointer.clone(),
            reader_pointer: self.pair.reader.node(self.reader).pointer.clone(),
            breaks,
            steps: Vec::new(),
            at: self.writer,
        };
        self.next.push(Next::Found(Box::new(found)));
    }

    fn types(&mut self, choose: &dyn Fn(Vec<NodeId>) -> Option<NodeId>) {
        let pair = self.pair;
        let (from, to) = (pair.writer.node(self.writer), pair.reader.node(self.reader));
        match (&from.kind, &to.kind) {
            (Kind::Union(branches), _) => {
                for (index, branch) in branches.iter().enumerate() {
                    self.down(Step::Branch(index), *branch, self.reader);
                }
            }
            (_, Kind::Union(branches)) => {
                let candidates =
                    name::candidates((pair.writer, self.writer), (pair.reader, branches));
                match choose(candidates) {
                    Some(branch) => self.down(Step::Stay, self.writer, branch),
                    None => self.no_branch(),
                }
            }
            (from_kind, to_kind) => {
                if name::matches(from_kind, to_kind) {
                    self.same_name(from_kind, to_kind);
                } else {
                    self.other_name();
                }
                let same = std::mem::discriminant(from_kind) == std::mem::discriminant(to_kind);
                if same && from.logical != to.logical {
                    let reason = "the logical type changed: the bytes are read as before, and may \
                                  mean something else";
                    self.found("logical-type-changed", None, reason.to_owned(), "");
                }
            }
        }
    }

    fn no_branch(&mut self) {
        let word = self.pair.writer.name(self.writer);
        let reason =
            format!("the writer may write {word}, and the reader's union has no branch for it");
        let fix =
            "add the branch to the reader's union first, and write it once every reader has it";
        self.found("union-branch-missing", Some(Break::Large), reason, fix);
    }

    fn other_name(&mut self) {
        let from = self.pair.writer.name(self.writer);
        let to = self.pair.reader.name(self.reader);
        let kinds = (
            self.pair.writer.node(self.writer).kind.word(),
            self.pair.reader.node(self.reader).kind.word(),
        );
        if kinds.0 != kinds.1 {
            return self.other_type(Break::Any);
        }
        let reason = format!(
            "the {} is called {from} by the writer and {to} by the reader",
            kinds.0
        );
        let fix = format!("name {from} among the aliases of {to} in the reader's schema");
        self.found("name-changed", Some(Break::Any), reason, &fix);
    }

    fn other_type(&mut self, breaks: Break) {
        let from = self.pair.writer.name(self.writer);
        let to = self.pair.reader.name(self.reader);
        let reason = format!("the writer writes {from}, which a reader of {to} cannot read");
        let fix = format!("make it a union of {from} and {to}, or add a field with the new type");
        self.found("type-changed", Some(breaks), reason, &fix);
    }

    fn same_name(&mut self, from: &Kind, to: &Kind) {
        match (from, to) {
            (Kind::Array(from), Kind::Array(to)) => self.down(Step::Item, *from, *to),
            (Kind::Map(from), Kind::Map(to)) => self.down(Step::Value, *from, *to),
            (Kind::Record { fields: from, .. }, Kind::Record { fields: to, .. }) => {
                self.record(from, to);
            }
            (
                Kind::Enum { symbols, .. },
                Kind::Enum {
                    symbols: known,
                    default,
                    ..
                },
            ) => {
                self.enumeration(symbols, known, default.as_deref());
            }
            (Kind::Fixed { size: from, .. }, Kind::Fixed { size: to, .. }) => {
                if from != to {
                    let reason = format!("the writer's has {from} bytes, the reader's {to}");
                    let fix = "give the new length another name, and make it a branch of a union";
                    self.found("fixed-size-changed", Some(Break::Any), reason, fix);
                }
            }
            _ => self.primitive(from, to),
        }
    }

    fn primitive(&mut self, from: &Kind, to: &Kind) {
        if from == to {
            return;
        }
        match name::promotion(from, to) {
            Some(Promotion::Whole) => {}
            Some(Promotion::Rounds) => {
                let (from, to) = (from.word(), to.word());
                let reason = format!("{from} is read as {to}: a number of many digits is rounded");
                self.found("promotion-rounds", None, reason, "");
            }
            Some(Promotion::Text) if self.profile == Profile::Exact => {
                let reason = "the reader takes bytes for a string, which fails for bytes that are \
                              not UTF-8"
                    .to_owned();
                let fix = "leave it bytes, or add a field of type string";
                self.found("bytes-not-text", Some(Break::NotText), reason, fix);
            }
            Some(Promotion::Text) => {
                let reason = "the reader takes bytes for a string: bytes that are not UTF-8 are \
                              lost"
                    .to_owned();
                self.found("bytes-not-text", None, reason, "");
            }
            None => self.other_type(Break::Large),
        }
    }

    fn record(&mut self, from: &[Field], to: &[Field]) {
        for field in to {
            // Aliases rename the writer's fields before anything is looked up, so that a name of its own is none more.
            let names = std::iter::once(&field.name).chain(&field.aliases);
            let names: BTreeSet<&String> = names.collect();
            let mut named = (from.iter().enumerate()).filter(|(_, one)| names.contains(&one.name));
            let found = named.next().map(|(at, _)| at);
            if let (Some(at), Some((_, second))) = (found, named.next()) {
                let first = from.get(at).map_or("", |field| field.name.as_str());
                self.ambiguous(field, first, &second.name);
                continue;
            }
            match found.and_then(|at| Some((at, from.get(at)?))) {
                Some((at, written)) => self.down(Step::Field(at), written.node, field.node),
                None if field.default.is_some() => {}
                None => {
                    let reason = format!(
                        "the writer has no field `{}`, and the reader has no default for it",
                        field.name
                    );
                    let fix = "give the reader's field a default, or name the writer's field \
                               among its aliases";
                    self.found("field-without-default", Some(Break::Any), reason, fix);
                    if let Some(Next::Found(found)) = self.next.last_mut() {
                        found.reader_pointer.clone_from(&field.pointer);
                    }
                }
            }
        }
    }

    fn ambiguous(&mut self, field: &Field, first: &str, second: &str) {
        let reason = format!(
            "the reader's field `{}` is both `{first}` and `{second}` of the writer: readers cannot tell which",
            field.name
        );
        let fix = "take the alias from the reader's field, or the field from the writer's record";
        self.found("field-ambiguous", Some(Break::Any), reason, fix);
        if let Some(Next::Found(found)) = self.next.last_mut() {
            found.reader_pointer.clone_from(&field.pointer);
        }
    }

    fn enumeration(&mut self, written: &[String], known: &[String], default: Option<&str>) {
        let known: std::collections::HashSet<&String> = known.iter().collect();
        let missing = written.iter().enumerate();
        let missing: Vec<(usize, &String)> = missing
            .filter(|(_, symbol)| !known.contains(symbol))
            .collect();
        let Some((first, _)) = missing.first() else {
            return;
        };
        let names: Vec<String> = missing
            .iter()
            .take(8)
            .map(|(_, symbol)| format!("`{symbol}`"))
            .collect();
        let names = names.join(", ");
        if let Some(default) = default {
            let reason = format!("the reader takes its default `{default}` for {names}");
            return self.found("enum-default-taken", None, reason, "");
        }
        let reason = format!("the writer may write {names}, and the reader has no default for it");
        let fix = "give the reader's enum a default, and add symbols to readers first";
        self.found(
            "enum-symbol-missing",
            Some(Break::Symbol(*first)),
            reason,
            fix,
        );
    }
}
