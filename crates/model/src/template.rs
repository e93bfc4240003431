//! The commented design that `tidegate init` starts with.

use tidegate_base::Name;

/// A design of this name that reads without findings and shows every main section.
#[must_use]
pub fn template(system: &Name) -> String {
    // Digits alone are a number to YAML, and some words are true or false.
    TEMPLATE.replacen("SYSTEM", &format!("\"{system}\""), 1)
}

const TEMPLATE: &str = include_str!("template.yaml");
