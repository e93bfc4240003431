//! The rules of `buf breaking`, categories `WIRE` and `WIRE_JSON`, from their documentation.
//!
//! Source: buf.build, "Rules and categories". Left out, because their categories are `FILE` and
//! `PACKAGE` alone: the rules about generated code.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost_reflect::{EnumDescriptor, FileDescriptor, Kind, MessageDescriptor, Syntax};
use tidegate_schema::protobuf::Protobuf;

use super::Found;
use super::element::{Element, Presence, all_enums, all_messages};
use super::kinds::word;
use super::meaning::same_scalar;
use crate::verdict::Answer;

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule as Buf calls it, small and joined by `-`.
    pub code: &'static str,
    /// The file of the new version in which it is.
    pub file: String,
    /// The full name of the element.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

impl Broken {
    pub(super) fn into_found(self) -> Found {
        let mut found = Found::new(Answer::Incompatible, self.code, &self.path, self.reason);
        found.fix = fix(self.code).map(str::to_owned);
        found
    }
}

fn fix(code: &str) -> Option<&'static str> {
    Some(match code {
        "field-no-delete-unless-number-reserved"
        | "enum-value-no-delete-unless-number-reserved" => {
            "reserve the number, so that it is not used again"
        }
        "field-no-delete-unless-name-reserved" | "enum-value-no-delete-unless-name-reserved" => {
            "reserve the name, so that it is not used again"
        }
        "field-wire-compatible-type"
        | "field-wire-json-compatible-type"
        | "field-wire-compatible-cardinality"
        | "field-wire-json-compatible-cardinality" => {
            "add a field with another number, and reserve this one"
        }
        "reserved-message-no-delete" | "reserved-enum-no-delete" => "reserve it again",
        _ => return None,
    })
}

/// Which rules the new version breaks, against the previous one.
#[must_use]
pub fn broken(previous: &Protobuf, new: &Protobuf, json: bool) -> Vec<Broken> {
    let mut rules = Rules {
        json,
        broken: Vec::new(),
    };
    let messages = all_messages(new);
    let messages: HashMap<&str, &MessageDescriptor> = messages
        .iter()
        .map(|message| (message.full_name(), message))
        .collect();
    for before in all_messages(previous) {
        if let Some(after) = messages.get(before.full_name()) {
            rules.message(&before, after);
        }
    }
    let enums = all_enums(new);
    let enums: HashMap<&str, &EnumDescriptor> =
        enums.iter().map(|of| (of.full_name(), of)).collect();
    for before in all_enums(previous) {
        if let Some(after) = enums.get(before.full_name()) {
            rules.enumeration(&before, after);
        }
    }
    rules.extensions(previous, new);
    rules.files(previous, new);
    rules.broken
}

/// The files of both versions that are the same: by their names; and the only one that each has beside those, as two
/// versions of one file can lie beside each other only under two names.
fn same_files(previous: &Protobuf, new: &Protobuf) -> Vec<(FileDescriptor, FileDescriptor)> {
    let mut after: BTreeMap<String, FileDescriptor> = new
        .files()
        .map(|file| (file.name().to_owned(), file))
        .collect();
    let (mut pairs, mut alone) = (Vec::new(), Vec::new());
    for before in previous.files() {
        match after.remove(before.name()) {
            Some(after) => pairs.push((before, after)),
            None => alone.push(before),
        }
    }
    // What others import is not what the versions are of.
    let imported = |files: &mut dyn Iterator<Item = FileDescriptor>| -> BTreeSet<String> {
        files
            .flat_map(|file| file.dependencies().collect::<Vec<_>>())
            .map(|file| file.name().to_owned())
            .collect()
    };
    let (before, after_all) = (imported(&mut previous.files()), imported(&mut new.files()));
    alone.retain(|file| !before.contains(file.name()));
    after.retain(|name, _| !after_all.contains(name));
    let mut after = after.into_values();
    if let (Some(before), None, Some(after), None) =
        (alone.pop(), alone.pop(), after.next(), after.next())
    {
        pairs.push((before, after));
    }
    pairs
}

struct Rules {
    json: bool,
    broken: Vec<Broken>,
}

