//! Whether something is less or more than it was.

/// What the numbers of two logs or captures say of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Lower after, beyond what chance explains.
    Less,
    /// Higher after, beyond what chance explains.
    More,
    /// Chance explains it: no difference by this evidence.
    NoDifference,
    /// There are too few on a side, or nothing says.
    Unknown,
}

impl Verdict {
    /// The verdict as one word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Less => "LESS",
            Self::More => "MORE",
            Self::NoDifference => "NO_DIFFERENCE",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The verdict in words.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Less => "less",
            Self::More => "more",
            Self::NoDifference => "no difference by this evidence",
            Self::Unknown => "",
        }
    }

    /// The same, where only numbers can be missing.
    pub(crate) fn word_or_few(self) -> &'static str {
        match self {
            Self::Unknown => "too few to tell",
            other => other.word(),
        }
    }
}
