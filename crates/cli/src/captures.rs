//! Captures of traces: files, folders, patterns and standard input, read in bounded memory.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;
use tidegate_base::Bytes;
use tidegate_base::limit::{SPAN_MEMORY_BYTES_MAX, SPANS_ANALYSED_MAX, TRACES_ANALYSED_MAX};
use tidegate_trace::{Columns, Ingest, ReadError, Spill, Traces, no_spans};

use crate::design_files::unreadable;
use crate::exit::Failure;
use crate::terminal::{self, ProgressLine};

/// Most files of one run.
const FILES_MAX: usize = 100_000;
/// Deepest folder below one that is named.
const FOLDERS_MAX: usize = 32;
/// Standard input.
const STDIN: &str = "-";

/// What was read of standard input to tell what it is.
static STARTED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Whether the path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// The first bytes of standard input, so many or all; [`stdin`] has them still.
///
/// # Errors
///
/// When they cannot be read.
pub(crate) fn start_of_stdin(most: usize) -> io::Result<Vec<u8>> {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if started.is_empty() {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        io::stdin().lock().take(most).read_to_end(&mut started)?;
    }
    Ok(started.clone())
}

/// Standard input from its start, whatever was looked at.
pub(crate) fn stdin() -> impl Read {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    io::Cursor::new(std::mem::take(&mut *started)).chain(io::stdin())
}

/// Where captures are and how they are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// As they were named: files, folders, patterns, or `-`.
    pub(crate) paths: &'a [PathBuf],
    /// The columns of tables, as written.
    pub(crate) columns: Option<&'a str>,
    /// The most memory for spans that wait for their traces.
    pub(crate) memory: Option<Bytes>,
    /// Whether anybody asks what spans tell of payloads.
    pub(crate) payloads: bool,
}

/// Every capture with its traces.
///
/// # Errors
///
/// When one cannot be read or is malformed, when one that was named is of no known format, or when
/// there is no span in any.
pub(crate) fn read(wanted: Wanted<'_>) -> Result<Vec<(String, Traces)>, Failure> {
    let mut ingest = Ingest::new().with_spill(Box::new(TemporaryFiles::default()));
    if let Some(text) = wanted.columns {
        let columns: Columns = text.parse().map_err(Failure::configuration)?;
        ingest = ingest.with_columns(columns);
    }
    if wanted.payloads {
        ingest = ingest.with_payloads();
    }
    let memory = wanted
        .memory
        .map(|memory| usize::try_from(memory.0).unwrap_or(usize::MAX));
    ingest = ingest.with_limit(memory.unwrap_or(SPAN_MEMORY_BYTES_MAX));
    let files = files(wanted.paths)?;
    let progress = Progress::new(&files);
    let shown = progress.clone();
    ingest = ingest.with_progress(Box::new(move |spans| shown.show(spans)));
    let mut skipped = Vec::new();
    for file in &files {
        match read_one(&mut ingest, file, &progress) {
            Ok(()) => {}
            Err(Reading::Path(failure)) => return Err(failure),
            // Beside captures there are licences and notes.
            Err(Reading::Content(ReadError::Unknown { .. } | ReadError::Empty { .. }))
                if !file.is_named =>
            {
                skipped.push(file.path.display().to_string());
            }
            Err(Reading::Content(error)) => {
                progress.clear();
                return Err(refused(error));
            }
        }
    }
    progress.clear();
    say_skipped(&skipped, "capture");
    finish(ingest)
}

/// Bytes in which a capture of traces says what it is.
const START_BYTES: u64 = 256 << 10;

/// Whether the file holds traces, by its first bytes: that they are cut off in the middle is no matter.
pub(crate) fn holds_traces(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else {
        return false;
    };
    let mut ingest = Ingest::new();
    match ingest.read("its start", file.take(START_BYTES)) {
        Ok(source) => source.spans > 0,
        Err(ReadError::Unknown { .. } | ReadError::Empty { .. }) => false,
        // A table of anything, and what cannot be read.
        Err(ReadError::Columns { .. } | ReadError::Input { .. }) => false,
        Err(_) => true,
    }
}

/// Why a capture is not read. What is of no known format could have been a process log as well.
fn refused(error: ReadError) -> Failure {
    let ReadError::Unknown { name, start, hint } = error else {
        return Failure::configuration(error.to_string());
    };
    let message = format!(
        "{name}: neither traces that are known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON, \
         CSV with named columns) nor a process log (XES, OCEL 2.0, CSV with a header); it starts \
         with {start}"
    );
    Failure::configuration(message).hint(hint)
}

fn finish(ingest: Ingest) -> Result<Vec<(String, Traces)>, Failure> {
    let has_spilled = ingest.has_spilled();
    let captures = ingest
        .into_chosen(SPANS_ANALYSED_MAX, TRACES_ANALYSED_MAX)
        .map_err(|error| Failure::configuration(error.to_string()))?;
    if has_spilled {
        terminal::say("the spans did not fit into memory: some went through temporary files");
    }
    if captures.iter().all(|(_, traces)| traces.traces.is_empty()) {
        let Some((name, traces)) = captures.first() else {
            return Err(Failure::configuration("there is no capture of traces")
                .hint("export some from your tracing backend, and name the files"));
        };
        let error = no_spans(name, traces.format, &traces.skipped);
        return Err(Failure::configuration(error.to_string()));
    }
    Ok(captures)
}

