//! Which names a writer sends, where those that it does not declare are reserved.
//!
//! What a schema declares does not depend on the value: a branch that is not taken declares its names
//! like one that is. So it is found by going over the writer's schema beside the value, apart from
//! what is known of the value; the proof and the search for events ask the same.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::Value;

use super::fields::{Kind, parts};
use super::flat::required;
use super::items::{POSITIONS_MAX, schema_of_item};
use super::known::Node;
use super::study::Study;

/// The schemas of a writer that speak of one value, all of their parts included.
#[derive(Debug)]
pub(crate) struct Spoken<'a> {
    nodes: Vec<Node<'a>>,
    /// What makes it itself.
    pub(crate) key: Rc<[usize]>,
    /// Whether a name or a pattern is declared: else its objects are free.
    is_described: bool,
}

/// What a writer says of a part of a value.
pub(crate) enum Told<'a> {
    /// It never sends it.
    Never,
    /// These schemas speak of it; none, and it is free.
    By(Option<Rc<Spoken<'a>>>),
    /// That cannot be told.
    Unknown,
}

impl<'a> Spoken<'a> {
    /// Every name that is declared.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.nodes.iter().flat_map(declared_names)
    }

    /// Every pattern of names that is declared.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.nodes
            .iter()
            .flat_map(|node| node.names("patternProperties"))
    }

    /// The most items that are told apart.
    pub(crate) fn positions(&self) -> usize {
        let lists = self.nodes.iter().map(|node| node.list("prefixItems").len());
        lists.max().unwrap_or(0)
    }
}

impl<'a> Study<'a, '_> {
    /// What speaks of the whole event; none where undeclared names are not reserved.
    pub(crate) fn spoken_of_event(&mut self) -> Option<Rc<Spoken<'a>>> {
        let start = Node::start(self.writer);
        self.is_reserved.then(|| self.spoken(vec![start])).flatten()
    }

    fn spoken(&mut self, mut waiting: Vec<Node<'a>>) -> Option<Rc<Spoken<'a>>> {
        waiting.retain(|node| node.object().is_some());
        let mut key: Vec<usize> = waiting.iter().map(Node::key).collect();
        key.sort_unstable();
        key.dedup();
        if key.is_empty() {
            return None;
        }
        if let Some(known) = self.spoken.get(key.as_slice()) {
            return Some(Rc::clone(known));
        }
        let key: Rc<[usize]> = key.into();
        let (mut nodes, mut seen) = (Vec::new(), HashSet::new());
        while let Some(node) = waiting.pop() {
            if seen.insert(node.key()) {
                waiting.extend(parts(&node));
                nodes.push(node);
            }
        }
        self.effort.work(nodes.len());
        let has = |node: &Node<'_>, keyword| !node.names(keyword).is_empty();
        let is_described = nodes
            .iter()
            .any(|node| has(node, "properties") || has(node, "patternProperties"));
        let spoken = Rc::new(Spoken {
            nodes,
            key: Rc::clone(&key),
            is_described,
        });
        self.spoken.insert(key, Rc::clone(&spoken));
        Some(spoken)
    }

    /// What the writer says of a field of this name.
    pub(crate) fn told_of_field(
        &mut self,
        spoken: Option<&Rc<Spoken<'a>>>,
        name: &str,
    ) -> Told<'a> {
        let is_named = |node: &Node<'a>| declared_names(node).any(|one| one == name);
        self.told(spoken, Some(name), is_named, |study, pattern| {
            study.matches(pattern, name)
        })
    }

    /// What the writer says of a field whose name is of a kind; the kinds tell its patterns apart.
    pub(crate) fn told_of_kind(
        &mut self,
        spoken: Option<&Rc<Spoken<'a>>>,
        kind: &Kind,
    ) -> Told<'a> {
        self.told(
            spoken,
            None,
            |_| false,
            |_, pattern| match kind.strings.must.contains(pattern) {
                true => Some(true),
                false => kind.strings.must_not.contains(pattern).then_some(false),
            },
        )
    }

    fn told(
        &mut self,
        spoken: Option<&Rc<Spoken<'a>>>,
        name: Option<&str>,
        is_named: impl Fn(&Node<'a>) -> bool,
        matches: impl Fn(&mut Self, &str) -> Option<bool>,
    ) -> Told<'a> {
        let Some(spoken) = spoken else {
            return Told::By(None);
        };
        let mut inside = Vec::new();
        let mut is_declared = !spoken.is_described;
        for node in &spoken.nodes {
            is_declared |= is_named(node);
            inside.extend(name.and_then(|name| node.named("properties", name)));
            for pattern in node.names("patternProperties") {
                match matches(self, pattern) {
                    Some(true) => {
                        is_declared = true;
                        inside.extend(node.named("patternProperties", pattern));
                    }
                    Some(false) => {}
                    None => return Told::Unknown,
                }
            }
            for keyword in ["additionalProperties", "unevaluatedProperties"] {
                let rest = node.one(keyword);
                let rest = rest.filter(|rest| rest.object().is_some_and(|rest| !rest.is_empty()));
                is_declared |= rest.is_some();
                inside.extend(rest);
            }
        }
        match is_declared {
            true => Told::By(self.spoken(inside)),
            false => Told::Never,
        }
    }

    /// What speaks of the item at a position.
    pub(crate) fn spoken_of_item(
        &mut self,
        spoken: Option<&Rc<Spoken<'a>>>,
        position: usize,
    ) -> Option<Rc<Spoken<'a>>> {
        let mut inside = Vec::new();
        for node in &spoken?.nodes {
            inside.extend(schema_of_item(node, position));
            inside.extend(node.one("contains"));
            inside.extend(node.one("unevaluatedItems"));
        }
        self.spoken(inside)
    }

    /// As [`Self::spoken_of_item`], where the last position that is looked at stands for all behind it.
    pub(crate) fn spoken_of_items(
        &mut self,
        spoken: Option<&Rc<Spoken<'a>>>,
        position: usize,
    ) -> Option<Rc<Spoken<'a>>> {
        let is_told_apart = |spoken: &&Rc<Spoken<'a>>| {
            position < POSITIONS_MAX || spoken.positions() <= POSITIONS_MAX
        };
        self.spoken_of_item(spoken.filter(is_told_apart), position)
    }

    /// Whether the writer declares every name in a value, wherever it declares names at all.
    pub(crate) fn is_sent(&mut self, spoken: Option<&Rc<Spoken<'a>>>, value: &Value) -> bool {
        if spoken.is_none() {
            return true;
        }
        match value {
            Value::Object(fields) => {
                fields
                    .iter()
                    .all(|(name, field)| match self.told_of_field(spoken, name) {
                        Told::By(inside) => self.is_sent(inside.as_ref(), field),
                        Told::Never | Told::Unknown => false,
                    })
            }
            Value::Array(items) => items.iter().enumerate().all(|(position, item)| {
                let inside = self.spoken_of_item(spoken, position);
                self.is_sent(inside.as_ref(), item)
            }),
            _ => true,
        }
    }
}

/// The names that a schema declares by itself: those that must be there are sent too.
fn declared_names(node: &Node<'_>) -> impl Iterator<Item = String> + use<> {
    let named = node.names("properties").into_iter().map(str::to_owned);
    let mut names: Vec<String> = named.chain(required(node)).collect();
    let beside = node.get("dependentRequired").and_then(Value::as_object);
    for wanted in beside.into_iter().flat_map(|all| all.values()) {
        let wanted = wanted.as_array().into_iter().flatten();
        names.extend(wanted.filter_map(Value::as_str).map(str::to_owned));
    }
    names.into_iter()
}
