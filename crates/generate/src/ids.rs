//! Ids that are valid and unique, and as close to the wanted text as that allows.

use std::collections::HashSet;

/// Gives out ids, each one once.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// `wanted` when it is free, otherwise with a number behind it.
    pub(crate) fn claim(&mut self, wanted: &str) -> String {
        self.claim_beside(wanted, |_| false)
    }

    /// As [`Self::claim`], and none of those that others have.
    pub(crate) fn claim_beside(&mut self, wanted: &str, others: impl Fn(&str) -> bool) -> String {
        let free = std::iter::once(wanted.to_owned())
            .chain((2_u64..).map(|number| format!("{wanted}_{number}")))
            .find(|id| !self.taken.contains(id) && !others(id))
            .unwrap_or_default();
        self.taken.insert(free.clone());
        free
    }
}

/// `text` with everything but ASCII letters and digits turned into `_`.
pub(crate) fn word(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_id_gets_a_number_even_when_that_is_taken() {
        let mut ids = Ids::default();
        assert_eq!(ids.claim("a_b"), "a_b");
        assert_eq!(ids.claim("a_b_2"), "a_b_2");
        assert_eq!(ids.claim(&word("a-b")), "a_b_3");
    }
}
