//! What a scalar means in the core schema of YAML 1.2, and where other readers of YAML differ.

use super::tree::Style;

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text,
}

/// The meaning of a scalar. An integer beyond 64 bits is a float.
///
/// Source: YAML 1.2.2, section 10.3.2, "Tag Resolution".
pub(crate) fn resolve(text: &str, style: Style) -> Plain {
    if style == Style::Quoted {
        return Plain::Text;
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Plain::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Plain::Text;
    }
    integer(text).or_else(|| float(text)).unwrap_or(Plain::Text)
}

fn integer(text: &str) -> Option<Plain> {
    let radix = |prefix, radix| {
        let digits = text.strip_prefix(prefix)?;
        digits
            .chars()
            .all(|c| c.is_digit(radix))
            .then(|| i64::from_str_radix(digits, radix))
    };
    if let Some(parsed) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return parsed.ok().map(Plain::Integer);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let decimal = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    decimal.then(|| text.parse().ok().map(Plain::Integer))?
}

fn float(text: &str) -> Option<Plain> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        return Some(Plain::Float(f64::INFINITY * sign));
    }
    let has_digit = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned
            .strip_prefix('.')
            .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    let written = unsigned
        .chars()
        .all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    (has_digit && written).then(|| text.parse().ok().map(Plain::Float))?
}

/// Whether readers of YAML 1.1 take this plain text for true or false.
///
/// Source: "Boolean Language-Independent Type for YAML Version 1.1".
pub(crate) fn is_read_differently(text: &str) -> bool {
    const BOOLEANS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    text.len() <= 3 && BOOLEANS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_the_core_schema_says() {
        let plain = |text| resolve(text, Style::Plain);
        assert_eq!(plain("~"), Plain::Null);
        assert_eq!(plain("no"), Plain::Text);
        assert_eq!(plain("False"), Plain::Bool(false));
        assert_eq!(plain("010"), Plain::Integer(10));
        assert_eq!(plain("0o10"), Plain::Integer(8));
        assert_eq!(plain("0x1F"), Plain::Integer(31));
        assert_eq!(plain("-12"), Plain::Integer(-12));
        assert_eq!(plain("1e3"), Plain::Float(1000.0));
        assert_eq!(plain("1.10"), Plain::Float(1.1));
        assert_eq!(plain(".5"), Plain::Float(0.5));
        assert_eq!(plain("-.inf"), Plain::Float(f64::NEG_INFINITY));
        for text in [
            "7d", "1_000", "1:30", "-", ".", "+", "0x", "0xg", "1e", "infinity", "nan", "1.2.3",
            "--1",
        ] {
            assert_eq!(plain(text), Plain::Text, "{text}");
        }
        assert_eq!(plain("99999999999999999999"), Plain::Float(1e20));
        assert_eq!(resolve("12", Style::Quoted), Plain::Text);
    }
}
