//! Whether databases and what came of them say that each event had its effect once.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::output_id;

/// A line of a ledger, in the order in which it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) sequence: u64,
}

/// What a consumer's database holds in the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) consumer: &'static str,
    pub(crate) ledger: Vec<Booked>,
    /// The sum of the amounts that were booked.
    pub(crate) sums: BTreeMap<String, i64>,
    /// Notes that are left after a collection with nothing left to do.
    pub(crate) notes: i64,
    /// Rows of the outbox that are not sent.
    pub(crate) unsent: i64,
}

/// What an event adds to the account of its key.
pub(crate) fn amount(id: &str) -> i64 {
    1 + id.bytes().map(i64::from).sum::<i64>() % 97
}

/// Everything in the books of a consumer that is not as the accepted events (`id` and sequence) have it.
pub(crate) fn check_books(accepted: &BTreeMap<String, u64>, books: &Books) -> Vec<String> {
    let consumer = books.consumer;
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for line in &books.ledger {
        *counts.entry(&line.id).or_default() += 1;
        *sums.entry(line.key.clone()).or_default() += amount(&line.id);
        if let Some(before) = last.insert(&line.key, line.sequence)
            && before >= line.sequence
        {
            wrong.push(format!("{consumer}: {line:?} is booked behind {before}"));
        }
        if accepted.get(&line.id) != Some(&line.sequence) {
            wrong.push(format!("{consumer}: {line:?} was not accepted so"));
        }
    }
    for id in accepted.keys() {
        let count = counts.get(id.as_str()).copied().unwrap_or_default();
        if count != 1 {
            wrong.push(format!("{consumer}: {id} is booked {count} times"));
        }
    }
    if sums != books.sums {
        let found = &books.sums;
        wrong.push(format!("{consumer}: the sums are {found:?}, not {sums:?}"));
    }
    if books.notes > 0 || books.unsent > 0 {
        let (notes, unsent) = (books.notes, books.unsent);
        wrong.push(format!(
            "{consumer}: {notes} notes and {unsent} events are left"
        ));
    }
    wrong
}

/// Everything in a channel (the `id`s of its records) that is not what the consumers emitted, once each.
pub(crate) fn check_emitted(
    accepted: &BTreeMap<String, u64>,
    consumers: &[&'static str],
    channel: &[String],
) -> Vec<String> {
    let mut wanted = BTreeSet::new();
    for consumer in consumers {
        let consumer = consumer.parse().unwrap();
        wanted.extend(
            accepted
                .keys()
                .map(|id| output_id(&consumer, "/harness", id, 0)),
        );
    }
    let mut wrong = Vec::new();
    let mut found = BTreeSet::new();
    for id in channel {
        if !found.insert(id.clone()) {
            wrong.push(format!("{id} is in the channel again"));
        }
    }
    let missing = wanted.difference(&found);
    wrong.extend(missing.map(|id| format!("{id} was emitted and is not in the channel")));
    let foreign = found.difference(&wanted);
    wrong.extend(foreign.map(|id| format!("{id} is in the channel and was not emitted")));
    wrong
}

const BILLING: &str = "billing/OrderPlaced";

fn as_it_should_be() -> (BTreeMap<String, u64>, Books) {
    let accepted: BTreeMap<String, u64> = (0..4).map(|n| (format!("0-{n}"), n)).collect();
    let key = |n: u64| format!("k{}", n % 2);
    let line = |(id, n): (&String, &u64)| Booked {
        id: id.clone(),
        key: key(*n),
        sequence: *n,
    };
    let ledger: Vec<Booked> = accepted.iter().map(line).collect();
    let mut sums = BTreeMap::new();
    for line in &ledger {
        *sums.entry(line.key.clone()).or_default() += amount(&line.id);
    }
    let books = Books {
        consumer: BILLING,
        ledger,
        sums,
        ..Books::default()
    };
    (accepted, books)
}

#[test]
fn books_that_were_doctored_are_told() {
    let (accepted, books) = as_it_should_be();
    assert!(check_books(&accepted, &books).is_empty());
    let told = |doctor: &dyn Fn(&mut Books), words: &str| {
        let mut books = books.clone();
        doctor(&mut books);
        let wrong = check_books(&accepted, &books);
        assert!(
            wrong.iter().any(|w| w.contains(words)),
            "{words}: {wrong:?}"
        );
    };
    told(&|books| drop(books.ledger.pop()), "0-3 is booked 0 times");
    told(
        &|books| books.ledger.push(books.ledger[1].clone()),
        "0-1 is booked 2 times",
    );
    told(&|books| books.ledger.swap(0, 2), "is booked behind 2");
    told(
        &|books| books.ledger[0].id = "x".to_owned(),
        "was not accepted so",
    );
    let more = |books: &mut Books| *books.sums.get_mut("k0").unwrap() += 1;
    told(&more, "the sums are");
    told(&|books| books.notes = 1, "1 notes");
    told(&|books| books.unsent = 1, "1 events are left");
}

#[test]
fn a_channel_that_was_doctored_is_told() {
    let (accepted, _) = as_it_should_be();
    let consumer = BILLING.parse().unwrap();
    let emitted = |id: &String| output_id(&consumer, "/harness", id, 0);
    let channel: Vec<String> = accepted.keys().map(emitted).collect();
    let check = |channel: &[String]| check_emitted(&accepted, &[BILLING], channel);
    assert!(check(&channel).is_empty());
    assert!(check(&channel[1..])[0].ends_with("is not in the channel"));
    let again = [&channel[..], &channel[..1]].concat();
    assert!(check(&again)[0].ends_with("is in the channel again"));
    let foreign = [&channel[..], &["x".to_owned()]].concat();
    assert!(check(&foreign)[0].ends_with("was not emitted"));
}
