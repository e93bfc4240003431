//! Names that a reader cannot tell apart.

use std::collections::HashMap;

use tidegate_base::Name;
use tidegate_model::Place;

use crate::codes::ALIKE_NAMES;
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    let design = index.design;
    alike(
        "events",
        design.events.iter().map(|(name, e)| (name, &e.place)),
        out,
    );
    alike(
        "services",
        design.services.iter().map(|(name, s)| (name, &s.place)),
        out,
    );
    alike(
        "dependencies",
        design.dependencies.iter().map(|(name, d)| (name, &d.place)),
        out,
    );
}

/// Names of one section that differ in case and separators only.
fn alike<'a>(
    section: &str,
    names: impl Iterator<Item = (&'a Name, &'a Place)>,
    out: &mut Findings,
) {
    let mut seen: HashMap<String, (&Name, &Place)> = HashMap::new();
    for (name, place) in names {
        let plain: String = name
            .as_str()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|character| character.to_ascii_lowercase())
            .collect();
        if let Some((other, first)) = seen.get(&plain) {
            let message = format!("`{name}` and `{other}` differ only in case and separators");
            out.add(ALIKE_NAMES, place, format!("{section}.{name}"), message)
                .hint("rename one, or merge the two when they are one thing")
                .related(first, format!("`{other}`"));
        } else {
            seen.insert(plain, (name, place));
        }
    }
}
