//! The checker finds each kind of violation in a history that was doctored.

use crate::checker::check;
use crate::history::{Answer, Happening, Promise, Run};

const BILLING: Promise = Promise {
    consumer: "billing/OrderPlaced",
    ordered: true,
    deduplicated: true,
    pushed: true,
};
const MAILING: Promise = Promise {
    consumer: "mailing/OrderPlaced",
    ordered: false,
    deduplicated: false,
    pushed: true,
};

fn run(promise: Promise, sequence: u64, attempt: u32, life: u64) -> Run {
    Run {
        consumer: promise.consumer,
        sequence,
        id: sequence.to_string(),
        key: "k".to_owned(),
        attempt,
        life,
    }
}

fn accepted(sequence: u64) -> Happening {
    let id = sequence.to_string();
    Happening::Accepted { id, sequence }
}

/// A run with its answer.
fn ran(run: &Run, answer: Answer) -> [Happening; 2] {
    let (started, run) = (Happening::Started(run.clone()), run.clone());
    [started, Happening::Answered { run, answer }]
}

#[track_caller]
fn expect(history: &[Happening], promise: Promise, words: &str) {
    let wrong = check(history, &[promise]);
    match words.is_empty() {
        true => assert!(wrong.is_empty(), "{wrong:?}"),
        false => assert!(
            wrong.iter().any(|found| found.contains(words)),
            "{words}: {wrong:?}"
        ),
    }
}

#[test]
fn a_history_as_it_should_be_breaks_nothing() {
    let mut history = vec![accepted(0), accepted(1)];
    history.extend(ran(&run(BILLING, 0, 1, 1), Answer::Failed));
    history.extend(ran(&run(BILLING, 0, 2, 1), Answer::Busy));
    // Its breaker was open, and then it was not.
    history.extend(ran(&run(BILLING, 0, 2, 1), Answer::Unreached));
    history.extend(ran(&run(BILLING, 0, 2, 1), Answer::Unreached));
    history.extend(ran(&run(BILLING, 0, 3, 1), Answer::Done));
    history.push(Happening::Killed);
    // The kill came before it was recorded.
    history.extend(ran(&run(BILLING, 0, 3, 2), Answer::Done));
    history.extend(ran(&run(BILLING, 1, 1, 2), Answer::Refused));
    let letters = vec![(BILLING.consumer.to_owned(), 1)];
    history.push(Happening::Rest { letters });
    history.push(Happening::Redriven);
    history.extend(ran(&run(BILLING, 1, 1, 2), Answer::Done));
    expect(&history, BILLING, "");
}

#[test]
fn an_accepted_event_that_is_never_done_is_lost() {
    let mut history = vec![accepted(0), accepted(1)];
    history.extend(ran(&run(BILLING, 0, 1, 1), Answer::Done));
    expect(&history, BILLING, "1 was accepted and is lost");
    let letters = vec![(MAILING.consumer.to_owned(), 1)];
    history.push(Happening::Rest { letters });
    expect(&history, BILLING, "neither done nor a dead letter");
}

#[test]
fn order_is_looked_at_for_ordered_consumers() {
    let history = |promise| {
        let mut history = vec![accepted(0), accepted(1)];
        history.extend(ran(&run(promise, 0, 1, 1), Answer::Failed));
        history.extend(ran(&run(promise, 1, 1, 1), Answer::Done));
        history.extend(ran(&run(promise, 0, 2, 1), Answer::Done));
        history
    };
    expect(&history(BILLING), BILLING, "starts before 0 is done");
    expect(&history(MAILING), MAILING, "");
}

