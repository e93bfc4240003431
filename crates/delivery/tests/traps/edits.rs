//! Edited letters: compare and set, one of the two is delivered, and nothing is forgotten.

use std::sync::Arc;
use std::time::Duration;

use tidegate_base::limit::{EDITED_EVENT_BYTES_MAX, EDITS_MAX};
use tidegate_delivery::{
    Command, DeliveryStatus, Edit, EditNote, EditRefusal, Input, Order, Outcome, StateRecord,
};

use crate::rig::{Rig, config, id, permanent};

/// The next edit of a letter, as the runtime makes it.
fn edit_as(rig: &Rig, sequence: u64, new: &str) -> Edit {
    let letter = rig.machine.dead_letter(&id(), sequence).unwrap();
    let mut notes = letter.edit.map_or_else(Vec::new, |edit| edit.notes.clone());
    notes.push(EditNote {
        id: letter.event.id.clone(),
        reason: "the currency".to_owned(),
        by: Some("ops".to_owned()),
        at: rig.now,
    });
    Edit {
        id: new.to_owned(),
        event: Arc::from(format!(r#"{{"id":"{new}"}}"#)),
        notes,
    }
}

fn edit(rig: &mut Rig, sequence: u64, version: u64, new: &str) -> Result<(), EditRefusal> {
    let edit = edit_as(rig, sequence, new);
    let may = rig.machine.may_edit(&id(), sequence, version, &edit);
    rig.command(Command::Edit {
        consumer: id(),
        sequence,
        version,
        edit: Arc::new(edit),
    });
    may
}

fn redrive(rig: &mut Rig, sequence: u64) {
    let (consumer, sequences) = (id(), vec![sequence]);
    rig.step(Input::Redrive {
        consumer,
        sequences,
    });
}

fn version(rig: &Rig, sequence: u64) -> u64 {
    rig.machine.dead_letter(&id(), sequence).unwrap().version
}

#[test]
fn an_edit_is_for_the_version_that_was_looked_at() {
    let mut rig = Rig::new(config(), &["a", "a"]);
    rig.end(0, permanent());
    assert_eq!(version(&rig, 0), 1);
    assert_eq!(edit(&mut rig, 0, 1, "new"), Ok(()));
    assert_eq!(version(&rig, 0), 2);
    // The second of two that looked at the same version.
    assert_eq!(edit(&mut rig, 0, 1, "other"), Err(EditRefusal::Changed(2)));
    let letter = rig.machine.dead_letter(&id(), 0).unwrap();
    assert_eq!((letter.event.id.as_str(), letter.version), ("new", 2));
    assert_eq!(letter.event.key.as_deref(), Some("a"));
    redrive(&mut rig, 0);
    rig.end(0, permanent());
    assert_eq!(version(&rig, 0), 3, "a redrive is a change as well");
    assert_eq!(edit(&mut rig, 0, 2, "other"), Err(EditRefusal::Changed(3)));
    let edit_once_more = edit_as(&rig, 0, "third");
    let unknown = rig.machine.may_edit(&id(), 1, 1, &edit_once_more);
    assert_eq!(unknown, Err(EditRefusal::Unknown), "it is no dead letter");
}

/// The letter keeps its place: what waits behind it goes after it, and after a restart as well.
#[test]
fn an_edited_letter_keeps_its_place_and_is_a_letter_until_it_is_redriven() {
    let mut rig = Rig::new(config(), &["a", "a"]);
    rig.end(0, permanent());
    edit(&mut rig, 0, 1, "new").unwrap();
    rig.append("a");
    rig.pass(Duration::from_secs(60));
    assert!(rig.running().is_empty());
    rig.disk = rig.disk.iter().map(reread).collect();
    rig.crash();
    rig.pass(Duration::from_secs(60));
    assert!(rig.is(0, DeliveryStatus::Dead));
    let letter = rig.machine.dead_letter(&id(), 0).unwrap();
    let kept = letter.edit.unwrap();
    assert_eq!((kept.id.as_str(), kept.notes[0].id.as_str()), ("new", "0"));
    assert_eq!(kept.notes[0].reason, "the currency");
    redrive(&mut rig, 0);
    assert_eq!(rig.machine.edit_of(&id(), 0).unwrap().id, "new");
    rig.starts.clear();
    rig.crash();
    rig.answer_for(5, |_| Outcome::Done);
    let order: Vec<u64> = rig.starts.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(order, [0, 1, 2]);
}

fn reread(record: &StateRecord) -> StateRecord {
    StateRecord::decode(&record.encode()).unwrap()
}

/// Nothing of an edit is there before it is durable, and after it nothing of what was before.
#[test]
fn an_edit_is_whole_or_not_there_at_any_crash() {
    let mut rig = Rig::new(config(), &["a", "a"]);
    rig.end(0, permanent());
    let before = rig.disk.len();
    rig.hold_commits = true;
    edit(&mut rig, 0, 1, "new").unwrap();
    redrive(&mut rig, 0);
    assert!(rig.running().is_empty(), "it is not decided on meanwhile");
    assert!(rig.is(0, DeliveryStatus::Settling));
    let checkpoint = rig.machine.checkpoint();
    let (without, with) = (rig.disk[..before].to_vec(), rig.disk.clone());
    for (disk, id_then) in [(without, "0"), (with, "new"), (checkpoint, "new")] {
        rig.hold_commits = false;
        rig.disk = disk;
        rig.crash();
        let letter = rig.machine.dead_letter(&id(), 0).unwrap();
        assert_eq!(letter.event.id, id_then);
        assert_eq!(letter.edit.is_some(), id_then == "new");
    }
}

/// The event is in the channel twice. Once the edited one is done, the other one is a repetition of
/// what it replaced.
#[test]
fn the_original_and_the_edited_event_are_never_both_delivered() {
    let mut rig = Rig::new(config(), &["a", "a", "b"]);
    let twin = Arc::clone(&rig.channel[0].event);
    rig.channel[1].event = twin;
    let channel = std::mem::take(&mut rig.channel);
    let mut rig = Rig::on(config(), channel);
    rig.end(0, permanent());
    edit(&mut rig, 0, 1, "new").unwrap();
    redrive(&mut rig, 0);
    rig.crash();
    // The process ends right after the record of its end: the next one knows what was replaced.
    rig.hold_commits = true;
    rig.pass(Duration::from_secs(1));
    rig.release_commits();
    rig.end(0, Outcome::Done);
    rig.hold_commits = false;
    rig.crash();
    rig.answer_for(5, |_| Outcome::Done);
    assert!((0..3).all(|sequence| rig.is(sequence, DeliveryStatus::Finished)));
    assert!(
        rig.starts.iter().all(|(sequence, _)| *sequence != 1),
        "{:?}",
        rig.starts
    );
}

/// As above, without a lane that keeps them apart: while one of the two runs the other does not.
#[test]
fn the_original_and_the_edited_event_do_not_run_beside_each_other() {
    let mut unordered = config();
    unordered.consumers[0].order = Order::None;
    unordered.consumers[0].concurrency = 1;
    let mut rig = Rig::new(unordered.clone(), &["a", "b"]);
    rig.channel[1].event = Arc::clone(&rig.channel[0].event);
    let channel = std::mem::take(&mut rig.channel);
    let mut rig = Rig::on(unordered, channel);
    // The twin waits for its only place, which the letter leaves when it dies.
    rig.hold_commits = true;
    rig.end(0, permanent());
    rig.hold_commits = false;
    rig.release_commits();
    assert_eq!(
        rig.running(),
        [1],
        "it has died: its twin has a right of its own"
    );
    edit(&mut rig, 0, 1, "new").unwrap();
    redrive(&mut rig, 0);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.running(), [1]);
    rig.end(1, Outcome::Done);
    rig.answer_for(3, |_| Outcome::Done);
    assert!(rig.is(0, DeliveryStatus::Finished));
    let edited = rig.starts.iter().filter(|(sequence, _)| *sequence == 0);
    assert_eq!(edited.count(), 1, "its only run was before the edit");
}

/// When the event was finished under another sequence there is nothing left to edit.
#[test]
fn what_was_finished_as_a_twin_is_not_edited() {
    let mut unordered = config();
    unordered.consumers[0].order = Order::None;
    let mut rig = Rig::new(unordered.clone(), &["a", "b"]);
    rig.channel[1].event = Arc::clone(&rig.channel[0].event);
    let channel = std::mem::take(&mut rig.channel);
    let mut rig = Rig::on(unordered, channel);
    rig.end(0, permanent());
    rig.end(1, Outcome::Done);
    assert_eq!(edit(&mut rig, 0, 1, "new"), Err(EditRefusal::Finished));
    assert!(rig.machine.edit_of(&id(), 0).is_none());
}

#[test]
fn an_edited_letter_is_discarded_restored_and_edited_again() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.end(0, permanent());
    edit(&mut rig, 0, 1, "one").unwrap();
    let (consumer, sequences) = (id(), vec![0]);
    rig.command(Command::Discard {
        consumer: consumer.clone(),
        sequences: sequences.clone(),
        reason: "no".to_owned(),
    });
    let discarded: Vec<_> = rig.machine.discarded_letters(&id()).collect();
    assert_eq!(discarded[0].0.event.id, "one");
    rig.disk = rig.machine.checkpoint().iter().map(reread).collect();
    rig.crash();
    rig.command(Command::Restore {
        consumer,
        sequences,
    });
    assert_eq!(version(&rig, 0), 2);
    for former in ["0", "one"] {
        let taken = Err(EditRefusal::Taken(former.to_owned()));
        assert_eq!(edit(&mut rig, 0, 2, former), taken, "it was replaced");
    }
    edit(&mut rig, 0, 2, "two").unwrap();
    let letter = rig.machine.dead_letter(&id(), 0).unwrap();
    let replaced: Vec<&str> = letter
        .edit
        .unwrap()
        .notes
        .iter()
        .map(|n| n.id.as_str())
        .collect();
    assert_eq!(replaced, ["0", "one"]);
    for event in ["0", "one", "two"] {
        assert_eq!(rig.machine.find(event, Some("/shop")).len(), 1, "{event}");
    }
    redrive(&mut rig, 0);
    rig.answer_for(2, |_| Outcome::Done);
    assert!(rig.is(0, DeliveryStatus::Finished));
}

