//! Types in Rust: structures for `serde`, one module an event.

use super::model::{By, Definition, Field, Model, Shape, Type, Variant};
use super::names::{Names, pascal, snake};
use super::text;
use super::{EventTypes, File, Heading};

/// Words that are no names.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "support",
];

/// What the types of every event share.
const SUPPORT: &str = include_str!("support/support.rs.txt");

pub(super) fn files(heading: &Heading<'_>, events: &[EventTypes<'_>]) -> Vec<File> {
    let mut modules = Names::without(&["mod"]);
    let mut files = Vec::new();
    let mut index: Vec<(String, String)> = Vec::new();
    for event in events {
        let module = modules.claim_beside(&snake(event.channel), KEYWORDS);
        let root = event.model.name(0).to_owned();
        files.push(File {
            path: format!("{module}.rs"),
            text: of_event(heading, event),
        });
        index.push((module, root));
    }
    index.sort();
    let mut text = format!(
        "// {}\n//! The events of the system `{}`.\n\n#![allow(clippy::all, dead_code)]\n\n",
        heading.line(),
        heading.system
    );
    let mut names: Vec<&str> = index.iter().map(|(module, _)| module.as_str()).collect();
    names.push("support");
    names.sort_unstable();
    for name in names {
        text.push_str(&format!("pub mod {name};\n"));
    }
    text.push('\n');
    index.push(("support".to_owned(), "{CloudEvent, Event}".to_owned()));
    index.sort();
    for (module, root) in &index {
        text.push_str(&format!("pub use {module}::{root};\n"));
    }
    files.push(File {
        path: "mod.rs".to_owned(),
        text,
    });
    files.push(File {
        path: "support.rs".to_owned(),
        text: format!("// {}\n{SUPPORT}", heading.line()),
    });
    files
}

fn of_event(heading: &Heading<'_>, event: &EventTypes<'_>) -> String {
    let writing = Writing {
        model: &event.model,
    };
    let mut body = String::new();
    for (id, definition) in event.model.definitions.iter().enumerate() {
        body.push('\n');
        writing.definition(&mut body, id, definition);
        if id == 0 {
            body.push_str(&format!(
                "\nimpl super::Event for {} {{\n    const CHANNEL: &'static str = {};\n    const TYPE: &'static str = {};\n}}\n",
                definition.name,
                literal(event.channel),
                literal(event.event_type),
            ));
        }
    }
    let mut text = format!("// {}\n", heading.line());
    for line in text::lines(&event.title()) {
        text.push_str(format!("//! {}", safe(&line)).trim_end());
        text.push('\n');
    }
    text.push('\n');
    if body.contains("BTreeMap<") {
        text.push_str("use std::collections::BTreeMap;\n\n");
    }
    text.push_str("use serde::{Deserialize, Serialize};\n");
    text.push_str(&body);
    text
}

struct Writing<'a> {
    model: &'a Model,
}

