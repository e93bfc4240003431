//! Documents and the files that they refer to: texts by name. Nothing is ever fetched.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_model::{Place, Source};

use crate::node::{Kind, Map, Node, Span, load};
use crate::pointer;

/// Longest chain of references that is followed.
const HOPS_MAX: usize = 64;

/// Keys whose value is data: a `$ref` in it is a letter like others.
pub(crate) const DATA: [&str; 6] = ["const", "default", "enum", "examples", "example", "value"];

/// Texts of documents, read, with the files that they refer to.
#[derive(Debug)]
pub struct Bundle {
    names: Vec<Arc<str>>,
    files: Vec<File>,
    by_name: HashMap<String, u32>,
    documents: usize,
}

#[derive(Debug)]
struct File {
    root: Option<Node>,
    trouble: Vec<(Span, Trouble)>,
}

/// What is wrong with a text before it is looked at as a document.
#[derive(Debug)]
pub(crate) enum Trouble {
    Unreadable(String),
    Twice(String),
}

/// A node, and where it stands in its file as a URI fragment: `#/channels/x`.
#[derive(Clone, Debug)]
pub(crate) struct At<'b> {
    pub(crate) node: &'b Node,
    pub(crate) path: String,
}

impl<'b> At<'b> {
    /// The value of a key or index.
    pub(crate) fn step(&self, token: &str) -> Option<Self> {
        let node = self.node.step(token)?;
        Some(Self {
            node,
            path: format!("{}/{}", self.path, pointer::escaped(token)),
        })
    }

    /// The entries of a map, each with its key.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&'b str, At<'b>)> + use<'b> {
        let path = self.path.clone();
        self.node.entries().map(move |(key, entry)| {
            let path = format!("{path}/{}", pointer::escaped(key));
            let node = &entry.node;
            (key, At { node, path })
        })
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> impl Iterator<Item = At<'b>> + use<'b> {
        let path = self.path.clone();
        let items = self.node.items().iter().enumerate();
        items.map(move |(index, node)| At {
            node,
            path: format!("{path}/{index}"),
        })
    }

    /// Whether both are the same node.
    pub(crate) fn is(&self, other: &At<'_>) -> bool {
        std::ptr::eq(self.node, other.node)
    }
}

/// Why a reference leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dead {
    /// A URL, or something else that is no file.
    Outside,
    /// The file is not at hand.
    NoFile(String),
    /// The file has no such place.
    NoTarget,
    /// References that lead to each other.
    Cycle,
}

impl Bundle {
    /// Reads `documents`, and `others` that they refer to. A reference is resolved against the name
    /// of the file that it stands in, as a path.
    #[must_use]
    pub fn read(documents: &[Source], others: &[Source]) -> Self {
        let mut bundle = Self {
            names: Vec::new(),
            files: Vec::new(),
            by_name: HashMap::new(),
            documents: documents.len(),
        };
        for source in documents.iter().chain(others) {
            let index = u32::try_from(bundle.names.len()).unwrap_or(u32::MAX);
            let (outcome, twice) = load(&source.text, index);
            let mut trouble: Vec<_> = twice
                .into_iter()
                .map(|(span, key)| (span, Trouble::Twice(key)))
                .collect();
            let root = match outcome {
                Ok(node) => Some(node),
                Err(error) => {
                    trouble.push((error.span, Trouble::Unreadable(error.message)));
                    None
                }
            };
            bundle.names.push(source.name.clone());
            bundle.by_name.entry(normal(&source.name)).or_insert(index);
            bundle.files.push(File { root, trouble });
        }
        bundle
    }

