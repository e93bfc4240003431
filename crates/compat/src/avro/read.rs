//! What a reader makes of a datum: resolution as the specification has it, value by value.
//!
//! It is asked about every event that is shown as one that breaks, so it does not share the rules
//! by which types are compared.

use serde_json::Value;
use tidegate_schema::avro::{Avro, Datum, Field, Kind, NodeId};

use super::name;

/// Why a value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The value: a JSON pointer into the datum's JSON encoding.
    pub path: String,
    /// What the reader misses.
    pub message: String,
}

/// Reads a datum of the writer's root type as one of the reader's.
///
/// # Errors
///
/// Every [`Refusal`] on the way.
pub fn read(writer: &Avro, reader: &Avro, datum: &Datum) -> Result<Datum, Vec<Refusal>> {
    let mut reading = Reading {
        writer,
        reader,
        path: Vec::new(),
        refusals: Vec::new(),
    };
    let read = reading.value(writer.root(), reader.root(), datum);
    match read {
        Some(read) if reading.refusals.is_empty() => Ok(read),
        _ => Err(reading.refusals),
    }
}

struct Reading<'a> {
    writer: &'a Avro,
    reader: &'a Avro,
    path: Vec<String>,
    refusals: Vec<Refusal>,
}

impl Reading<'_> {
    fn refuse(&mut self, message: String) -> Option<Datum> {
        let path = self.path.iter().map(|part| format!("/{part}")).collect();
        self.refusals.push(Refusal { path, message });
        None
    }

    fn below(&mut self, part: &str, w: NodeId, r: NodeId, datum: &Datum) -> Option<Datum> {
        self.path.push(part.replace('~', "~0").replace('/', "~1"));
        let read = self.value(w, r, datum);
        self.path.pop();
        read
    }

    fn value(&mut self, w: NodeId, r: NodeId, datum: &Datum) -> Option<Datum> {
        let (writer, reader) = (self.writer, self.reader);
        let (from, to) = (&writer.node(w).kind, &reader.node(r).kind);
        if let (Kind::Union(branches), Datum::Union(index, value)) = (from, datum) {
            let branch = *branches.get(*index)?;
            return if writer.node(branch).kind == Kind::Null {
                self.value(branch, r, value)
            } else {
                self.below(&writer.name(branch), branch, r, value)
            };
        }
        if let Kind::Union(branches) = to {
            let found = name::candidates((writer, w), (reader, branches));
            let Some(branch) = found.first() else {
                let word = writer.name(w);
                return self.refuse(format!("the reader's union has no branch for {word}"));
            };
            let index = branches.iter().position(|known| known == branch)?;
            let value = self.value(w, *branch, datum)?;
            return Some(Datum::Union(index, Box::new(value)));
        }
        if !name::matches(from, to) {
            let (from, to) = (writer.name(w), reader.name(r));
            return self.refuse(format!("the writer's {from} is not the reader's {to}"));
        }
        self.same(w, r, datum)
    }

    fn same(&mut self, w: NodeId, r: NodeId, datum: &Datum) -> Option<Datum> {
        let (from, to) = (&self.writer.node(w).kind, &self.reader.node(r).kind);
        match (from, to, datum) {
            (Kind::Array(from), Kind::Array(to), Datum::Array(items)) => {
                let items = items.iter().enumerate();
                let items: Vec<Option<Datum>> = items
                    .map(|(index, item)| self.below(&index.to_string(), *from, *to, item))
                    .collect();
                items.into_iter().collect::<Option<_>>().map(Datum::Array)
            }
            (Kind::Map(from), Kind::Map(to), Datum::Map(entries)) => {
                let mut read = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let value = self.below(key, *from, *to, value);
                    read.push(value.map(|value| (key.clone(), value)));
                }
                read.into_iter().collect::<Option<_>>().map(Datum::Map)
            }
            (Kind::Record { fields: from, .. }, Kind::Record { fields: to, .. }, _) => {
                self.record(from, to, datum)
            }
            (
                Kind::Enum { symbols, .. },
                Kind::Enum {
                    symbols: known,
                    default,
                    ..
                },
                _,
            ) => {
                let Datum::Enum(index) = datum else {
                    return None;
                };
                let symbol = symbols.get(*index)?;
                let at = |symbol: &String| known.iter().position(|known| known == symbol);
                match at(symbol).or_else(|| default.as_ref().and_then(at)) {
                    Some(index) => Some(Datum::Enum(index)),
                    None => self.refuse(format!(
                        "the reader's enum has neither `{symbol}` nor a default"
                    )),
                }
            }
            (Kind::Fixed { .. }, Kind::Fixed { size, .. }, Datum::Fixed(bytes)) => {
                if bytes.len() == *size {
                    Some(Datum::Fixed(bytes.clone()))
                } else {
                    let length = bytes.len();
                    self.refuse(format!("the value has {length} bytes, the reader's {size}"))
                }
            }
            _ => self.primitive(w, r, datum),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the specification promotes whole numbers to the nearest others"
    )]
    fn primitive(&mut self, w: NodeId, r: NodeId, datum: &Datum) -> Option<Datum> {
        let to = &self.reader.node(r).kind;
        let read = match (datum, to) {
            (Datum::Null, Kind::Null)
            | (Datum::Boolean(_), Kind::Boolean)
            | (Datum::Int(_), Kind::Int)
            | (Datum::Long(_), Kind::Long)
            | (Datum::Float(_), Kind::Float)
            | (Datum::Double(_), Kind::Double)
            | (Datum::Bytes(_), Kind::Bytes)
            | (Datum::String(_), Kind::String) => Some(datum.clone()),
            (Datum::Int(number), Kind::Long) => Some(Datum::Long(i64::from(*number))),
            (Datum::Int(number), Kind::Float) => Some(Datum::Float(*number as f32)),
            (Datum::Int(number), Kind::Double) => Some(Datum::Double(f64::from(*number))),
            (Datum::Long(number), Kind::Float) => Some(Datum::Float(*number as f32)),
            (Datum::Long(number), Kind::Double) => Some(Datum::Double(*number as f64)),
            (Datum::Float(number), Kind::Double) => Some(Datum::Double(f64::from(*number))),
            (Datum::String(text), Kind::Bytes) => Some(Datum::Bytes(text.clone().into_bytes())),
            (Datum::Bytes(bytes), Kind::String) => match String::from_utf8(bytes.clone()) {
                Ok(text) => Some(Datum::String(text)),
                Err(_) => {
                    return self.refuse("the bytes are not UTF-8, so they are no string".into());
                }
            },
            _ => None,
        };
        if read.is_some() {
            return read;
        }
        let (from, to) = (self.writer.name(w), self.reader.name(r));
        self.refuse(format!("a reader of {to} cannot read {from}"))
    }

    fn record(&mut self, from: &[Field], to: &[Field], datum: &Datum) -> Option<Datum> {
        let Datum::Record(values) = datum else {
            return None;
        };
        let mut read = Vec::with_capacity(to.len());
        for field in to {
            let is_meant = |name: &String| *name == field.name || field.aliases.contains(name);
            let mut meant = (0..from.len())
                .filter(|at| from.get(*at).is_some_and(|field| is_meant(&field.name)));
            let found = meant.next();
            if let (Some(first), Some(second)) = (found, meant.next()) {
                let name = |at: usize| from.get(at).map_or("", |field| field.name.as_str());
                let message = format!(
                    "the reader's field `{}` is both `{}` and `{}` of the writer",
                    field.name,
                    name(first),
                    name(second)
                );
                read.push(self.refuse(message));
                continue;
            }
            let value = match found.and_then(|at| Some((from.get(at)?, values.get(at)?))) {
                Some((written, value)) => {
                    self.below(&written.name.clone(), written.node, field.node, value)
                }
                None => self.default(field),
            };
            read.push(value);
        }
        read.into_iter().collect::<Option<_>>().map(Datum::Record)
    }

    fn default(&mut self, field: &Field) -> Option<Datum> {
        let default: Option<&Value> = field.default.as_ref();
        match default.map(|value| self.reader.default_datum(field.node, value)) {
            Some(Ok(datum)) => Some(datum),
            Some(Err(violation)) => self.refuse(format!(
                "the default of the reader's field `{}` is wrong: {}",
                field.name, violation.message
            )),
            None => self.refuse(format!(
                "the writer has no field `{}`, and the reader has no default for it",
                field.name
            )),
        }
    }
}
