//! What people see: data on stdout, everything else on stderr, colour only on a terminal.

use std::io::{self, IsTerminal, Write};

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
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::configuration(
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
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
