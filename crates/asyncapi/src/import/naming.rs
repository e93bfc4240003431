//! Names of a design from texts of any kind.

use std::collections::HashSet;

use tidegate_base::Name;
use tidegate_base::limit::NAME_BYTES_MAX;

/// `text` as a name: itself when it is one; otherwise with `-` for what a name cannot have.
pub(crate) fn clean(text: &str) -> String {
    if Name::new(text).is_ok() {
        return text.to_owned();
    }
    let mut name = String::new();
    for character in text.trim().chars() {
        if character.is_ascii_alphanumeric() || "._".contains(character) {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name: String = name.chars().take(NAME_BYTES_MAX).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        return "unnamed".to_owned();
    }
    name.to_owned()
}

/// Gives out names, each one once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// The first of `wanted` that is free, otherwise the last one with a number behind it.
    pub(crate) fn claim(&mut self, wanted: &[String]) -> String {
        let names: Vec<String> = wanted.iter().map(|text| clean(text)).collect();
        let last = names
            .last()
            .cloned()
            .unwrap_or_else(|| "unnamed".to_owned());
        let short: String = last.chars().take(NAME_BYTES_MAX - 12).collect();
        let numbered = (2_u64..).map(|number| format!("{short}-{number}"));
        let name = names
            .into_iter()
            .chain(numbered)
            .find(|name| !self.taken.contains(name))
            .unwrap_or_default();
        self.taken.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_a_name() {
        assert_eq!(clean("Streetlights Kafka API"), "Streetlights-Kafka-API");
        assert_eq!(clean("/smart/{id}/x"), "smart-id-x");
        assert_eq!(clean("a.b_c-d"), "a.b_c-d");
        assert_eq!(clean("日本"), "unnamed");
        assert!(Name::new(&clean(&"ü x".repeat(300))).is_ok());
    }

    #[test]
    fn names_are_given_once() {
        let mut names = Names::default();
        let wanted = ["a".to_owned(), "b".to_owned()];
        let given: Vec<_> = (0..4).map(|_| names.claim(&wanted)).collect();
        assert_eq!(given, ["a", "b", "b-2", "b-3"]);
    }
}
