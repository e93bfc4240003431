//! Names of types and where they are looked for.

use std::fmt;

/// The name of a record, an enum or a fixed, with its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FullName {
    namespace: String,
    name: String,
}

impl FullName {
    /// The name that `written` stands for inside of `namespace`; `None` when it is none.
    pub(crate) fn read(written: &str, own: Option<&str>, enclosing: &str) -> Option<Self> {
        let (namespace, name) = match written.rsplit_once('.') {
            Some((namespace, name)) => (namespace, name),
            None => (own.unwrap_or(enclosing), written),
        };
        let namespace_fits = namespace.is_empty() || namespace.split('.').all(is_name);
        (namespace_fits && is_name(name)).then(|| Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The name without its namespace, by which a reader finds a writer's type.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.name
    }

    /// The namespace; empty for none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}.{}", self.namespace, self.name)
        }
    }
}

/// Whether `text` is a name as the specification has it: letters, digits and `_`, no digit first.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty() && text.chars().all(fits)
}
