//! `tidegate dlq redrive --job`, `dlq jobs` and `dlq job`: redrive jobs of a running daemon.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::letters::{DlqJob, DlqJobShow, DlqJobTurn, DlqJobs, Switch};
use crate::arguments::operate::{AnswerFormat, DlqRedrive};
use crate::client::{Answer, Client};
use crate::commands::dlq_report::Refused;
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure};
use crate::table::{Cell, Side, Tone, facts, moment, table};
use crate::terminal::{self, shown};

/// Most characters of a note in a table.
const NOTE_WIDTH: usize = 60;
/// How often a job that is watched is asked for.
const LOOK: Duration = Duration::from_secs(1);

/// A redrive job.
#[derive(Debug, Deserialize)]
struct Job {
    id: u64,
    note: String,
    created_ms: u64,
    state: String,
    reason: Option<String>,
    held_by: Option<String>,
    rate: f64,
    canary: bool,
    stop_at: f64,
    stop_minimum: u64,
    letters: u64,
    waiting: u64,
    sent: u64,
    verified: u64,
    failed: u64,
    skipped: u64,
    #[serde(default)]
    refused: Vec<Refused>,
    #[serde(default)]
    members: Vec<Member>,
}

/// A letter of a redrive job.
#[derive(Debug, Deserialize)]
struct Member {
    id: String,
    state: String,
    reason: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Jobs {
    redrives: Vec<Job>,
}

pub(crate) fn run(job: &DlqJob) -> Result<Exit, Failure> {
    match job {
        DlqJob::Show(arguments) => show(arguments),
        DlqJob::Pause(arguments) => turn(arguments, "pause"),
        DlqJob::Resume(arguments) => turn(arguments, "resume"),
        DlqJob::Cancel(arguments) => turn(arguments, "cancel"),
    }
}

pub(crate) fn begin(client: &Client, arguments: &DlqRedrive) -> Result<Exit, Failure> {
    let options = &arguments.job;
    let mut body = arguments.selection.body();
    let fields = [
        ("rate", json!(options.rate.to_string())),
        ("canary", json!(options.canary == Switch::On)),
        ("max_failures", json!(options.max_failures.to_string())),
        ("note", json!(options.note)),
    ];
    body.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    let begun: Answer<Job> = client.post("/v1/redrives", Some(&Value::Object(body)))?;
    let job = &begun.read;
    for Refused { id, reason } in &job.refused {
        terminal::say(&format!("refused {}: {}", shown(id), shown(reason)));
    }
    if options.watch {
        return watch(client, job.id, arguments.order.format);
    }
    print(&begun, arguments.order.format)?;
    terminal::say(&format!(
        "to see how far it is: tidegate dlq job show {}",
        job.id
    ));
    Ok(match job.refused.is_empty() {
        true => Exit::Yes,
        false => Exit::Partly,
    })
}

pub(crate) fn list(arguments: &DlqJobs) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let jobs: Answer<Jobs> = client.get("/v1/redrives", &[])?;
    let all = &jobs.read.redrives;
    match arguments.format {
        AnswerFormat::Json => terminal::print(&pretty(&jobs.json))?,
        AnswerFormat::Human if all.is_empty() => {}
        AnswerFormat::Human => terminal::print(&rows(all, terminal::paints_stdout()))?,
    }
    if all.is_empty() {
        terminal::say("no redrive job is there");
        return Ok(Exit::No);
    }
    Ok(Exit::Yes)
}

fn show(arguments: &DlqJobShow) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    if arguments.watch {
        return watch(&client, arguments.job, arguments.format);
    }
    print(&job(&client, arguments.job)?, arguments.format)?;
    Ok(Exit::Yes)
}

fn turn(arguments: &DlqJobTurn, word: &str) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let path = format!("/v1/redrives/{}/{word}", arguments.job);
    print(&client.post(&path, None)?, arguments.order.format)?;
    Ok(Exit::Yes)
}

fn job(client: &Client, id: u64) -> Result<Answer<Job>, Failure> {
    client.get(&format!("/v1/redrives/{id}"), &[])
}