/// An event that is stored twice, as on a broker that died before it answered.
#[test]
fn who_deduplicates_has_done_the_second_of_two_with_the_first() {
    let twin = |promise| Run {
        id: "0".to_owned(),
        ..run(promise, 1, 1, 1)
    };
    let before = [
        ran(&twin(MAILING), Answer::Done),
        ran(&run(BILLING, 0, 1, 1), Answer::Done),
    ];
    let after = ran(&run(BILLING, 2, 1, 1), Answer::Done);
    let before = before.concat();
    let history = [before.as_slice(), after.as_slice()].concat();
    expect(&history, BILLING, "");
    let allowing = Promise {
        deduplicated: false,
        ..BILLING
    };
    expect(&history, allowing, "starts before 1 is done");
    // The first of them must be done by then.
    let early = [after.as_slice(), before.as_slice()].concat();
    expect(&early, BILLING, "starts before 1 is done");
}

#[test]
fn what_was_recorded_as_done_does_not_come_again() {
    let again = "repeats what was recorded as done";
    // In the same process.
    let mut history = Vec::from(ran(&run(MAILING, 0, 1, 1), Answer::Done));
    history.extend(ran(&run(MAILING, 0, 1, 1), Answer::Done));
    expect(&history, MAILING, again);
    // After a kill, when the next of its key had started before.
    let mut history = Vec::from(ran(&run(BILLING, 0, 1, 1), Answer::Done));
    history.extend(ran(&run(BILLING, 1, 1, 1), Answer::Done));
    history.push(Happening::Killed);
    history.extend(ran(&run(BILLING, 0, 1, 2), Answer::Done));
    expect(&history, BILLING, again);
    // After a kill, when the daemon had said so.
    let first = run(MAILING, 0, 1, 1);
    let mut history = Vec::from(ran(&first, Answer::Done));
    history.extend([Happening::Confirmed(first), Happening::Killed]);
    history.extend(ran(&run(MAILING, 0, 1, 2), Answer::Done));
    expect(&history, MAILING, again);
}

#[test]
fn what_a_puller_answers_is_done_once_it_is_told_so() {
    let puller = Promise {
        pushed: false,
        ..MAILING
    };
    let (first, second) = (run(puller, 0, 1, 1), run(puller, 0, 2, 1));
    // Its lease ended before.
    let mut history = Vec::from(ran(&first, Answer::Done));
    history.extend(ran(&second, Answer::Done));
    expect(&history, puller, "");
    let mut history = Vec::from(ran(&first, Answer::Done));
    history.push(Happening::Confirmed(first));
    history.extend(ran(&second, Answer::Done));
    expect(&history, puller, "repeats what was recorded as done");
}

#[test]
fn a_deduplicated_consumer_gets_no_event_under_another_sequence() {
    let history = |promise| {
        let first = run(promise, 0, 1, 1);
        let twin = Run {
            id: first.id.clone(),
            ..run(promise, 1, 1, 1)
        };
        let mut history = Vec::from(ran(&first, Answer::Done));
        history.push(Happening::Confirmed(first));
        history.extend(ran(&twin, Answer::Done));
        history
    };
    expect(&history(BILLING), BILLING, "repeats an event that was done");
    expect(&history(MAILING), MAILING, "");
}

#[test]
fn attempts_are_counted_and_never_go_back() {
    for (answer, attempt, life) in [
        (Answer::Failed, 1, 1),
        (Answer::Failed, 2, 1),
        (Answer::Unreached, 1, 1),
        (Answer::Unreached, 4, 1),
        (Answer::Busy, 3, 1),
        (Answer::Failed, 1, 2),
    ] {
        let mut history = Vec::from(ran(&run(BILLING, 0, 2, 1), answer));
        history.extend(ran(&run(BILLING, 0, attempt, life), Answer::Done));
        expect(&history, BILLING, &format!("attempt: {attempt}"));
    }
}

#[test]
fn epochs_only_grow() {
    let mut history = Vec::from(ran(&run(BILLING, 0, 1, 2), Answer::Done));
    history.push(Happening::Killed);
    history.extend(ran(&run(BILLING, 1, 1, 1), Answer::Done));
    expect(&history, BILLING, "epoch 1 after 2");
}
