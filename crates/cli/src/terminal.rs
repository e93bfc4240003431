//! What people see: data on stdout, everything else on stderr, colour only on a terminal.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use tidegate_base::Bytes;

use crate::exit::Failure;

/// Whether colour is wanted at all: <https://no-color.org>.
fn colour_is_wanted() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the environment is read"
    )]
    let (no_color, term) = (std::env::var("NO_COLOR"), std::env::var("TERM"));
    no_color.is_ok_and(|value| value.is_empty())
        || std::env::var_os("NO_COLOR").is_none() && term.as_deref() != Ok("dumb")
}

/// Whether stdout takes colour.
pub(crate) fn paints_stdout() -> bool {
    io::stdout().is_terminal() && colour_is_wanted()
}

/// Whether stderr takes colour.
pub(crate) fn paints_stderr() -> bool {
    io::stderr().is_terminal() && colour_is_wanted()
}

/// Prints data, with a line end.
///
/// # Errors
///
/// When it cannot be written, as on a full disk. A reader that goes away wants nothing more: that is
/// no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    written(write!(out, "{text}{end}").and_then(|()| out.flush()))
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::configuration(
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Data that is printed line by line.
pub(crate) struct Lines {
    out: io::BufWriter<io::StdoutLock<'static>>,
    ended: io::Result<()>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self {
            out: io::BufWriter::new(io::stdout().lock()),
            ended: Ok(()),
        }
    }

    /// Prints a line. Breaks once nothing more can be written.
    pub(crate) fn print(&mut self, line: &str) -> ControlFlow<()> {
        match writeln!(self.out, "{line}") {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.ended = Err(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Prints what is left.
    ///
    /// # Errors
    ///
    /// As [`print`].
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        written(self.ended.and_then(|()| self.out.flush()))
    }
}

/// How far something long is, on a line of its own that is written over. Nothing where stderr is no
/// terminal.
pub(crate) struct ProgressLine {
    shown: Option<u64>,
    is_terminal: bool,
}

impl ProgressLine {
    pub(crate) fn new() -> Self {
        Self {
            shown: None,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows how many of all bytes are done, when that is more than a percent later.
    pub(crate) fn show(&mut self, bytes: u64, bytes_total: u64) {
        let share = bytes.saturating_mul(100) / bytes_total.max(1);
        if !self.is_terminal || self.shown == Some(share) {
            return;
        }
        self.shown = Some(share);
        let (done, all) = (Bytes(bytes), Bytes(bytes_total));
        let mut out = io::stderr().lock();
        let _written = write!(out, "\r{done} of {all} ({share}%)\x1b[K").is_ok();
    }
}

impl ProgressLine {
    /// Shows a text in the place of the one before.
    pub(crate) fn say(&mut self, text: &str) {
        if self.is_terminal {
            self.shown = Some(0);
            let _written = write!(io::stderr().lock(), "\r{text}\x1b[K").is_ok();
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _written = write!(io::stderr().lock(), "\r\x1b[K").is_ok();
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Text of others, such as an error of a handler, on one line: what would move the cursor, colour
/// what follows or turn its direction is escaped.
pub(crate) fn shown(text: &str) -> String {
    let is_plain = |c: char| {
        !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::new(), |mut shown, c| {
        match is_plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
        shown
    })
}

/// Tells people something.
pub(crate) fn say(text: &str) {
    let mut out = io::stderr().lock();
    let _written = writeln!(out, "{text}").is_ok();
}

/// Tells people what went wrong, and what to do.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    let (red, blue, plain) = if paints_stderr() {
        ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    say(&format!("{red}error{plain}: {message}"));
    if let Some(hint) = hint {
        say(&format!("{blue}help{plain}: {hint}"));
    }
}
