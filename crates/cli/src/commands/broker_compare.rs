//! `tidegate broker compare`: what each broker makes of the promises of a design.

use std::fmt::Write;

use serde_json::json;
use tidegate_topology::compare::{Comparison, Keeps, PromiseCell, compare};

use crate::arguments::estate::{Compare, CompareFormat};
use crate::commands::select::pretty;
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::table::Tone;
use crate::terminal;

pub(crate) fn run(arguments: &Compare) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let comparison = compare(&design)
        .map_err(|error| Failure::configuration(format!("the table of promises: {error}")))?;
    let text = match arguments.format {
        CompareFormat::Human => human(&comparison, terminal::paints_stdout()),
        CompareFormat::Markdown => markdown(&comparison),
        CompareFormat::Json => pretty(&json!({
            "schema": "tidegate/broker-compare/v1",
            "system": design.system.value.as_str(),
            "brokers": comparison.brokers,
            "promises": comparison.promises,
        })),
    };
    terminal::print(&text)?;
    Ok(Exit::Yes)
}

fn word(keeps: Keeps) -> (&'static str, Tone) {
    match keeps {
        Keeps::Native => ("native", Tone::Good),
        Keeps::Instead => ("instead", Tone::Poor),
        Keeps::Lost => ("lost", Tone::Bad),
    }
}

fn human(comparison: &Comparison, paint: bool) -> String {
    let mut text = String::new();
    let names = comparison
        .brokers
        .iter()
        .map(|broker| broker.name.chars().count());
    let width = names.max().unwrap_or(0);
    for promise in &comparison.promises {
        // Writing to a String does not fail.
        let _written = writeln!(text, "{}", promise.promise).is_ok();
        for broker in &comparison.brokers {
            let Some(cell) = promise.cells.get(&broker.id) else {
                continue;
            };
            let (word, tone) = word(cell.how);
            let word = tone.painted(&format!("{word:<7}"), paint);
            let _written =
                writeln!(text, "  {:<width$}  {word}  {}", broker.name, cell.what).is_ok();
        }
        text.push('\n');
    }
    text.push_str("native: the broker does it · instead: Tidegate or its library does it · lost: nobody does\n\n");
    for broker in &comparison.brokers {
        let count = |keeps: Keeps| {
            let cells = comparison.promises.iter();
            let cells = cells.filter_map(|promise| promise.cells.get(&broker.id));
            cells.filter(|cell| cell.how == keeps).count()
        };
        let _written = writeln!(
            text,
            "{:<width$}  {} native, {} instead, {} lost",
            broker.name,
            count(Keeps::Native),
            count(Keeps::Instead),
            count(Keeps::Lost)
        )
        .is_ok();
    }
    text
}

fn markdown(comparison: &Comparison) -> String {
    let mut text = String::from("| promise |");
    for broker in &comparison.brokers {
        text.push_str(&format!(" {} |", broker.name));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(comparison.brokers.len()));
    text.push('\n');
    for promise in &comparison.promises {
        text.push_str(&format!("| {} |", promise.promise));
        for broker in &comparison.brokers {
            let cell = promise.cells.get(&broker.id);
            let cell = cell.map_or(String::new(), |cell: &PromiseCell| {
                format!("**{}**: {} ({})", word(cell.how).0, cell.what, cell.source)
            });
            text.push_str(&format!(" {} |", cell.replace('|', "\\|")));
        }
        text.push('\n');
    }
    text
}
