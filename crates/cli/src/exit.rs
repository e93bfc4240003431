//! How the program ends: one table of exit codes, and one way to say what went wrong.
//!
//! 0 yes · 1 ran, and the answer is no · 2 usage or configuration · 3 unreachable · 4 not allowed ·
//! 5 partly done.

use std::process::ExitCode;

use crate::terminal;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Yes, done, in order.
    Yes,
    /// It ran, and the answer is no.
    No,
    /// Some of it was done.
    Partly,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Yes => Self::SUCCESS,
            Exit::No => Self::from(1),
            Exit::Partly => Self::from(5),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It ran, and who was asked says no.
    No,
    /// The arguments, the design or the machine's set-up are wrong.
    Configuration,
    /// Something cannot be reached.
    Unreachable,
    /// Something is not allowed.
    NotAllowed,
}

/// No answer: what failed, with its causes, and the next step.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, message)
    }

    /// An error with its causes, each said once.
    pub(crate) fn caused(kind: Kind, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let more = next.to_string();
            if !message.contains(&more) {
                message.push_str(": ");
                message.push_str(&more);
            }
            cause = next.source();
        }
        Self::new(kind, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What failed, without the next step.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says it on stderr; the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        terminal::error(&self.message, self.hint.as_deref());
        ExitCode::from(match self.kind {
            Kind::No => 1,
            Kind::Configuration => 2,
            Kind::Unreachable => 3,
            Kind::NotAllowed => 4,
        })
    }
}

/// Help and version are answers; anything else that clap says is a mistake of usage.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to be done when the terminal is gone.
    let _printed = error.print().is_ok();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