impl Rules {
    fn add(&mut self, code: &'static str, file: &str, path: &str, reason: String) {
        self.broken.push(Broken {
            code,
            file: file.to_owned(),
            path: path.to_owned(),
            reason,
        });
    }

    fn message(&mut self, before: &MessageDescriptor, after: &MessageDescriptor) {
        let file = after.parent_file().name().to_owned();
        let path = after.full_name().to_owned();
        for field in before.fields() {
            if let Some(new) = after.get_field(field.number()) {
                self.field(&Element::of(&field), &Element::of(&new));
                continue;
            }
            let (name, number) = (field.name(), field.number());
            if !after.reserved_ranges().any(|range| range.contains(&number)) {
                let reason =
                    format!("the field `{name}` is gone, and its number {number} is not reserved");
                self.add(
                    "field-no-delete-unless-number-reserved",
                    &file,
                    &path,
                    reason,
                );
            }
            if self.json && !after.reserved_names().any(|reserved| reserved == name) {
                let reason = format!("the field `{name}` is gone, and its name is not reserved");
                self.add("field-no-delete-unless-name-reserved", &file, &path, reason);
            }
        }
        self.required(before, after);
        let reserved = |message: &MessageDescriptor| {
            let ranges = message.reserved_ranges();
            let ranges = ranges.map(|range| (i64::from(range.start), i64::from(range.end) - 1));
            let names = message.reserved_names().map(str::to_owned);
            (ranges.collect(), names.collect())
        };
        self.reserved(
            "reserved-message-no-delete",
            (&file, &path),
            reserved(before),
            reserved(after),
        );
        let formats = (before.parent_file().syntax(), after.parent_file().syntax());
        if self.json && formats == (Syntax::Proto3, Syntax::Proto2) {
            let reason =
                "the message had a JSON format, and has one by best effort alone".to_owned();
            self.add("message-same-json-format", &file, &path, reason);
        }
    }

    fn required(&mut self, before: &MessageDescriptor, after: &MessageDescriptor) {
        let required = |message: &MessageDescriptor| -> BTreeSet<u32> {
            let fields = message.fields().filter(|field| field.is_required());
            fields.map(|field| field.number()).collect()
        };
        let (old, new) = (required(before), required(after));
        let file = after.parent_file().name().to_owned();
        for number in old.symmetric_difference(&new) {
            let what = if old.contains(number) {
                "gone"
            } else {
                "added"
            };
            let reason = format!("the required field {number} is {what}: it must be sent always");
            self.add(
                "message-same-required-fields",
                &file,
                after.full_name(),
                reason,
            );
        }
    }

    fn reserved(
        &mut self,
        code: &'static str,
        (file, path): (&str, &str),
        before: (Vec<(i64, i64)>, BTreeSet<String>),
        after: (Vec<(i64, i64)>, BTreeSet<String>),
    ) {
        for (first, last) in before.0 {
            if !covers(&after.0, first, last) {
                let reason = format!("{first} to {last} were reserved, and are not all any more");
                self.add(code, file, path, reason);
            }
        }
        for name in before.1.difference(&after.1) {
            let reason = format!("the name `{name}` was reserved, and is not any more");
            self.add(code, file, path, reason);
        }
    }

    fn enumeration(&mut self, before: &EnumDescriptor, after: &EnumDescriptor) {
        let file = after.parent_file().name().to_owned();
        let path = after.full_name().to_owned();
        let (old, new) = (by_number(before), by_number(after));
        for (number, names) in &old {
            if let Some(known) = new.get(number) {
                if self.json && !names.is_subset(known) {
                    for name in known {
                        let reason = format!("not all names that {number} had are left");
                        let value = format!("{path}.{name}");
                        self.add("enum-value-same-name", &file, &value, reason);
                    }
                }
                continue;
            }
            if !after.reserved_ranges().any(|range| range.contains(number)) {
                let reason = format!("the value {number} is gone, and is not reserved");
                self.add(
                    "enum-value-no-delete-unless-number-reserved",
                    &file,
                    &path,
                    reason,
                );
            }
            let reserved: BTreeSet<&str> = after.reserved_names().collect();
            if self.json && !names.iter().all(|name| reserved.contains(name.as_str())) {
                let reason = format!("the value {number} is gone, and its names are not reserved");
                self.add(
                    "enum-value-no-delete-unless-name-reserved",
                    &file,
                    &path,
                    reason,
                );
            }
        }
        let reserved = |of: &EnumDescriptor| {
            let ranges = of.reserved_ranges();
            let ranges = ranges.map(|range| (i64::from(*range.start()), i64::from(*range.end())));
            (
                ranges.collect(),
                of.reserved_names().map(str::to_owned).collect(),
            )
        };
        self.reserved(
            "reserved-enum-no-delete",
            (&file, &path),
            reserved(before),
            reserved(after),
        );
        let formats = (before.parent_file().syntax(), after.parent_file().syntax());
        if self.json && formats == (Syntax::Proto3, Syntax::Proto2) {
            let reason = "the enum had a JSON format, and has one by best effort alone".to_owned();
            self.add("enum-same-json-format", &file, &path, reason);
        }
    }