/// Waits for the end of a job. That it has ended well is what the exit code says.
#[expect(
    clippy::disallowed_methods,
    reason = "a person waits, and the daemon has its own time"
)]
fn watch(client: &Client, id: u64, format: AnswerFormat) -> Result<Exit, Failure> {
    let mut told = String::new();
    loop {
        let job = job(client, id)?;
        let line = progress(&job.read);
        if line != told {
            terminal::say(&line);
            told = line;
        }
        let is_over = match job.read.state.as_str() {
            "running" | "paused" => false,
            // What was sent still runs on.
            _ => job.read.sent == 0,
        };
        if is_over {
            print(&job, format)?;
            let Job {
                state,
                failed,
                skipped,
                ..
            } = &job.read;
            return Ok(match (state.as_str(), failed + skipped) {
                ("done", 0) => Exit::Yes,
                ("done", _) => Exit::Partly,
                _ => Exit::No,
            });
        }
        std::thread::sleep(LOOK);
    }
}

/// How far a job is, on one line.
fn progress(job: &Job) -> String {
    let Job {
        id,
        state,
        letters,
        verified,
        failed,
        sent,
        waiting,
        skipped,
        ..
    } = job;
    let mut line = format!("job {id} {state}: {verified} of {letters} verified");
    for (count, what) in [
        (failed, "failed again"),
        (skipped, "passed over"),
        (sent, "on their way"),
        (waiting, "waiting"),
    ] {
        if *count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    if let Some(why) = job.reason.as_ref().or(job.held_by.as_ref()) {
        line.push_str(&format!(" ({why})"));
    }
    shown(&line)
}

fn print(job: &Answer<Job>, format: AnswerFormat) -> Result<(), Failure> {
    terminal::print(&match format {
        AnswerFormat::Json => pretty(&job.json),
        AnswerFormat::Human => detail(&job.read, terminal::paints_stdout()),
    })
}

fn rows(jobs: &[Job], paint: bool) -> String {
    let heads = [
        ("job", Side::Right),
        ("state", Side::Left),
        ("letters", Side::Right),
        ("verified", Side::Right),
        ("failed", Side::Right),
        ("skipped", Side::Right),
        ("sent", Side::Right),
        ("waiting", Side::Right),
        ("since", Side::Left),
        ("note", Side::Left),
    ];
    let rows = jobs.iter().map(|job| {
        [
            job.id.into(),
            Cell::toned(&job.state, tone(&job.state)),
            job.letters.into(),
            job.verified.into(),
            job.failed.into(),
            job.skipped.into(),
            job.sent.into(),
            job.waiting.into(),
            Cell::new(&moment(job.created_ms)),
            Cell::cut(&job.note, NOTE_WIDTH),
        ]
    });
    table(heads, rows, paint)
}

fn tone(state: &str) -> Tone {
    match state {
        "done" => Tone::Good,
        "stopped" => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn detail(job: &Job, paint: bool) -> String {
    let percent = format!("{:.0}%", job.stop_at * 100.0);
    let stops = format!(
        "at {percent} failures, from {} verdicts on",
        job.stop_minimum
    );
    let mut text = facts(&[
        ("job", Some(job.id.to_string())),
        ("state", Some(job.state.clone())),
        ("because", job.reason.clone()),
        ("held by", job.held_by.clone()),
        (
            "note",
            Some(job.note.clone()).filter(|note| !note.is_empty()),
        ),
        ("began", Some(moment(job.created_ms))),
        ("rate", Some(format!("{}/s", job.rate))),
        (
            "canary",
            Some(if job.canary { "on" } else { "off" }.to_owned()),
        ),
        ("stops", Some(stops)),
        ("letters", Some(job.letters.to_string())),
        ("verified", Some(job.verified.to_string())),
        ("failed", Some(job.failed.to_string())),
        ("skipped", Some(job.skipped.to_string())),
        ("sent", Some(job.sent.to_string())),
        ("waiting", Some(job.waiting.to_string())),
    ]);
    // Of many, those are told that somebody has to do something about.
    let wanting = job.members.iter();
    let wanting: Vec<&Member> = wanting
        .filter(|m| matches!(m.state.as_str(), "failed" | "skipped"))
        .collect();
    if !wanting.is_empty() {
        text.push('\n');
        text.push_str(&members(&wanting, paint));
    }
    text
}

fn members(members: &[&Member], paint: bool) -> String {
    let heads = [
        ("letter", Side::Left),
        ("state", Side::Left),
        ("reason", Side::Left),
        ("error", Side::Left),
    ];
    let rows = members.iter().map(|member| {
        [
            Cell::new(&member.id),
            Cell::new(&member.state),
            Cell::new(member.reason.as_deref().unwrap_or("-")),
            Cell::cut(member.error.as_deref().unwrap_or("-"), NOTE_WIDTH),
        ]
    });
    table(heads, rows, paint)
}