/// Says which files were passed over, as they are no `kind`.
pub(crate) fn say_skipped(skipped: &[String], kind: &str) {
    const SHOWN: usize = 3;
    if skipped.is_empty() {
        return;
    }
    let mut names = skipped.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    if skipped.len() > SHOWN {
        names.push("…".to_owned());
    }
    terminal::say(&format!(
        "skipped what is no {kind}: {} of the files found ({})",
        skipped.len(),
        names.join(", ")
    ));
}

/// One file to read.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// It was named itself, not found in a folder or by a pattern.
    pub(crate) is_named: bool,
}

enum Reading {
    Path(Failure),
    Content(ReadError),
}

fn read_one(ingest: &mut Ingest, file: &File, progress: &Progress) -> Result<(), Reading> {
    let name = file.path.display().to_string();
    let read = if is_stdin(&file.path) {
        let counted = progress.count(stdin());
        ingest.read("standard input", counted)
    } else {
        let opened = fs::File::open(&file.path)
            .map_err(|error| Reading::Path(unreadable(&file.path, &error)))?;
        ingest.read(&name, progress.count(opened))
    };
    read.map(|_| ()).map_err(Reading::Content)
}

/// Every file that the paths name, in the order of the paths and then of the names.
///
/// # Errors
///
/// When one is not there or cannot be read, or there are too many.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if is_stdin(path) {
            files.push(File {
                path: path.clone(),
                is_named: true,
            });
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk(path, 0, &mut files)?,
            // A pipe is read as it comes; a device may never end.
            Ok(metadata) if metadata.is_file() || metadata.file_type().is_fifo() => {
                files.push(File {
                    path: path.clone(),
                    is_named: true,
                });
            }
            Ok(_) => {
                let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
                return Err(unreadable(path, &error));
            }
            Err(error) if is_pattern(path) => matching(path, &error, &mut files)?,
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    if files.len() > FILES_MAX {
        let message = format!("these are more than {FILES_MAX} files");
        return Err(Failure::configuration(message).hint("name a part of them"));
    }
    Ok(files)
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

fn matching(pattern: &Path, error: &io::Error, files: &mut Vec<File>) -> Result<(), Failure> {
    let text = pattern.to_string_lossy();
    let found = glob::glob(&text)
        .map_err(|error| Failure::configuration(format!("the pattern `{text}`: {error}")))?;
    let before = files.len();
    for path in found.take(FILES_MAX + 1) {
        let path = path.map_err(|error| unreadable(pattern, &error.into()))?;
        if path.is_dir() {
            walk(&path, 0, files)?;
        } else {
            files.push(File {
                path,
                is_named: false,
            });
        }
    }
    if files.len() == before {
        return Err(unreadable(pattern, error));
    }
    Ok(())
}

/// The files of a folder and those below it; hidden ones are passed over.
fn walk(folder: &Path, depth: usize, files: &mut Vec<File>) -> Result<(), Failure> {
    let failed = |error: io::Error| unreadable(folder, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    for path in paths {
        if path.is_dir() && depth < FOLDERS_MAX {
            walk(&path, depth + 1, files)?;
        } else if path.is_file() {
            files.push(File {
                path,
                is_named: false,
            });
        }
        if files.len() > FILES_MAX {
            return Ok(());
        }
    }
    Ok(())
}

/// How far the reading is, on a terminal.
#[derive(Clone)]
struct Progress {
    read: Rc<Cell<u64>>,
    shown: Rc<Cell<u64>>,
    line: Rc<RefCell<ProgressLine>>,
    /// `None` when standard input or a pipe is among the files.
    total: Option<u64>,
}

/// How many bytes are read between two lines of progress.
const STEP_BYTES: u64 = 4 << 20;

impl Progress {
    fn new(files: &[File]) -> Self {
        let size = |file: &File| {
            let metadata = fs::metadata(&file.path).ok()?;
            metadata.is_file().then_some(metadata.len())
        };
        Self {
            read: Rc::default(),
            shown: Rc::default(),
            line: Rc::new(RefCell::new(ProgressLine::new())),
            total: files.iter().map(size).sum(),
        }
    }

    fn count<R: Read>(&self, reader: R) -> Counted<R> {
        Counted {
            reader,
            read: Rc::clone(&self.read),
        }
    }

    fn show(&self, spans: usize) {
        let read = self.read.get();
        if read < self.shown.get().saturating_add(STEP_BYTES) {
            return;
        }
        self.shown.set(read);
        let total = self
            .total
            .map(|total| format!(" of {}", megabytes(total)))
            .unwrap_or_default();
        let text = format!("{}{total} read, {spans} spans", megabytes(read));
        self.line.borrow_mut().say(&text);
    }

    fn clear(&self) {
        self.line.borrow_mut().clear();
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

/// A reader that counts.
struct Counted<R> {
    reader: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        let count_bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.read.set(self.read.get().saturating_add(count_bytes));
        Ok(count)
    }
}

/// Spans outside memory: a file for each bucket in a folder that goes away with this.
#[derive(Debug, Default)]
struct TemporaryFiles(Option<TempDir>);

impl TemporaryFiles {
    fn path(&mut self, bucket: usize) -> io::Result<PathBuf> {
        let folder = match self.0.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new()
                .prefix("tidegate-spans-")
                .tempdir()?,
        };
        let folder = self.0.insert(folder);
        Ok(folder.path().join(bucket.to_string()))
    }
}

impl Spill for TemporaryFiles {
    fn append(&mut self, bucket: usize, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(bucket)?;
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true);
        options.open(path)?.write_all(bytes)
    }

    fn read(&mut self, bucket: usize) -> io::Result<Vec<u8>> {
        match fs::read(self.path(bucket)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }
}
