//! Schemas of messages, each as one schema that stands by itself.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::bundle::{At, Bundle, DATA};
use crate::node::{Kind, Node, Span};

/// The language of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// JSON Schema; draft-07, which AsyncAPI's own schemas extend, unless it is named.
    JsonSchema {
        draft: Option<&'static str>,
    },
    Avro,
    Protobuf,
    /// One that is passed over.
    Other(String),
}

/// A schema as it is referred to: its language, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct SchemaAt<'b> {
    pub(crate) language: Language,
    pub(crate) at: At<'b>,
}

/// Most nodes of one schema with all that it refers to.
const NODES_MAX: usize = 100_000;

/// The schema under `key` (`payload` or `headers`) of a message; `None` when there is none.
///
/// In version 2 the message says the format of its payload, since version 3 the schema itself does.
pub(crate) fn schema_of<'b>(
    bundle: &'b Bundle,
    message: &At<'b>,
    key: &str,
) -> Option<SchemaAt<'b>> {
    let at = bundle.follow(message.step(key)?).ok()?;
    if let (Some(format), Some(schema)) = (at.node.text_of("schemaFormat"), at.step("schema")) {
        let schema = bundle.followed(schema);
        let language = language(format);
        return Some(SchemaAt {
            language,
            at: schema,
        });
    }
    let format = (key == "payload")
        .then(|| message.node.text_of("schemaFormat"))
        .flatten();
    Some(SchemaAt {
        language: format.map_or(Language::JsonSchema { draft: None }, language),
        at,
    })
}

fn language(format: &str) -> Language {
    let (media, parameters) = format.split_once(';').unwrap_or((format, ""));
    if media.starts_with("application/vnd.aai.asyncapi") {
        return Language::JsonSchema { draft: None };
    }
    if media.starts_with("application/schema+") {
        let draft = match parameters.trim().strip_prefix("version=") {
            Some("draft-04") => Some("http://json-schema.org/draft-04/schema#"),
            Some("draft-06") => Some("http://json-schema.org/draft-06/schema#"),
            Some("2019-09") => Some("https://json-schema.org/draft/2019-09/schema"),
            Some("2020-12") => Some("https://json-schema.org/draft/2020-12/schema"),
            _ => None,
        };
        return Language::JsonSchema { draft };
    }
    match media {
        "application/vnd.apache.avro"
        | "application/vnd.apache.avro+json"
        | "application/vnd.apache.avro+yaml" => Language::Avro,
        "application/vnd.google.protobuf" => Language::Protobuf,
        other => Language::Other(other.to_owned()),
    }
}

/// A JSON Schema at `at` as one value: what it refers to within itself stays there, what it refers
/// to elsewhere stands under `definitions`. `None` when it grows too large.
pub(crate) fn bundled(bundle: &Bundle, at: &At<'_>) -> Option<Value> {
    bundled_from(bundle, at).map(|(value, _)| value)
}

/// Where the definitions of a bundled schema come from, by name: a file and a path in it.
pub(crate) type Origins = Vec<(String, (u32, String))>;

/// As [`bundled`], with the origins of the definitions.
pub(crate) fn bundled_from(bundle: &Bundle, at: &At<'_>) -> Option<(Value, Origins)> {
    let (value, origins, _) = bundled_whole(bundle, at)?;
    Some((value, origins))
}

/// References that lead nowhere, or out of the files at hand, each with its place.
pub(crate) type Dead = Vec<(Span, String)>;

/// As [`bundled`], with the references that are dead: what they refer to allows everything.
pub(crate) fn bundled_telling(bundle: &Bundle, at: &At<'_>) -> Option<(Value, Dead)> {
    let (value, _, dead) = bundled_whole(bundle, at)?;
    Some((value, dead))
}

