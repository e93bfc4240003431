//! Types in Python 3.11: data classes that read and write what `json` parses, one module an event.

use super::model::{By, Definition, Field, Kind, Model, Shape, Type, Variant, kind};
use super::names::{Names, screaming, snake};
use super::text;
use super::{EventTypes, File, Heading};

/// Words that are no names, and names that a class could not use any more.
const KEYWORDS: &[&str] = &[
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "case",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "false",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "match",
    "none",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "true",
    "try",
    "type",
    "while",
    "with",
    "yield",
    "bool",
    "int",
    "float",
    "str",
    "list",
    "dict",
    "object",
    "classmethod",
    "dataclass",
    "from_json",
    "to_json",
    "cls",
    "at",
    "value",
    "fields",
    "self",
];

/// What the types of every event share.
const SUPPORT: &str = include_str!("support/_json.py.txt");

pub(super) fn files(heading: &Heading<'_>, events: &[EventTypes<'_>]) -> Vec<File> {
    let line = heading.line();
    let mut modules = Names::without(&["__init__", "_json"]);
    let mut files = Vec::new();
    let mut imports: Vec<(String, String)> = Vec::new();
    let mut channels = String::new();
    for event in events {
        let module = modules.claim_beside(&snake(event.channel), KEYWORDS);
        let root = event.model.name(0).to_owned();
        channels.push_str(&format!("    {}: {root},\n", literal(event.event_type)));
        files.push(File {
            path: format!("{module}.py"),
            text: of_event(heading, event),
        });
        imports.push((module, root));
    }
    imports.sort();
    let mut text = format!(
        "# {line}\n\"\"\"The events of the system `{}`.\"\"\"\n\n",
        heading.system
    );
    text.push_str("from ._json import CloudEvent, Misfit\n");
    for (module, root) in &imports {
        text.push_str(&format!("from .{module} import {root}\n"));
    }
    let mut all: Vec<&str> = imports.iter().map(|(_, root)| root.as_str()).collect();
    all.extend(["CloudEvent", "EVENT_TYPES", "Misfit"]);
    all.sort_unstable();
    text.push_str("\n#: The class of each event's data, by its CloudEvents `type`.\n");
    text.push_str(&format!("EVENT_TYPES = {{\n{channels}}}\n\n__all__ = [\n"));
    for name in all {
        text.push_str(&format!("    \"{name}\",\n"));
    }
    text.push_str("]\n");
    files.push(File {
        path: "__init__.py".to_owned(),
        text,
    });
    files.push(File {
        path: "_json.py".to_owned(),
        text: format!("# {line}\n{SUPPORT}"),
    });
    files
}

fn of_event(heading: &Heading<'_>, event: &EventTypes<'_>) -> String {
    let writing = Writing {
        model: &event.model,
    };
    let mut body = String::new();
    for definition in &event.model.definitions {
        body.push_str("\n\n");
        body.push_str(&writing.definition(definition));
    }
    let mut text = format!(
        "# {}\n{}\nfrom __future__ import annotations\n\n",
        heading.line(),
        docstring(&event.title(), "")
    );
    if body.contains("@dataclass") {
        text.push_str("from dataclasses import dataclass\n");
    }
    if body.contains("ClassVar[") {
        text.push_str("from typing import ClassVar\n");
    }
    text.push_str("\nfrom . import _json\n\n");
    text.push_str("#: The channel: the name of the event in the design.\n");
    text.push_str(&format!("CHANNEL = {}\n", literal(event.channel)));
    text.push_str("#: The CloudEvents `type`.\n");
    text.push_str(&format!("TYPE = {}\n", literal(event.event_type)));
    text.push_str(&body);
    text
}

struct Writing<'a> {
    model: &'a Model,
}

const DATACLASS: &str = "@dataclass(frozen=True, kw_only=True, slots=True)\n";