/// The new id is the identity: one that is taken would be passed over as a repetition.
#[test]
fn an_id_that_another_event_has_is_refused() {
    let mut rig = Rig::new(config(), &["a", "b", "c"]);
    rig.end(0, permanent());
    rig.end(1, Outcome::Done);
    for taken in ["1", "2"] {
        let refusal = Err(EditRefusal::Taken(taken.to_owned()));
        assert_eq!(edit(&mut rig, 0, 1, taken), refusal);
    }
}

#[test]
fn edits_are_bounded() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    rig.answer_for(3, |_| permanent());
    let sized = |rig: &Rig, sequence, bytes| Edit {
        event: Arc::from("x".repeat(bytes)),
        ..edit_as(rig, sequence, &format!("new-{sequence}"))
    };
    let large = sized(&rig, 0, EDITED_EVENT_BYTES_MAX + 1);
    let refusal = rig.machine.may_edit(&id(), 0, 1, &large);
    assert!(matches!(refusal, Err(EditRefusal::Large(_))));
    for sequence in 0..8 {
        let edit = Arc::new(sized(&rig, sequence, EDITED_EVENT_BYTES_MAX));
        rig.command(Command::Edit {
            consumer: id(),
            sequence,
            version: 1,
            edit,
        });
        assert_eq!(version(&rig, sequence), 2);
    }
    let full = rig.machine.may_edit(&id(), 8, 1, &sized(&rig, 8, 1));
    assert!(matches!(full, Err(EditRefusal::Full(_))));
    // In the place of its own former one there is room.
    assert_eq!(
        rig.machine.may_edit(&id(), 0, 2, &edit_as(&rig, 0, "less")),
        Ok(())
    );
    redrive(&mut rig, 0);
    rig.answer_for(2, |_| Outcome::Done);
    for round in 0..EDITS_MAX as u64 {
        edit(&mut rig, 8, 1 + round, &format!("round-{round}")).unwrap();
    }
    let often = edit(&mut rig, 8, 1 + EDITS_MAX as u64, "once more");
    assert_eq!(often, Err(EditRefusal::Often));
}

/// State of a version that knew no edits is read as before.
#[test]
fn a_letter_of_an_older_version_is_read() {
    let text = r#"{"kept":{"consumer":"billing/Event","delivery":{"sequence":0,"event":{"key":"a","source":"/shop","id":"0"},"accepted":1,"progress":{"failures":1,"crashes":0,"redrives":2,"standing":"clean","started":null,"history":[]},"death":{"reason":"permanent","error":"no","at":2}}}}"#;
    let record = StateRecord::decode(text.as_bytes()).unwrap();
    let StateRecord::Kept { delivery, .. } = &record else {
        panic!("{record:?}");
    };
    assert!(delivery.edit.is_none());
    assert_eq!(String::from_utf8(record.encode()).unwrap(), text);
}
