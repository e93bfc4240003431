//! `tidegate dlq redrive`, `discard` and `restore`: what is to become of dead letters.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::arguments::operate::{
    AnswerFormat, DlqDiscard, DlqRedrive, DlqRestore, Filter, LetterId, Selection,
};
use crate::client::{Answer, Client};
use crate::commands::dlq;
use crate::commands::dlq_report::{self, Letter, Outcome, Refused};
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn redrive(arguments: &DlqRedrive) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    if arguments.dry_run {
        return rehearse(&client, arguments);
    }
    let body = selected(&arguments.selection);
    let outcome = client.post("/v1/dead-letters/redrive", Some(&body))?;
    report(&outcome, "redriven", arguments.order.format)
}

pub(crate) fn discard(arguments: &DlqDiscard) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let mut body = selected(&arguments.selection);
    if let Some(body) = body.as_object_mut() {
        body.insert("reason".to_owned(), arguments.reason.clone().into());
    }
    let outcome = client.post("/v1/dead-letters/discard", Some(&body))?;
    report(&outcome, "discarded", arguments.order.format)
}

pub(crate) fn restore(arguments: &DlqRestore) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let body = json!({ "ids": names(&arguments.ids) });
    let outcome = client.post("/v1/dead-letters/restore", Some(&body))?;
    report(&outcome, "restored", arguments.order.format)
}

fn names(ids: &[LetterId]) -> Vec<String> {
    ids.iter().map(LetterId::to_string).collect()
}

/// A selection as the daemon reads it.
fn selected(selection: &Selection) -> Value {
    match (&selection.consumer, &selection.group) {
        (None, _) => json!({ "ids": names(&selection.ids) }),
        (Some(consumer), None) => json!({ "consumer": consumer }),
        (Some(consumer), Some(group)) => json!({ "consumer": consumer, "group": group }),
    }
}

/// Says what became of an order. `done` is the word of the daemon for it.
fn report(outcome: &Answer<Outcome>, done: &str, format: AnswerFormat) -> Result<Exit, Failure> {
    let Outcome { ids, refused } = &outcome.read;
    let is_nothing = ids.is_empty() && refused.is_empty();
    match format {
        AnswerFormat::Json => terminal::print(&pretty(&outcome.json))?,
        AnswerFormat::Human if is_nothing => {}
        AnswerFormat::Human => {
            let paint = terminal::paints_stdout();
            terminal::print(&dlq_report::outcome(&outcome.read, done, paint))?;
        }
    }
    if is_nothing {
        terminal::say("nothing was selected: no dead letter is there");
    }
    Ok(match (ids.is_empty(), refused.is_empty()) {
        (true, _) => Exit::No,
        (false, true) => Exit::Yes,
        (false, false) => Exit::Partly,
    })
}

/// What would go back. The daemon may still refuse some, such as those that went back too often.
fn rehearse(client: &Client, arguments: &DlqRedrive) -> Result<Exit, Failure> {
    let (letters, refused) = selection(client, &arguments.selection)?;
    match arguments.order.format {
        AnswerFormat::Json => {
            let ids: Vec<String> = letters.iter().map(|letter| letter.id.to_string()).collect();
            terminal::print(&pretty(&json!({
                "dry_run": true,
                "would_redrive": ids.len(),
                "ids": ids,
                "refused": refused,
            })))?;
        }
        AnswerFormat::Human => {
            let paint = terminal::paints_stdout();
            if !letters.is_empty() {
                terminal::print(&dlq_report::letters(&letters, paint))?;
            }
            for Refused { id, reason } in &refused {
                terminal::say(&format!(
                    "{}: {}",
                    terminal::shown(id),
                    terminal::shown(reason)
                ));
            }
        }
    }
    terminal::say(&format!("{} would be redriven", letters.len()));
    Ok(Exit::Yes)
}

/// The dead letters of a selection, and those that are not there.
fn selection(
    client: &Client,
    selection: &Selection,
) -> Result<(Vec<Letter>, Vec<Refused>), Failure> {
    let (mut letters, mut refused) = (Vec::new(), Vec::new());
    if let Some(consumer) = &selection.consumer {
        let filter = Filter {
            consumer: Some(consumer.clone()),
            group: selection.group.clone(),
        };
        dlq::each(client, &filter, |letter| {
            letters.push(letter);
            Ok(ControlFlow::Continue(()))
        })?;
        return Ok((letters, refused));
    }
    for id in &selection.ids {
        match dlq::waiting(client, id)? {
            Some(detail) => letters.push(detail.read.letter),
            None => refused.push(Refused {
                id: id.to_string(),
                reason: "there is no such dead letter".to_owned(),
            }),
        }
    }
    Ok((letters, refused))
}