impl Writing<'_> {
    fn definition(&self, definition: &Definition) -> String {
        let name = &definition.name;
        let doc = docstring(&definition.doc, "    ");
        match &definition.shape {
            Shape::Record { fields, rest } => {
                let body = self.record(name, fields, rest.as_ref());
                format!("{DATACLASS}class {name}:\n{}{body}", after(&doc))
            }
            Shape::Enum { values, .. } => enumeration(name, values, &doc),
            Shape::Wrapper(ty) => format!(
                "{DATACLASS}class {name}:\n{}    value: {}\n\n{}        return cls(value={}(value, at))\n\n    def to_json(self) -> object:\n        return _json.write(self.value)\n",
                after(&doc),
                self.ty(ty),
                from_json(name),
                self.reader(ty)
            ),
            Shape::Union { by, variants } => self.union(name, by, variants, &doc),
        }
    }

    fn record(&self, name: &str, fields: &[Field], rest: Option<&Type>) -> String {
        let mut names = Names::default();
        let (mut members, mut reads) = (String::new(), String::new());
        let (mut writes, mut wires) = (String::new(), Vec::new());
        for field in fields {
            let ident = names.claim_beside(&snake(&field.wire), KEYWORDS);
            for line in text::lines(&field.doc) {
                members.push_str(format!("    # {line}").trim_end());
                members.push('\n');
            }
            let ty = self.ty(&field.ty);
            let wire = literal(&field.wire);
            let put = format!("fields[{wire}] = _json.write(self.{ident})\n");
            let (member, method, write) = match (field.required, field.ty.takes_null()) {
                (true, _) => (ty, "required", format!("        {put}")),
                (false, false) => (
                    format!("{ty} | None = None"),
                    "optional",
                    format!("        if self.{ident} is not None:\n            {put}"),
                ),
                (false, true) => (
                    format!("{ty} | _json.Absent = _json.ABSENT"),
                    "nullable",
                    format!(
                        "        if not isinstance(self.{ident}, _json.Absent):\n            {put}"
                    ),
                ),
            };
            members.push_str(&format!("    {ident}: {member}\n"));
            let mut keys = vec![wire];
            keys.extend(field.aliases.iter().map(|alias| literal(alias)));
            let inner = format!(
                "fields, at, {}, {}",
                self.reader(&field.ty),
                keys.join(", ")
            );
            reads.push_str(&call(&format!("{ident}=_json.{method}"), &inner));
            wires.extend(keys);
            writes.push_str(&write);
        }
        if let Some(rest) = rest {
            let ident = names.claim("additional_properties");
            members.push_str("    # What is not declared.\n");
            members.push_str(&format!("    {ident}: dict[str, {}]\n", self.ty(rest)));
            let mut declared = wires.join(", ");
            if wires.len() == 1 {
                declared.push(',');
            }
            reads.push_str(&format!(
                "            {ident}=_json.rest(fields, at, {}, ({declared})),\n",
                self.reader(rest)
            ));
            writes.push_str(&format!(
                "        fields.update(\n            {{k: _json.write(v) for k, v in self.{ident}.items()}}\n        )\n"
            ));
        }
        let call = if reads.is_empty() {
            "        _json.read_object(value, at)\n        return cls()\n".to_owned()
        } else {
            format!(
                "        fields = _json.read_object(value, at)\n        return cls(\n{reads}        )\n"
            )
        };
        let gap = if members.is_empty() { "" } else { "\n" };
        format!(
            "{members}{gap}{}{call}\n    def to_json(self) -> dict[str, object]:\n        fields: dict[str, object] = {{}}\n{writes}        return fields\n",
            from_json(name)
        )
    }

    fn union(&self, name: &str, by: &By, variants: &[Variant], doc: &str) -> String {
        let mut types: Vec<String> = Vec::new();
        for variant in variants {
            let ty = self.ty(&variant.ty);
            if !types.contains(&ty) {
                types.push(ty);
            }
        }
        types.push("object".to_owned());
        let mut out = format!("{DATACLASS}class {name}:\n{}", after(doc));
        out.push_str("    # A value that this version does not know is kept as it was read.\n");
        out.push_str(&format!("    value: {}\n", types.join(" | ")));
        if *by == By::Key {
            out.push_str("    # The name of the branch.\n    key: str\n");
        }
        out.push('\n');
        out.push_str(&from_json(name));
        match by {
            By::Property(property) => {
                out.push_str(&format!(
                    "        tag = _json.tag(value, {})\n",
                    literal(property)
                ));
            }
            By::Key => out.push_str("        tag, inner = _json.only_key(value, at)\n"),
            By::Kind => {}
        }
        for variant in variants {
            let read = self.reader(&variant.ty);
            let (test, made) = match by {
                By::Property(_) => (is_tag(&variant.tags), format!("value={read}(value, at)")),
                By::Key => (
                    is_tag(&variant.tags),
                    format!("value={read}(inner, at), key=tag"),
                ),
                By::Kind => (
                    self.is_kind(&variant.ty),
                    format!("value={read}(value, at)"),
                ),
            };
            out.push_str(&format!(
                "        if {test}:\n            return cls({made})\n"
            ));
        }
        out.push_str(match by {
            By::Key => "        return cls(value=inner, key=tag)\n\n    def to_json(self) -> object:\n        return {self.key: _json.write(self.value)}\n",
            _ => "        return cls(value=value)\n\n    def to_json(self) -> object:\n        return _json.write(self.value)\n",
        });
        out
    }

    fn is_kind(&self, ty: &Type) -> String {
        match kind(&self.model.definitions, ty) {
            Some(Kind::Boolean) => "isinstance(value, bool)".to_owned(),
            Some(Kind::Integer | Kind::Number) => {
                "isinstance(value, (int, float)) and not isinstance(value, bool)".to_owned()
            }
            Some(Kind::Text) => "isinstance(value, str)".to_owned(),
            Some(Kind::List) => "isinstance(value, list)".to_owned(),
            Some(Kind::Object) => "isinstance(value, dict)".to_owned(),
            None => "True".to_owned(),
        }
    }

    fn ty(&self, ty: &Type) -> String {
        match ty {
            Type::Any => "object".to_owned(),
            Type::Boolean => "bool".to_owned(),
            Type::Integer => "int".to_owned(),
            Type::Number => "float".to_owned(),
            Type::Text => "str".to_owned(),
            Type::LongText { .. } => "_json.Int64".to_owned(),
            Type::List(item) => format!("list[{}]", self.ty(item)),
            Type::Map(value) => format!("dict[str, {}]", self.ty(value)),
            Type::Nullable(inner) => format!("{} | None", self.ty(inner)),
            Type::Named(id) => self.model.name(*id).to_owned(),
        }
    }

    fn reader(&self, ty: &Type) -> String {
        match ty {
            Type::Any => "_json.read_any".to_owned(),
            Type::Boolean => "_json.read_bool".to_owned(),
            Type::Integer => "_json.read_int".to_owned(),
            Type::Number => "_json.read_float".to_owned(),
            Type::Text => "_json.read_str".to_owned(),
            Type::LongText { .. } => "_json.Int64.from_json".to_owned(),
            Type::List(item) => format!("_json.list_of({})", self.reader(item)),
            Type::Map(value) => format!("_json.dict_of({})", self.reader(value)),
            Type::Nullable(inner) => format!("_json.or_none({})", self.reader(inner)),
            Type::Named(id) => format!("{}.from_json", self.model.name(*id)),
        }
    }
}