    fn field(&mut self, before: &Element, after: &Element) {
        let (file, path) = (after.file.clone(), after.full_name.clone());
        let changed = |what: &str, from: &str, to: &str| format!("{what} was {from}, and is {to}");
        if self.json && before.name != after.name {
            let reason = changed("the name", &before.name, &after.name);
            self.add("field-same-name", &file, &path, reason);
        }
        if self.json && !before.is_extension && before.json_name != after.json_name {
            let reason = changed("the name in JSON", &before.json_name, &after.json_name);
            self.add("field-same-json-name", &file, &path, reason);
        }
        if before.oneof != after.oneof {
            let name = |oneof: &Option<String>| oneof.clone().unwrap_or_else(|| "none".to_owned());
            let reason = changed("the oneof", &name(&before.oneof), &name(&after.oneof));
            self.add("field-same-oneof", &file, &path, reason);
        }
        if let (Some(old), Some(new)) = (&before.default, &after.default)
            && !same_scalar(old, new)
        {
            let reason = "what is taken for a field that is not sent changed".to_owned();
            self.add("field-same-default", &file, &path, reason);
        }
        let code = if self.json {
            "field-wire-json-compatible-type"
        } else {
            "field-wire-compatible-type"
        };
        if !self.same_type(before, after) {
            let reason = changed("the type", &word(&before.kind), &word(&after.kind));
            self.add(code, &file, &path, reason);
        }
        let group = |presence| match presence {
            Presence::Explicit | Presence::Implicit => 1,
            Presence::Required => 2,
            Presence::Map if self.json => 4,
            Presence::Repeated | Presence::Map => 3,
        };
        let in_entries = before.in_map_entry && after.in_map_entry;
        if !in_entries && group(before.presence) != group(after.presence) {
            let code = if self.json {
                "field-wire-json-compatible-cardinality"
            } else {
                "field-wire-compatible-cardinality"
            };
            let (from, to) = (before.presence, after.presence);
            let reason = changed("the field", &presence(from), &presence(to));
            self.add(code, &file, &path, reason);
        }
    }

    fn same_type(&self, before: &Element, after: &Element) -> bool {
        let group = |element: &Element| group(&element.kind, element.is_group, self.json);
        if group(before) != group(after) {
            let to_bytes = matches!((&before.kind, &after.kind), (Kind::String, Kind::Bytes));
            return to_bytes && !self.json;
        }
        if before.type_name() == after.type_name() {
            return true;
        }
        match (&before.kind, &after.kind) {
            (Kind::Enum(old), Kind::Enum(new)) => {
                let new_values = by_number(new);
                old.name() == new.name()
                    && by_number(old).iter().all(|(number, names)| {
                        new_values
                            .get(number)
                            .is_some_and(|known| names.is_subset(known))
                    })
            }
            _ => false,
        }
    }

    fn extensions(&mut self, previous: &Protobuf, new: &Protobuf) {
        let all = |schema: &Protobuf| {
            let files: BTreeSet<String> = schema.files().map(|f| f.name().to_owned()).collect();
            let mut found = BTreeMap::new();
            for extension in schema.pool().all_extensions() {
                if files.contains(extension.parent_file().name()) {
                    let of = extension.containing_message().full_name().to_owned();
                    found.insert((of, extension.number()), Element::of_extension(&extension));
                }
            }
            found
        };
        let after = all(new);
        for (key, before) in all(previous) {
            if let Some(after) = after.get(&key) {
                self.field(&before, after);
            }
        }
    }

