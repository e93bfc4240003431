//! Random Protobuf definitions, changes of them, and messages.

use std::fmt::Write;

use prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, Value};

use super::Chance;

const SCALARS: [&str; 15] = [
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "bool", "fixed32", "fixed64",
    "sfixed32", "sfixed64", "float", "double", "string", "bytes",
];

#[derive(Clone, Debug)]
struct Field {
    number: usize,
    name: String,
    kind: String,
    label: &'static str,
    default: Option<u8>,
    oneof: Option<usize>,
}

/// One file: messages `M0` to `M2`, enums `E0` and `E1`.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    proto2: bool,
    messages: Vec<Vec<Field>>,
    enums: Vec<Vec<i32>>,
}

impl Model {
    pub(crate) fn random(chance: &mut Chance) -> Self {
        let proto2 = chance.one_in(2);
        let enums = (0..2).map(|_| (0..1 + i32::try_from(chance.below(3)).unwrap()).collect());
        let enums = enums.collect();
        let mut made = Self {
            proto2,
            messages: Vec::new(),
            enums,
        };
        for _ in 0..3 {
            let count = chance.below(5);
            let fields = (1..=count)
                .map(|number| made.field(chance, number))
                .collect();
            made.messages.push(fields);
        }
        made
    }

    fn kind(chance: &mut Chance) -> String {
        match chance.below(5) {
            0 => format!("M{}", chance.below(3)),
            1 => format!("E{}", chance.below(2)),
            _ => SCALARS[chance.below(SCALARS.len())].to_owned(),
        }
    }

    fn field(&self, chance: &mut Chance, number: usize) -> Field {
        let kind = if chance.one_in(8) {
            let key = ["int32", "string", "bool", "uint64"][chance.below(4)];
            format!("map<{key}, {}>", Self::kind(chance))
        } else {
            Self::kind(chance)
        };
        let label = self.label(chance, &kind);
        Field {
            number,
            name: format!("f{number}"),
            default: chance
                .one_in(4)
                .then(|| u8::try_from(chance.below(3)).unwrap()),
            oneof: (chance.one_in(4)).then(|| chance.below(2)),
            label,
            kind,
        }
    }

    fn label(&self, chance: &mut Chance, kind: &str) -> &'static str {
        match chance.below(6) {
            _ if kind.starts_with("map") => "",
            0 | 1 => "repeated",
            2 if self.proto2 && !kind.starts_with('M') => "required",
            3 if !self.proto2 => "",
            _ => "optional",
        }
    }

    pub(crate) fn change(&self, chance: &mut Chance) -> Self {
        let mut changed = self.clone();
        for _ in 0..=chance.below(2) {
            changed.edit(chance);
        }
        changed
    }

    fn edit(&mut self, chance: &mut Chance) {
        if chance.one_in(8) {
            let at = chance.below(self.enums.len());
            if chance.one_in(2) && self.enums[at].len() > 1 {
                self.enums[at].pop();
            } else {
                let next = self.enums[at].last().map_or(0, |last| last + 1);
                self.enums[at].push(next);
            }
            return;
        }
        if chance.one_in(12) {
            self.proto2 = !self.proto2;
            return;
        }
        let of = chance.below(3);
        let count = self.messages[of].len();
        if count == 0 || chance.one_in(6) {
            let number = self.messages[of]
                .iter()
                .map(|f| f.number)
                .max()
                .unwrap_or(0)
                + 1;
            let field = self.field(chance, number);
            self.messages[of].push(field);
            return;
        }
        let at = chance.below(count);
        let number = self.messages[of][at].number;
        let fresh = self.field(chance, number);
        let field = &mut self.messages[of][at];
        match chance.below(8) {
            0 | 1 => {
                field.kind = fresh.kind;
                field.label = fresh.label;
            }
            2 => {
                field.label = if field.kind.starts_with("map") {
                    ""
                } else {
                    fresh.label
                }
            }
            3 => {
                let oneof = Some(chance.below(2));
                field.oneof = oneof;
                // A second one, so that two that were apart may come together.
                let other = (at + 1) % count;
                self.messages[of][other].oneof = oneof;
            }
            4 => field.name = format!("r{number}"),
            5 => field.number = 50 + number,
            6 => field.default = fresh.default,
            _ => {
                self.messages[of].remove(at);
            }
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("syntax = \"proto{}\";\n", if self.proto2 { 2 } else { 3 });
        for (index, values) in self.enums.iter().enumerate() {
            writeln!(text, "enum E{index} {{").unwrap();
            for value in values {
                writeln!(text, "  E{index}_{value} = {value};").unwrap();
            }
            text.push_str("}\n");
        }
        for (index, fields) in self.messages.iter().enumerate() {
            writeln!(text, "message M{index} {{").unwrap();
            let in_oneof = |field: &Field, oneof: usize| {
                field.oneof == Some(oneof)
                    && field.label != "repeated"
                    && field.label != "required"
                    && !field.kind.starts_with("map")
            };
            for field in fields {
                if !in_oneof(field, 0) && !in_oneof(field, 1) {
                    self.one(&mut text, field, field.label);
                }
            }
            for oneof in 0..2 {
                if fields.iter().any(|field| in_oneof(field, oneof)) {
                    writeln!(text, "  oneof o{oneof} {{").unwrap();
                    for field in fields.iter().filter(|field| in_oneof(field, oneof)) {
                        self.one(&mut text, field, "");
                    }
                    text.push_str("  }\n");
                }
            }
            text.push_str("}\n");
        }
        text
    }

    fn one(&self, text: &mut String, field: &Field, label: &str) {
        let map = field.kind.starts_with("map");
        let label = match (label, self.proto2) {
            ("required", false) => "",
            // Within a oneof there is no label.
            ("", true) if !map && field.oneof.is_none() => "optional",
            (label, _) => label,
        };
        let plain = !map && label != "repeated" && self.proto2;
        let default = match (field.default, field.kind.as_str()) {
            (Some(number), "string" | "bytes") if plain => format!(" [default = \"d{number}\"]"),
            (Some(number), "bool") if plain => format!(" [default = {}]", number > 0),
            (Some(number), kind) if plain && SCALARS.contains(&kind) => {
                format!(" [default = {number}]")
            }
            _ => String::new(),
        };
        let (name, number, kind) = (&field.name, field.number, &field.kind);
        writeln!(text, "  {label} {kind} {name} = {number}{default};").unwrap();
    }
}

