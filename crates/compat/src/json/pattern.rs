//! Sets of strings that are said with patterns: whether one is empty, and a string of it.
//!
//! Every pattern becomes an automaton over bytes. A string that some patterns must match and others
//! must not is a word of their product, which is searched from the shortest word on. So "every
//! string of this pattern matches that one" is decided, not guessed.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

use super::effort::Effort;

/// Largest automaton of one pattern, in bytes.
const AUTOMATON_BYTES_MAX: usize = 1 << 21;
/// Largest form of a pattern from which its automaton is made, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 22;
/// Bytes of an automaton that are made with small work.
const BYTES_PER_WORK: usize = 256;
/// Most states of a product that are looked at.
const STATES_MAX: usize = 30_000;
/// Most letters of the strings that are left out of a question.
const LETTERS_MAX: usize = 20_000;
/// Most patterns of one question.
const PATTERNS_MAX: usize = 12;

/// The bytes in the order in which they are tried: what reads well comes first.
const PLEASANT: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@ ";

/// The answer to a question about strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// There is such a string; this is one.
    Is(String),
    /// There is none.
    None,
    /// A pattern is beyond what is decided, or the search would take too long.
    Unknown,
}

/// What strings are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Strings {
    /// Patterns that match somewhere in it.
    pub(crate) must: BTreeSet<String>,
    /// Patterns that match nowhere in it.
    pub(crate) must_not: BTreeSet<String>,
    /// The least characters.
    pub(crate) least: u64,
    /// The most characters.
    pub(crate) most: Option<u64>,
    /// Strings that it is not.
    pub(crate) other_than: BTreeSet<String>,
}

type Dfa = dense::DFA<Vec<u32>>;

/// Automata of patterns, each made once, and answers.
#[derive(Default)]
pub(crate) struct Patterns {
    automata: HashMap<String, Option<Arc<Dfa>>>,
    answers: HashMap<Strings, Word>,
}

impl Patterns {
    /// A string of these, the shortest first.
    pub(crate) fn word(&mut self, strings: &Strings, effort: &mut Effort<'_>) -> Word {
        if let Some(known) = self.answers.get(strings) {
            return known.clone();
        }
        if effort.is_spent() {
            return Word::Unknown;
        }
        let answer = self.search(strings, effort);
        // What was not found out for want of effort may be found out later.
        if answer != Word::Unknown || !effort.is_spent() {
            self.answers.insert(strings.clone(), answer.clone());
        }
        answer
    }

    /// Whether a text matches a pattern; `None` when that cannot be told.
    pub(crate) fn matches(
        &mut self,
        pattern: &str,
        text: &str,
        effort: &mut Effort<'_>,
    ) -> Option<bool> {
        let dfa = self.automaton(pattern, effort)?;
        effort.work(1 + text.len() / 8);
        let mut state = State::start(&dfa)?;
        for byte in text.bytes() {
            state = state.next(&dfa, byte);
        }
        Some(state.ends(&dfa))
    }

    fn automaton(&mut self, pattern: &str, effort: &mut Effort<'_>) -> Option<Arc<Dfa>> {
        if let Some(known) = self.automata.get(pattern) {
            return known.clone();
        }
        if effort.is_spent() {
            return None;
        }
        let made = jsonschema_regex::to_rust_regex(pattern)
            .ok()
            .and_then(|pattern| build(&pattern))
            .map(Arc::new);
        let bytes = made
            .as_ref()
            .map_or(AUTOMATON_BYTES_MAX, |dfa| dfa.memory_usage());
        effort.work(bytes / BYTES_PER_WORK);
        self.automata.insert(pattern.to_owned(), made.clone());
        made
    }

