//! The drafts of JSON Schema: which keywords each has, and how it names them.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// A draft of JSON Schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draft {
    /// Draft 4.
    Four,
    /// Draft 6.
    Six,
    /// Draft 7.
    Seven,
    /// Draft 2019-09.
    Nineteen,
    /// Draft 2020-12.
    #[default]
    Twenty,
}

impl Draft {
    /// Every draft, the oldest first.
    pub const ALL: [Self; 5] = [
        Self::Four,
        Self::Six,
        Self::Seven,
        Self::Nineteen,
        Self::Twenty,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Four => "4",
            Self::Six => "6",
            Self::Seven => "7",
            Self::Nineteen => "2019-09",
            Self::Twenty => "2020-12",
        }
    }

    /// What `$schema` says for it.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Four => "http://json-schema.org/draft-04/schema#",
            Self::Six => "http://json-schema.org/draft-06/schema#",
            Self::Seven => "http://json-schema.org/draft-07/schema#",
            Self::Nineteen => "https://json-schema.org/draft/2019-09/schema",
            Self::Twenty => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The draft that a document names; the given one where it names none, nothing where it names
    /// one that is not known.
    pub(crate) fn of(document: &Value, default: Self) -> Option<Self> {
        let Some(named) = document.get("$schema").and_then(Value::as_str) else {
            return Some(default);
        };
        let bare = |uri: &str| {
            let uri = uri.trim_end_matches('#');
            let uri = uri.strip_prefix("https:").unwrap_or(uri);
            uri.strip_prefix("http:").unwrap_or(uri).to_owned()
        };
        let named = bare(named);
        if named == "//json-schema.org/schema" {
            return Some(Self::Twenty);
        }
        let mut all = Self::ALL.into_iter();
        all.find(|draft| bare(draft.uri()) == named)
    }

    /// The keyword that gives a schema its name.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Four => "id",
            _ => "$id",
        }
    }

    /// Whether what stands beside a `$ref` is ignored.
    pub(crate) const fn ref_stands_alone(self) -> bool {
        matches!(self, Self::Four | Self::Six | Self::Seven)
    }

    /// Whether a keyword that says something about values is one of this draft.
    pub(crate) fn has(self, keyword: &str) -> bool {
        match keyword {
            "const" | "contains" | "propertyNames" => self >= Self::Six,
            "if" | "then" | "else" => self >= Self::Seven,
            "dependentRequired"
            | "dependentSchemas"
            | "minContains"
            | "maxContains"
            | "unevaluatedProperties"
            | "unevaluatedItems" => self >= Self::Nineteen,
            "$recursiveRef" => self == Self::Nineteen,
            "$dynamicRef" | "prefixItems" => self == Self::Twenty,
            "additionalItems" => self <= Self::Nineteen,
            // The reading of 2019-09 and later leaves these to the implementation.
            "contentMediaType" | "contentEncoding" => matches!(self, Self::Six | Self::Seven),
            _ => true,
        }
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownDraft;

impl FromStr for Draft {
    type Err = UnknownDraft;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim_start_matches("draft-").trim_start_matches('0');
        let mut all = Self::ALL.into_iter();
        all.find(|draft| draft.name() == wanted).ok_or(UnknownDraft)
    }
}
