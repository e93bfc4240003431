//! The types of JSON values, as sets.

use serde_json::{Number, Value};

/// A set of types of JSON values, whole numbers apart from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Types(u8);

impl Types {
    /// `null`.
    pub const NULL: Self = Self(1);
    /// True and false.
    pub const BOOLEAN: Self = Self(2);
    /// Whole numbers.
    pub const INTEGER: Self = Self(4);
    /// Numbers that are not whole.
    pub const FRACTION: Self = Self(8);
    /// Texts.
    pub const STRING: Self = Self(16);
    /// Lists.
    pub const ARRAY: Self = Self(32);
    /// Objects.
    pub const OBJECT: Self = Self(64);
    /// All numbers.
    pub const NUMBER: Self = Self(4 | 8);
    /// Every type.
    pub const ALL: Self = Self(127);
    /// No type.
    pub const NONE: Self = Self(0);

    /// Every single type.
    pub const EACH: [Self; 7] = [
        Self::NULL,
        Self::BOOLEAN,
        Self::INTEGER,
        Self::FRACTION,
        Self::STRING,
        Self::ARRAY,
        Self::OBJECT,
    ];

    /// The types that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The types that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The types that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether there is none beyond `other`.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether one is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The same, with any number for a whole one.
    #[must_use]
    pub const fn with_fractions(self) -> Self {
        match self.0 & Self::INTEGER.0 {
            0 => self,
            _ => Self(self.0 | Self::FRACTION.0),
        }
    }

    /// The types that a word of JSON Schema stands for, where it is one.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => return None,
        })
    }

    /// The type of a value; both kinds of numbers where it is left open which one it is.
    #[must_use]
    pub fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) => of_number(number),
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// The names, as people say them.
    #[must_use]
    pub fn words(self) -> String {
        let mut names = Vec::new();
        for (types, name) in [
            (Self::NULL, "null"),
            (Self::BOOLEAN, "boolean"),
            (Self::NUMBER, "number"),
            (Self::STRING, "string"),
            (Self::ARRAY, "array"),
            (Self::OBJECT, "object"),
        ] {
            if types.is_within(self) {
                names.push(name);
            } else if self.meets(types) {
                names.push(if self.meets(Self::INTEGER) {
                    "integer"
                } else {
                    "number with a fraction"
                });
            }
        }
        names.join(" or ")
    }
}

fn of_number(number: &Number) -> Types {
    if number.is_i64() || number.is_u64() {
        return Types::INTEGER;
    }
    match number.as_f64() {
        Some(float) if float.fract() != 0.0 => Types::FRACTION,
        Some(float) if float.abs() < 2_f64.powi(100) => Types::INTEGER,
        // Whether a float beyond that counts as an integer is left open.
        _ => Types::NUMBER,
    }
}