    fn search(&mut self, strings: &Strings, effort: &mut Effort<'_>) -> Word {
        if strings.most.is_some_and(|most| most < strings.least) {
            return Word::None;
        }
        let mut parts = Vec::new();
        let wanted = strings.must.iter().map(|pattern| (pattern, true));
        let barred = strings.must_not.iter().map(|pattern| (pattern, false));
        for (pattern, matches) in wanted.chain(barred) {
            match self.automaton(pattern, effort) {
                Some(dfa) => parts.push((dfa, matches)),
                None => return Word::Unknown,
            }
        }
        if !strings.other_than.is_empty() {
            let letters: usize = strings.other_than.iter().map(String::len).sum();
            let is_few = letters <= LETTERS_MAX && effort.work(letters);
            let other = is_few.then(|| build(&exactly(&strings.other_than)));
            match other.flatten() {
                Some(dfa) => parts.push((Arc::new(dfa), false)),
                None => return Word::Unknown,
            }
        }
        // What is searched is text, so its bytes must be; nothing else makes sure of that.
        static TEXT: OnceLock<Option<Arc<Dfa>>> = OnceLock::new();
        let Some(text) = TEXT.get_or_init(|| build("^(?s:.)*$").map(Arc::new)) else {
            return Word::Unknown;
        };
        parts.push((Arc::clone(text), true));
        if parts.len() > PATTERNS_MAX {
            return Word::Unknown;
        }
        product(&parts, strings, effort)
    }
}

/// A pattern of exactly these strings.
fn exactly(strings: &BTreeSet<String>) -> String {
    let each = strings.iter().map(|string| {
        let letters = string.chars().map(|c| format!("\\x{{{:x}}}", u32::from(c)));
        letters.collect::<String>()
    });
    format!("^(?:{})$", each.collect::<Vec<_>>().join("|"))
}

fn build(pattern: &str) -> Option<Dfa> {
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(StartKind::Unanchored)
                .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
                .determinize_size_limit(Some(AUTOMATON_BYTES_MAX)),
        )
        .thompson(thompson::Config::new().nfa_size_limit(Some(PATTERN_BYTES_MAX)))
        .build(pattern)
        .ok()
}

/// Where the search for a match is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Open(StateID),
    Matched,
    Dead,
}

impl State {
    fn start(dfa: &Dfa) -> Option<Self> {
        let config = start::Config::new().anchored(Anchored::No);
        let id = dfa.start_state(&config).ok()?;
        Some(Self::of(dfa, id))
    }

    fn of(dfa: &Dfa, id: StateID) -> Self {
        if dfa.is_match_state(id) {
            Self::Matched
        } else if dfa.is_dead_state(id) || dfa.is_quit_state(id) {
            Self::Dead
        } else {
            Self::Open(id)
        }
    }

    fn next(self, dfa: &Dfa, byte: u8) -> Self {
        match self {
            Self::Open(id) => Self::of(dfa, dfa.next_state(id, byte)),
            ended => ended,
        }
    }

    /// Whether it matches when the text ends here.
    fn ends(self, dfa: &Dfa) -> bool {
        match self {
            Self::Open(id) => dfa.is_match_state(dfa.next_eoi_state(id)),
            Self::Matched => true,
            Self::Dead => false,
        }
    }
}

/// A step of the search: where it came from, and the byte.
struct Step {
    from: usize,
    byte: u8,
}

fn product(parts: &[(Arc<Dfa>, bool)], strings: &Strings, effort: &mut Effort<'_>) -> Word {
    let starts: Option<Vec<State>> = parts.iter().map(|(dfa, _)| State::start(dfa)).collect();
    let Some(start) = starts else {
        return Word::Unknown;
    };
    // Beyond the largest count that matters, all counts are one.
    let top = match strings.most {
        Some(most) => most.saturating_add(1),
        None => strings.least,
    };
    if top > 2_000 {
        return Word::Unknown;
    }
    let alphabet = alphabet(parts);
    let mut steps: Vec<Step> = Vec::new();
    let mut seen: HashSet<(Vec<State>, u64)> = HashSet::from([(start.clone(), 0)]);
    let mut waiting = VecDeque::from([(start, 0_u64, usize::MAX)]);
    while let Some((states, count, at)) = waiting.pop_front() {
        if !effort.work(1 + alphabet.len() * parts.len() / 16) {
            return Word::Unknown;
        }
        let ends = states
            .iter()
            .zip(parts)
            .all(|(state, (dfa, matches))| state.ends(dfa) == *matches);
        if ends && count >= strings.least && strings.most.is_none_or(|most| count <= most) {
            return Word::Is(spelled(&steps, at));
        }
        for byte in &alphabet {
            // The bytes that go on with a character start with the bits 10.
            let starts_character = byte & 0b1100_0000 != 0b1000_0000;
            let count = (count + u64::from(starts_character)).min(top);
            if strings.most.is_some_and(|most| count > most) {
                continue;
            }
            let next: Vec<State> = states
                .iter()
                .zip(parts)
                .map(|(state, (dfa, _))| state.next(dfa, *byte))
                .collect();
            let hopeless = next
                .iter()
                .zip(parts)
                .any(|(state, (_, matches))| match state {
                    State::Matched => !matches,
                    State::Dead => *matches,
                    State::Open(_) => false,
                });
            if hopeless || seen.contains(&(next.clone(), count)) {
                continue;
            }
            if seen.len() >= STATES_MAX {
                return Word::Unknown;
            }
            seen.insert((next.clone(), count));
            steps.push(Step {
                from: at,
                byte: *byte,
            });
            waiting.push_back((next, count, steps.len() - 1));
        }
    }
    Word::None
}

