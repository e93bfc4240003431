//! Values that name one thing of very many: identifiers, numbers of orders, tokens.
//!
//! Attributes that are not kept may hold one that is seen again elsewhere; of them such words are kept
//! alone.

use crate::attributes::VALUES_BYTES_MAX;

/// A word of less randomness could be seen twice by chance.
pub const BITS_MIN: f64 = 40.0;
/// Shorter words have less than that.
const WORD_BYTES_MIN: usize = 8;

/// Words with fewer digits are words.
const DIGITS_MIN: usize = 2;

/// The words of a text that are random enough.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    // Hardly any text has such a word: most are told by the digits that it would have.
    let text = if text.len() >= WORD_BYTES_MIN && has_digits(text) {
        text
    } else {
        ""
    };
    let all = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    all.filter(|word| word.len() >= WORD_BYTES_MIN && bits(word) >= BITS_MIN)
}

/// Adds the words of a text that are random enough, up to a limit.
pub(crate) fn add(text: &str, out: &mut String) {
    for word in words(text) {
        if out.len() + word.len() >= VALUES_BYTES_MAX {
            return;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// Whether there are as many digits as a random word has at least.
fn has_digits(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    digits.take(DIGITS_MIN).count() == DIGITS_MIN
}

/// How many bits the word would have if its characters were drawn from their kinds; words of letters
/// alone are words.
#[expect(clippy::cast_precision_loss, reason = "words are short")]
fn bits(word: &str) -> f64 {
    let (mut digits, mut letters, mut hexadecimal) = (0_usize, 0_usize, true);
    for byte in word.bytes() {
        digits += usize::from(byte.is_ascii_digit());
        letters += usize::from(byte.is_ascii_alphabetic());
        hexadecimal &= byte.is_ascii_hexdigit() || byte == b'-';
    }
    if digits < DIGITS_MIN {
        return 0.0;
    }
    let each = match (letters, hexadecimal) {
        (0, _) => 10_f64.log2(),
        (_, true) => 4.0,
        _ => 36_f64.log2(),
    };
    (digits + letters) as f64 * each
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_words_are_told_from_names() {
        for random in [
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "8f3k2m9q1x",
            "9007199254740993",
        ] {
            assert_eq!(words(random).collect::<Vec<_>>(), [random]);
        }
        for name in ["orders", "v1", "2024-01-01", "item-42", "applicationjson"] {
            assert_eq!(words(name).count(), 0, "{name}");
        }
        assert_eq!(
            words("order 8f3k2m9q1x, of 3").collect::<Vec<_>>(),
            ["8f3k2m9q1x"]
        );
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let mut out = String::new();
        for number in 0..100 {
            add(&format!("9007199254740{number:03}"), &mut out);
        }
        assert!(
            out.len() <= VALUES_BYTES_MAX && out.starts_with("9007199254740000 9"),
            "{out}"
        );
    }
}