/// Longest line that is not parted.
const WIDTH: usize = 88;

/// An argument that is a call, parted where the line would be too long.
fn call(function: &str, arguments: &str) -> String {
    let line = format!("            {function}({arguments}),\n");
    if line.len() <= WIDTH + 1 {
        return line;
    }
    format!("            {function}(\n                {arguments}\n            ),\n")
}

fn is_tag(tags: &[String]) -> String {
    match tags {
        [one] => format!("tag == {}", literal(one)),
        many => {
            let many: Vec<String> = many.iter().map(|tag| literal(tag)).collect();
            format!("tag in ({})", many.join(", "))
        }
    }
}

/// Text of which some values are known by name.
fn enumeration(name: &str, values: &[String], doc: &str) -> String {
    let mut names = Names::default();
    let (mut declared, mut given) = (String::new(), String::new());
    for value in values {
        let ident = names.claim(&screaming(value));
        declared.push_str(&format!("    {ident}: ClassVar[{name}]\n"));
        given.push_str(&format!("{name}.{ident} = {name}({})\n", literal(value)));
    }
    format!(
        "class {name}(str):\n{}    __slots__ = ()\n\n{declared}\n{}        return cls(_json.read_str(value, at))\n\n    def to_json(self) -> object:\n        return str(self)\n\n\n{given}",
        after(doc),
        from_json(name)
    )
}

fn from_json(name: &str) -> String {
    format!("    @classmethod\n    def from_json(cls, value: object, at: str = \"\") -> {name}:\n")
}

/// A text before what follows it in a class.
fn after(doc: &str) -> String {
    if doc.is_empty() {
        String::new()
    } else {
        format!("{doc}\n")
    }
}

/// A description as a string of three quotes, which nothing in it ends.
fn docstring(doc: &str, indent: &str) -> String {
    let lines: Vec<String> = text::lines(doc)
        .iter()
        .map(|line| line.replace('\\', "\\\\").replace("\"\"\"", "'''"))
        .collect();
    match lines.as_slice() {
        [] => String::new(),
        [one] if !one.ends_with('"') => format!("{indent}\"\"\"{one}\"\"\"\n"),
        many => {
            let mut text = format!("{indent}\"\"\"");
            for (at, line) in many.iter().enumerate() {
                let indent = if at == 0 { "" } else { indent };
                text.push_str(format!("{indent}{line}").trim_end());
                text.push('\n');
            }
            text.push_str(&format!("{indent}\"\"\"\n"));
            text
        }
    }
}

fn literal(text: &str) -> String {
    text::quoted(text, |c| {
        let code = u32::from(c);
        if code > 0xffff {
            format!("\\U{code:08x}")
        } else {
            format!("\\u{code:04x}")
        }
    })
}
