//! `tidegate simulate`: a design's queues before they exist.

use std::path::Path;
use std::time::Duration;

use tidegate_base::limit::RECORDING_BYTES_MAX;
use tidegate_base::{Name, parse_duration};
use tidegate_model::Design;
use tidegate_simulate::{Outage, Scenario, Verdict, Window};
use tidegate_trace::recording::{self, Recording};

use crate::arguments::{ReportFormat, Simulate};
use crate::commands::select::pretty;
use crate::design_files::{self, read_text, unreadable};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// The file beside a design that `discover --draft` writes.
pub(crate) const RECORDING: &str = "recording.jsonl";

pub(crate) fn run(arguments: &Simulate) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let scenario = scenario(arguments, &design)?;
    let simulation = tidegate_simulate::simulate(&design, &scenario);
    terminal::print(&match arguments.format {
        ReportFormat::Human => simulation.to_human(),
        ReportFormat::Json => pretty(&simulation.to_json()),
        ReportFormat::Markdown => simulation.to_markdown(),
    })?;
    Ok(if simulation.verdict == Verdict::Missed {
        Exit::No
    } else {
        Exit::Yes
    })
}

fn scenario(arguments: &Simulate, design: &Design) -> Result<Scenario, Failure> {
    let duration = arguments.duration;
    let outages: Result<Vec<Outage>, Failure> = arguments
        .outage
        .iter()
        .map(|text| outage(text, design))
        .collect();
    let mut scenario = Scenario {
        seed: arguments.seed,
        duration,
        warm_up: (duration / 20).min(Duration::from_secs(30)),
        peaks: vec![Window {
            from: duration / 2,
            length: duration / 10,
        }],
        outages: outages?,
        failures: arguments.failures,
        ..Scenario::default()
    };
    if let Some(file) = &arguments.recording {
        return Ok(scenario.with_recording(&recording(file)?));
    }
    // The design says how long handlers take, the recording how much that varies.
    let unused = "handler times are drawn around their means";
    if let Some(recording) = beside(&arguments.design, unused) {
        scenario = scenario.with_spread_of(&recording);
    }
    Ok(scenario)
}

/// The recording beside a design: a draft has one. Nobody named it: one that cannot be read is none.
pub(crate) fn beside(design: &Path, instead: &str) -> Option<Recording> {
    let file = design_files::folder(design).join(RECORDING);
    if !file.is_file() {
        return None;
    }
    recording(&file)
        .map_err(|failure| {
            terminal::say(&format!(
                "the recording beside the design is not used, {instead}: {}",
                failure.message()
            ));
        })
        .ok()
}

/// Reads the recording in a file.
pub(crate) fn recording(file: &Path) -> Result<Recording, Failure> {
    let text = read_text(file, RECORDING_BYTES_MAX).map_err(|error| {
        unreadable(file, &error).hint("write one with `tidegate discover TRACES --draft DIR`")
    })?;
    recording::read(&file.display().to_string(), text.as_bytes())
        .map_err(|error| Failure::configuration(error.to_string()))
}

/// `payments-api@2m+30s`: a dependency, when, how long.
fn outage(text: &str, design: &Design) -> Result<Outage, Failure> {
    let wrong = |reason: String| {
        Failure::configuration(format!("outage `{text}`: {reason}"))
            .hint("write NAME@FROM+LENGTH, such as payments-api@2m+30s")
    };
    let parts = text
        .split_once('@')
        .and_then(|(name, when)| Some((name, when.split_once('+')?)));
    let Some((name, (from, length))) = parts else {
        return Err(wrong("is not NAME@FROM+LENGTH".to_owned()));
    };
    let name = Name::new(name).map_err(|error| wrong(error.to_string()))?;
    if !design.dependencies.contains_key(&name) {
        return Err(wrong(format!("dependency `{name}` is not in the design")));
    }
    let time = |text: &str| parse_duration(text).map_err(|error| wrong(error.to_string()));
    let window = Window {
        from: time(from)?,
        length: time(length)?,
    };
    Ok(Outage {
        dependency: Some(name),
        window,
    })
}
