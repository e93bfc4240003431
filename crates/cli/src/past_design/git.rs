//! Git, asked by its own program: no argument passes a shell, and none that a user gave can be taken
//! for an option.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;

use crate::exit::Failure;
use crate::terminal::shown;

/// Longest answer of git before the bytes of an object.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// The repository that a folder is in.
#[derive(Debug)]
pub(crate) struct Git {
    folder: PathBuf,
    /// The folder seen from the root of the repository; with its `/`, empty for the root.
    prefix: String,
}

/// What stands at a path of a commit.
#[derive(Debug)]
pub(crate) enum Found {
    Text(String),
    Folder,
    Nothing,
    /// Why it cannot be read.
    Unusable(String),
}

impl Git {
    /// The repository that `folder` is in.
    ///
    /// # Errors
    ///
    /// When there is none, or no git.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let folder = folder.to_path_buf();
        let output = run(&folder, &["rev-parse", "--show-prefix"])?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let message = format!(
                "`{}` is in no git repository that can be read: {}",
                shown(&folder.display().to_string()),
                shown(said.lines().next().unwrap_or("git says nothing"))
            );
            return Err(Failure::configuration(message).hint(
                "name a folder or a file of before instead: `--against ../before/design.yaml`",
            ));
        }
        let prefix = String::from_utf8(output.stdout).map_err(|_| {
            Failure::configuration("the path of the design is not UTF-8")
                .hint("compare with a folder or a file instead")
        })?;
        let prefix = prefix.strip_suffix('\n').unwrap_or(&prefix).to_owned();
        Ok(Self { folder, prefix })
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The commit that `reference` names.
    pub(crate) fn commit(&self, reference: &str) -> Option<String> {
        if reference.is_empty() || reference.starts_with('-') {
            return None;
        }
        let wanted = format!("{reference}^{{commit}}");
        let output = run(&self.folder, &["rev-parse", "--verify", "--quiet", &wanted]).ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let commit = text.trim_end();
        let is_id = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        (output.status.success() && is_id).then(|| commit.to_owned())
    }

    /// What to say of a reference that is not there.
    pub(crate) fn unknown(&self, reference: &str) -> Failure {
        let name = shown(reference);
        let failure = Failure::configuration(format!(
            "`{name}` is no git ref here, and no folder or file"
        ));
        let is_shallow = run(&self.folder, &["rev-parse", "--is-shallow-repository"])
            .is_ok_and(|output| output.stdout.starts_with(b"true"));
        let branch = reference.strip_prefix("origin/").unwrap_or(reference);
        let branch = shown(branch);
        match is_shallow {
            true => failure.hint(format!(
                "this clone is shallow, as in most CI: `git fetch --depth=1 origin {branch}` and `--against \
                 FETCH_HEAD`, or a clone with its history (`fetch-depth: 0`, `GIT_DEPTH: 0`)"
            )),
            false => failure.hint(format!(
                "`git branch --all` lists those that are here; one of the server is fetched with `git fetch origin \
                 {branch}`"
            )),
        }
    }

    /// The names of the files in a folder of a commit, in order.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn files_of(&self, commit: &str, path: &str) -> Result<Vec<String>, Failure> {
        let tree = format!("{commit}:{}", path.trim_end_matches('/'));
        let output = run(&self.folder, &["ls-tree", "-z", "--full-tree", &tree])?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = shown(said.lines().next().unwrap_or_default());
            return Err(Failure::configuration(format!(
                "git cannot list `{}`: {said}",
                shown(path)
            )));
        }
        let entries = output.stdout.split(|byte| *byte == 0);
        // `MODE TYPE ID\tNAME`; a name that is not UTF-8 is no YAML file that a design could name.
        let names = entries.filter_map(|entry| {
            let (head, name) = std::str::from_utf8(entry).ok()?.split_once('\t')?;
            head.split(' ').nth(1).filter(|kind| *kind == "blob")?;
            Some(name.to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        Ok(names)
    }

    /// A process that answers for objects, one after the other.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(crate) fn objects(&self) -> Result<Objects, Failure> {
        let mut command = command(&self.folder, &["cat-file", "--batch", "--follow-symlinks"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| no_git(&error))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(questions), Some(answers)) => Ok(Objects {
                child,
                questions: Some(questions),
                answers: BufReader::new(answers),
            }),
            _ => Err(Failure::configuration(
                "git has no standard input or output",
            )),
        }
    }
}

