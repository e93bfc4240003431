//! `tidegate apply` and `tidegate drift`: from what a broker has to what a design needs.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value as Json, json};
use tidegate_estate::Applied;
use tidegate_topology::{Change, Class, How, Plan, Use};

use crate::arguments::estate::{Apply, Drift, UsedBy};
use crate::arguments::operate::AnswerFormat;
use crate::commands::select::pretty;
use crate::design_files;
use crate::estate::{Estate, failed};
use crate::exit::{Exit, Failure};
use crate::table::Tone;
use crate::terminal::{self, say, shown};

/// Unmanaged things that are named to people.
const NAMED_MAX: usize = 20;

/// A plan, with what it is for.
struct Planned {
    estate: Estate,
    plan: Plan,
    used_by: Use,
}

fn planned(
    design: &std::path::Path,
    at: &crate::arguments::estate::At,
    used_by: Option<UsedBy>,
) -> Result<Planned, Failure> {
    let design = design_files::sound(design)?;
    let estate = Estate::read(at)?;
    let options = estate.options(&design, used_by)?;
    let plan = Plan::new(&estate.desired(&design, &options), &estate.actual);
    Ok(Planned {
        estate,
        plan,
        used_by: options.used_by,
    })
}

pub(crate) fn drift(arguments: &Drift) -> Result<Exit, Failure> {
    let planned = planned(&arguments.design, &arguments.at, arguments.used_by)?;
    let text = match arguments.format {
        AnswerFormat::Json => pretty(&planned.json("tidegate/drift/v1", None)),
        AnswerFormat::Human => planned.text(&BTreeSet::new(), terminal::paints_stdout()),
    };
    terminal::print(&text)?;
    Ok(match planned.plan.is_empty() {
        true => Exit::Yes,
        false => Exit::No,
    })
}

pub(crate) fn apply(arguments: &Apply) -> Result<Exit, Failure> {
    let planned = planned(&arguments.design, &arguments.at, arguments.used_by)?;
    let confirmed: BTreeSet<String> = arguments.confirm.iter().cloned().collect();
    let wanted = planned.plan.unconfirmed(&BTreeSet::new());
    if let Some(name) = confirmed
        .iter()
        .find(|name| !wanted.contains(name.as_str()))
    {
        let known = wanted.iter().copied();
        let failure = Failure::configuration(format!(
            "`{}` is confirmed, and nothing of that name wants to be; nothing was done",
            shown(name)
        ));
        return Err(match tidegate_model::closest(name, known) {
            Some(similar) => failure.hint(format!("did you mean `{similar}`?")),
            None => failure,
        });
    }
    if !arguments.apply {
        let text = match arguments.format {
            AnswerFormat::Json => pretty(&planned.json("tidegate/plan/v1", None)),
            AnswerFormat::Human => planned.text(&confirmed, terminal::paints_stdout()),
        };
        terminal::print(&text)?;
        if !planned.plan.is_empty() {
            say("nothing was changed; add --apply to do it");
        }
        return Ok(Exit::Yes);
    }
    let applied = planned.estate.broker.apply(&planned.plan, &confirmed);
    let done = applied
        .iter()
        .filter(|applied| applied.error.is_none())
        .count();
    match arguments.format {
        AnswerFormat::Json => {
            terminal::print(&pretty(&planned.json("tidegate/plan/v1", Some(&applied))))?;
        }
        AnswerFormat::Human => terminal::print(&report(&applied, terminal::paints_stdout()))?,
    }
    let left = planned.plan.changes.len() - done;
    if let Some(error) = applied.iter().find_map(|applied| applied.error.as_ref()) {
        let failure = failed(error);
        if done == 0 {
            return Err(failure);
        }
        terminal::error(failure.message(), None);
        say(&format!("{done} changes were made, {left} were not"));
        return Ok(Exit::Partly);
    }
    for name in planned.plan.unconfirmed(&confirmed) {
        say(&format!("not done without --confirm {}", shown(name)));
    }
    Ok(match left {
        0 => Exit::Yes,
        _ => Exit::Partly,
    })
}

