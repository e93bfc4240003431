//! Types in TypeScript: interfaces alone, one file an event; there is nothing to run.

use super::model::{By, Definition, Field, Model, Shape, Type, Variant};
use super::names::{Names, camel, kebab};
use super::text;
use super::{EventTypes, File, Heading};

/// What the types of every event share.
const SUPPORT: &str = include_str!("support/cloud-event.ts.txt");

/// Longest line of a union; a longer one has a line for each member.
const WIDTH: usize = 80;

pub(super) fn files(heading: &Heading<'_>, events: &[EventTypes<'_>]) -> Vec<File> {
    let mut modules = Names::without(&["index", "cloud-event"]);
    let mut files = Vec::new();
    let mut imports = vec!["import type { CloudEvent } from \"./cloud-event.js\";\n".to_owned()];
    let mut exports = String::from("export type { CloudEvent } from \"./cloud-event.js\";\n");
    let mut types = String::new();
    let mut constants = String::new();
    let mut constant_names = Names::default();
    for event in events {
        let module = modules.claim(&kebab(event.channel));
        let root = event.model.name(0);
        imports.push(format!(
            "import type {{ {root} }} from \"./{module}.js\";\n"
        ));
        exports.push_str(&format!(
            "export type {{ {root} }} from \"./{module}.js\";\n"
        ));
        types.push_str(&text::block(
            event.summary.unwrap_or_default(),
            "  ",
            comment,
        ));
        types.push_str(&format!("  {}: {root};\n", key(event.event_type)));
        let constant = constant_names.claim(&camel(event.channel));
        constants.push_str(&format!(
            "  {constant}: {{ channel: {}, type: {} }},\n",
            literal(event.channel),
            literal(event.event_type)
        ));
        files.push(File {
            path: format!("{module}.ts"),
            text: of_event(heading, event),
        });
    }
    let line = heading.line();
    let imports: String = imports.concat();
    let index = format!(
        "// {line}\n\n{imports}\n{exports}\n/** The payload of each event, by its CloudEvents `type`. */\nexport interface EventTypes {{\n{types}}}\n\n/** The CloudEvents `type` of an event of the design. */\nexport type EventType = keyof EventTypes;\n\n/** Any event of the design: `type` tells them apart. */\nexport type AnyEvent = {{\n  [Type in EventType]: CloudEvent<Type, EventTypes[Type]>;\n}}[EventType];\n\n/** What handles events of one type. */\nexport type Handler<Type extends EventType> = (\n  event: CloudEvent<Type, EventTypes[Type]>,\n) => Promise<void>;\n\n/** The channel and the type of each event. */\nexport const events = {{\n{constants}}} as const;\n"
    );
    files.push(File {
        path: "index.ts".to_owned(),
        text: index,
    });
    files.push(File {
        path: "cloud-event.ts".to_owned(),
        text: format!("// {line}\n\n{SUPPORT}"),
    });
    files
}

fn of_event(heading: &Heading<'_>, event: &EventTypes<'_>) -> String {
    let mut out = format!("// {}\n", heading.line());
    for (id, definition) in event.model.definitions.iter().enumerate() {
        out.push('\n');
        let own = definition.doc.as_str();
        let title = event.title();
        let doc = if id == 0 && own.is_empty() {
            &title
        } else {
            own
        };
        out.push_str(&text::block(doc, "", comment));
        out.push_str(&definition_text(&event.model, definition));
    }
    out
}

fn definition_text(model: &Model, definition: &Definition) -> String {
    let name = &definition.name;
    match &definition.shape {
        Shape::Record { fields, rest } => record(model, name, fields, rest.as_ref()),
        Shape::Enum { values, fixed } => {
            let mut members: Vec<String> = values.iter().map(|value| literal(value)).collect();
            if !fixed {
                // Known values are completed by editors, and others are taken.
                members.push("(string & {})".to_owned());
            }
            alias(name, &members)
        }
        Shape::Union { by, variants } => alias(name, &members(model, by, variants)),
        Shape::Wrapper(ty) => format!("export type {name} = {};\n", type_text(model, ty)),
    }
}

fn members(model: &Model, by: &By, variants: &[Variant]) -> Vec<String> {
    let variants = variants.iter();
    variants
        .map(|variant| match (by, variant.tags.first()) {
            (By::Key, Some(tag)) => {
                format!("{{ {}: {} }}", key(tag), type_text(model, &variant.ty))
            }
            _ => type_text(model, &variant.ty),
        })
        .collect()
}

/// A union type, on one line where it fits.
fn alias(name: &str, members: &[String]) -> String {
    let line = format!("export type {name} = {};\n", members.join(" | "));
    if line.len() <= WIDTH + 1 {
        return line;
    }
    let objects = members.iter().all(|member| member.starts_with('{'));
    let indented = format!("  {};\n", members.join(" | "));
    if objects && indented.len() <= WIDTH + 1 {
        return format!("export type {name} =\n{indented}");
    }
    let lines: String = members
        .iter()
        .map(|member| format!("\n  | {member}"))
        .collect();
    format!("export type {name} ={lines};\n")
}

fn record(model: &Model, name: &str, fields: &[Field], rest: Option<&Type>) -> String {
    if fields.is_empty() && rest.is_none() {
        return format!("export type {name} = Record<string, never>;\n");
    }
    let mut out = format!("export interface {name} {{\n");
    for field in fields {
        out.push_str(&text::block(&field.doc, "  ", comment));
        let mark = if field.required { "" } else { "?" };
        out.push_str(&format!(
            "  {}{mark}: {};\n",
            key(&field.wire),
            type_text(model, &field.ty)
        ));
    }
    if rest.is_some() {
        // An index has to be as wide as every declared field.
        out.push_str("  /** What is not declared. */\n  [name: string]: unknown;\n");
    }
    out.push_str("}\n");
    out
}

fn type_text(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Any => "unknown".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::Integer | Type::Number => "number".to_owned(),
        Type::Text => "string".to_owned(),
        Type::LongText { .. } => "string | number".to_owned(),
        Type::List(item) => {
            let inner = type_text(model, item);
            if inner.contains(" | ") {
                format!("({inner})[]")
            } else {
                format!("{inner}[]")
            }
        }
        Type::Map(value) => format!("Record<string, {}>", type_text(model, value)),
        Type::Nullable(inner) => format!("{} | null", type_text(model, inner)),
        Type::Named(id) => model.name(*id).to_owned(),
    }
}

/// A name of a property, quoted where it has to be.
fn key(wire: &str) -> String {
    let mut chars = wire.chars();
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
    let plain = chars.next().is_some_and(letter) && chars.all(|c| letter(c) || c.is_ascii_digit());
    if plain {
        wire.to_owned()
    } else {
        literal(wire)
    }
}

fn literal(text: &str) -> String {
    text::quoted(text, text::utf16)
}

/// A line of a comment that does not end it.
fn comment(line: &str) -> String {
    line.replace("*/", "*\\/")
}
