//! Names of things in a design, and the identity of a consumer.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limit::NAME_BYTES_MAX;

/// A name of a system, event, service or dependency: a letter or digit, then letters, digits,
/// `.`, `_`, `-`; at most [`NAME_BYTES_MAX`] bytes. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// A name of `text`.
    ///
    /// # Errors
    ///
    /// When `text` is empty, too long, or has a character that a name cannot have.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::Long { bytes: text.len() });
        }
        let first = text
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        let wrong = text
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || ".-_".contains(*c)));
        match wrong {
            Some(character) => Err(NameError::Character {
                name: text.to_owned(),
                character,
            }),
            None if !first => Err(NameError::Start {
                name: text.to_owned(),
            }),
            None => Ok(Self(Arc::from(text))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name is empty")]
    Empty,
    /// The text is longer than [`NAME_BYTES_MAX`].
    #[error("a name is {bytes} bytes long; the most is {NAME_BYTES_MAX}")]
    Long {
        /// The length of the text.
        bytes: usize,
    },
    /// The text does not start with a letter or digit.
    #[error("name `{name}` does not start with a letter or a digit")]
    Start {
        /// The text.
        name: String,
    },
    /// The text has a character outside `A-Z a-z 0-9 . _ -`.
    #[error(
        "name `{name}` has the character {character:?}; letters, digits, `.`, `_`, `-` are allowed"
    )]
    Character {
        /// The text.
        name: String,
        /// The first such character.
        character: char,
    },
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A consumer: one service reading one event. Written `service/event`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConsumerId {
    /// The service that consumes.
    pub service: Name,
    /// The event that it consumes.
    pub event: Name,
}

impl fmt::Display for ConsumerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() && f.precision().is_none() {
            f.write_str(self.service.as_str())?;
            f.write_str("/")?;
            return f.write_str(self.event.as_str());
        }
        f.pad(&format!("{}/{}", self.service, self.event))
    }
}

impl FromStr for ConsumerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (service, event) = text.split_once('/').unwrap_or((text, ""));
        Ok(Self {
            service: Name::new(service)?,
            event: Name::new(event)?,
        })
    }
}

impl TryFrom<String> for ConsumerId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ConsumerId> for String {
    fn from(id: ConsumerId) -> Self {
        id.to_string()
    }
}

/// Whose breaker: that of a dependency, by its name, or a consumer's own, by its identity. A dependency's
/// name has no `/`, so the text says which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BreakerName {
    /// Of a dependency, shared by all that need it.
    Dependency(Name),
    /// Of one consumer that names no dependency: of its endpoint, or of whatever it needs.
    Own(ConsumerId),
}

impl BreakerName {
    /// The dependency, when it is that of one.
    #[must_use]
    pub const fn dependency(&self) -> Option<&Name> {
        match self {
            Self::Dependency(name) => Some(name),
            Self::Own(_) => None,
        }
    }
}

impl From<Name> for BreakerName {
    fn from(name: Name) -> Self {
        Self::Dependency(name)
    }
}

impl From<ConsumerId> for BreakerName {
    fn from(consumer: ConsumerId) -> Self {
        Self::Own(consumer)
    }
}

impl fmt::Display for BreakerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependency(name) => name.fmt(f),
            Self::Own(consumer) => consumer.fmt(f),
        }
    }
}

impl FromStr for BreakerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Ok(match text.contains('/') {
            true => Self::Own(text.parse()?),
            false => Self::Dependency(text.parse()?),
        })
    }
}

impl TryFrom<String> for BreakerName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<BreakerName> for String {
    fn from(name: BreakerName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_is_wrong_with_it() {
        assert!(Name::new("OrderPlaced").is_ok());
        assert!(Name::new("payments-api.v2_x").is_ok());
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(
            Name::new("-x").unwrap_err().to_string(),
            "name `-x` does not start with a letter or a digit"
        );
        assert!(Name::new("a b").unwrap_err().to_string().contains("' '"));
        assert_eq!(
            Name::new(&"x".repeat(201)),
            Err(NameError::Long { bytes: 201 })
        );
    }

    #[test]
    fn a_consumer_prints_and_parses() {
        let id: ConsumerId = "billing/OrderPlaced".parse().unwrap();
        assert_eq!(id.to_string(), "billing/OrderPlaced");
        assert!("billing".parse::<ConsumerId>().is_err());
    }

    #[test]
    fn a_breaker_is_a_dependency_s_or_a_consumer_s_own() {
        let of = |text: &str| text.parse::<BreakerName>().unwrap();
        let payments: Name = "payments-api".parse().unwrap();
        assert_eq!(of("payments-api"), BreakerName::from(payments.clone()));
        assert_eq!(of("payments-api").dependency(), Some(&payments));
        let billing: ConsumerId = "billing/OrderPlaced".parse().unwrap();
        assert_eq!(of("billing/OrderPlaced"), BreakerName::from(billing));
        assert_eq!(of("billing/OrderPlaced").dependency(), None);
        assert_eq!(of("billing/OrderPlaced").to_string(), "billing/OrderPlaced");
        assert!("billing/".parse::<BreakerName>().is_err());
    }
}
