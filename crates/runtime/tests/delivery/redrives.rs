//! Redrive jobs, edits and searches of dead letters, across restarts.

use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Envelope, Ratio, Timestamp};
use tidegate_runtime::{
    DeadLetterFilter, EditError, EditRefusal, EditRequest, Edited, JobError, JobRefusal,
    JobRequest, JobTurn, LetterFilter, LettersError, LettersSelection, Outcome, Problem,
    RedriveView, StopRule,
};

use crate::support::*;

const BILLING: &str = "billing/OrderPlaced";

fn priced(id: &str, order: &str, total: f64, currency: &str) -> Envelope {
    let text = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/shop","type":"OrderPlaced","data":{{"orderId":"{order}","total":{total},"currency":"{currency}"}}}}"#
    );
    Envelope::from_json(text.as_bytes()).unwrap()
}

/// A system with so many dead letters of billing, each with a key of its own.
async fn buried(letters: u64) -> World {
    let world = World::new().await;
    world.script.otherwise(permanent());
    let orders = (0..letters).map(|n| {
        let currency = if n % 2 == 0 { "SEK" } else { "EUR" };
        priced(&n.to_string(), &format!("order-{n}"), n as f64, currency)
    });
    world.publish(orders).await;
    world.pass(seconds(5)).await;
    assert_eq!(world.letters().await.total, letters);
    world
}

fn job(selection: LettersSelection) -> JobRequest {
    JobRequest {
        selection,
        every: Duration::from_millis(10),
        canary: true,
        stop: StopRule::new(Ratio::new(0.1).unwrap(), 10),
        note: "after 1.4.2".to_owned(),
    }
}

fn ids(ids: &[&str]) -> LettersSelection {
    LettersSelection::Ids(ids.iter().map(|id| (*id).to_owned()).collect())
}

fn matching(filter: LetterFilter) -> LettersSelection {
    LettersSelection::Matching(Box::new(filter))
}

async fn ended(world: &World, job: u64) -> RedriveView {
    for _ in 0..1_000 {
        let view = world.runtime.job(job).await.unwrap().job;
        if view.state != "running" {
            return view;
        }
        world.pass(Duration::from_millis(100)).await;
    }
    unreachable!("it never ends");
}

