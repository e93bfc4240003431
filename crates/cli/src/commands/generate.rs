//! `tidegate generate`: artefacts from a design.

use tidegate_base::Name;
use tidegate_model::closest;

use crate::arguments::{Asyncapi, DocumentFormat, Mermaid};
use crate::commands::select::pretty;
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn asyncapi(arguments: &Asyncapi) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
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
    terminal::print(&match arguments.format {
        DocumentFormat::Yaml => tidegate_generate::to_yaml(&document),
        DocumentFormat::Json => pretty(&document),
    })?;
    Ok(Exit::Yes)
}

pub(crate) fn mermaid(arguments: &Mermaid) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    terminal::print(&tidegate_generate::mermaid(&design))?;
    Ok(Exit::Yes)
}
