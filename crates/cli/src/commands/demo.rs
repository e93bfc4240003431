//! `tidegate demo`: the checkout example with recorded traffic and a story of faults.

use tidegate_trace::recording;
use tidegate_traffic::Scenario;

use crate::arguments::Demo;
use crate::daemon::{self, Daemon, Rehearsal};
use crate::design_files::{check_sources, sound_of};
use crate::example;
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::receive::Receive;
use crate::terminal;

/// The recording is played this much faster than it was recorded, so that rates are seen.
const SPEED: f64 = 40.0;

pub(crate) fn run(arguments: &Demo) -> Result<Exit, Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::configuration(error.to_string());
    let checked = check_sources(example::sources(), &example::schema);
    let design = sound_of(checked, "examples/checkout")?;
    let recording = recording::read("recording.jsonl", example::RECORDING.as_bytes())
        .map_err(|e| broken(&e))?;
    let scenario = Scenario::read(example::SCENARIO, &design).map_err(|error| broken(&error))?;
    let access = daemon::access(&arguments.serve)?;
    terminal::say(example::INTRODUCTION);
    let rehearsal = Some(Rehearsal {
        recording: Some(recording),
        scenario,
        speed: SPEED,
    });
    match &arguments.data {
        Some(data) => daemon::run(Daemon {
            design,
            access,
            data: data.clone(),
            rehearsal,
            receive: Receive::default(),
            registry_rules: tidegate_compat::Profile::Confluent,
            broker: Place::Log,
            other_registry: None,
        }),
        None => {
            let folder = tempfile::Builder::new().prefix("tidegate-demo-").tempdir();
            let folder =
                folder.map_err(|error| broken(&format!("no temporary folder: {error}")))?;
            daemon::run(Daemon {
                design,
                access,
                data: folder.path().to_path_buf(),
                rehearsal,
                receive: Receive::default(),
                registry_rules: tidegate_compat::Profile::Confluent,
                broker: Place::Log,
                other_registry: None,
            })
        }
    }
}
