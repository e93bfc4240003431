//! AsyncAPI documents from the file system, with the files that they refer to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_asyncapi::{Bundle, files_referred_to};
use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;
use tidegate_check::report::{self, Format, Paint};
use tidegate_model::{Finding, Source};

use crate::design_files::{read_text, unreadable};
use crate::exit::Failure;

/// Most files of one bundle.
const FILES_MAX: usize = 1_000;

/// Documents with all that they refer to.
pub(crate) struct Documents {
    pub(crate) bundle: Bundle,
    sources: Vec<Source>,
}

impl Documents {
    /// Findings in these files as text.
    pub(crate) fn render(&self, findings: &[Finding], format: Format, paint: Paint) -> String {
        let sources: Vec<(&str, &str)> = self
            .sources
            .iter()
            .map(|source| (&*source.name, source.text.as_str()))
            .collect();
        report::render(format, findings, &sources, paint)
    }
}

/// Reads `files` and what they refer to. A file that is referred to and not there is a finding.
///
/// # Errors
///
/// When one of `files` cannot be read, or there are too many.
pub(crate) fn read(files: &[PathBuf]) -> Result<Documents, Failure> {
    let mut sources = Vec::new();
    for file in files {
        sources.push(source(file).map_err(|error| unreadable(file, &error))?);
    }
    let mut others: Vec<Source> = Vec::new();
    let mut waiting: Vec<String> = sources.iter().flat_map(files_referred_to).collect();
    while let Some(name) = waiting.pop() {
        let known = sources
            .iter()
            .chain(&others)
            .any(|source| same(&source.name, &name));
        if known {
            continue;
        }
        if sources.len() + others.len() >= FILES_MAX {
            let message = format!("the documents refer to more than {FILES_MAX} files");
            return Err(Failure::configuration(message));
        }
        if let Ok(source) = source(Path::new(&name)) {
            waiting.extend(files_referred_to(&source));
            others.push(source);
        }
    }
    let bundle = Bundle::read(&sources, &others);
    sources.extend(others);
    Ok(Documents { bundle, sources })
}

fn same(name: &str, other: &str) -> bool {
    name.trim_start_matches("./") == other
}

fn source(path: &Path) -> std::io::Result<Source> {
    Ok(Source {
        name: Arc::from(path.display().to_string()),
        text: read_text(path, DESIGN_FILE_BYTES_MAX)?,
    })
}
