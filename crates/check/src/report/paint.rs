//! Colour, or none.

use tidegate_model::Severity;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Text alone.
    Plain,
    /// With the escape sequences of ANSI terminals.
    Ansi,
}

/// What a piece of text is, which decides its look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Severity(Severity),
    Frame,
    Strong,
    Help,
}

impl Paint {
    /// `text` in the look of `role`.
    pub(super) fn over(self, role: Role, text: &str) -> String {
        let style = match (self, role) {
            (Self::Plain, _) => return text.to_owned(),
            (Self::Ansi, Role::Severity(Severity::Error)) => "1;31",
            (Self::Ansi, Role::Severity(Severity::Warning)) => "1;33",
            (Self::Ansi, Role::Severity(Severity::Note)) => "1;36",
            (Self::Ansi, Role::Frame) => "1;34",
            (Self::Ansi, Role::Strong) => "1",
            (Self::Ansi, Role::Help) => "1;32",
        };
        format!("\u{1b}[{style}m{text}\u{1b}[0m")
    }
}
