//! Whether two readings of the same bytes say the same.
//!
//! It is asked about every message that is shown as one that breaks, so it compares values and
//! knows nothing of the rules by which definitions are compared.

use prost::Message;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use tidegate_schema::protobuf::missing;

use super::kinds::{Shape, is_closed, numbers, shape};

/// What a reader makes of a message that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: a JSON pointer into the written message; empty when it is refused as a whole.
    pub path: String,
    /// What the reader says, or reads.
    pub text: String,
}

/// What a reader of `reader` makes of `written`, where it is not what was written; empty when every
/// field that it knows has the same value. What it does not know it drops, which is no difference
/// unless it has the name under another number.
#[must_use]
pub fn difference(written: &DynamicMessage, reader: &MessageDescriptor) -> Vec<Difference> {
    let bytes = written.encode_to_vec();
    let read = match DynamicMessage::decode(reader.clone(), bytes.as_slice()) {
        Ok(read) => read,
        Err(error) => {
            return vec![Difference {
                path: String::new(),
                text: format!("{error}; other readers drop the value"),
            }];
        }
    };
    let absent = missing(&read).into_iter().map(|violation| Difference {
        path: violation.path,
        text: violation.message,
    });
    let mut found: Vec<Difference> = absent.collect();
    let mut comparing = Comparing {
        path: String::new(),
        found: Vec::new(),
    };
    // What the writer itself reads: the library sends -0 where there is no presence as nothing.
    let sent = DynamicMessage::decode(written.descriptor(), bytes.as_slice());
    comparing.messages(sent.as_ref().unwrap_or(written), &read);
    found.extend(comparing.found);
    found
}

struct Comparing {
    path: String,
    found: Vec<Difference>,
}

impl Comparing {
    fn differ(&mut self, written: &str, read: &str) {
        self.found.push(Difference {
            path: self.path.clone(),
            text: format!("written {written}, read {read}"),
        });
    }

    fn below(&mut self, part: &str, compare: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        self.path
            .push_str(&part.replace('~', "~0").replace('/', "~1"));
        compare(self);
        self.path.truncate(length);
    }

    fn messages(&mut self, written: &DynamicMessage, read: &DynamicMessage) {
        for from in written.descriptor().fields() {
            let name = from.json_name().to_owned();
            let Some(to) = read.descriptor().get_field(from.number()) else {
                let moved = read.descriptor().get_field_by_name(from.name());
                if let Some(moved) = moved.filter(|_| written.has_field(&from)) {
                    let text = format!("nothing, for it looks for the number {}", moved.number());
                    self.below(&name, |this| {
                        this.differ(&seen(&written.get_field(&from)), &text)
                    });
                }
                continue;
            };
            self.below(&name, |this| this.field((written, &from), (read, &to)));
        }
    }

    fn field(
        &mut self,
        (written, from): (&DynamicMessage, &FieldDescriptor),
        (read, to): (&DynamicMessage, &FieldDescriptor),
    ) {
        let (before, after) = (written.get_field(from), read.get_field(to));
        match (shape(from), shape(to)) {
            (Shape::One, Shape::One) => {
                // An empty message is no bytes, and bytes need not tell whether they were sent.
                let is_message = from.kind().as_message().is_some()
                    && !(to.kind().as_message().is_none() && is_nothing(&before));
                if is_message && written.has_field(from) != read.has_field(to) {
                    return self.differ(&seen(&before), "nothing");
                }
                if !is_message || written.has_field(from) {
                    self.values(&before, &after, &to.kind());
                }
            }
            (Shape::One, Shape::Many) => {
                let has = written.has_field(from);
                match after.as_list().unwrap_or_default() {
                    [] if !has => {}
                    [only] if has => self.values(&before, only, &to.kind()),
                    _ => self.differ(&seen(&before), &seen(&after)),
                }
            }
            (Shape::Many, Shape::One) => match before.as_list().unwrap_or_default() {
                [] if !read.has_field(to) => {}
                [only] => self.values(only, &after, &to.kind()),
                _ => self.differ(&seen(&before), &seen(&after)),
            },
            (Shape::Many, Shape::Many) => self.lists(&before, &after, &to.kind()),
            (Shape::Map, Shape::Map) => self.maps(&before, &after, to),
            _ => self.entries((&before, &after), &to.kind()),
        }
    }

