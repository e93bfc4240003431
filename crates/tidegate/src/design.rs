//! Where the design of an embedded system is written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;
use tidegate_check::report::{Format, Paint, render};
use tidegate_model::{Reading, SchemaPath, Severity, Source, read};

use crate::error::StartError;

/// The design of a system: its events, services and consumers.
///
/// Wherever a design is wanted, a path is one:
///
/// ```no_run
/// # use tidegate::App;
/// App::open("checkout/design.yaml", "data");
/// ```
#[derive(Clone, Debug)]
pub struct Design {
    written: Written,
}

#[derive(Clone, Debug)]
enum Written {
    At(PathBuf),
    Inline(String),
}

impl Design {
    /// The design in a file, or in the YAML files of a folder.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let written = Written::At(path.into());
        Self { written }
    }

    /// The design in a text, for tests and examples. Schema files are relative to the working directory.
    #[must_use]
    pub fn inline(text: impl Into<String>) -> Self {
        let written = Written::Inline(text.into());
        Self { written }
    }

    /// The design, checked by every rule; its warnings are those of `tidegate check`.
    pub(crate) fn read(&self) -> Result<tidegate_model::Design, StartError> {
        let sources = match &self.written {
            Written::At(path) => sources(path).map_err(|source| StartError::Unreadable {
                path: path.clone(),
                source,
            })?,
            Written::Inline(text) => vec![Source {
                name: Arc::from("inline design"),
                text: text.clone(),
            }],
        };
        let schema = |path: &SchemaPath| {
            read_text(Path::new(&path.path())).map_err(|error| error.to_string())
        };
        let Reading {
            design,
            mut findings,
        } = read(&sources, &schema);
        if let Some(design) = &design {
            findings.extend(tidegate_check::check(design));
            tidegate_contracts::parties::check_beside(design, &mut findings);
        }
        findings.retain(|finding| finding.severity == Severity::Error);
        findings.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
        match design {
            Some(design) if findings.is_empty() => Ok(design),
            _ => {
                let names = sources.iter();
                let texts: Vec<_> = names.map(|s| (&*s.name, s.text.as_str())).collect();
                let findings = render(Format::Human, &findings, &texts, Paint::Plain);
                Err(StartError::Design { findings })
            }
        }
    }
}

impl From<&str> for Design {
    fn from(path: &str) -> Self {
        Self::at(path)
    }
}

impl From<&Path> for Design {
    fn from(path: &Path) -> Self {
        Self::at(path)
    }
}

impl From<PathBuf> for Design {
    fn from(path: PathBuf) -> Self {
        Self::at(path)
    }
}

/// The texts of a design's files, by name.
fn sources(path: &Path) -> io::Result<Vec<Source>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![source(path)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let is_yaml = file
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        // A scenario lives beside a design and is not a part of it.
        if is_yaml && file.file_stem().is_none_or(|stem| stem != "scenario") {
            files.push(file);
        }
    }
    files.sort();
    let read: io::Result<Vec<Source>> = files.iter().map(|file| source(file)).collect();
    let mut sources = read?;
    // Changes that are accepted may be written beside a design too.
    sources.retain(|source| !tidegate_contracts::past::is_of_acceptances(&source.text));
    if sources.is_empty() {
        let message = "the folder has no YAML file of a design; `tidegate init` writes one";
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    Ok(sources)
}

fn source(path: &Path) -> io::Result<Source> {
    Ok(Source {
        name: Arc::from(path.display().to_string()),
        text: read_text(path)?,
    })
}

/// The text of a regular file that is not larger than a design may be.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    if !fs::metadata(path)?.is_file() {
        let message = "it is not a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let limit = u64::try_from(DESIGN_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    let read = fs::File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_string(&mut text)?;
    if read > DESIGN_FILE_BYTES_MAX {
        let message = format!("it has more than the {DESIGN_FILE_BYTES_MAX} bytes that are read");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}