    /// The roots of the documents that were readable, by file.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (u32, &Node)> {
        let files = self.files.iter().take(self.documents).zip(0_u32..);
        files.filter_map(|(file, index)| Some((index, file.root.as_ref()?)))
    }

    /// The roots of every readable file, documents first.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Node> {
        self.files.iter().filter_map(|file| file.root.as_ref())
    }

    pub(crate) fn trouble(&self) -> impl Iterator<Item = &(Span, Trouble)> {
        self.files.iter().flat_map(|file| &file.trouble)
    }

    pub(crate) fn name(&self, file: u32) -> Arc<str> {
        let position = usize::try_from(file).unwrap_or(usize::MAX);
        let name = self.names.get(position).cloned();
        name.unwrap_or_else(|| Arc::from(""))
    }

    /// A span as a place that means something outside of this crate.
    pub(crate) fn place(&self, span: Span) -> Place {
        Place {
            file: self.name(span.file),
            line: span.line,
            column: span.column,
            length: span.length,
        }
    }

    fn root(&self, file: u32) -> Option<&Node> {
        let position = usize::try_from(file).unwrap_or(usize::MAX);
        self.files.get(position)?.root.as_ref()
    }

    /// What `reference` in the file `from` names, itself perhaps a reference.
    pub(crate) fn target(&self, from: u32, reference: &str) -> Result<At<'_>, Dead> {
        self.target_within(from, reference, &mut { HOPS_MAX })
    }

    /// As [`Bundle::target`]; takes each reference on the way from `hops`, so that no document makes
    /// the way longer than that.
    fn target_within(&self, from: u32, reference: &str, hops: &mut usize) -> Result<At<'_>, Dead> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let index = if file.is_empty() {
            from
        } else {
            if file.contains("://") || file.starts_with("urn:") {
                return Err(Dead::Outside);
            }
            let name = beside(&self.name(from), &pointer::percent_decoded(file));
            *self.by_name.get(&name).ok_or(Dead::NoFile(name))?
        };
        let fragment = pointer::percent_decoded(fragment);
        let tokens = pointer::tokens(&fragment).ok_or(Dead::NoTarget)?;
        let mut at = At {
            node: self.root(index).ok_or(Dead::NoTarget)?,
            path: "#".to_owned(),
        };
        for token in tokens {
            // A pointer may lead through references: official tools resolve them on the way.
            if at.node.step(&token).is_none() && at.node.reference().is_some() {
                at = self.follow_within(at, hops)?;
            }
            at = at.step(&token).ok_or(Dead::NoTarget)?;
        }
        Ok(at)
    }

    /// The end of the chain of references that starts at `at`.
    pub(crate) fn follow<'b>(&'b self, at: At<'b>) -> Result<At<'b>, Dead> {
        self.follow_within(at, &mut { HOPS_MAX })
    }

    /// As [`Bundle::follow`]; takes each reference from `hops`.
    fn follow_within<'b>(&'b self, at: At<'b>, hops: &mut usize) -> Result<At<'b>, Dead> {
        let mut at = at;
        loop {
            let Some(reference) = at.node.reference() else {
                return Ok(at);
            };
            *hops = hops.checked_sub(1).ok_or(Dead::Cycle)?;
            let next = self.target_within(at.node.span.file, reference, hops)?;
            if next.is(&at) {
                return Err(Dead::Cycle);
            }
            at = next;
        }
    }

    /// As [`Bundle::follow`]; the place itself where a reference is dead, which is a finding.
    pub(crate) fn followed<'b>(&'b self, at: At<'b>) -> At<'b> {
        self.follow(at.clone()).unwrap_or(at)
    }
}

/// The files that a text refers to, as names beside its own, each once.
#[must_use]
pub fn files_referred_to(source: &Source) -> Vec<String> {
    let (Ok(root), _) = load(&source.text, 0) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    references(&root, &mut |node, reference| {
        let _place = node.span;
        let (file, _) = reference.split_once('#').unwrap_or((reference, ""));
        if !file.is_empty() && !file.contains("://") && !file.starts_with("urn:") {
            let name = beside(&source.name, &pointer::percent_decoded(file));
            if !names.contains(&name) {
                names.push(name);
            }
        }
    });
    names
}

/// Calls `found` with every reference below `node`, but not with those in data.
pub(crate) fn references<'b>(node: &'b Node, found: &mut dyn FnMut(&'b Node, &'b str)) {
    match &node.kind {
        Kind::Map(map) => map_references(map, found),
        Kind::List(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn map_references<'b>(map: &'b Map, found: &mut dyn FnMut(&'b Node, &'b str)) {
    for (key, entry) in map {
        match &entry.node.kind {
            Kind::Text(text) if &**key == "$ref" => found(&entry.node, text),
            _ if DATA.contains(&&**key) && entry.node.map().is_none_or(is_data) => {}
            _ => references(&entry.node, found),
        }
    }
}

/// Whether a map below a key such as `default` is data, and not what has that name: a property.
fn is_data(map: &Map) -> bool {
    !["type", "$ref", "properties", "oneOf", "anyOf", "allOf"]
        .iter()
        .any(|key| map.contains_key(*key))
}

/// `file` as seen from the folder of `from`.
fn beside(from: &str, file: &str) -> String {
    if file.starts_with('/') {
        return normal(file);
    }
    match from.rsplit_once('/') {
        Some((folder, _)) => normal(&format!("{folder}/{file}")),
        None => normal(file),
    }
}

/// A path without `.` and, where possible, without `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." if !parts.is_empty() || part == "." => {}
            ".." if parts.last().is_some_and(|last| !["..", ""].contains(last)) => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_their_file() {
        assert_eq!(beside("a/b.yaml", "../c.yaml"), "c.yaml");
        assert_eq!(beside("a.yaml", "./c/d.yaml"), "c/d.yaml");
        assert_eq!(beside("/x/a.yaml", "../../c.yaml"), "/../c.yaml");
        assert_eq!(beside("../a.yaml", "../c.yaml"), "../../c.yaml");
        assert_eq!(normal("./a//b/./c"), "a/b/c");
        assert_eq!(normal("/a/b"), "/a/b");
    }

    #[test]
    fn references_in_circles_end() {
        let text = "a: {$ref: '#/b'}\nb: {$ref: '#/a'}\nc: {$ref: '#/c'}\nd: {$ref: '#/d/e'}\n";
        let source = Source {
            name: "a.yaml".into(),
            text: text.to_owned(),
        };
        let bundle = Bundle::read(&[source], &[]);
        for name in ["a", "c"] {
            let at = bundle.target(0, &format!("#/{name}")).unwrap();
            assert_eq!(bundle.follow(at).unwrap_err(), Dead::Cycle);
        }
        // It leads through itself.
        assert_eq!(bundle.target(0, "#/d/e").unwrap_err(), Dead::Cycle);
        assert_eq!(bundle.target(0, "#/a/x").unwrap_err(), Dead::Cycle);
    }
}