fn spelled(steps: &[Step], mut at: usize) -> String {
    let mut bytes = Vec::new();
    while let Some(step) = steps.get(at) {
        bytes.push(step.byte);
        at = step.from;
    }
    bytes.reverse();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One byte of each kind that the automata tell apart.
fn alphabet(parts: &[(Arc<Dfa>, bool)]) -> Vec<u8> {
    let pleasant = PLEASANT.iter().copied();
    let others = (0..=u8::MAX).filter(|byte| !PLEASANT.contains(byte));
    let mut kinds = HashSet::new();
    pleasant
        .chain(others)
        .filter(|byte| {
            let kind: Vec<u8> = parts
                .iter()
                .map(|(dfa, _)| dfa.byte_classes().get(*byte))
                .collect();
            kinds.insert(kind)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(patterns: &mut Patterns, strings: &Strings) -> Word {
        patterns.word(strings, &mut Effort::new(100_000, &|| true))
    }

    fn strings(must: &[&str], must_not: &[&str]) -> Strings {
        Strings {
            must: must.iter().map(|p| (*p).to_owned()).collect(),
            must_not: must_not.iter().map(|p| (*p).to_owned()).collect(),
            ..Strings::default()
        }
    }

    #[test]
    fn inclusion_is_decided() {
        let mut patterns = Patterns::default();
        let none = [
            (&["^a+$"][..], &["a"][..]),
            (&[], &["a*"]),
            (&[], &[""]),
            (&["^(ab){0,3}$"], &["^(ab)*$"]),
            (&["^[0-9]{3}$"], &["^[0-9]{1,20}$"]),
            (&["^x", "y$", "^.$"], &[]),
            (&["^ord-[0-9]+$"], &["^[a-z]+-\\d+$"]),
        ];
        for (must, must_not) in none {
            assert_eq!(
                word(&mut patterns, &strings(must, must_not)),
                Word::None,
                "{must:?} {must_not:?}"
            );
        }
        let some = [
            (&["a"][..], &["^a+$"][..], "ab"),
            (&["^[a-f0-9]{4}$"], &["^[a-e0-9]{4}$"], "aaaf"),
            (&[], &["a"], ""),
            (&["^é+$"], &[], "é"),
            (&["^[^a-z]$"], &["^[A-Z]$"], "0"),
        ];
        for (must, must_not, expected) in some {
            let found = word(&mut patterns, &strings(must, must_not));
            assert_eq!(
                found,
                Word::Is(expected.to_owned()),
                "{must:?} {must_not:?}"
            );
        }
    }

    #[test]
    fn lengths_count_characters() {
        let mut patterns = Patterns::default();
        let long = Strings {
            least: 3,
            most: Some(3),
            ..strings(&["^é*$"], &[])
        };
        assert_eq!(word(&mut patterns, &long), Word::Is("ééé".to_owned()));
        let none = Strings {
            least: 4,
            ..strings(&["^.{0,3}$"], &[])
        };
        assert_eq!(word(&mut patterns, &none), Word::None);
        let other = Strings {
            other_than: ["a".to_owned(), "b".to_owned()].into(),
            ..strings(&["^[a-c]$"], &[])
        };
        assert_eq!(word(&mut patterns, &other), Word::Is("c".to_owned()));
    }

    #[test]
    fn what_is_beyond_is_unknown() {
        let mut patterns = Patterns::default();
        assert_eq!(
            word(&mut patterns, &strings(&["(?=a)b"], &[])),
            Word::Unknown
        );
        assert_eq!(
            word(&mut patterns, &strings(&["(a{1000}){1000}"], &[])),
            Word::Unknown
        );
        assert_eq!(
            patterns.matches("^a|b$", "xxb", &mut Effort::new(100, &|| true)),
            Some(true)
        );
    }
}
