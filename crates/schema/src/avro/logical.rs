//! Logical types: what they ask of a value of the type below.

use serde_json::{Map, Value};

use super::{Kind, Logical};

/// The logical type that an object declares; one that does not fit its type is ignored, as the
/// specification says.
pub(super) fn read(kind: &Kind, object: &Map<String, Value>) -> Option<Logical> {
    let word = object.get("logicalType")?.as_str()?;
    let number = |key: &str| {
        let number = object.get(key).and_then(Value::as_u64);
        number.and_then(|number| usize::try_from(number).ok())
    };
    match (word, kind) {
        ("decimal", Kind::Bytes | Kind::Fixed { .. }) => {
            let precision = number("precision").filter(|precision| *precision > 0)?;
            let scale = number("scale").unwrap_or(0);
            (scale <= precision).then_some(Logical::Decimal { precision, scale })
        }
        ("uuid", Kind::String) | ("uuid", Kind::Fixed { size: 16, .. }) => Some(Logical::Uuid),
        ("time-millis", Kind::Int) => Some(Logical::TimeOfDay {
            per_day: 86_400_000,
        }),
        ("time-micros", Kind::Long) => Some(Logical::TimeOfDay {
            per_day: 86_400_000_000,
        }),
        ("date", Kind::Int)
        | ("duration", Kind::Fixed { size: 12, .. })
        | ("big-decimal", Kind::Bytes)
        | (
            "timestamp-millis"
            | "timestamp-micros"
            | "timestamp-nanos"
            | "local-timestamp-millis"
            | "local-timestamp-micros"
            | "local-timestamp-nanos",
            Kind::Long,
        ) => Some(Logical::Other(word.to_owned())),
        _ => None,
    }
}

/// What `text` lacks to be a UUID.
pub(super) fn uuid(text: &str) -> Option<&'static str> {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let digits = text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    (lengths != [8, 4, 4, 4, 12] || !digits).then_some("the text is not a UUID")
}

/// What a time of day lacks.
pub(super) fn time_of_day(value: i64, per_day: i64) -> Option<&'static str> {
    (!(0..per_day).contains(&value)).then_some("the time is not within a day")
}

/// What the bytes of a decimal lack: they are a whole number in two's complement, most significant
/// byte first.
pub(super) fn decimal(bytes: &[u8], precision: usize) -> Option<String> {
    let digits = digits(bytes);
    (digits > precision).then(|| format!("the number has {digits} digits, more than {precision}"))
}

/// How many decimal digits the number has.
fn digits(bytes: &[u8]) -> usize {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let mut magnitude: Vec<u8> = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            *byte = sum;
            carry = over;
        }
    }
    let first = magnitude.iter().position(|byte| *byte != 0);
    let mut rest: Vec<u8> = first
        .and_then(|at| magnitude.get(at..))
        .unwrap_or_default()
        .to_vec();
    // Longer than any decimal in use: counted by the bits, which is at most one digit too few.
    if rest.len() > 64 {
        return rest.len().saturating_sub(1).saturating_mul(8) * 3 / 10;
    }
    let mut count = 0;
    while rest.iter().any(|byte| *byte != 0) {
        let mut remainder = 0_u16;
        for byte in &mut rest {
            let value = remainder * 256 + u16::from(*byte);
            *byte = u8::try_from(value / 10).unwrap_or(u8::MAX);
            remainder = value % 10;
        }
        count += 1;
    }
    count
}
