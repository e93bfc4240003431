//! Names of types and fields: words put together as each language does, unique, and no word of it.

use std::collections::HashSet;

/// The words of a text: runs of ASCII letters and digits, parted also where a capital follows a
/// small letter and where the last of several capitals begins a word.
pub(crate) fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            words.extend(take(&mut word));
            continue;
        }
        let before = at.checked_sub(1).and_then(|i| chars.get(i)).copied();
        let after = chars.get(at + 1).copied();
        let small = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase());
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let begins = c.is_ascii_uppercase() && (small(before) || digit(before) || small(after));
        if begins {
            words.extend(take(&mut word));
        }
        word.push(c.to_ascii_lowercase());
    }
    words.extend(take(&mut word));
    words
}

fn take(word: &mut String) -> Option<String> {
    let word = std::mem::take(word);
    (!word.is_empty()).then_some(word)
}

/// `OrderPlaced`; never empty, no digit first.
pub(crate) fn pascal(text: &str) -> String {
    let joined: String = words(text).iter().map(|word| capital(word)).collect();
    started(joined, "Type")
}

/// `order_placed`.
pub(crate) fn snake(text: &str) -> String {
    started(words(text).join("_"), "field")
}

/// `orderPlaced`.
pub(crate) fn camel(text: &str) -> String {
    let words = words(text);
    let words = words.iter().enumerate();
    let joined: String = words
        .map(
            |(at, word)| {
                if at == 0 { word.clone() } else { capital(word) }
            },
        )
        .collect();
    started(joined, "field")
}

/// `ORDER_PLACED`.
pub(crate) fn screaming(text: &str) -> String {
    started(words(text).join("_").to_ascii_uppercase(), "VALUE")
}

/// `order-placed`.
pub(crate) fn kebab(text: &str) -> String {
    started(words(text).join("-"), "event")
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// A name that does not start with a digit and is not empty.
fn started(name: String, otherwise: &str) -> String {
    match name.chars().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{otherwise}{name}"),
        Some(_) => name,
    }
}

/// Gives out names, each one once, whatever the case of its letters: classes become files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Names of which those in `reserved` are never given out.
    pub(crate) fn without(reserved: &[&str]) -> Self {
        let taken = reserved.iter().map(|word| word.to_ascii_lowercase());
        Self {
            taken: taken.collect(),
        }
    }

    /// `wanted` when it is free, otherwise with a number behind it.
    pub(crate) fn claim(&mut self, wanted: &str) -> String {
        let free = std::iter::once(wanted.to_owned())
            .chain((2_u64..).map(|number| format!("{wanted}{number}")))
            .find(|name| !self.taken.contains(&name.to_ascii_lowercase()))
            .unwrap_or_default();
        self.taken.insert(free.to_ascii_lowercase());
        free
    }

    /// As [`Names::claim`], with `_` behind a word of the language.
    pub(crate) fn claim_beside(&mut self, wanted: &str, language: &[&str]) -> String {
        if language.contains(&wanted) {
            self.claim(&format!("{wanted}_"))
        } else {
            self.claim(wanted)
        }
    }
}

/// Names that no type has in any language: they stand for something else where the type is written.
pub(crate) const RESERVED_TYPES: &[&str] = &[
    "Self",
    "Option",
    "Vec",
    "String",
    "Box",
    "Some",
    "None",
    "Ok",
    "Err",
    "Result",
    "Serialize",
    "Deserialize",
    "BTreeMap",
    "Event",
    "CloudEvent",
    "Int64",
    "Uint64",
    "Record",
    "Map",
    "List",
    "Object",
    "Json",
    "Override",
    "Optional",
    "LinkedHashMap",
    "ArrayList",
    "Long",
    "Double",
    "Boolean",
    "Integer",
    "Number",
    "Writable",
    "Reader",
    "Other",
    "Array",
    "Partial",
    "Required",
    "Readonly",
    "Pick",
    "Omit",
    "Exclude",
    "Extract",
    "True",
    "False",
    "Absent",
    "ClassVar",
    "JsonValue",
    "EventTypes",
    "Any",
    "Unknown",
    "Never",
    "Null",
    "Undefined",
    "Symbol",
    "Bigint",
    "Void",
    "Float",
    "Str",
    "Int",
    "Bool",
    "Dict",
    "Class",
    "Enum",
    "Interface",
    "Iterable",
    "Comparable",
    "Cloneable",
    "Runnable",
    "Thread",
    "System",
    "Process",
    "Exception",
    "Throwable",
    "Error",
    "Module",
    "Package",
    "Math",
    "Type",
    "Send",
    "Sync",
    "Sized",
    "Copy",
    "Clone",
    "Drop",
    "Fn",
    "FnMut",
    "FnOnce",
    "Default",
    "PartialEq",
    "Eq",
    "Hash",
    "Debug",
    "From",
    "Into",
    "Iterator",
    "Char",
    "Byte",
    "Short",
    "Character",
    "StringBuilder",
    "Annotation",
    "Var",
    "Yield",
    "Sealed",
    "Permits",
    "EventType",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_where_people_see_them() {
        let cases = [
            ("orderId", "order id"),
            ("HTTPServer2Name", "http server2 name"),
            ("a-b.c d/é", "a b c d"),
            ("ÄÖÜ", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
        assert_eq!(pascal("2nd-line"), "Type2ndLine");
        assert_eq!(camel("***"), "field");
        assert_eq!(screaming("in transit"), "IN_TRANSIT");
    }

    #[test]
    fn a_name_is_given_once_whatever_its_case() {
        let mut names = Names::without(&["Map"]);
        assert_eq!(names.claim("Line"), "Line");
        assert_eq!(names.claim("LINE"), "LINE2");
        assert_eq!(names.claim("map"), "map2");
        assert_eq!(names.claim_beside("type", &["type"]), "type_");
        assert_eq!(names.claim("type_"), "type_2");
    }
}
