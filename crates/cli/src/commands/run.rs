//! `tidegate run`: a design lives, on the embedded log or a broker, until it is interrupted.

use std::path::Path;
use std::time::Duration;

use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;
use tidegate_compat::Profile;
use tidegate_model::Design;
use tidegate_runtime::Missing;
use tidegate_traffic::Scenario;

use crate::arguments::{RegistryRules, Run, Traffic, WireFormat};
use crate::commands::simulate::{RECORDING, recording};
use crate::daemon::{self, Daemon, Rehearsal};
use crate::design_files::{self, read_text, unreadable};
use crate::exit::{Exit, Failure};
use crate::place;
use crate::receive::Receive;
use crate::registry_client::RegistryClient;
use crate::registry_source::OthersRegistry;

/// How long an answer of a schema registry is waited for; it is asked again.
const REGISTRY_LIMIT: Duration = Duration::from_secs(4);

pub(crate) fn run(arguments: &Run) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let broker = place::of(arguments)?;
    broker.keeps(&design)?;
    let rehearsal = rehearsal(arguments, &design)?;
    let access = daemon::access(&arguments.serve)?;
    daemon::run(Daemon {
        design,
        access,
        data: arguments.data.clone(),
        rehearsal,
        receive: Receive::of(arguments)?,
        registry_rules: match arguments.registry_rules {
            RegistryRules::Confluent => Profile::Confluent,
            RegistryRules::Exact => Profile::Exact,
        },
        broker,
        other_registry: other_registry(arguments)?,
    })
}

/// The registry of others that the arguments name.
fn other_registry(arguments: &Run) -> Result<Option<OthersRegistry>, Failure> {
    let Some(url) = &arguments.registry_url else {
        return Ok(None);
    };
    let credentials = arguments.registry_credentials_file.as_deref();
    let client = RegistryClient::new(url, credentials, REGISTRY_LIMIT)?;
    Ok(Some(OthersRegistry {
        client,
        written: match arguments.wire_format {
            WireFormat::Read => None,
            WireFormat::Write => Some(Missing::Leave),
            WireFormat::Register => Some(Missing::Register),
        },
    }))
}

fn rehearsal(arguments: &Run, design: &Design) -> Result<Option<Rehearsal>, Failure> {
    let scenario = match &arguments.scenario {
        Some(_) if arguments.traffic == Traffic::None => {
            let message = "a scenario needs traffic: without it there are no stand-in services";
            return Err(Failure::configuration(message).hint("add --traffic recorded or synthetic"));
        }
        Some(file) => scenario(file, design)?,
        None => Scenario::default(),
    };
    let beside = design_files::folder(&arguments.design).join(RECORDING);
    let file = arguments.recording.clone().unwrap_or(beside);
    let recording = match arguments.traffic {
        Traffic::None => return Ok(None),
        Traffic::Recorded => Some(recording(&file)?),
        Traffic::Synthetic => None,
    };
    Ok(Some(Rehearsal {
        recording,
        scenario,
        speed: arguments.speed,
    }))
}

fn scenario(file: &Path, design: &Design) -> Result<Scenario, Failure> {
    let text = read_text(file, DESIGN_FILE_BYTES_MAX).map_err(|error| unreadable(file, &error))?;
    Scenario::read(&text, design)
        .map_err(|error| Failure::configuration(format!("`{}`: {error}", file.display())))
}
