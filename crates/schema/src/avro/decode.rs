//! From bytes to a datum, within limits: the bytes are a stranger's.

use std::collections::HashMap;

use tidegate_base::limit::DATUM_VALUES_MAX;

use super::{Avro, DATUM_DEPTH_MAX, Datum, Kind, Logical, NodeId, logical};
use crate::keyword::escape;
use crate::violation::{Violation, short};

impl Avro {
    /// Reads a datum of the root type, logical types included; bytes behind it are a violation.
    ///
    /// # Errors
    ///
    /// The first [`Violation`], with the path of the value that could not be read.
    pub fn decode(&self, bytes: &[u8]) -> Result<Datum, Violation> {
        let mut input = Input {
            bytes,
            at: 0,
            values: 0,
            path: Vec::new(),
        };
        let datum = self.take(self.root, &mut input)?;
        let left = bytes.len() - input.at;
        if left > 0 {
            return Err(input.wrong(format!("{left} bytes are left behind the value")));
        }
        Ok(datum)
    }

    fn take(&self, id: NodeId, input: &mut Input<'_>) -> Result<Datum, Violation> {
        input.values += 1;
        if input.values > DATUM_VALUES_MAX {
            return Err(input.wrong(format!("there are more than {DATUM_VALUES_MAX} values")));
        }
        if input.path.len() > DATUM_DEPTH_MAX {
            return Err(input.wrong(format!("the nesting is deeper than {DATUM_DEPTH_MAX}")));
        }
        let node = self.node(id);
        let datum = match &node.kind {
            Kind::Null => Datum::Null,
            Kind::Boolean => match input.byte()? {
                0 => Datum::Boolean(false),
                1 => Datum::Boolean(true),
                _ => return Err(input.wrong("a boolean is one byte, 0 or 1")),
            },
            Kind::Int => {
                let number = input.long()?;
                let number = i32::try_from(number);
                Datum::Int(number.map_err(|_| input.wrong("the number is not of 32 bits"))?)
            }
            Kind::Long => Datum::Long(input.long()?),
            Kind::Float => Datum::Float(f32::from_le_bytes(input.array()?)),
            Kind::Double => Datum::Double(f64::from_le_bytes(input.array()?)),
            Kind::Bytes => Datum::Bytes(input.counted()?.to_vec()),
            Kind::String => Datum::String(input.text()?),
            Kind::Array(items) => self.take_array(*items, input)?,
            Kind::Map(values) => self.take_map(*values, input)?,
            Kind::Union(branches) => {
                let index = input.long()?;
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                let Some(branch) = branches.get(index) else {
                    return Err(input.wrong(format!("the union has no branch {index}")));
                };
                let value = self.take(*branch, input)?;
                Datum::Union(index, Box::new(value))
            }
            Kind::Record { fields, .. } => {
                let mut values = Vec::with_capacity(fields.len());
                for field in fields {
                    input.path.push(escape(&field.name));
                    values.push(self.take(field.node, input)?);
                    input.path.pop();
                }
                Datum::Record(values)
            }
            Kind::Enum { symbols, .. } => {
                let index = usize::try_from(input.long()?).unwrap_or(usize::MAX);
                if index >= symbols.len() {
                    return Err(input.wrong(format!("the enum has no symbol {index}")));
                }
                Datum::Enum(index)
            }
            Kind::Fixed { size, .. } => Datum::Fixed(input.slice(*size)?.to_vec()),
        };
        match misfit(node.logical.as_ref(), &datum) {
            Some(message) => Err(input.wrong(message)),
            None => Ok(datum),
        }
    }

    fn take_array(&self, items: NodeId, input: &mut Input<'_>) -> Result<Datum, Violation> {
        let mut list = Vec::new();
        while let Some(count) = input.block()? {
            for _ in 0..count {
                input.path.push(list.len().to_string());
                list.push(self.take(items, input)?);
                input.path.pop();
            }
        }
        Ok(Datum::Array(list))
    }

    fn take_map(&self, values: NodeId, input: &mut Input<'_>) -> Result<Datum, Violation> {
        let mut entries = Vec::new();
        let mut places = HashMap::new();
        while let Some(count) = input.block()? {
            for _ in 0..count {
                let key = input.str()?;
                input.path.push(escape(key));
                let value = self.take(values, input)?;
                input.path.pop();
                let place = *places.entry(key).or_insert(entries.len());
                match entries.get_mut(place) {
                    // Of a key that is there twice the last value counts, as where entries go into a hash map.
                    Some((_, before)) => *before = value,
                    None => entries.push((key.to_owned(), value)),
                }
            }
        }
        Ok(Datum::Map(entries))
    }
}

/// What a value lacks to be of its logical type.
pub(super) fn misfit(of: Option<&Logical>, datum: &Datum) -> Option<String> {
    match (of?, datum) {
        (Logical::Uuid, Datum::String(text)) => logical::uuid(text).map(str::to_owned),
        (Logical::TimeOfDay { per_day }, Datum::Int(time)) => {
            logical::time_of_day(i64::from(*time), *per_day).map(str::to_owned)
        }
        (Logical::TimeOfDay { per_day }, Datum::Long(time)) => {
            logical::time_of_day(*time, *per_day).map(str::to_owned)
        }
        (Logical::Decimal { precision, .. }, Datum::Bytes(bytes) | Datum::Fixed(bytes)) => {
            logical::decimal(bytes, *precision)
        }
        _ => None,
    }
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
    path: Vec<String>,
}

impl<'a> Input<'a> {
    fn wrong(&self, message: impl Into<String>) -> Violation {
        let path: String = self.path.iter().map(|part| format!("/{part}")).collect();
        Violation {
            path: short(&path),
            schema_path: String::new(),
            message: short(&message.into()),
        }
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], Violation> {
        let end = self.at.checked_add(length);
        let found = end.and_then(|end| self.bytes.get(self.at..end));
        match found {
            Some(found) => {
                self.at += length;
                Ok(found)
            }
            None => Err(self.wrong("the bytes end within the value")),
        }
    }

    fn byte(&mut self) -> Result<u8, Violation> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let found = self.slice(N)?;
        <[u8; N]>::try_from(found).map_err(|_| self.wrong("the bytes end within the value"))
    }

    fn long(&mut self) -> Result<i64, Violation> {
        let mut number = 0_u64;
        for shift in (0..=63).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                break;
            }
            number |= low << shift;
            if byte & 0x80 == 0 {
                let half = (number >> 1).cast_signed();
                return Ok(half ^ -(number & 1).cast_signed());
            }
        }
        Err(self.wrong("a number is longer than 64 bits"))
    }

    fn counted(&mut self) -> Result<&'a [u8], Violation> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| self.wrong("a length is negative"))?;
        self.slice(length)
    }

    fn text(&mut self) -> Result<String, Violation> {
        self.str().map(str::to_owned)
    }

    fn str(&mut self) -> Result<&'a str, Violation> {
        let bytes = self.counted()?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong("the text is not UTF-8"))
    }

    /// How many items the next block has; `None` at the end.
    fn block(&mut self) -> Result<Option<u64>, Violation> {
        let count = self.long()?;
        if count < 0 {
            // A size in bytes follows, for readers that skip.
            self.long()?;
        }
        Ok((count != 0).then(|| count.unsigned_abs()))
    }
}
