//! A datum, and its binary encoding.

use super::{Avro, Kind, NodeId};

/// A value of a type. It is only meaningful together with its schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number of 32 bits.
    Int(i32),
    /// A whole number of 64 bits.
    Long(i64),
    /// A number of single precision.
    Float(f32),
    /// A number of double precision.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    String(String),
    /// The items.
    Array(Vec<Datum>),
    /// The entries, in the order written.
    Map(Vec<(String, Datum)>),
    /// The branch and its value.
    Union(usize, Box<Datum>),
    /// The values of the fields, in their order.
    Record(Vec<Datum>),
    /// The symbol, by its number.
    Enum(usize),
    /// Bytes of the type's length.
    Fixed(Vec<u8>),
}

impl Avro {
    /// The binary encoding of a datum of the root type; `None` when it is not of that type.
    #[must_use]
    pub fn encode(&self, datum: &Datum) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.put(self.root, datum, &mut out)?;
        Some(out)
    }

    fn put(&self, id: NodeId, datum: &Datum, out: &mut Vec<u8>) -> Option<()> {
        match (&self.node(id).kind, datum) {
            (Kind::Null, Datum::Null) => {}
            (Kind::Boolean, Datum::Boolean(flag)) => out.push(u8::from(*flag)),
            (Kind::Int, Datum::Int(number)) => put_long(i64::from(*number), out),
            (Kind::Long, Datum::Long(number)) => put_long(*number, out),
            (Kind::Float, Datum::Float(number)) => out.extend(number.to_le_bytes()),
            (Kind::Double, Datum::Double(number)) => out.extend(number.to_le_bytes()),
            (Kind::Bytes, Datum::Bytes(bytes)) => put_bytes(bytes, out)?,
            (Kind::String, Datum::String(text)) => put_bytes(text.as_bytes(), out)?,
            (Kind::Array(items), Datum::Array(list)) => {
                if !list.is_empty() {
                    put_long(i64::try_from(list.len()).ok()?, out);
                    for item in list {
                        self.put(*items, item, out)?;
                    }
                }
                out.push(0);
            }
            (Kind::Map(values), Datum::Map(entries)) => {
                if !entries.is_empty() {
                    put_long(i64::try_from(entries.len()).ok()?, out);
                    for (key, value) in entries {
                        put_bytes(key.as_bytes(), out)?;
                        self.put(*values, value, out)?;
                    }
                }
                out.push(0);
            }
            (Kind::Union(branches), Datum::Union(branch, value)) => {
                put_long(i64::try_from(*branch).ok()?, out);
                self.put(*branches.get(*branch)?, value, out)?;
            }
            (Kind::Record { fields, .. }, Datum::Record(values)) => {
                if fields.len() != values.len() {
                    return None;
                }
                for (field, value) in fields.iter().zip(values) {
                    self.put(field.node, value, out)?;
                }
            }
            (Kind::Enum { symbols, .. }, Datum::Enum(symbol)) => {
                symbols.get(*symbol)?;
                put_long(i64::try_from(*symbol).ok()?, out);
            }
            (Kind::Fixed { size, .. }, Datum::Fixed(bytes)) if bytes.len() == *size => {
                out.extend(bytes);
            }
            _ => return None,
        }
        Some(())
    }
}

/// Zigzag, then seven bits a byte.
fn put_long(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or_default();
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    put_long(i64::try_from(bytes.len()).ok()?, out);
    out.extend(bytes);
    Some(())
}
