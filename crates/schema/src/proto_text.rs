//! A Protobuf file as text, of its descriptor: some clients register the descriptor alone.

use std::fmt::Write as _;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{FieldDescriptorProto, FileDescriptorProto};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor,
    FileDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor, Syntax, Value,
};

use crate::error::SchemaError;
use crate::protobuf::{Protobuf, Sources};
use crate::violation::short;

/// One past the largest number of a field.
const FIELD_NUMBERS_END: i32 = 1 << 29;
/// Deepest nesting of messages that is written.
const DEPTH_MAX: usize = 48;

/// A file that was given as its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The name under which others import it.
    pub name: String,
    /// Its text, from which the same descriptor is compiled.
    pub text: String,
}

/// The text of a descriptor; `imports` has the files that it imports, beside those of Google.
///
/// # Errors
///
/// [`SchemaError`] when the bytes are no descriptor, an import is not there, or the text that was
/// written of it would mean something else.
pub fn of_descriptor(bytes: &[u8], imports: &Sources) -> Result<Described, SchemaError> {
    let proto = FileDescriptorProto::decode(bytes)
        .map_err(|error| wrong("", &format!("it is no descriptor of a file: {error}")))?;
    let name = proto.name().to_owned();
    if proto.syntax() == "editions" {
        let message = "editions are not supported: write `syntax = \"proto3\"` or \"proto2\"";
        return Err(wrong(&name, message));
    }
    let mut pool = imported(&proto, imports)?;
    pool.decode_file_descriptor_proto(bytes)
        .map_err(|error| wrong(&name, &error.to_string()))?;
    let file = pool
        .get_file_by_name(&name)
        .ok_or_else(|| wrong(&name, "the descriptor has no name"))?;
    let text = print(&file)?;
    let mut sources = imports.clone();
    sources.insert(name.clone(), text.clone());
    let compiled = Protobuf::compile(&sources, None)?;
    let again = compiled.pool().get_file_by_name(&name);
    let same = again.is_some_and(|again| plain(again.file_descriptor_proto()) == plain(&proto));
    if !same {
        return Err(wrong(
            &name,
            "the descriptor says something that cannot be written as text",
        ));
    }
    Ok(Described { name, text })
}

/// The descriptor of one of the files of a compiled schema.
#[must_use]
pub fn to_descriptor(schema: &Protobuf, name: &str) -> Option<Vec<u8>> {
    let file = schema.pool().get_file_by_name(name)?;
    let mut proto = file.file_descriptor_proto().clone();
    proto.source_code_info = None;
    Some(proto.encode_to_vec())
}

/// What two descriptors of the same file have in common: no comments, and every default written.
#[must_use]
pub fn plain(proto: &FileDescriptorProto) -> FileDescriptorProto {
    let mut plain = proto.clone();
    plain.source_code_info = None;
    plain.name = None;
    if plain.syntax() == "proto2" {
        plain.syntax = None;
    }
    // No option that is set is the same as none at all.
    if plain.options == Some(Default::default()) {
        plain.options = None;
    }
    plain.extension.iter_mut().for_each(plain_field);
    let mut waiting: Vec<_> = plain.message_type.iter_mut().collect();
    while let Some(message) = waiting.pop() {
        if message.options == Some(Default::default()) {
            message.options = None;
        }
        message.field.iter_mut().for_each(plain_field);
        message.extension.iter_mut().for_each(plain_field);
        waiting.extend(message.nested_type.iter_mut());
    }
    plain
}

fn plain_field(field: &mut FieldDescriptorProto) {
    if field.json_name.is_none() {
        field.json_name = Some(camel(field.name()));
    }
    if field.extendee.is_some() {
        // Extensions have none that could be used.
        field.json_name = None;
    }
    if field.options == Some(Default::default()) {
        field.options = None;
    }
}

