//! The JSON encoding: records as objects, a union as `null` or `{"branch": value}`, bytes as text
//! of one character a byte.

use serde_json::{Map, Number, Value};
use tidegate_base::limit::VIOLATIONS_MAX;

use super::decode::misfit;
use super::{Avro, DATUM_DEPTH_MAX, Datum, Kind, NodeId};
use crate::keyword::escape;
use crate::violation::{Violation, short};

impl Avro {
    /// The datum that `value` encodes.
    ///
    /// # Errors
    ///
    /// What does not fit, at most [`VIOLATIONS_MAX`].
    pub fn from_json(&self, value: &Value) -> Result<Datum, Vec<Violation>> {
        let mut reading = Reading {
            avro: self,
            path: Vec::new(),
            schema_path: Vec::new(),
            violations: Vec::new(),
            is_default: false,
            filled: 0,
        };
        let datum = reading.read(self.root, value);
        match datum {
            Some(datum) if reading.violations.is_empty() => Ok(datum),
            _ => Err(reading.violations),
        }
    }

    /// The datum that a default stands for: a union is written without its branch there, and the
    /// first branch that fits is taken.
    ///
    /// # Errors
    ///
    /// The first [`Violation`].
    pub fn default_datum(&self, id: NodeId, value: &Value) -> Result<Datum, Violation> {
        let mut reading = Reading {
            avro: self,
            path: Vec::new(),
            schema_path: Vec::new(),
            violations: Vec::new(),
            is_default: true,
            filled: 0,
        };
        let datum = reading.read(id, value);
        match (datum, reading.violations.into_iter().next()) {
            (Some(datum), None) => Ok(datum),
            (_, Some(violation)) => Err(violation),
            (None, None) => Err(Violation::too_deep()),
        }
    }

    /// A datum of the root type in the JSON encoding; `null` where it is not of its type.
    #[must_use]
    pub fn to_json(&self, datum: &Datum) -> Value {
        self.show(self.root, datum)
    }

    fn show(&self, id: NodeId, datum: &Datum) -> Value {
        match (&self.node(id).kind, datum) {
            (_, Datum::Boolean(flag)) => Value::Bool(*flag),
            (_, Datum::Int(number)) => Value::from(*number),
            (_, Datum::Long(number)) => Value::from(*number),
            (_, Datum::Float(number)) => float(f64::from(*number)),
            (_, Datum::Double(number)) => float(*number),
            (_, Datum::Bytes(bytes) | Datum::Fixed(bytes)) => {
                Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
            }
            (_, Datum::String(text)) => Value::String(text.clone()),
            (Kind::Array(items), Datum::Array(list)) => {
                list.iter().map(|item| self.show(*items, item)).collect()
            }
            (Kind::Map(values), Datum::Map(entries)) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, value)| (key.clone(), self.show(*values, value)));
                Value::Object(entries.collect())
            }
            (Kind::Union(branches), Datum::Union(index, value)) => match branches.get(*index) {
                Some(branch) if self.node(*branch).kind != Kind::Null => {
                    let shown = self.show(*branch, value);
                    Value::Object(Map::from_iter([(self.name(*branch), shown)]))
                }
                _ => Value::Null,
            },
            (Kind::Record { fields, .. }, Datum::Record(values)) => {
                let fields = fields.iter().zip(values);
                let fields =
                    fields.map(|(field, value)| (field.name.clone(), self.show(field.node, value)));
                Value::Object(fields.collect())
            }
            (Kind::Enum { symbols, .. }, Datum::Enum(index)) => symbols
                .get(*index)
                .map_or(Value::Null, |s| Value::String(s.clone())),
            _ => Value::Null,
        }
    }
}

/// JSON has no word for what is not a number; the libraries write text.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(
        || {
            let word = if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            Value::String(word.to_owned())
        },
        Value::Number,
    )
}

struct Reading<'a> {
    avro: &'a Avro,
    path: Vec<String>,
    schema_path: Vec<NodeId>,
    violations: Vec<Violation>,
    is_default: bool,
    /// How many fields a default has had filled by defaults.
    filled: usize,
}

/// Most fields that one default leaves to other defaults: two that fill each other have no end.
const FILLED_MAX: usize = 100;

