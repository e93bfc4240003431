//! `tidegate asyncapi`: what is wrong with AsyncAPI documents.

use tidegate_check::report::Paint;
use tidegate_model::Severity;

use crate::arguments::asyncapi::Validate;
use crate::document_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn validate(arguments: &Validate) -> Result<Exit, Failure> {
    let documents = document_files::read(&arguments.files)?;
    let findings = tidegate_asyncapi::validate(&documents.bundle);
    let paint = if terminal::paints_stdout() {
        Paint::Ansi
    } else {
        Paint::Plain
    };
    terminal::print(&documents.render(&findings, arguments.format.into(), paint))?;
    let threshold = Severity::from(arguments.fail_on);
    let fails = findings.iter().any(|finding| finding.severity >= threshold);
    Ok(if fails { Exit::No } else { Exit::Yes })
}