/// The name in JSON that a field has unless it says otherwise.
fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut is_upper = false;
    for c in name.chars() {
        match c {
            '_' => is_upper = true,
            c if is_upper => {
                out.extend(c.to_uppercase());
                is_upper = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// The files that a descriptor imports, compiled.
fn imported(proto: &FileDescriptorProto, imports: &Sources) -> Result<DescriptorPool, SchemaError> {
    let mut entry = "tidegate/imports.proto".to_owned();
    while imports.contains_key(&entry) {
        entry.insert(0, '_');
    }
    let mut text = "syntax = \"proto3\";\n".to_owned();
    for name in &proto.dependency {
        let _infallible = writeln!(text, "import {};", quoted(name.as_bytes()));
    }
    let mut sources = imports.clone();
    sources.insert(entry, text);
    Ok(Protobuf::compile(&sources, None)?.pool().clone())
}

fn wrong(file: &str, message: &str) -> SchemaError {
    SchemaError::Source {
        file: short(file),
        line: 1,
        column: 1,
        message: short(message),
    }
}

fn print(file: &FileDescriptor) -> Result<String, SchemaError> {
    let proto = file.file_descriptor_proto();
    let mut out = Printer::default();
    let syntax = match file.syntax() {
        Syntax::Proto2 => "proto2",
        Syntax::Proto3 => "proto3",
    };
    out.line(&format!("syntax = \"{syntax}\";"));
    if !file.package_name().is_empty() {
        out.line(&format!("package {};", file.package_name()));
    }
    for (index, name) in proto.dependency.iter().enumerate() {
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        let word = if proto.public_dependency.contains(&index) {
            "public "
        } else if proto.weak_dependency.contains(&index) {
            "weak "
        } else {
            ""
        };
        out.line(&format!("import {word}{};", quoted(name.as_bytes())));
    }
    for option in options(&file.options()) {
        out.line(&format!("option {option};"));
    }
    // The places of messages are part of the wire format: their order stays.
    file.messages()
        .for_each(|message| out.message(&message, None));
    file.enums().for_each(|one| out.enumeration(&one));
    file.extensions().for_each(|one| out.extension(&one));
    file.services().for_each(|service| out.service(&service));
    if out.is_deep {
        let message = format!("messages are nested deeper than {DEPTH_MAX}");
        return Err(wrong(file.name(), &message));
    }
    Ok(out.text)
}

#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
    is_deep: bool,
}

impl Printer {
    fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn open(&mut self, line: &str) {
        self.line(&format!("{line} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }

    /// A message; with `head`, the group that it is of.
    fn message(&mut self, message: &MessageDescriptor, head: Option<&str>) {
        if self.depth > DEPTH_MAX {
            self.is_deep = true;
            return;
        }
        match head {
            Some(head) => self.open(head),
            None => self.open(&format!("message {}", message.name())),
        }
        for option in options(&message.options()) {
            self.line(&format!("option {option};"));
        }
        let mut groups = Vec::new();
        self.fields(message, &mut groups);
        for child in message.child_messages() {
            let is_group = groups.iter().any(|group| group == child.full_name());
            if !child.is_map_entry() && !is_group {
                self.message(&child, None);
            }
        }
        message.child_enums().for_each(|one| self.enumeration(&one));
        message
            .child_extensions()
            .for_each(|one| self.extension(&one));
        let proto = message.descriptor_proto();
        for range in &proto.extension_range {
            let range = numbers(range.start(), range.end() - 1, FIELD_NUMBERS_END - 1);
            self.line(&format!("extensions {range};"));
        }
        for range in &proto.reserved_range {
            let range = numbers(range.start(), range.end() - 1, FIELD_NUMBERS_END - 1);
            self.line(&format!("reserved {range};"));
        }
        for name in &proto.reserved_name {
            self.line(&format!("reserved {};", quoted(name.as_bytes())));
        }
        self.close();
    }

    /// The fields in the order of the descriptor, with oneofs around theirs.
    fn fields(&mut self, message: &MessageDescriptor, groups: &mut Vec<String>) {
        let protos = message.descriptor_proto().field.iter();
        let mut around: Option<i32> = None;
        for proto in protos {
            let number = u32::try_from(proto.number()).unwrap_or_default();
            let Some(field) = message.get_field(number) else {
                continue;
            };
            let oneof = proto.oneof_index.filter(|_| !proto.proto3_optional());
            if around != oneof {
                if around.is_some() {
                    self.close();
                }
                let found = oneof.and_then(|index| {
                    message
                        .oneofs()
                        .nth(usize::try_from(index).unwrap_or(usize::MAX))
                });
                if let Some(oneof) = found {
                    self.open(&format!("oneof {}", oneof.name()));
                    for option in options(&oneof.options()) {
                        self.line(&format!("option {option};"));
                    }
                }
                around = oneof;
            }
            self.field(&field, proto, around.is_some(), groups);
        }
        if around.is_some() {
            self.close();
        }
    }

    fn field(
        &mut self,
        field: &FieldDescriptor,
        proto: &FieldDescriptorProto,
        in_oneof: bool,
        groups: &mut Vec<String>,
    ) {
        let kind = field.kind();
        let entry = kind.as_message().filter(|message| message.is_map_entry());
        let mut head = match entry {
            Some(entry) => format!(
                "map<{}, {}> ",
                word(&entry.map_entry_key_field().kind()),
                word(&entry.map_entry_value_field().kind())
            ),
            None => {
                let is_proto2 = field.parent_file().syntax() == Syntax::Proto2;
                label(proto, is_proto2 && !in_oneof).to_owned()
            }
        };
        if proto.r#type() == Type::Group
            && let Some(message) = kind.as_message()
        {
            groups.push(message.full_name().to_owned());
            let head = format!("{head}group {} = {}", message.name(), field.number());
            self.message(message, Some(&head));
            return;
        }
        if entry.is_none() {
            head.push_str(&word(&kind));
            head.push(' ');
        }
        let rest = settings(proto, options(&field.options()));
        self.line(&format!(
            "{head}{} = {}{rest};",
            field.name(),
            field.number()
        ));
    }

    fn extension(&mut self, extension: &ExtensionDescriptor) {
        let proto = extension.field_descriptor_proto();
        let is_proto2 = extension.parent_file().syntax() == Syntax::Proto2;
        let head = label(proto, is_proto2);
        let rest = settings(proto, options(&extension.options()));
        let containing = extension.containing_message();
        self.open(&format!("extend .{}", containing.full_name()));
        let kind = word(&extension.kind());
        let number = extension.number();
        self.line(&format!(
            "{head}{kind} {} = {number}{rest};",
            extension.name()
        ));
        self.close();
    }

    fn enumeration(&mut self, one: &EnumDescriptor) {
        self.open(&format!("enum {}", one.name()));
        for option in options(&one.options()) {
            self.line(&format!("option {option};"));
        }
        for value in &one.enum_descriptor_proto().value {
            let described = one.values().find(|found| found.name() == value.name());
            let set = described.map(|value| options(&value.options()));
            let rest = listed(set.unwrap_or_default());
            self.line(&format!("{} = {}{rest};", value.name(), value.number()));
        }
        for range in &one.enum_descriptor_proto().reserved_range {
            let range = numbers(range.start(), range.end(), i32::MAX);
            self.line(&format!("reserved {range};"));
        }
        for name in &one.enum_descriptor_proto().reserved_name {
            self.line(&format!("reserved {};", quoted(name.as_bytes())));
        }
        self.close();
    }

    fn service(&mut self, service: &ServiceDescriptor) {
        self.open(&format!("service {}", service.name()));
        for option in options(&service.options()) {
            self.line(&format!("option {option};"));
        }
        service.methods().for_each(|method| self.method(&method));
        self.close();
    }

    fn method(&mut self, method: &MethodDescriptor) {
        let stream = |is_stream| if is_stream { "stream " } else { "" };
        self.open(&format!(
            "rpc {}({}.{}) returns ({}.{})",
            method.name(),
            stream(method.is_client_streaming()),
            method.input().full_name(),
            stream(method.is_server_streaming()),
            method.output().full_name(),
        ));
        for option in options(&method.options()) {
            self.line(&format!("option {option};"));
        }
        self.close();
    }
}

fn label(proto: &FieldDescriptorProto, is_explicit: bool) -> &'static str {
    match proto.label() {
        Label::Repeated => "repeated ",
        Label::Required => "required ",
        Label::Optional if is_explicit || proto.proto3_optional() => "optional ",
        Label::Optional => "",
    }
}

/// What stands in brackets behind a field.
fn settings(proto: &FieldDescriptorProto, mut set: Vec<String>) -> String {
    if let Some(default) = &proto.default_value {
        let value = match proto.r#type() {
            Type::String => quoted(default.as_bytes()),
            // It is written escaped already.
            Type::Bytes => format!("\"{default}\""),
            _ => default.clone(),
        };
        set.push(format!("default = {value}"));
    }
    let name = proto.json_name.as_deref();
    if let Some(name) = name.filter(|name| *name != camel(proto.name()))
        && proto.extendee.is_none()
    {
        set.push(format!("json_name = {}", quoted(name.as_bytes())));
    }
    listed(set)
}

fn listed(set: Vec<String>) -> String {
    if set.is_empty() {
        String::new()
    } else {
        format!(" [{}]", set.join(", "))
    }
}

fn numbers(first: i32, last: i32, most: i32) -> String {
    match last {
        last if last == first => first.to_string(),
        last if last == most => format!("{first} to max"),
        last => format!("{first} to {last}"),
    }
}

/// The type of a field.
fn word(kind: &Kind) -> String {
    let word = match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Message(message) => return format!(".{}", message.full_name()),
        Kind::Enum(one) => return format!(".{}", one.full_name()),
    };
    word.to_owned()
}

/// The options that are set, as `name = value`.
fn options(message: &DynamicMessage) -> Vec<String> {
    let mut set = Vec::new();
    for (field, value) in message.fields() {
        // A map has its own syntax.
        if field.name() == "map_entry" {
            continue;
        }
        each(value, |value| {
            set.push(format!(
                "{} = {}",
                field.name(),
                literal(&field.kind(), value)
            ));
        });
    }
    for (extension, value) in message.extensions() {
        each(value, |value| {
            let value = literal(&extension.kind(), value);
            set.push(format!("(.{}) = {value}", extension.full_name()));
        });
    }
    set
}

fn each(value: &Value, mut take: impl FnMut(&Value)) {
    match value {
        Value::List(items) => items.iter().for_each(take),
        value => take(value),
    }
}

/// A value in the text format.
fn literal(kind: &Kind, value: &Value) -> String {
    match (value, kind) {
        (Value::Bool(flag), _) => flag.to_string(),
        (Value::I32(number), _) => number.to_string(),
        (Value::I64(number), _) => number.to_string(),
        (Value::U32(number), _) => number.to_string(),
        (Value::U64(number), _) => number.to_string(),
        (Value::F32(number), _) => real(f64::from(*number)),
        (Value::F64(number), _) => real(*number),
        (Value::String(text), _) => quoted(text.as_bytes()),
        (Value::Bytes(bytes), _) => quoted(bytes),
        (Value::EnumNumber(number), Kind::Enum(one)) => one
            .get_value(*number)
            .map_or_else(|| number.to_string(), |value| value.name().to_owned()),
        (Value::Message(message), _) => {
            let mut parts = Vec::new();
            for (field, value) in message.fields() {
                each(value, |value| {
                    parts.push(format!(
                        "{}: {}",
                        field.name(),
                        literal(&field.kind(), value)
                    ));
                });
            }
            for (extension, value) in message.extensions() {
                each(value, |value| {
                    let value = literal(&extension.kind(), value);
                    parts.push(format!("[{}]: {value}", extension.full_name()));
                });
            }
            format!("{{ {} }}", parts.join(" "))
        }
        _ => String::new(),
    }
}

fn real(number: f64) -> String {
    if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        format!("{number:?}")
    }
}

/// A string of the language, every byte that is not plain escaped.
fn quoted(bytes: &[u8]) -> String {
    let mut out = "\"".to_owned();
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            0x20..=0x7e => out.push(char::from(*byte)),
            other => {
                let _infallible = write!(out, "\\{other:03o}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