#[tokio::test(start_paused = true)]
async fn a_job_goes_on_in_the_next_process() {
    let world = buried(12).await;
    world.script.otherwise(Outcome::Done);
    world.script.takes(seconds(1));
    let before = world.script.calls().len();
    let begun = world
        .runtime
        .start_job(job(LettersSelection::of(id(BILLING))))
        .await;
    let begun = begun.unwrap();
    assert_eq!((begun.job.id, begun.job.letters), (1, 12));
    world.pass(Duration::from_millis(2_500)).await;
    let detail = world.runtime.job(1).await.unwrap();
    let job = &detail.job;
    let counts = (job.waiting, job.sent, job.verified);
    assert_eq!(counts, (4, 5, 3), "steps of 1, 2, 5");
    assert_eq!(detail.members[0].state, "verified");
    assert_eq!(detail.members[11].state, "waiting");
    assert!(detail.members[11].error.is_some());
    let world = world.restart().await;
    let done = ended(&world, 1).await;
    assert_eq!((done.state, done.verified), ("done", 12));
    assert_eq!(world.letters().await.total, 0);
    // The four that ran when the process ended ran again, and no other.
    assert_eq!(world.script.calls().len() - before, 12 + 4);
    let jobs = world.runtime.jobs().await;
    assert_eq!((jobs.len(), jobs[0].note.as_str()), (1, "after 1.4.2"));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_stops_at_once_and_says_so() {
    let world = buried(12).await;
    let begun = world
        .runtime
        .start_job(job(LettersSelection::of(id(BILLING))))
        .await;
    let stopped = ended(&world, begun.unwrap().job.id).await;
    assert_eq!(
        (stopped.state, stopped.failed, stopped.waiting),
        ("stopped", 1, 11)
    );
    assert!(stopped.reason.unwrap().contains("first step"));
    let detail = world.runtime.job(1).await.unwrap();
    let first = &detail.members[0];
    assert_eq!(
        (first.state, first.reason.as_deref()),
        ("failed", Some("permanent"))
    );
    assert!(first.error.as_ref().unwrap().contains("no customer"));
    let pause = world.runtime.turn_job(1, JobTurn::Pause).await;
    assert!(matches!(
        pause,
        Err(JobError::Refused(JobRefusal::Ended("stopped")))
    ));
    world.script.otherwise(Outcome::Done);
    let resumed = world.runtime.turn_job(1, JobTurn::Resume).await.unwrap();
    assert_eq!(resumed.state, "running");
    let done = ended(&world, 1).await;
    assert_eq!((done.state, done.verified, done.failed), ("done", 11, 1));
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_and_says_for_what() {
    let world = buried(3).await;
    let pause = tidegate_runtime::Command::Pause {
        consumer: id(BILLING),
        reason: "a migration".to_owned(),
    };
    world.runtime.operate(pause).await.unwrap();
    world.script.otherwise(Outcome::Done);
    let selected = ids(&["billing/OrderPlaced/0", "billing/OrderPlaced/9", "x"]);
    let begun = world.runtime.start_job(job(selected)).await.unwrap();
    assert_eq!((begun.job.letters, begun.refused.len()), (1, 2));
    world.pass(seconds(600)).await;
    let view = world.runtime.job(1).await.unwrap().job;
    assert_eq!((view.state, view.waiting), ("running", 1));
    assert_eq!(
        view.held_by.as_deref(),
        Some("billing/OrderPlaced: paused: a migration")
    );
    let cancelled = world.runtime.turn_job(1, JobTurn::Cancel).await.unwrap();
    assert_eq!(cancelled.state, "cancelled");
    let nothing = world.runtime.start_job(job(ids(&["x"]))).await;
    assert!(matches!(nothing, Err(JobError::Refused(JobRefusal::Empty))));
    let unknown = world.runtime.turn_job(7, JobTurn::Pause).await;
    assert!(matches!(
        unknown,
        Err(JobError::Refused(JobRefusal::Unknown))
    ));
}

/// The design has changed since: which letters no longer keep it is known before any is sent.
#[tokio::test(start_paused = true)]
async fn a_rehearsal_judges_by_the_present_design_and_changes_nothing() {
    let world = buried(5).await;
    let stricter = DESIGN.replace(
        "schema: order.json",
        "schema: {type: object, properties: {currency: {enum: [EUR]}}}",
    );
    let world = world.restart_as(&stricter).await;
    let mut selected = (0..5).map(|n| format!("billing/OrderPlaced/{n}"));
    let mut all: Vec<String> = selected.by_ref().collect();
    all.push("billing/OrderPlaced/77".to_owned());
    let rehearsal = world
        .runtime
        .rehearse(LettersSelection::Ids(all))
        .await
        .unwrap();
    assert_eq!(rehearsal.ids.len(), 5);
    assert_eq!(rehearsal.refused.len(), 1);
    assert_eq!((rehearsal.groups.len(), rehearsal.groups[0].count), (1, 5));
    let invalid = rehearsal.invalid.iter();
    let invalid: Vec<_> = invalid
        .map(|one| (one.id.as_str(), one.violations[0].path.as_str()))
        .collect();
    let of = |n: u32| format!("billing/OrderPlaced/{n}");
    let expected = [of(0), of(2), of(4)];
    let expected: Vec<_> = expected
        .iter()
        .map(|id| (id.as_str(), "/currency"))
        .collect();
    assert_eq!(invalid, expected);
    assert!(rehearsal.unreadable.is_empty());
    let letters = world.letters().await.letters;
    assert!(
        letters
            .iter()
            .all(|letter| letter.redrives == 0 && letter.version == 1)
    );
    let unknown = world
        .runtime
        .rehearse(LettersSelection::of(id("nobody/OrderPlaced")))
        .await;
    assert!(matches!(unknown, Err(LettersError::UnknownConsumer { .. })));
}

fn edit(sequence: u64, version: u64, data: &str) -> EditRequest {
    EditRequest {
        id: format!("billing/OrderPlaced/{sequence}"),
        version,
        data: Bytes::from(data.to_owned()),
        data_content_type: None,
        event_id: None,
        reason: "the currency was lost".to_owned(),
        by: Some("ops".to_owned()),
    }
}

/// The letter is over, and known by either id, with what was done to it.
async fn is_told(world: &World, edited: &str) {
    for name in ["0", edited] {
        let why = world.runtime.why(name, None).await.unwrap();
        let [delivery, other] = &why.deliveries[..] else {
            panic!("{:?}", why.deliveries);
        };
        assert_eq!((delivery.state, delivery.redrives), ("done", 1), "{name}");
        assert_eq!(delivery.edited_id.as_deref(), Some(edited));
        let [edit] = &delivery.edits[..] else {
            panic!("{:?}", delivery.edits);
        };
        assert_eq!(
            (edit.replaced.as_str(), edit.by.as_deref()),
            ("0", Some("ops"))
        );
        assert_eq!(
            (other.redrives, other.edits.len(), &other.edited_id),
            (0, 0, &None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_edited_letter_is_delivered_in_the_place_of_the_original_and_only_it() {
    let world = buried(2).await;
    let data = r#"{"orderId":"order-0","total":7}"#;
    let edited = world.runtime.edit(edit(0, 1, data)).await.unwrap();
    assert_eq!(edited.version, 2);
    assert!(edited.event_id.starts_with("edit-"), "{edited:?}");
    let late = world.runtime.edit(edit(0, 1, data)).await;
    assert_eq!(late, Err(EditError::Refused(EditRefusal::Changed(2))));

    let world = world.restart().await;
    let detail = world
        .runtime
        .dead_letter("billing/OrderPlaced/0")
        .await
        .unwrap();
    assert_eq!((detail.letter.version, detail.letter.edits), (2, 1));
    assert_eq!(detail.event["data"]["total"], 7);
    assert_eq!(detail.event["causationid"], "0");
    let original = detail.original.unwrap();
    assert_eq!(
        (&original["id"], &original["data"]["total"]),
        (&"0".into(), &0.into())
    );
    let note = &detail.edited[0];
    assert_eq!(
        (note.replaced.as_str(), note.by.as_deref()),
        ("0", Some("ops"))
    );
    for name in ["0", edited.event_id.as_str()] {
        let why = world.runtime.why(name, None).await.unwrap();
        assert_eq!(why.deliveries[0].state, "dead-letter", "{name}");
    }

    world.script.otherwise(Outcome::Done);
    let before = world.script.received().len();
    world.pass(seconds(60)).await;
    assert_eq!(world.script.received().len(), before, "it is a dead letter");
    world
        .runtime
        .redrive(ids(&["billing/OrderPlaced/0"]))
        .await
        .unwrap();
    world.pass(seconds(1)).await;
    let received = world.script.received().split_off(before);
    assert_eq!(received.len(), 1);
    let (delivery, event) = &received[0];
    assert_eq!(delivery, "billing/OrderPlaced/0/edit-1");
    assert_eq!(event.id, edited.event_id);
    assert_eq!(event.data.as_deref(), Some(data.as_bytes()));
    let world = world.restart().await;
    world.pass(seconds(60)).await;
    assert_eq!(world.script.received().len(), before + 1);
    assert_eq!(world.letters().await.total, 1);
    is_told(&world, &edited.event_id).await;
    // The other consumer has the event as it was published.
    let pulled = world
        .runtime
        .pull(&id("audit/OrderPlaced"), 1, seconds(1))
        .await
        .unwrap();
    assert_eq!(pulled[0].envelope.id, "0");
}

#[tokio::test(start_paused = true)]
async fn a_second_edit_replaces_the_first_and_what_is_wrong_is_refused() {
    let world = buried(2).await;
    let invalid = world
        .runtime
        .edit(edit(0, 1, r#"{"orderId":"order-0","total":-1}"#))
        .await;
    let Err(EditError::Invalid(Problem::Schema { violations })) = invalid else {
        panic!("{invalid:?}");
    };
    assert_eq!(violations[0].path, "/total");
    let other = world
        .runtime
        .edit(edit(0, 1, r#"{"orderId":"order-1","total":1}"#))
        .await;
    assert!(matches!(other, Err(EditError::Key { .. })), "{other:?}");
    let text = world.runtime.edit(edit(0, 1, "not json")).await;
    assert!(matches!(text, Err(EditError::Invalid(Problem::NotJson))));
    let unknown = world.runtime.edit(edit(9, 1, "{}")).await;
    assert_eq!(unknown, Err(EditError::Refused(EditRefusal::Unknown)));
    let taken = EditRequest {
        event_id: Some("1".to_owned()),
        ..edit(0, 1, r#"{"orderId":"order-0","total":1}"#)
    };
    let taken = world.runtime.edit(taken).await;
    assert!(matches!(
        taken,
        Err(EditError::Refused(EditRefusal::Taken(_)))
    ));
    assert_eq!(
        world.letters().await.letters[0].version,
        1,
        "nothing has changed"
    );

    // Of two at the same time one comes first.
    let (one, two) = tokio::join!(
        world
            .runtime
            .edit(edit(0, 1, r#"{"orderId":"order-0","total":1}"#)),
        world
            .runtime
            .edit(edit(0, 1, r#"{"orderId":"order-0","total":2}"#)),
    );
    let done = [&one, &two].into_iter().filter(|done| done.is_ok()).count();
    assert_eq!(done, 1, "{one:?} {two:?}");
    let third = EditRequest {
        event_id: Some("mine".to_owned()),
        ..edit(0, 2, r#"{"orderId":"order-0","total":3}"#)
    };
    let third = world.runtime.edit(third).await;
    let (event_id, version) = ("mine".to_owned(), 3);
    assert_eq!(third, Ok(Edited { event_id, version }));
    let detail = world
        .runtime
        .dead_letter("billing/OrderPlaced/0")
        .await
        .unwrap();
    assert_eq!(detail.event["data"]["total"], 3);
    assert_eq!(detail.edited.len(), 2);
    assert_eq!(detail.edited[0].replaced, "0");
    assert_eq!(detail.original.unwrap()["data"]["total"], 0);
}

async fn found(world: &World, filter: LetterFilter) -> Vec<String> {
    let mut query = DeadLetterFilter {
        which: filter,
        limit: 2,
        after: None,
    };
    let mut found = Vec::new();
    loop {
        let page = world.runtime.dead_letters(query.clone()).await;
        let sequence = |id: &str| id.rsplit('/').next().unwrap().to_owned();
        found.extend(page.letters.iter().map(|letter| sequence(&letter.id)));
        query.after = page.next;
        if query.after.is_none() {
            return found;
        }
    }
}

fn payload(conditions: &[&str]) -> LetterFilter {
    LetterFilter {
        payload: conditions.iter().map(|c| c.parse().unwrap()).collect(),
        ..LetterFilter::default()
    }
}

fn set(change: impl FnOnce(&mut LetterFilter)) -> LetterFilter {
    let mut filter = LetterFilter::default();
    change(&mut filter);
    filter
}

/// Filters, and which of seven letters each holds for.
fn cases() -> Vec<(LetterFilter, &'static [&'static str])> {
    let text = |text: &str| Some(text.to_owned());
    let all = &["0", "1", "2", "3", "4", "5", "6"];
    let now = Some(Timestamp::from_millis(1_700_000_000_000));
    vec![
        (LetterFilter::default(), all),
        (set(|f| f.key = text("order-3")), &["3"]),
        (set(|f| f.error = text("no customer")), all),
        (set(|f| f.error = text("no such")), &[]),
        (set(|f| f.death = text("permanent")), all),
        (set(|f| f.death = text("expired")), &[]),
        (set(|f| f.consumer = Some(id("audit/OrderPlaced"))), &[]),
        (set(|f| f.event = "OrderPlaced".parse().ok()), all),
        (set(|f| f.event = "Other".parse().ok()), &[]),
        (set(|f| f.redrives_min = Some(1)), &[]),
        (set(|f| f.redrives_max = Some(0)), all),
        (set(|f| f.dead_from = now), all),
        (set(|f| f.dead_until = now), &[]),
        (set(|f| f.accepted_from = now), all),
        (set(|f| f.accepted_until = now), &[]),
        (set(|f| f.discarded = true), &[]),
        (payload(&["/currency=SEK"]), &["0", "2", "4", "6"]),
        (payload(&["/currency!=SEK"]), &["1", "3", "5"]),
        (payload(&["/currency=SEK", "/total=4"]), &["4"]),
        (payload(&["/absent"]), &[]),
        (payload(&["/total"]), all),
    ]
}

#[tokio::test(start_paused = true)]
async fn letters_are_found_by_what_they_have() {
    let world = buried(7).await;
    for (filter, expected) in cases() {
        assert_eq!(found(&world, filter.clone()).await, expected, "{filter:?}");
    }
    // What is edited is looked into as it is now.
    let data = r#"{"orderId":"order-1","total":1,"currency":"SEK"}"#;
    world.runtime.edit(edit(1, 1, data)).await.unwrap();
    let swedish = payload(&["/currency=SEK"]);
    assert_eq!(found(&world, swedish).await, ["0", "1", "2", "4", "6"]);
}

/// What is selected by its payload is what an order is carried out for.
#[tokio::test(start_paused = true)]
async fn orders_are_for_what_is_found() {
    let world = buried(7).await;
    world.script.otherwise(Outcome::Done);
    let begun = world
        .runtime
        .start_job(job(matching(payload(&["/currency=SEK"]))))
        .await
        .unwrap();
    assert_eq!(begun.job.letters, 4);
    assert_eq!(ended(&world, begun.job.id).await.verified, 4);
    assert_eq!(
        found(&world, LetterFilter::default()).await,
        ["1", "3", "5"]
    );
    let rest = matching(payload(&["/total=3"]));
    let report = world.runtime.discard(rest, "no".to_owned()).await.unwrap();
    assert_eq!(report.done, ["billing/OrderPlaced/3"]);
    let nobody = LetterFilter {
        consumer: Some(id("nobody/OrderPlaced")),
        ..payload(&["/total"])
    };
    let unknown = world.runtime.redrive(matching(nobody)).await;
    assert!(matches!(unknown, Err(LettersError::UnknownConsumer { .. })));
}