fn bundled_whole(bundle: &Bundle, at: &At<'_>) -> Option<(Value, Origins, Dead)> {
    let mut bundler = Bundler {
        bundle,
        root: at.clone(),
        definitions: IndexMap::new(),
        waiting: Vec::new(),
        dead: Vec::new(),
        nodes: 0,
    };
    let mut root = bundler.convert(at.node)?;
    let mut definitions = Map::new();
    while let Some((name, node)) = bundler.waiting.pop() {
        let schema = bundler.convert(node)?;
        definitions.insert(name, schema);
    }
    if let (false, Some(object)) = (definitions.is_empty(), root.as_object_mut()) {
        definitions.sort_keys();
        match object.get_mut("definitions").and_then(Value::as_object_mut) {
            Some(known) => known.extend(definitions),
            None => {
                object.insert("definitions".to_owned(), Value::Object(definitions));
            }
        }
    }
    let origins = bundler
        .definitions
        .into_iter()
        .map(|(origin, name)| (name, origin));
    Some((root, origins.collect(), bundler.dead))
}

struct Bundler<'b> {
    bundle: &'b Bundle,
    root: At<'b>,
    /// The name of a target, by its file and path.
    definitions: IndexMap<(u32, String), String>,
    waiting: Vec<(String, &'b Node)>,
    dead: Dead,
    nodes: usize,
}

impl<'b> Bundler<'b> {
    fn convert(&mut self, node: &'b Node) -> Option<Value> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return None;
        }
        match &node.kind {
            Kind::Map(map) => {
                let mut object = Map::new();
                for (key, entry) in map {
                    let value = match &entry.node.kind {
                        Kind::Text(text) if &**key == "$ref" => {
                            Value::String(self.reference(&entry.node, text))
                        }
                        _ if DATA.contains(&&**key) && !is_schema_map(&entry.node) => {
                            entry.node.to_json()
                        }
                        _ => self.convert(&entry.node)?,
                    };
                    object.insert(key.to_string(), value);
                }
                Some(Value::Object(object))
            }
            Kind::List(items) => items.iter().map(|item| self.convert(item)).collect(),
            _ => Some(node.to_json()),
        }
    }

    /// Where the target of a reference stands in the bundled schema.
    fn reference(&mut self, node: &Node, text: &str) -> String {
        let file = node.span.file;
        let target = self.bundle.target(file, text).ok();
        let is_alive = |target: &At<'b>| self.bundle.follow(target.clone()).is_ok();
        let Some(target) = target.filter(is_alive) else {
            // A dead reference is a finding of its own; here it allows everything.
            self.dead.push((node.span, text.to_owned()));
            return self.named((u32::MAX, String::new()), None, "anything");
        };
        let root = (self.root.node.span.file, &self.root.path);
        if target.node.span.file == root.0
            && let Some(rest) = target.path.strip_prefix(root.1.as_str())
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return format!("#{rest}");
        }
        let file = self.bundle.name(target.node.span.file);
        let last = match target.path.rsplit_once('/') {
            Some((_, last)) => last.to_owned(),
            // A whole file is called as it is.
            None => file.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        self.named(
            (target.node.span.file, target.path),
            Some(target.node),
            &last,
        )
    }

    fn named(&mut self, key: (u32, String), node: Option<&'b Node>, wanted: &str) -> String {
        let name = match self.definitions.get(&key) {
            Some(name) => name.clone(),
            None => {
                let name = self.free(wanted);
                self.definitions.insert(key, name.clone());
                if let Some(node) = node {
                    self.waiting.push((name.clone(), node));
                } else {
                    self.waiting.push((name.clone(), &NOTHING));
                }
                name
            }
        };
        format!("#/definitions/{name}")
    }

    /// A name that no other definition has.
    fn free(&self, wanted: &str) -> String {
        let clean: String = wanted
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "._-".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let own = self.root.node.get("definitions");
        let is_taken = |name: &str| {
            self.definitions.values().any(|known| known == name)
                || own.is_some_and(|own| own.get(name).is_some())
        };
        let mut name = clean.clone();
        let mut number = 1;
        while is_taken(&name) {
            number += 1;
            name = format!("{clean}_{number}");
        }
        name
    }
}

/// The schema of what a dead reference stands for.
static NOTHING: Node = Node {
    span: crate::node::Span {
        file: 0,
        line: 1,
        column: 1,
        length: 1,
    },
    kind: Kind::Bool(true),
};

/// A property may be called `default`: below `properties` it is a schema.
fn is_schema_map(node: &Node) -> bool {
    node.map().is_some_and(|map| {
        ["type", "$ref", "properties", "oneOf", "anyOf", "allOf"]
            .iter()
            .any(|key| map.contains_key(*key))
    })
}
