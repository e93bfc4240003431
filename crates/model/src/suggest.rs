//! "Did you mean": the known word closest to one that is not known.

/// Words longer than this are not compared: nobody mistypes them from memory.
const COMPARED_CHARS_MAX: usize = 64;

/// A common start that is shorter than this is chance.
const SAME_START_BYTES_MIN: usize = 4;

/// The known word that `written` most likely stands for; `None` when none is close.
///
/// A word that differs in case and separators only is the closest; after that, at most a third of
/// the letters may differ (insertions, deletions, swaps of neighbours), of equals the first wins;
/// after that, the only word that starts with `written`, or with which `written` starts.
#[must_use]
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.chars().nth(COMPARED_CHARS_MAX).is_some() {
        return None;
    }
    let plain = letters(written);
    let known: Vec<_> = known
        .into_iter()
        .filter(|word| word.len() <= COMPARED_CHARS_MAX)
        .map(|word| (word, letters(word)))
        .collect();
    nearest(&plain, &known).or_else(|| only_with_same_start(&plain, &known))
}

fn nearest<'a>(plain: &str, known: &[(&'a str, String)]) -> Option<&'a str> {
    let allowed = (plain.chars().count() / 3).max(1);
    known
        .iter()
        .map(|(word, letters)| (strsim::osa_distance(plain, letters), *word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn only_with_same_start<'a>(plain: &str, known: &[(&'a str, String)]) -> Option<&'a str> {
    let shares_start = |letters: &str| {
        let shorter = plain.len().min(letters.len());
        shorter >= SAME_START_BYTES_MIN
            && (plain.starts_with(letters) || letters.starts_with(plain))
    };
    let mut words = known
        .iter()
        .filter(|(_, letters)| shares_start(letters))
        .map(|(word, _)| *word);
    words.next().filter(|_| words.next().is_none())
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

    #[test]
    fn the_only_word_with_the_same_start_is_suggested() {
        assert_eq!(
            closest("exactly-once", ["at-least-once", "exactly-once-effect"]),
            Some("exactly-once-effect")
        );
        assert_eq!(
            closest("Invoice", ["InvoiceSent", "OrderPlaced"]),
            Some("InvoiceSent")
        );
        assert_eq!(closest("Order", ["OrderPlaced", "OrderShipped"]), None);
    }
}