impl Writing<'_> {
    fn definition(&self, out: &mut String, id: usize, definition: &Definition) {
        out.push_str(&doc(&definition.doc, ""));
        let name = &definition.name;
        match &definition.shape {
            Shape::Record { fields, rest } => {
                out.push_str("#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]\n");
                out.push_str(&self.record(id, name, fields, rest.as_ref()));
            }
            Shape::Enum { values, .. } => {
                out.push_str(
                    "#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]\n",
                );
                out.push_str(&format!("pub enum {name} {{\n"));
                let mut names = Names::without(&["Self", "Other"]);
                for value in values {
                    let variant = names.claim(&pascal(value));
                    out.push_str(&format!(
                        "    #[serde(rename = {})]\n    {variant},\n",
                        literal(value)
                    ));
                }
                out.push_str(
                    "    /// A value that this version does not know.\n    #[serde(untagged)]\n    Other(String),\n}\n",
                );
            }
            Shape::Wrapper(ty) => {
                out.push_str("#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]\n");
                out.push_str("#[serde(transparent)]\n");
                out.push_str(&format!("pub struct {name}(pub {});\n", self.part(id, ty)));
            }
            Shape::Union { by, variants } => self.union(out, id, name, by, variants),
        }
    }

    fn record(&self, id: usize, name: &str, fields: &[Field], rest: Option<&Type>) -> String {
        if fields.is_empty() && rest.is_none() {
            return format!("pub struct {name} {{}}\n");
        }
        let mut names = Names::default();
        let mut out = format!("pub struct {name} {{\n");
        for field in fields {
            let ident = names.claim_beside(&snake(&field.wire), KEYWORDS);
            out.push_str(&doc(&field.doc, "    "));
            if ident != field.wire {
                out.push_str(&format!(
                    "    #[serde(rename = {})]\n",
                    literal(&field.wire)
                ));
            }
            for alias in &field.aliases {
                out.push_str(&format!("    #[serde(alias = {})]\n", literal(alias)));
            }
            out.push_str(attribute(field));
            let ty = self.part(id, &field.ty);
            let ty = if field.required {
                ty
            } else {
                format!("Option<{ty}>")
            };
            out.push_str(&format!("    pub {ident}: {ty},\n"));
        }
        if let Some(rest) = rest {
            let ident = names.claim("additional_properties");
            out.push_str("    /// What is not declared.\n    #[serde(flatten)]\n");
            out.push_str(&format!(
                "    pub {ident}: BTreeMap<String, {}>,\n",
                self.ty(rest)
            ));
        }
        out.push_str("}\n");
        out
    }

    fn union(&self, out: &mut String, id: usize, name: &str, by: &By, variants: &[Variant]) {
        let mut names = Names::without(&["Self", "Other"]);
        let names: Vec<String> = variants.iter().map(|v| names.claim(&v.name)).collect();
        match by {
            By::Property(_) => {
                out.push_str("#[derive(Clone, Debug, PartialEq, Serialize)]\n#[serde(untagged)]\n");
            }
            By::Kind => out.push_str(
                "#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]\n#[serde(untagged)]\n",
            ),
            By::Key => {
                out.push_str("#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]\n");
            }
        }
        out.push_str(&format!("pub enum {name} {{\n"));
        for (variant, ident) in variants.iter().zip(&names) {
            if let (By::Key, Some(tag)) = (by, variant.tags.first()) {
                out.push_str(&format!("    #[serde(rename = {})]\n", literal(tag)));
            }
            out.push_str(&format!("    {ident}({}),\n", self.part(id, &variant.ty)));
        }
        out.push_str("    /// A value that this version does not know.\n");
        if *by == By::Key {
            out.push_str("    #[serde(untagged)]\n");
        }
        out.push_str("    Other(serde_json::Value),\n}\n");
        if let By::Property(property) = by {
            out.push_str(&read_by_property(name, property, variants, &names));
        }
    }

    /// A type as a part of a value of `owner`.
    fn part(&self, owner: usize, ty: &Type) -> String {
        if self.model.recurs(owner, ty) {
            return match ty {
                Type::Nullable(inner) => format!("Option<Box<{}>>", self.ty(inner)),
                other => format!("Box<{}>", self.ty(other)),
            };
        }
        self.ty(ty)
    }

    fn ty(&self, ty: &Type) -> String {
        match ty {
            Type::Any => "serde_json::Value".to_owned(),
            Type::Boolean => "bool".to_owned(),
            Type::Integer => "i64".to_owned(),
            Type::Number => "f64".to_owned(),
            Type::Text => "String".to_owned(),
            Type::LongText { signed: true } => "super::support::Int64".to_owned(),
            Type::LongText { signed: false } => "super::support::Uint64".to_owned(),
            Type::List(item) => format!("Vec<{}>", self.ty(item)),
            Type::Map(value) => format!("BTreeMap<String, {}>", self.ty(value)),
            Type::Nullable(inner) => format!("Option<{}>", self.ty(inner)),
            Type::Named(id) => self.model.name(*id).to_owned(),
        }
    }
}

/// How a field is read and written that may be absent, or `null`.
fn attribute(field: &Field) -> &'static str {
    match (field.required, field.ty.takes_null()) {
        (true, true) if field.ty != Type::Any => {
            // Otherwise an absent one would be read as `null`.
            "    #[serde(deserialize_with = \"Option::deserialize\")]\n"
        }
        (true, _) => "",
        (false, false) => "    #[serde(default, skip_serializing_if = \"Option::is_none\")]\n",
        (false, true) => {
            "    #[serde(default, skip_serializing_if = \"Option::is_none\")]\n    #[serde(deserialize_with = \"super::support::present\")]\n"
        }
    }
}

/// Longest line that is not parted.
const WIDTH: usize = 100;

fn read_by_property(name: &str, property: &str, variants: &[Variant], names: &[String]) -> String {
    let mut out = format!(
        "\nimpl<'de> Deserialize<'de> for {name} {{\n    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {{\n        let value = serde_json::Value::deserialize(deserializer)?;\n        let tag = value.get({}).and_then(|tag| tag.as_str());\n        let read = match tag {{\n",
        literal(property)
    );
    for (variant, ident) in variants.iter().zip(names) {
        let tags: Vec<String> = variant
            .tags
            .iter()
            .map(|tag| format!("Some({})", literal(tag)))
            .collect();
        let tags = tags.join(" | ");
        let read = format!("serde_json::from_value(value).map(Self::{ident})");
        let line = format!("            {tags} => {read},\n");
        out.push_str(&if line.len() <= WIDTH + 1 {
            line
        } else {
            format!("            {tags} => {{\n                {read}\n            }}\n")
        });
    }
    out.push_str("            _ => Ok(Self::Other(value)),\n        };\n        read.map_err(serde::de::Error::custom)\n    }\n}\n");
    out
}

fn literal(text: &str) -> String {
    text::literal(text, |c| c.escape_unicode().to_string())
}

fn doc(doc: &str, indent: &str) -> String {
    let lines = text::lines(doc).into_iter();
    lines
        .map(|line| format!("{}\n", format!("{indent}/// {}", safe(&line)).trim_end()))
        .collect()
}

/// Without a block of code: `cargo test` would run it.
fn safe(line: &str) -> String {
    line.replace("```", "'''").replace("~~~", "'''")
}
