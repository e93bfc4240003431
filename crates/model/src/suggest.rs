//! "Did you mean": the known word closest to one that is not known.

/// Words longer than this are not compared: nobody mistypes them from memory.
const COMPARED_CHARS_MAX: usize = 64;

/// The known word that `written` most likely stands for; `None` when none is close.
///
/// A word that differs in case and separators only is the closest; after that, at most a third of
/// the letters may differ (insertions, deletions, swaps of neighbours). Of equals the first wins.
#[must_use]
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.chars().nth(COMPARED_CHARS_MAX).is_some() {
        return None;
    }
    let plain = letters(written);
    let allowed = (plain.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|word| word.len() <= COMPARED_CHARS_MAX)
        .map(|word| (strsim::osa_distance(&plain, &letters(word)), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The letters and digits alone, in lower case: `dead_letter` and `deadLetter` are `dead-letter`.
fn letters(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '-' | '_' | '.' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_suggested_and_a_far_one_is_not() {
        let known = ["publishes", "consumes", "dead-letter", "owner"];
        assert_eq!(closest("publish", known), Some("publishes"));
        assert_eq!(closest("cosnumes", known), Some("consumes"));
        assert_eq!(closest("deadLetter", known), Some("dead-letter"));
        assert_eq!(closest("dead_letter", known), Some("dead-letter"));
        assert_eq!(closest("colour", known), None);
        assert_eq!(closest("", known), None);
        assert_eq!(closest(&"x".repeat(1_000_000), known), None);
    }

    #[test]
    fn one_letter_is_not_suggested_for_another() {
        assert_eq!(closest("a", ["b"]), None);
    }
}
