//! `tidegate dlq`: dead letters of a running daemon are listed, shown and exported.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::arguments::letters::{Filter, LetterId};
use crate::arguments::operate::{AnswerFormat, Dlq, DlqExport, DlqGroups, DlqList, DlqShow};
use crate::client::{Answer, Client};
use crate::commands::dlq_report::{self, Detail, Letter, Page};
use crate::commands::select::pretty;
use crate::commands::{dlq_edit, dlq_jobs, dlq_orders};
use crate::exit::{Exit, Failure, Kind};
use crate::terminal::{self, Lines};

/// How many dead letters are asked for at a time when all are wanted.
const PAGE: u64 = 500;

pub(crate) fn run(dlq: &Dlq) -> Result<Exit, Failure> {
    match dlq {
        Dlq::List(arguments) => list(arguments),
        Dlq::Groups(arguments) => groups(arguments),
        Dlq::Show(arguments) => show(arguments),
        Dlq::Redrive(arguments) => dlq_orders::redrive(arguments),
        Dlq::Discard(arguments) => dlq_orders::discard(arguments),
        Dlq::Restore(arguments) => dlq_orders::restore(arguments),
        Dlq::Export(arguments) => export(arguments),
        Dlq::Jobs(arguments) => dlq_jobs::list(arguments),
        Dlq::Job(job) => dlq_jobs::run(job),
        Dlq::Edit(arguments) => dlq_edit::run(arguments),
    }
}

fn list(arguments: &DlqList) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let after = arguments.after.as_ref();
    let wanted = match arguments.discarded {
        true => Wanted::Discarded,
        false => Wanted::Waiting,
    };
    let page = page(&client, &arguments.filter, wanted, arguments.limit, after)?;
    let letters = &page.read.letters;
    match arguments.format {
        AnswerFormat::Json => terminal::print(&pretty(&page.json))?,
        AnswerFormat::Human if letters.is_empty() => {}
        AnswerFormat::Human => {
            let paint = terminal::paints_stdout();
            terminal::print(&match wanted {
                Wanted::Waiting => dlq_report::letters(letters, paint),
                Wanted::Discarded => dlq_report::discarded(letters, paint),
            })?;
        }
    }
    let shown = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    let next = page.read.next.clone().flatten();
    let more = match (letters.last(), next) {
        // One that looks into payloads may have found nothing so far.
        (_, Some(next)) => Some(next),
        (Some(last), None) if shown == arguments.limit && shown < page.read.total => {
            Some(last.id.clone())
        }
        _ => None,
    };
    match (letters.is_empty(), more) {
        (_, Some(more)) => {
            let total = page.read.total;
            let of = match arguments.filter.looks_into_payloads() {
                true => format!("{shown} so far"),
                false => format!("{shown} of {total}"),
            };
            terminal::say(&format!("{of}; the next page: --after {more}"));
        }
        (true, None) => {
            terminal::say(match (wanted, after) {
                (Wanted::Waiting, None) => "no dead letter is there",
                (Wanted::Discarded, None) => "no discarded dead letter is there",
                (_, Some(_)) => "nothing is behind it",
            });
            return Ok(Exit::No);
        }
        (false, None) => {}
    }
    Ok(Exit::Yes)
}

fn groups(arguments: &DlqGroups) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let mut page = groups_of(&client, &arguments.filter)?;
    let groups = &page.read.groups;
    match arguments.format {
        AnswerFormat::Json => {
            if let Some(page) = page.json.as_object_mut() {
                page.retain(|name, _| name != "letters");
            }
            terminal::print(&pretty(&page.json))?;
        }
        AnswerFormat::Human if groups.is_empty() => {}
        AnswerFormat::Human => {
            terminal::print(&dlq_report::groups(groups, terminal::paints_stdout()))?;
        }
    }
    if groups.is_empty() {
        terminal::say("no dead letter is there");
        return Ok(Exit::No);
    }
    Ok(Exit::Yes)
}

fn show(arguments: &DlqShow) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let letter: Answer<Detail> = client.get(&path(&arguments.id), &[])?;
    terminal::print(&match arguments.format {
        AnswerFormat::Human => dlq_report::detail(&letter.read, terminal::paints_stdout()),
        AnswerFormat::Json => pretty(&letter.json),
    })?;
    Ok(Exit::Yes)
}