/// Reads objects of a repository.
#[derive(Debug)]
pub(crate) struct Objects {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    /// What stands at `path` in `commit`.
    ///
    /// # Errors
    ///
    /// When git ends.
    pub(crate) fn read(&mut self, commit: &str, path: &str) -> Result<Found, Failure> {
        if path.contains(['\n', '\0']) {
            return Ok(Found::Unusable("its name has a line end".to_owned()));
        }
        let path = path.trim_end_matches('/');
        self.ask(commit, path).map_err(|error| {
            Failure::configuration(format!(
                "git ended while it was asked for `{}`: {error}",
                shown(path)
            ))
            .hint("does `git fsck` find the repository whole?")
        })
    }

    fn ask(&mut self, commit: &str, path: &str) -> io::Result<Found> {
        let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let questions = self.questions.as_mut().ok_or_else(gone)?;
        questions.write_all(format!("{commit}:{path}\n").as_bytes())?;
        questions.flush()?;
        let mut header = Vec::new();
        (&mut self.answers)
            .take(HEADER_BYTES_MAX)
            .read_until(b'\n', &mut header)?;
        if header.pop() != Some(b'\n') {
            return Err(gone());
        }
        let header = String::from_utf8_lossy(&header).into_owned();
        if header.ends_with(" missing") || header.ends_with(" ambiguous") {
            return Ok(Found::Nothing);
        }
        let mut words = header.split(' ');
        let (kind, size) = match (words.next(), words.next(), words.next()) {
            // `symlink SIZE`, `dangling SIZE`, `loop SIZE`, `notdir SIZE`.
            (Some(kind), Some(size), None) => (kind, size),
            (Some(_), Some(kind), Some(size)) => (kind, size),
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "an answer of another kind",
                ));
            }
        };
        let size: u64 = size.parse().map_err(io::Error::other)?;
        let is_large = usize::try_from(size).map_or(true, |size| size > DESIGN_FILE_BYTES_MAX);
        // The bytes are followed by a line end.
        let mut rest = (&mut self.answers).take(size.saturating_add(1));
        if kind != "blob" || is_large {
            io::copy(&mut rest, &mut io::sink())?;
        }
        Ok(match kind {
            "blob" if is_large => Found::Unusable(format!(
                "it has more than the {DESIGN_FILE_BYTES_MAX} bytes that are read"
            )),
            "blob" => {
                let mut bytes = Vec::new();
                rest.read_to_end(&mut bytes)?;
                if bytes.pop() != Some(b'\n') {
                    return Err(gone());
                }
                match String::from_utf8(bytes) {
                    Ok(text) => Found::Text(text),
                    Err(_) => Found::Unusable("it is not UTF-8".to_owned()),
                }
            }
            "tree" => Found::Folder,
            "dangling" | "notdir" => Found::Nothing,
            "symlink" => {
                Found::Unusable("it is a link that leads out of the repository".to_owned())
            }
            "loop" => Found::Unusable("it is a link that leads back to itself".to_owned()),
            other => Found::Unusable(format!("it is a {other}")),
        })
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        self.questions = None;
        drop(self.child.wait());
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Result<Output, Failure> {
    let mut command = command(folder, arguments);
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| no_git(&error))
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    // In a hook git says where it is, as seen from another folder: the design's own tells as well.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    command
}

fn no_git(error: &io::Error) -> Failure {
    let failure = Failure::configuration(format!("cannot run git: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound => failure.hint(
            "install git, or name a folder or a file of before: `--against ../before/design.yaml`",
        ),
        _ => failure,
    }
}

/// A path within a repository, with what `.` and `..` mean; `None` when it leads out of it.
pub(super) fn join(folder: &str, written: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(written.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}
