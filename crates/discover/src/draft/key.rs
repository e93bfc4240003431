//! Which field of a payload says what the event is about.

use super::samples::{Field, Object, Samples};
use crate::operation;

/// Fewer payloads do not show whether values are different.
const SAMPLES_MIN: usize = 10;
/// So many different values are many, however often each is there.
const MANY: usize = 100;
/// Deepest object that is looked into.
const DEPTH_MAX: usize = 3;

/// Last words of names of identities.
const IDENTITIES: [&str; 3] = ["id", "uuid", "guid"];
/// The same, where the words before are those of the operation.
const REFERENCES: [&str; 5] = ["number", "no", "ref", "reference", "key"];
/// What identifies a message or a step and not what it is about.
const TECHNICAL: [&str; 13] = [
    "causation",
    "client",
    "correlation",
    "event",
    "idempotency",
    "message",
    "parent",
    "request",
    "sequence",
    "session",
    "span",
    "tenant",
    "trace",
];

/// A field that says what an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The way to it, as names.
    pub(super) path: Vec<String>,
    /// How many different values it has.
    pub(super) different: usize,
}

/// The key of the payloads of an operation: one that is called after it, or the only identity; it is in
/// all of them, and different in most.
pub(super) fn of(samples: &Samples, words: &[String]) -> Option<Key> {
    if samples.count < SAMPLES_MIN {
        return None;
    }
    let mut found = Vec::new();
    look(
        &samples.root,
        samples.count,
        &mut Vec::new(),
        (words, &mut found),
    );
    found.retain(|(_, key)| {
        key.different > 1 && (key.different * 2 >= samples.count || key.different >= MANY)
    });
    let best = found.iter().map(|(rank, _)| *rank).min()?;
    let is_alone = found.len() == 1;
    let mut best: Vec<Key> = found
        .into_iter()
        .filter_map(|(rank, key)| (rank == best).then_some(key))
        .collect();
    best.sort_by(|a, b| {
        let order = |key: &Key| {
            (
                key.path.len(),
                std::cmp::Reverse(key.different),
                key.path.clone(),
            )
        };
        order(a).cmp(&order(b))
    });
    let first = best.into_iter().next()?;
    (rank_of(&first.path, words)? < Rank::Other || is_alone).then_some(first)
}

/// How much the name of a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// `id`, of the payload itself.
    Own,
    /// That of what the operation is about.
    Named,
    /// Another one.
    Other,
}

fn look(
    object: &Object,
    count: usize,
    path: &mut Vec<String>,
    (words, found): (&[String], &mut Vec<(Rank, Key)>),
) {
    let always = |field: &&Field| field.count == count;
    let fields = object.fields.iter();
    for (name, field) in fields.filter(|(_, field)| always(field)) {
        path.push(name.clone());
        if field.is_plain() {
            let key = || Key {
                path: path.clone(),
                different: field.different(),
            };
            found.extend(rank_of(path, words).map(|rank| (rank, key())));
        } else if field.is_object() && path.len() < DEPTH_MAX {
            look(&field.objects, count, path, (words, found));
        }
        path.pop();
    }
}

fn rank_of(path: &[String], words: &[String]) -> Option<Rank> {
    let (name, above) = path.split_last()?;
    let mut noun = operation::split_words(name);
    let last = noun.pop()?;
    if noun.is_empty() {
        match above.last() {
            Some(above) => noun = operation::split_words(above),
            None if last == "id" => return Some(Rank::Own),
            None => {}
        }
    }
    if noun.iter().any(|word| TECHNICAL.contains(&word.as_str())) {
        return None;
    }
    let is_asked = |word: &String| words.iter().any(|asked| stem(asked) == stem(word));
    let is_named = !noun.is_empty() && noun.iter().all(is_asked);
    let is_identity = IDENTITIES.contains(&last.as_str());
    if is_named && (is_identity || REFERENCES.contains(&last.as_str())) {
        return Some(Rank::Named);
    }
    is_identity.then_some(Rank::Other)
}

/// A word without the end of its plural.
fn stem(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}