fn export(arguments: &DlqExport) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let mut lines = Lines::new();
    let (mut printed, mut gone) = (0_u64, 0_u64);
    let exported = each(&client, &arguments.filter, |letter| {
        match waiting(&client, &letter.id)? {
            Some(detail) => {
                printed += 1;
                Ok(lines.print(&detail.json.to_string()))
            }
            // It has been redriven or discarded since the page was read.
            None => {
                gone += 1;
                Ok(ControlFlow::Continue(()))
            }
        }
    });
    lines.end()?;
    if gone > 0 {
        terminal::say(&format!("left out, as decided on meanwhile: {gone}"));
    }
    if exported.is_err() && printed > 0 {
        terminal::say(&format!("printed before it failed: {printed}"));
    }
    exported?;
    if printed == 0 {
        terminal::say("no dead letter is there");
        return Ok(Exit::No);
    }
    Ok(Exit::Yes)
}

/// The causes of all dead letters that a filter holds for. When payloads are looked into, a page tells
/// of its own letters only; otherwise of all, and one letter is enough.
fn groups_of(client: &Client, filter: &Filter) -> Result<Answer<Page>, Failure> {
    let mut all = page(client, filter, Wanted::Waiting, 1, None)?;
    if !filter.looks_into_payloads() {
        return Ok(all);
    }
    all = page(client, filter, Wanted::Waiting, PAGE, None)?;
    while let Some(after) = all.read.goes_on_after() {
        let next = page(client, filter, Wanted::Waiting, PAGE, Some(&after))?.read;
        if next.goes_on_after().as_ref() == Some(&after) {
            return Err(again(&after));
        }
        all.read.add(next);
    }
    all.json = json!({ "groups": all.read.groups, "total": all.read.total });
    Ok(all)
}

/// Pages that do not go on would go on for ever.
fn again(after: &LetterId) -> Failure {
    let message = format!("the daemon answers with the page up to `{after}` again");
    Failure::new(Kind::Unreachable, message)
}

/// Which dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Waiting,
    Discarded,
}

pub(crate) fn path(id: &LetterId) -> String {
    format!("/v1/dead-letters/{id}")
}

fn page(
    client: &Client,
    filter: &Filter,
    wanted: Wanted,
    limit: u64,
    after: Option<&LetterId>,
) -> Result<Answer<Page>, Failure> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let fields = filter.fields().into_iter();
    let mut query: Vec<(&str, String)> = fields.map(|(name, value)| (name, text(value))).collect();
    if wanted == Wanted::Discarded {
        query.push(("discarded", "true".to_owned()));
    }
    query.push(("limit", limit.to_string()));
    query.extend(after.map(|after| ("after", after.to_string())));
    let query: Vec<(&str, &str)> = query
        .iter()
        .map(|(n, value)| (*n, value.as_str()))
        .collect();
    client.get("/v1/dead-letters", &query)
}

/// Every dead letter that waits, page after page, until `take` breaks.
pub(crate) fn each(
    client: &Client,
    filter: &Filter,
    mut take: impl FnMut(Letter) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let mut after: Option<LetterId> = None;
    loop {
        let page = page(client, filter, Wanted::Waiting, PAGE, after.as_ref())?.read;
        let Some(last) = page.goes_on_after() else {
            return page
                .letters
                .into_iter()
                .try_for_each(|letter| take(letter).map(drop));
        };
        let letters = page.letters;
        if after.as_ref() == Some(&last) {
            return Err(again(&last));
        }
        for letter in letters {
            if take(letter)?.is_break() {
                return Ok(());
            }
        }
        after = Some(last);
    }
}

/// A dead letter that waits; `None` when there is none of this name, or it is discarded.
pub(crate) fn waiting(client: &Client, id: &LetterId) -> Result<Option<Answer<Detail>>, Failure> {
    let found = client.find::<Detail>(&path(id))?;
    Ok(found.filter(|detail| !detail.read.letter.is_discarded()))
}
