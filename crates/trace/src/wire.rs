//! Protobuf on the wire: the fields of one message, without copying anything.

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// What is wrong with a message.
pub(crate) type Broken = &'static str;

/// The fields of a message, in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and value; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Broken> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err("a field has an impossible number");
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(*self.fixed()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| "a length is impossible")?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(*self.fixed()?)),
            _ => return Err("a field has a type that is not used"),
        };
        Ok(Some((number, value)))
    }

    /// How many bytes are not read yet.
    pub(crate) fn rest_len(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let split = self.rest.split_at_checked(length);
        let (taken, rest) = split.ok_or("a field runs past the end")?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<&'a [u8; N], Broken> {
        self.take(N)?.first_chunk().ok_or("a field is too short")
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let (number, rest) = split_varint(self.rest).ok_or("a number has no end")?;
        self.rest = rest;
        Ok(number)
    }
}

/// The number that the bytes begin with, and what follows it.
#[inline]
pub(crate) fn split_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    // Nearly all are of one byte: tags, and lengths of what is short.
    match bytes.split_first() {
        Some((byte, rest)) if *byte < 0x80 => Some((u64::from(*byte), rest)),
        _ => split_long_varint(bytes),
    }
}

fn split_long_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        let part = u64::from(byte & 0x7f);
        if index == 9 && part > 1 {
            return None;
        }
        number |= part << (index * 7);
        if *byte < 0x80 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}

/// The text of a field.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Broken> {
    std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")
}
