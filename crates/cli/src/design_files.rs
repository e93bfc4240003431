//! Designs from the file system: one file or a folder, with the schemas that they name.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;
use tidegate_check::report::{self, Format, Paint};
use tidegate_contracts::past::is_of_acceptances;
use tidegate_model::{Code, Design, Finding, Reading, SchemaPath, Severity, Source, read};

use crate::exit::Failure;
use crate::terminal;

/// Most files of one design.
pub(crate) const FILES_MAX: usize = 1_000;

/// A design that was read and checked.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) design: Option<Design>,
    /// What the reader and the rules say, by place.
    pub(crate) findings: Vec<Finding>,
    pub(crate) sources: Vec<Source>,
}

impl Checked {
    /// The findings as text.
    pub(crate) fn render(&self, format: Format, paint: Paint) -> String {
        let sources: Vec<(&str, &str)> = self
            .sources
            .iter()
            .map(|source| (&*source.name, source.text.as_str()))
            .collect();
        report::render(format, &self.findings, &sources, paint)
    }

    pub(crate) fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// Reads and checks the design at `path`.
///
/// # Errors
///
/// When there is no design at `path`, or its files cannot be read.
pub(crate) fn check(path: &Path) -> Result<Checked, Failure> {
    let sources = sources(path)?;
    Ok(check_sources(sources, &|schema| {
        read_schema(Path::new(&schema.path()))
    }))
}

/// Checks a design whose files are at hand.
pub(crate) fn check_sources(
    sources: Vec<Source>,
    schema_text: &dyn Fn(&SchemaPath) -> Result<String, String>,
) -> Checked {
    let Reading {
        design,
        mut findings,
    } = read(&sources, schema_text);
    if let Some(design) = &design {
        findings.extend(tidegate_check::check(design));
        tidegate_contracts::parties::check_beside(design, &mut findings);
    }
    findings.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
    Checked {
        design,
        findings,
        sources,
    }
}

/// A design without errors, for the commands that use one. Errors are printed; warnings are not:
/// `check` shows them.
///
/// # Errors
///
/// As [`check`], and when the design has errors.
pub(crate) fn sound(path: &Path) -> Result<Design, Failure> {
    sound_of(check(path)?, &path.display().to_string())
}

/// As [`sound`], for commands that show themselves what is wrong by one code.
///
/// # Errors
///
/// As [`sound`], but for that code.
pub(crate) fn sound_but_for(path: &Path, code: Code) -> Result<Design, Failure> {
    let mut checked = check(path)?;
    checked.findings.retain(|finding| finding.code != code);
    sound_of(checked, &path.display().to_string())
}

/// The design of `checked` when it has no errors.
///
/// # Errors
///
/// When it has.
pub(crate) fn sound_of(mut checked: Checked, name: &str) -> Result<Design, Failure> {
    checked
        .findings
        .retain(|finding| finding.severity == Severity::Error);
    match checked.design.take() {
        Some(design) if checked.findings.is_empty() => Ok(design),
        _ => {
            let paint = if terminal::paints_stderr() {
                Paint::Ansi
            } else {
                Paint::Plain
            };
            terminal::say(&checked.render(Format::Human, paint));
            Err(
                Failure::configuration(format!("the design `{name}` has errors"))
                    .hint("mend them, or ask `tidegate explain CODE`"),
            )
        }
    }
}

/// The texts of a design's files, by name.
///
/// # Errors
///
/// When there is no design at `path`, or its files cannot be read.
pub(crate) fn sources(path: &Path) -> Result<Vec<Source>, Failure> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![source(path)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let file = entry.map_err(|error| unreadable(path, &error))?.path();
        if file
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
            && is_design(&file)
        {
            files.push(file);
        }
    }
    files.sort();
    if files.len() > FILES_MAX {
        let message = format!(
            "the folder `{}` has more than {FILES_MAX} YAML files",
            path.display()
        );
        return Err(Failure::configuration(message));
    }
    let read: Result<Vec<Source>, Failure> = files.iter().map(|file| source(file)).collect();
    let mut sources = read?;
    sources.retain(|source| !is_of_acceptances(&source.text));
    if sources.is_empty() {
        let message = format!(
            "the folder `{}` has no YAML file of a design",
            path.display()
        );
        let hint = format!(
            "write a starting design with `tidegate init {}`",
            path.display()
        );
        return Err(Failure::configuration(message).hint(hint));
    }
    Ok(sources)
}

/// A scenario lives beside a design and is not a part of it; nor are acceptances, which are told by
/// their content.
pub(crate) fn is_design(file: &Path) -> bool {
    file.file_stem().is_none_or(|stem| stem != "scenario")
}

fn source(path: &Path) -> Result<Source, Failure> {
    let text = read_text(path, DESIGN_FILE_BYTES_MAX).map_err(|error| unreadable(path, &error))?;
    Ok(Source {
        name: Arc::from(path.display().to_string()),
        text,
    })
}

pub(crate) fn read_schema(path: &Path) -> Result<String, String> {
    read_text(path, DESIGN_FILE_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    })
}

/// A text of at most `bytes_max` bytes.
///
/// # Errors
///
/// When it is not a file, cannot be read, is larger, or is not UTF-8.
pub(crate) fn read_text(path: &Path, bytes_max: usize) -> io::Result<String> {
    let text = String::from_utf8(read_bytes(path, bytes_max)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// At most `bytes_max` bytes of a regular file. Pipes and devices may never end, and are refused.
///
/// # Errors
///
/// When it is not a file, cannot be read, or is larger.
pub(crate) fn read_bytes(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // A file may grow while it is read: its length is no limit.
    fs::File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        let message = format!("it has more than the {bytes_max} bytes that are read");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// What to say of a path that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::configuration(format!("cannot read `{}`: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::NotFound => failure.hint("is the path right? it is relative to this folder"),
        io::ErrorKind::InvalidData => failure.hint("the file is not UTF-8 text"),
        _ => failure,
    }
}

/// The folder of a design: itself, or the one that its file is in.
pub(crate) fn folder(design: &Path) -> PathBuf {
    if design.is_dir() {
        return design.to_path_buf();
    }
    design
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Writes files into a folder that does not have them yet; nothing is overwritten.
///
/// # Errors
///
/// When a file is there already, or cannot be written. Nothing is written when one is there.
pub(crate) fn write_new(folder: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    none_is_there(folder, &names)?;
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, text));
        written.map_err(|error| {
            Failure::configuration(format!("cannot write `{}`: {error}", path.display()))
                .hint("name a folder that may be written")
        })?;
    }
    Ok(())
}

/// That none of the files is in the folder.
///
/// # Errors
///
/// When one is.
pub(crate) fn none_is_there(folder: &Path, names: &[&str]) -> Result<(), Failure> {
    let mut paths = names.iter().map(|name| folder.join(name));
    match paths.find(|path| path.exists()) {
        Some(path) => {
            let message = format!("`{}` is there already; nothing was written", path.display());
            Err(Failure::configuration(message).hint("name another folder, or move it away"))
        }
        None => Ok(()),
    }
}
