//! `tidegate doctor`: what a broker really promises to each consumer of a design.

use serde_json::json;
use tidegate_check::report::{Format, Paint, render};
use tidegate_model::Severity;
use tidegate_topology::doctor::{Promise, examine};

use crate::arguments::estate::Doctor;
use crate::arguments::operate::AnswerFormat;
use crate::commands::select::pretty;
use crate::design_files;
use crate::estate::Estate;
use crate::exit::{Exit, Failure};
use crate::table::facts;
use crate::terminal::{self, shown};

pub(crate) fn run(arguments: &Doctor) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let estate = Estate::read(&arguments.at)?;
    let options = estate.options(&design, arguments.used_by)?;
    let examined = examine(&design, &options, &estate.actual);
    let text = match arguments.format {
        AnswerFormat::Json => pretty(&json!({
            "schema": "tidegate/doctor/v1",
            "broker": estate.actual.engine,
            "at": estate.address.servers,
            "promises": examined.promises,
            "findings": examined.findings,
            "unread": estate.actual.unread,
        })),
        AnswerFormat::Human => {
            let paint = match terminal::paints_stdout() {
                true => Paint::Ansi,
                false => Paint::Plain,
            };
            let sources = design_files::sources(&arguments.design)?;
            let sources: Vec<(&str, &str)> = sources
                .iter()
                .map(|source| (&*source.name, source.text.as_str()))
                .collect();
            let mut text = format!("{}\n", shown(&estate.place()));
            for promise in &examined.promises {
                text.push_str(&promise_text(promise));
            }
            for unread in &estate.actual.unread {
                text.push_str(&format!("\nnote: {unread}\n"));
            }
            text.push('\n');
            text.push_str(&render(Format::Human, &examined.findings, &sources, paint));
            text
        }
    };
    terminal::print(&text)?;
    let worst = examined
        .findings
        .iter()
        .map(|finding| finding.severity)
        .max();
    let fails = worst.is_some_and(|worst| worst >= Severity::from(arguments.fail_on));
    Ok(if fails { Exit::No } else { Exit::Yes })
}

fn promise_text(promise: &Promise) -> String {
    let rows = facts(&[
        ("  survives", Some(promise.survives.clone())),
        ("  kept", Some(promise.kept.clone())),
        ("  order", Some(promise.order.clone())),
        ("  again", Some(promise.repeats.clone())),
        ("  given up", Some(promise.given_up.clone())),
    ]);
    format!(
        "\n{} ({})\n{rows}",
        shown(&promise.consumer),
        shown(&promise.place)
    )
}
