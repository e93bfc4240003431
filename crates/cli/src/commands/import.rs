//! `tidegate import`: a design of what there is already.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_asyncapi::Imported;
use tidegate_base::Name;
use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;
use tidegate_check::report::{Format, Paint, render};
use tidegate_model::{Severity, Source};

use crate::arguments::asyncapi::{
    Import, ImportAny, ImportAsyncapi, ImportRabbitmq, ImportRegistry, Target,
};
use crate::commands::import_live;
use crate::commands::init::{quoted, system_name};
use crate::design_files::{read_text, unreadable, write_new};
use crate::document_files;
use crate::exit::{Exit, Failure};
use crate::registry_client::RegistryClient;
use crate::terminal;

/// What a design is called when nothing says its name.
const UNNAMED: &str = "imported";

pub(crate) fn run(arguments: &ImportAny) -> Result<Exit, Failure> {
    let import = match (&arguments.import, &arguments.from) {
        (Some(import), _) => import,
        (None, Some(url)) => {
            return import_live::run(url, arguments.broker_config.as_deref(), &arguments.target);
        }
        (None, None) => {
            let message = "nothing is named to be imported";
            return Err(Failure::configuration(message)
                .hint("name a broker with --from URL, or see `tidegate import --help`"));
        }
    };
    match import {
        Import::Asyncapi(arguments) => asyncapi(arguments),
        Import::Registry(arguments) => registry(arguments),
        Import::Rabbitmq(arguments) => rabbitmq(arguments),
    }
}

fn asyncapi(arguments: &ImportAsyncapi) -> Result<Exit, Failure> {
    let documents = document_files::read(&arguments.files)?;
    let system = name(arguments.target.system.as_deref())?;
    let mut imported = tidegate_asyncapi::import(&documents.bundle, system.as_ref());
    if let (Some(folder), Some(written)) =
        (&arguments.target.out, imported.design.get_mut("system"))
        && written == UNNAMED
    {
        *written = json!(system_name(None, folder)?);
    }
    finish(&imported, &arguments.target, |paint| {
        documents.render(&imported.findings, Format::Human, paint)
    })
}

fn registry(arguments: &ImportRegistry) -> Result<Exit, Failure> {
    let credentials = arguments.credentials_file.as_deref();
    let client = RegistryClient::new(&arguments.url, credentials, arguments.timeout)?;
    let subjects = client.subjects()?;
    let system = system(&arguments.target)?;
    let url = arguments.url.text();
    let imported = tidegate_asyncapi::registry::import(url, &subjects, &system);
    finish(&imported, &arguments.target, |paint| {
        render(Format::Human, &imported.findings, &[], paint)
    })
}

fn rabbitmq(arguments: &ImportRabbitmq) -> Result<Exit, Failure> {
    let file = &arguments.file;
    let text = read_text(file, DESIGN_FILE_BYTES_MAX).map_err(|error| unreadable(file, &error))?;
    let source = Source {
        name: Arc::from(file.display().to_string()),
        text,
    };
    let imported = tidegate_asyncapi::rabbitmq::import(&source, &system(&arguments.target)?);
    finish(&imported, &arguments.target, |paint| {
        let sources = [(&*source.name, source.text.as_str())];
        render(Format::Human, &imported.findings, &sources, paint)
    })
}

fn name(wanted: Option<&str>) -> Result<Option<Name>, Failure> {
    let name = wanted.map(Name::new).transpose();
    name.map_err(|error| Failure::configuration(error.to_string()))
}

/// The name asked for, or the folder's, or one that says where the design comes from.
pub(super) fn system(target: &Target) -> Result<Name, Failure> {
    match (&target.system, &target.out) {
        (None, None) => system_name(Some(UNNAMED), Path::new(".")),
        (wanted, folder) => {
            let folder = folder.as_deref().unwrap_or(Path::new("."));
            system_name(wanted.as_deref(), folder)
        }
    }
}

/// Says what was found and lost, and who sends what to whom; writes or prints the design.
pub(super) fn finish(
    imported: &Imported,
    target: &Target,
    rendered: impl Fn(Paint) -> String,
) -> Result<Exit, Failure> {
    if !imported.findings.is_empty() {
        let paint = if terminal::paints_stderr() {
            Paint::Ansi
        } else {
            Paint::Plain
        };
        terminal::say(&rendered(paint));
    }
    let fails = imported
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    if fails {
        return Err(Failure::configuration(
            "there is something that cannot be read; nothing was imported",
        )
        .hint("mend it, or ask `tidegate explain CODE`"));
    }
    for flow in &imported.flows {
        terminal::say(flow);
    }
    let design = tidegate_generate::to_yaml(&imported.design);
    let Some(folder) = &target.out else {
        terminal::print(&design)?;
        if !imported.files.is_empty() {
            terminal::say("schemas are files beside a design: write them with --out DIR");
        }
        return Ok(Exit::Yes);
    };
    let mut files = vec![("design.yaml".to_owned(), design)];
    files.extend(imported.files.iter().cloned());
    write_new(folder, &files)?;
    let (events, services) = (count(imported, "events"), count(imported, "services"));
    let folder = quoted(folder);
    terminal::say(&format!(
        "wrote a design of {events} events and {services} services into {folder}"
    ));
    terminal::say(&format!("next: tidegate check {folder}"));
    Ok(Exit::Yes)
}

fn count(imported: &Imported, section: &str) -> usize {
    let section = imported.design.get(section).and_then(Value::as_object);
    section.map_or(0, |section| section.len())
}