impl Planned {
    fn json(&self, schema: &str, applied: Option<&[Applied]>) -> Json {
        let mut json = json!({
            "schema": schema,
            "broker": self.estate.actual.engine,
            "at": self.estate.address.servers,
            "for": match self.used_by {
                Use::Clients => "clients",
                Use::Runtime => "runtime",
            },
            "changes": self.plan.changes,
            "unmanaged": self.plan.unmanaged,
            "notes": self.plan.notes,
        });
        if let (Some(applied), Some(object)) = (applied, json.as_object_mut()) {
            let applied: Vec<Json> = applied
                .iter()
                .map(|one| {
                    json!({
                        "kind": one.change.id.kind,
                        "name": one.change.id.name,
                        "how": one.change.how,
                        "error": one.error.as_ref().map(ToString::to_string),
                    })
                })
                .collect();
            object.insert("applied".to_owned(), json!(applied));
        }
        json
    }

    fn text(&self, confirmed: &BTreeSet<String>, paint: bool) -> String {
        let plan = &self.plan;
        let used_by = match self.used_by {
            Use::Clients => "services with its clients",
            Use::Runtime => "tidegate run",
        };
        let mut text = format!("{}, for {used_by}: ", shown(&self.estate.place()));
        text.push_str(&counted(plan));
        text.push('\n');
        for change in &plan.changes {
            text.push('\n');
            text.push_str(&change_text(change, confirmed, paint));
        }
        if !plan.unmanaged.is_empty() {
            let mut names: Vec<String> = plan
                .unmanaged
                .iter()
                .map(|id| shown(&id.to_string()))
                .collect();
            let more = names.len().saturating_sub(NAMED_MAX);
            names.truncate(NAMED_MAX);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            text.push_str(&format!(
                "\nnot in the design, left alone: {}{more}\n",
                names.join(", ")
            ));
        }
        for note in &plan.notes {
            text.push_str(&format!("\nnote: {note}\n"));
        }
        text
    }
}

fn counted(plan: &Plan) -> String {
    let count = |class: Class| plan.changes.iter().filter(|c| c.class == class).count();
    let words = [
        (Class::Create, "to make"),
        (Class::Alter, "to change"),
        (Class::Destructive, "destructive"),
        (Class::Manual, "not done here"),
    ];
    let parts: Vec<String> = words
        .into_iter()
        .filter(|(class, _)| count(*class) > 0)
        .map(|(class, word)| format!("{} {word}", count(class)))
        .collect();
    match parts.is_empty() {
        true => "as the design wants it".to_owned(),
        false => parts.join(", "),
    }
}

fn change_text(change: &Change, confirmed: &BTreeSet<String>, paint: bool) -> String {
    let (mark, tone) = match change.class {
        Class::Create => ("+", Tone::Good),
        Class::Alter => ("~", Tone::Poor),
        Class::Destructive => ("!", Tone::Bad),
        Class::Manual => ("?", Tone::Poor),
    };
    let what = match change.how {
        How::Create => "make",
        How::Alter => "change",
        How::Recreate => "delete and make anew",
        How::Nothing => "not done here:",
    };
    let head = format!("{mark} {what} {}", shown(&change.id.to_string()));
    let mut text = format!("{}: {}\n", tone.painted(&head, paint), change.reason);
    let rows: Vec<[String; 3]> = change
        .differences
        .iter()
        .map(|difference| {
            let to = shown(&difference.to.to_string());
            let value = match &difference.from {
                Some(from) => format!("{} -> {to}", shown(&from.to_string())),
                None => to,
            };
            [
                difference.setting.clone(),
                value,
                difference.because.clone(),
            ]
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .min(40)
    };
    let (names, values) = (width(0), width(1));
    for [name, value, because] in &rows {
        // Writing to a String does not fail.
        let _written = writeln!(text, "    {name:<names$}  {value:<values$}  {because}").is_ok();
    }
    if let Some(name) = change
        .confirm
        .as_ref()
        .filter(|name| !confirmed.contains(*name))
    {
        text.push_str(&format!("    wants --confirm {}\n", shown(name)));
    }
    text
}

fn report(applied: &[Applied], paint: bool) -> String {
    if applied.is_empty() {
        return "nothing was to be done\n".to_owned();
    }
    let lines = applied.iter().map(|one| {
        let what = match one.change.how {
            How::Create => "made",
            How::Alter => "changed",
            How::Recreate => "deleted and made anew",
            How::Nothing => "left",
        };
        let id = shown(&one.change.id.to_string());
        match &one.error {
            None => format!("{} {id}\n", Tone::Good.painted(what, paint)),
            Some(error) => format!(
                "{} {id}: {}\n",
                Tone::Bad.painted("failed", paint),
                shown(&error.to_string())
            ),
        }
    });
    lines.collect()
}
