//! Findings as text, one a line.

use tidegate_model::{Reading, SchemaPath, Source};

/// The texts of schema files: two that can be read, and no other.
fn schema_text(path: &SchemaPath) -> Result<String, String> {
    match path.written.as_str() {
        "../good.yaml" => Ok("type: object\nproperties: {id: {type: string}}\n".to_owned()),
        "bad.yaml" => Ok("type: object: x\n".to_owned()),
        "order.proto" => Ok("syntax = \"proto3\";".to_owned()),
        _ => Err("no such file".to_owned()),
    }
}

/// Reads files of these names and texts.
pub(crate) fn read(files: &[(&str, &str)]) -> Reading {
    let sources: Vec<_> = files
        .iter()
        .map(|(name, text)| Source {
            name: (*name).into(),
            text: (*text).to_owned(),
        })
        .collect();
    tidegate_model::read(&sources, &schema_text)
}

/// What the reader says of files of these names and texts.
pub(crate) fn findings(files: &[(&str, &str)]) -> String {
    let lines = read(files).findings.into_iter().map(|finding| {
        let hint = finding
            .hint
            .map(|hint| format!(" | {hint}"))
            .unwrap_or_default();
        let related: String = finding
            .related
            .iter()
            .map(|(place, why)| format!(" [{why}: {place}]"))
            .collect();
        format!(
            "{} {}+{} {}: {}{hint}{related}",
            finding.code, finding.place, finding.place.length, finding.path, finding.message,
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
