//! Versions of AsyncAPI.

use jsonschema::Validator;
use serde_json::Value;

use std::sync::OnceLock;

/// A version that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// The newest version that is read.
pub(crate) const LATEST: &str = "3.1.0";

impl Version {
    /// Reads `2.6.0`; `None` for versions that are not read.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next()?.parse::<u32>().ok();
        let (major, minor, _patch) = (number()?, number()?, number()?);
        let known = matches!((major, minor), (2, 0..=6) | (3, 0..=1));
        known.then_some(Self { major, minor })
    }

    /// What a document of this version may be.
    pub(crate) fn validator(self) -> Option<&'static Validator> {
        macro_rules! compiled {
            ($file:literal) => {{
                static COMPILED: OnceLock<Option<Validator>> = OnceLock::new();
                COMPILED
                    .get_or_init(|| compile(include_str!(concat!("schemas/", $file))))
                    .as_ref()
            }};
        }
        match (self.major, self.minor) {
            (2, 0) => compiled!("2.0.0.json"),
            (2, 1..=4) => compiled!("2.4.0.json"),
            (2, _) => compiled!("2.6.0.json"),
            (_, 0) => compiled!("3.0.0.json"),
            _ => compiled!("3.1.0.json"),
        }
    }
}

fn compile(text: &str) -> Option<Validator> {
    let mut schema: Value = serde_json::from_str(text).ok()?;
    // The version was read before; one schema stands for several minor versions.
    if let Some(version) = schema.pointer_mut("/properties/asyncapi") {
        *version = Value::Bool(true);
    }
    jsonschema::options()
        .offline()
        .should_validate_formats(true)
        .build(&schema)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_or_refused() {
        assert_eq!(
            Version::parse("2.6.0"),
            Some(Version { major: 2, minor: 6 })
        );
        for text in [
            "1.2.0",
            "2.0.0-rc1",
            "2.7.0",
            "3.2.0",
            "4.0.0",
            "3",
            "",
            "3.0.x",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_schema_compiles() {
        for text in ["2.0.0", "2.4.0", "2.6.0", "3.0.0", "3.1.0"] {
            assert!(
                Version::parse(text).unwrap().validator().is_some(),
                "{text}"
            );
        }
    }
}
