//! Messages to try: values at the borders of their kinds, wrapped in what leads to them.

use prost::bytes::Bytes;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use super::kinds::{Shape, numbers, shape};

/// Deepest nesting of a message that is made.
const DEPTH_MAX: usize = 60;
/// Most values of an enum that are tried.
const ENUM_VALUES_MAX: usize = 200;

/// Sets what a message must have, as little as there can be; `None` when that has no end.
pub(super) fn complete(message: MessageDescriptor) -> Option<DynamicMessage> {
    let mut budget = 1_000;
    fill(DynamicMessage::new(message), DEPTH_MAX, &mut budget)
}

fn fill(mut message: DynamicMessage, depth: usize, budget: &mut usize) -> Option<DynamicMessage> {
    *budget = budget.checked_sub(1)?;
    for field in message.descriptor().fields() {
        if !field.is_required() || message.has_field(&field) {
            continue;
        }
        let value = match field.kind() {
            Kind::Message(inner) => {
                let inner = fill(DynamicMessage::new(inner), depth.checked_sub(1)?, budget)?;
                Value::Message(inner)
            }
            _ => field.default_value(),
        };
        message.set_field(&field, value);
    }
    Some(message)
}

/// Values of a kind that other kinds take for something else.
fn values(kind: &Kind) -> Vec<Value> {
    let bytes = |bytes: &'static [u8]| Value::Bytes(Bytes::from_static(bytes));
    match kind {
        Kind::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            [2, -1, 1, 200, i32::MAX, i32::MIN, 1_000_000]
                .map(Value::I32)
                .to_vec()
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            [1 << 32, 2, -1, 1, 200, i64::MAX, i64::MIN, (1 << 32) + 1]
                .map(Value::I64)
                .to_vec()
        }
        Kind::Uint32 | Kind::Fixed32 => [2, u32::MAX, 1, 200].map(Value::U32).to_vec(),
        Kind::Uint64 | Kind::Fixed64 => [1 << 32, 2, u64::MAX, 1, 200, (1 << 32) + 1]
            .map(Value::U64)
            .to_vec(),
        Kind::Float => [1.5, -1.0].map(Value::F32).to_vec(),
        Kind::Double => [1.5, -1.0].map(Value::F64).to_vec(),
        Kind::String => ["text", "\u{1}", "é", "\u{8}\u{1}"]
            .map(|text| Value::String(text.to_owned()))
            .to_vec(),
        Kind::Bytes => vec![bytes(&[0xff]), bytes(b"text"), bytes(&[8, 1]), bytes(&[0])],
        Kind::Enum(of) => {
            let numbers = numbers(of).into_iter().take(ENUM_VALUES_MAX);
            numbers.map(Value::EnumNumber).collect()
        }
        Kind::Message(inner) => messages(inner),
    }
}

/// The message as little as can be, and with one field set, each in turn.
fn messages(inner: &MessageDescriptor) -> Vec<Value> {
    let Some(least) = complete(inner.clone()) else {
        return Vec::new();
    };
    let mut made = vec![Value::Message(least.clone())];
    for field in inner.fields().take(16) {
        if shape(&field) != Shape::One || field.kind().as_message().is_some() {
            continue;
        }
        for value in values(&field.kind()).into_iter().take(5) {
            let mut message = least.clone();
            message.set_field(&field, value);
            made.push(Value::Message(message));
        }
    }
    made
}

/// Messages of the field's own message with the field set in many ways.
pub(super) fn samples(field: &FieldDescriptor) -> Vec<DynamicMessage> {
    let Some(least) = complete(field.parent_message().clone()) else {
        return Vec::new();
    };
    let with = |value: Value| {
        let mut message = least.clone();
        // What does not fit is a fault of the samples, and makes one less.
        message.try_set_field(field, value).ok().map(|()| message)
    };
    let mut made = Vec::new();
    match (shape(field), field.kind()) {
        (Shape::One, kind) => {
            made.extend(values(&kind).into_iter().filter_map(with));
            // Nothing at all, for defaults.
            made.push(least.clone());
        }
        (Shape::Many, kind) => {
            let all = values(&kind);
            let singles = all.iter().map(|value| Value::List(vec![value.clone()]));
            made.extend(singles.filter_map(&with));
            let two = Value::List(all.iter().take(2).cloned().collect());
            made.extend(with(two));
            if let Some(first) = all.first() {
                made.extend(with(Value::List(vec![first.clone(), first.clone()])));
            }
        }
        (Shape::Map, Kind::Message(entry)) => {
            let keys = values(&entry.map_entry_key_field().kind());
            let inner = values(&entry.map_entry_value_field().kind());
            let first = MapKey::default_value(&entry.map_entry_key_field().kind());
            for value in inner {
                let map = [(first.clone(), value)].into_iter().collect();
                made.extend(with(Value::Map(map)));
            }
            let kind = entry.map_entry_value_field().kind();
            let least = values(&kind).into_iter().next();
            for key in keys.into_iter().filter_map(Value::into_map_key) {
                let Some(value) = least.clone() else { continue };
                made.extend(with(Value::Map([(key, value)].into_iter().collect())));
            }
        }
        (Shape::Map, _) => {}
    }
    made
}

/// One value of a field that is not what stands for nothing.
pub(super) fn something(field: &FieldDescriptor) -> Option<Value> {
    values(&field.kind())
        .into_iter()
        .find(|value| field.kind().as_message().is_some() || !value.is_default(&field.kind()))
}

/// The message inside of those that lead to it, the outermost first.
pub(super) fn wrap(steps: &[FieldDescriptor], message: DynamicMessage) -> Option<DynamicMessage> {
    if steps.len() > DEPTH_MAX {
        return None;
    }
    let mut inner = message;
    for field in steps.iter().rev() {
        let value = match (shape(field), field.kind()) {
            (Shape::One, _) => Value::Message(inner),
            (Shape::Many, _) => Value::List(vec![Value::Message(inner)]),
            // The entry itself.
            (Shape::Map, Kind::Message(entry)) if inner.descriptor() == entry => {
                let key = inner.get_field(&entry.map_entry_key_field()).into_owned();
                let value = inner.get_field(&entry.map_entry_value_field()).into_owned();
                Value::Map([(key.into_map_key()?, value)].into_iter().collect())
            }
            (Shape::Map, Kind::Message(entry)) => {
                let key = MapKey::default_value(&entry.map_entry_key_field().kind());
                Value::Map([(key, Value::Message(inner))].into_iter().collect())
            }
            (Shape::Map, _) => return None,
        };
        let mut outer = DynamicMessage::new(field.parent_message().clone());
        outer.try_set_field(field, value).ok()?;
        inner = fill(outer, DEPTH_MAX, &mut 1_000)?;
    }
    Some(inner)
}