    fn files(&mut self, previous: &Protobuf, new: &Protobuf) {
        for (before, after) in same_files(previous, new) {
            if before.package_name() != after.package_name() {
                let reason = format!(
                    "the package was `{}`, and is `{}`",
                    before.package_name(),
                    after.package_name()
                );
                self.add("file-same-package", after.name(), after.name(), reason);
            }
        }
        let services: Vec<_> = new
            .files()
            .flat_map(|f| f.services().collect::<Vec<_>>())
            .collect();
        for before in previous
            .files()
            .flat_map(|f| f.services().collect::<Vec<_>>())
        {
            let Some(after) = services
                .iter()
                .find(|s| s.full_name() == before.full_name())
            else {
                continue;
            };
            for method in before.methods() {
                if let Some(new) = after.methods().find(|new| new.name() == method.name()) {
                    self.method(&method, &new);
                }
            }
        }
    }

    fn method(
        &mut self,
        before: &prost_reflect::MethodDescriptor,
        after: &prost_reflect::MethodDescriptor,
    ) {
        let file = after.parent_file().name().to_owned();
        let level = |method: &prost_reflect::MethodDescriptor| {
            let options = method.method_descriptor_proto().options.clone();
            options.map_or(0, |options| options.idempotency_level.unwrap_or_default())
        };
        let input =
            |method: &prost_reflect::MethodDescriptor| method.input().full_name().to_owned();
        let output =
            |method: &prost_reflect::MethodDescriptor| method.output().full_name().to_owned();
        let rules = [
            (
                "rpc-same-request-type",
                input(before) == input(after),
                "the request",
            ),
            (
                "rpc-same-response-type",
                output(before) == output(after),
                "the response",
            ),
            (
                "rpc-same-client-streaming",
                before.is_client_streaming() == after.is_client_streaming(),
                "streaming by the client",
            ),
            (
                "rpc-same-server-streaming",
                before.is_server_streaming() == after.is_server_streaming(),
                "streaming by the server",
            ),
            (
                "rpc-same-idempotency-level",
                level(before) == level(after),
                "the idempotency level",
            ),
        ];
        for (code, same, what) in rules {
            if !same {
                self.add(code, &file, after.full_name(), format!("{what} changed"));
            }
        }
    }
}

fn presence(presence: Presence) -> String {
    match presence {
        Presence::Explicit | Presence::Implicit => "optional",
        Presence::Required => "required",
        Presence::Repeated => "repeated",
        Presence::Map => "a map",
    }
    .to_owned()
}

/// The names of an enum by their numbers.
fn by_number(of: &EnumDescriptor) -> BTreeMap<i32, BTreeSet<String>> {
    let mut found: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
    for value in of.values() {
        found
            .entry(value.number())
            .or_default()
            .insert(value.name().to_owned());
    }
    found
}

/// Whether ranges cover everything from `first` to `last`.
fn covers(ranges: &[(i64, i64)], first: i64, last: i64) -> bool {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable();
    let mut next = first;
    for (start, end) in ranges {
        if start > next {
            break;
        }
        next = next.max(end + 1);
    }
    next > last
}

/// Kinds of one group may take each other's place.
fn group(kind: &Kind, is_group: bool, json: bool) -> u8 {
    match kind {
        Kind::Int32 | Kind::Uint32 => 1,
        Kind::Int64 | Kind::Uint64 if json => 2,
        Kind::Bool if json => 3,
        Kind::Int64 | Kind::Uint64 | Kind::Bool => 1,
        Kind::Sint32 => 4,
        Kind::Sint64 if json => 5,
        Kind::Sint64 => 4,
        Kind::String => 6,
        Kind::Bytes => 7,
        Kind::Fixed32 | Kind::Sfixed32 => 8,
        Kind::Fixed64 | Kind::Sfixed64 => 9,
        Kind::Double => 10,
        Kind::Float => 11,
        Kind::Message(_) if is_group => 12,
        Kind::Message(_) => 13,
        Kind::Enum(_) => 14,
    }
}
