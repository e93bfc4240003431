//! `tidegate generate`: artefacts from a design.

use std::path::Path;

use serde_json::Value;
use tidegate_base::Name;
use tidegate_generate::asyncapi::{Version, at_version};
use tidegate_model::{Design, closest};

use crate::arguments::{Asyncapi, AsyncapiVersion, DocumentFormat, Mermaid};
use crate::commands::init::quoted;
use crate::commands::select::pretty;
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn asyncapi(arguments: &Asyncapi) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    if let Some(folder) = &arguments.out {
        return each_service(&design, folder, arguments);
    }
    let document = match &arguments.service {
        None => tidegate_generate::asyncapi(&design),
        Some(service) => {
            let name = Name::new(service).map_err(|e| Failure::configuration(e.to_string()))?;
            tidegate_generate::asyncapi::service(&design, &name).ok_or_else(|| {
                let failure =
                    Failure::configuration(format!("service `{service}` is not in the design"));
                let known = design.services.keys().map(Name::as_str);
                match closest(service, known) {
                    Some(similar) => failure.hint(format!("did you mean `{similar}`?")),
                    None => failure,
                }
            })?
        }
    };
    terminal::print(&text(document, arguments))?;
    Ok(Exit::Yes)
}

/// Writes the document of each service into `folder`.
fn each_service(design: &Design, folder: &Path, arguments: &Asyncapi) -> Result<Exit, Failure> {
    let end = match arguments.format {
        DocumentFormat::Yaml => "yaml",
        DocumentFormat::Json => "json",
    };
    let mut files = Vec::new();
    for name in design.services.keys() {
        if let Some(document) = tidegate_generate::asyncapi::service(design, name) {
            files.push((format!("{name}.asyncapi.{end}"), text(document, arguments)));
        }
    }
    design_files::write_new(folder, &files)?;
    let count = files.len();
    terminal::say(&format!("wrote {count} documents into {}", quoted(folder)));
    Ok(Exit::Yes)
}

fn text(document: Value, arguments: &Asyncapi) -> String {
    let version = match arguments.spec {
        AsyncapiVersion::V3_0 => Version::V3_0,
        AsyncapiVersion::V3_1 => Version::V3_1,
    };
    let document = at_version(document, version);
    match arguments.format {
        DocumentFormat::Yaml => tidegate_generate::to_yaml(&document),
        DocumentFormat::Json => pretty(&document),
    }
}

pub(crate) fn mermaid(arguments: &Mermaid) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    terminal::print(&tidegate_generate::mermaid(&design))?;
    Ok(Exit::Yes)
}