impl Reading<'_> {
    fn wrong<T>(&mut self, message: impl Into<String>) -> Option<T> {
        if self.violations.len() < VIOLATIONS_MAX {
            let path: String = self.path.iter().map(|part| format!("/{part}")).collect();
            let at = self.schema_path.last();
            let schema_path = at.map(|id| self.avro.node(*id).pointer.clone());
            self.violations.push(Violation {
                path: short(&path),
                schema_path: short(&schema_path.unwrap_or_default()),
                message: short(&message.into()),
            });
        }
        None
    }

    fn read(&mut self, id: NodeId, value: &Value) -> Option<Datum> {
        if self.schema_path.len() > DATUM_DEPTH_MAX {
            return self.wrong(format!("the nesting is deeper than {DATUM_DEPTH_MAX}"));
        }
        self.schema_path.push(id);
        let node = self.avro.node(id);
        let datum = self.kind(&node.kind, value);
        let misfit = datum
            .as_ref()
            .and_then(|datum| misfit(node.logical.as_ref(), datum));
        // A default is the value of the type below: what the logical type asks is not checked by
        // any library.
        let datum = match misfit.filter(|_| !self.is_default) {
            Some(message) => self.wrong(message),
            None => datum,
        };
        self.schema_path.pop();
        datum
    }

    fn below(&mut self, part: String, id: NodeId, value: &Value) -> Option<Datum> {
        self.path.push(part);
        let datum = self.read(id, value);
        self.path.pop();
        datum
    }

    fn kind(&mut self, kind: &Kind, value: &Value) -> Option<Datum> {
        let expected =
            |this: &mut Self| this.wrong(format!("the value is not of type \"{}\"", kind.word()));
        match (kind, value) {
            (Kind::Null, Value::Null) => Some(Datum::Null),
            (Kind::Boolean, Value::Bool(flag)) => Some(Datum::Boolean(*flag)),
            (Kind::Int | Kind::Long, Value::Number(number)) => match number.as_i64() {
                Some(number) => match (kind, i32::try_from(number)) {
                    (Kind::Int, Ok(number)) => Some(Datum::Int(number)),
                    (Kind::Int, Err(_)) => self.wrong("the number is not of 32 bits"),
                    _ => Some(Datum::Long(number)),
                },
                None => self.wrong("the value is not a whole number of 64 bits"),
            },
            (Kind::Float | Kind::Double, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                Some(real(kind, number))
            }
            (Kind::Float | Kind::Double, Value::String(word)) => {
                let number = match word.as_str() {
                    "NaN" => f64::NAN,
                    "Infinity" | "INF" => f64::INFINITY,
                    "-Infinity" | "-INF" => f64::NEG_INFINITY,
                    _ => return expected(self),
                };
                Some(real(kind, number))
            }
            (Kind::Bytes, Value::String(text)) => self.bytes(text).map(Datum::Bytes),
            (Kind::String, Value::String(text)) => Some(Datum::String(text.clone())),
            (Kind::Array(items), Value::Array(list)) => {
                let items = list
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.below(index.to_string(), *items, item));
                let items: Vec<Option<Datum>> = items.collect();
                items.into_iter().collect::<Option<_>>().map(Datum::Array)
            }
            (Kind::Map(values), Value::Object(entries)) => {
                let entries = entries.iter().map(|(key, value)| {
                    let value = self.below(escape(key), *values, value);
                    value.map(|value| (key.clone(), value))
                });
                let entries: Vec<Option<(String, Datum)>> = entries.collect();
                entries.into_iter().collect::<Option<_>>().map(Datum::Map)
            }
            (Kind::Union(branches), value) => self.union(branches, value),
            (Kind::Record { fields, .. }, Value::Object(object)) => self.record(fields, object),
            (Kind::Enum { symbols, .. }, Value::String(symbol)) => {
                match symbols.iter().position(|known| known == symbol) {
                    Some(index) => Some(Datum::Enum(index)),
                    None => self.wrong("the value is not a symbol of the enum"),
                }
            }
            (Kind::Fixed { size, .. }, Value::String(text)) => {
                let bytes = self.bytes(text)?;
                if bytes.len() == *size {
                    Some(Datum::Fixed(bytes))
                } else {
                    self.wrong(format!("the value is not {size} bytes"))
                }
            }
            _ => expected(self),
        }
    }

    fn bytes(&mut self, text: &str) -> Option<Vec<u8>> {
        let bytes: Option<Vec<u8>> = text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).ok())
            .collect();
        bytes.or_else(|| {
            self.wrong("bytes are text of the characters U+0000 to U+00FF, one for each byte")
        })
    }

    fn record(&mut self, fields: &[super::Field], object: &Map<String, Value>) -> Option<Datum> {
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let value = match (object.get(&field.name), &field.default) {
                (Some(value), _) => self.below(escape(&field.name), field.node, value),
                // A default inside of a default fills what is left out.
                (None, Some(default)) if self.is_default && self.filled < FILLED_MAX => {
                    self.filled += 1;
                    self.below(escape(&field.name), field.node, default)
                }
                _ => self.wrong(format!("the field `{}` is missing", field.name)),
            };
            values.push(value);
        }
        for name in object.keys() {
            if !fields.iter().any(|field| &field.name == name) {
                values.push(self.wrong(format!("the record has no field `{}`", short(name))));
            }
        }
        values.into_iter().collect::<Option<_>>().map(Datum::Record)
    }

    fn union(&mut self, branches: &[NodeId], value: &Value) -> Option<Datum> {
        if self.is_default {
            return self.default_of_union(branches, value);
        }
        let tagged = match value {
            Value::Null => Some(("null", value)),
            Value::Object(object) if object.len() == 1 => object
                .iter()
                .next()
                .map(|(name, value)| (name.as_str(), value)),
            _ => None,
        };
        let found = tagged.and_then(|(tag, value)| {
            let mut all = branches.iter().enumerate();
            all.find(|(_, branch)| self.avro.name(**branch) == tag)
                .map(|(index, branch)| (index, *branch, tag, value))
        });
        let Some((index, branch, tag, value)) = found else {
            let names: Vec<String> = branches.iter().map(|id| self.avro.name(*id)).collect();
            let names = names.join(", ");
            return self.wrong(format!(
                "a union is written null or {{\"branch\": value}}; the branches are {names}"
            ));
        };
        let part = escape(tag);
        let datum = if tag == "null" {
            self.read(branch, value)
        } else {
            self.below(part, branch, value)
        };
        datum.map(|datum| Datum::Union(index, Box::new(datum)))
    }

    fn default_of_union(&mut self, branches: &[NodeId], value: &Value) -> Option<Datum> {
        let before = self.violations.len();
        for (index, branch) in branches.iter().enumerate() {
            if let Some(datum) = self.read(*branch, value) {
                self.violations.truncate(before);
                return Some(Datum::Union(index, Box::new(datum)));
            }
        }
        self.violations.truncate(before);
        self.wrong("the default fits no branch of the union")
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest number of single precision is what is meant"
)]
fn real(kind: &Kind, number: f64) -> Datum {
    if *kind == Kind::Float {
        Datum::Float(number as f32)
    } else {
        Datum::Double(number)
    }
}