    fn lists(&mut self, before: &Value, after: &Value, to: &Kind) {
        let (before_list, after_list) = (
            before.as_list().unwrap_or_default(),
            after.as_list().unwrap_or_default(),
        );
        if before_list.len() != after_list.len() {
            return self.differ(&seen(before), &seen(after));
        }
        for (index, (before, after)) in before_list.iter().zip(after_list).enumerate() {
            self.below(&index.to_string(), |this| this.values(before, after, to));
        }
    }

    fn maps(&mut self, before: &Value, after: &Value, to: &FieldDescriptor) {
        let (Some(written), Some(read)) = (before.as_map(), after.as_map()) else {
            return;
        };
        let Some(kind) = to
            .kind()
            .as_message()
            .map(|entry| entry.map_entry_value_field().kind())
        else {
            return;
        };
        if written.len() != read.len() {
            return self.differ(&seen(before), &seen(after));
        }
        let mut keys: Vec<&MapKey> = written.keys().collect();
        keys.sort_by_key(|key| format!("{key:?}"));
        for key in keys {
            let same = |other: &&MapKey| number(&key_value(other)) == number(&key_value(key));
            let found = read.keys().find(|other| match (key, other) {
                (MapKey::String(a), MapKey::String(b)) => a == b,
                (MapKey::String(_), _) | (_, MapKey::String(_)) => false,
                _ => same(other),
            });
            let values = written.get(key).zip(found.and_then(|key| read.get(key)));
            match values {
                Some((before, after)) => {
                    self.below(&key_text(key), |this| this.values(before, after, &kind));
                }
                None => self.differ(&seen(before), &seen(after)),
            }
        }
    }

    /// A map on one side, and messages of the form of its entries on the other.
    fn entries(&mut self, (before, after): (&Value, &Value), to: &Kind) {
        let pairs = |value: &Value| -> Vec<(Value, Value)> {
            let of_message = |message: &DynamicMessage| {
                let part = |number| message.get_field_by_number(number).map(|v| v.into_owned());
                part(1).zip(part(2))
            };
            let mut pairs: Vec<(Value, Value)> = match value {
                Value::Map(entries) => {
                    let entries = entries.iter();
                    entries
                        .map(|(key, value)| (key_value(key), value.clone()))
                        .collect()
                }
                Value::List(items) => {
                    let messages = items.iter().filter_map(Value::as_message);
                    messages.filter_map(of_message).collect()
                }
                Value::Message(message) => of_message(message).into_iter().collect(),
                _ => Vec::new(),
            };
            pairs.sort_by_key(|(key, _)| seen(key));
            pairs
        };
        let (written, read) = (pairs(before), pairs(after));
        if written.len() != read.len() {
            return self.differ(&seen(before), &seen(after));
        }
        let part = |number| {
            let field = to.as_message().and_then(|entry| entry.get_field(number));
            field.map_or(Kind::Bytes, |field| field.kind())
        };
        for (index, (before, after)) in written.iter().zip(&read).enumerate() {
            self.below(&index.to_string(), |this| {
                this.below("key", |this| this.values(&before.0, &after.0, &part(1)));
                this.below("value", |this| this.values(&before.1, &after.1, &part(2)));
            });
        }
    }

    fn values(&mut self, before: &Value, after: &Value, to: &Kind) {
        match (before, after) {
            (Value::Message(written), Value::Message(read)) => self.messages(written, read),
            (Value::Message(written), Value::Bytes(read)) => {
                if !is_encoding(written, read) {
                    self.differ(&seen(before), &seen(after));
                }
            }
            (Value::Message(written), Value::String(read)) => {
                if !is_encoding(written, read.as_bytes()) {
                    self.differ(&seen(before), &seen(after));
                }
            }
            (Value::Bytes(_) | Value::String(_), Value::Message(read)) => {
                let same = match before {
                    Value::Bytes(bytes) => is_encoding(read, bytes),
                    Value::String(text) => is_encoding(read, text.as_bytes()),
                    _ => false,
                };
                if !same {
                    self.differ(&seen(before), &seen(after));
                }
            }
            _ if !same_scalar(before, after) => self.differ(&seen(before), &seen(after)),
            _ => self.closed(after, to),
        }
    }