/// A random message; required fields are set, and what is nested too deep is left out.
pub(crate) fn message(chance: &mut Chance, of: &MessageDescriptor, depth: usize) -> DynamicMessage {
    let mut made = DynamicMessage::new(of.clone());
    for field in of.fields() {
        if !field.is_required() && chance.one_in(3) {
            continue;
        }
        let kind = field.kind();
        if depth == 0 && kind.as_message().is_some() {
            continue;
        }
        let value = if field.is_map() {
            let entry = kind.as_message().unwrap();
            let (key, inner) = (
                entry.map_entry_key_field().kind(),
                entry.map_entry_value_field().kind(),
            );
            let entries = (0..chance.below(3)).filter_map(|_| {
                let key: MapKey = value(chance, &key, depth)?.into_map_key()?;
                Some((key, value(chance, &inner, depth)?))
            });
            Some(Value::Map(entries.collect()))
        } else if field.is_list() {
            let items = (0..chance.below(3)).filter_map(|_| value(chance, &kind, depth));
            Some(Value::List(items.collect()))
        } else {
            value(chance, &kind, depth)
        };
        value
            .into_iter()
            .for_each(|value| made.set_field(&field, value));
    }
    made
}

fn value(chance: &mut Chance, kind: &Kind, depth: usize) -> Option<Value> {
    Some(match kind {
        Kind::Bool => Value::Bool(chance.one_in(2)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            Value::I32([0, 1, -1, 300, i32::MAX, i32::MIN][chance.below(6)])
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            Value::I64([0, 1, -1, 1 << 33, i64::MAX, i64::MIN][chance.below(6)])
        }
        Kind::Uint32 | Kind::Fixed32 => Value::U32([0, 1, 300, u32::MAX][chance.below(4)]),
        Kind::Uint64 | Kind::Fixed64 => Value::U64([0, 1, 1 << 33, u64::MAX][chance.below(4)]),
        Kind::Float => Value::F32([0.0, 1.5, -0.0][chance.below(3)]),
        Kind::Double => Value::F64([0.0, 1.5, -0.0][chance.below(3)]),
        Kind::String => Value::String(["", "é", "a"][chance.below(3)].to_owned()),
        Kind::Bytes => Value::Bytes(Bytes::from_static(
            [&b""[..], &b"\xff"[..], &b"a"[..]][chance.below(3)],
        )),
        Kind::Enum(of) => {
            let values: Vec<i32> = of.values().map(|value| value.number()).collect();
            Value::EnumNumber(values[chance.below(values.len())])
        }
        Kind::Message(of) => Value::Message(message(chance, of, depth.checked_sub(1)?)),
    })
}