    /// The library keeps a number that a closed enum does not declare; the specification drops it.
    fn closed(&mut self, read: &Value, to: &Kind) {
        if let (Value::EnumNumber(number), Kind::Enum(of)) = (read, to)
            && is_closed(of)
            && !numbers(of).contains(number)
        {
            let default = of.default_value().name().to_owned();
            let text = format!("{default}, for the enum is closed and has no {number}");
            self.differ(&number.to_string(), &text);
        }
    }
}

fn key_value(key: &MapKey) -> Value {
    match key {
        MapKey::Bool(flag) => Value::Bool(*flag),
        MapKey::I32(number) => Value::I32(*number),
        MapKey::I64(number) => Value::I64(*number),
        MapKey::U32(number) => Value::U32(*number),
        MapKey::U64(number) => Value::U64(*number),
        MapKey::String(text) => Value::String(text.clone()),
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::String(text) => text.clone(),
        other => seen(&key_value(other)),
    }
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a == b,
            // -0 is sent, and 0 is not.
            (Self::Real(a), Self::Real(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            (Self::Whole(a), Self::Real(b)) | (Self::Real(b), Self::Whole(a)) => {
                whole(*b) == Some(*a)
            }
        }
    }
}

/// The whole number that a real one is.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond 64 bits is not the whole number of any kind"
)]
fn whole(real: f64) -> Option<i128> {
    let fits = real.fract() == 0.0 && real.abs() < 1.9e19;
    // -0 is not what is left out.
    (fits && (real != 0.0 || real.is_sign_positive())).then_some(real as i128)
}

fn number(value: &Value) -> Option<Number> {
    Some(match value {
        Value::Bool(flag) => Number::Whole(i128::from(*flag)),
        Value::I32(number) | Value::EnumNumber(number) => Number::Whole(i128::from(*number)),
        Value::I64(number) => Number::Whole(i128::from(*number)),
        Value::U32(number) => Number::Whole(i128::from(*number)),
        Value::U64(number) => Number::Whole(i128::from(*number)),
        Value::F32(number) => Number::Real(f64::from(*number)),
        Value::F64(number) => Number::Real(*number),
        _ => return None,
    })
}

pub(super) fn same_scalar(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the same number is compared in the precision that both have"
        )]
        (Value::F32(a), Value::F64(b)) | (Value::F64(b), Value::F32(a)) => {
            a.to_bits() == (*b as f32).to_bits() || (a.is_nan() && b.is_nan())
        }
        (Value::String(a), Value::Bytes(b)) | (Value::Bytes(b), Value::String(a)) => {
            a.as_bytes() == b.as_ref()
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            // What is not sent is empty on both sides.
            _ => is_nothing(a) && is_nothing(b),
        },
    }
}

/// Whether bytes are a message. Entries of maps come in any order, another one each time: then the same bytes stand
/// in another order.
fn is_encoding(message: &DynamicMessage, bytes: &[u8]) -> bool {
    let mut encoded = message.encode_to_vec();
    if encoded == bytes {
        return true;
    }
    let mut bytes = bytes.to_vec();
    encoded.sort_unstable();
    bytes.sort_unstable();
    encoded == bytes
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Message(message) => message.encode_to_vec().is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        other => number(other) == Some(Number::Whole(0)),
    }
}

/// A value for the eye, cut.
fn seen(value: &Value) -> String {
    const CHARS_MAX: usize = 60;
    let text = match value {
        Value::Bool(flag) => flag.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Bytes(bytes) => {
            let hex: Vec<String> = bytes.iter().take(24).map(|b| format!("{b:02x}")).collect();
            format!("bytes {}", hex.join(" "))
        }
        Value::Message(message) => {
            serde_json::to_string(message).unwrap_or_else(|_| "a message".to_owned())
        }
        Value::List(items) => {
            let items: Vec<String> = items.iter().take(8).map(seen).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let mut entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", key_text(key), seen(value)))
                .collect();
            entries.sort();
            entries.truncate(8);
            format!("{{{}}}", entries.join(", "))
        }
        Value::F32(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        other => match number(other) {
            Some(Number::Whole(number)) => number.to_string(),
            _ => String::new(),
        },
    };
    if text.chars().count() > CHARS_MAX {
        let short: String = text.chars().take(CHARS_MAX).collect();
        return format!("{short}…");
    }
    text
}
