//! Designs from their text, with the findings of reader and rules as text.

use std::sync::Arc;

use tidegate_model::{Finding, Reading, SchemaPath, Source};

/// A design that is complete and sound.
pub(crate) const CHECKOUT: &str = include_str!("checkout.yaml");

/// The files that designs of tests refer to.
fn schema_text(path: &SchemaPath) -> Result<String, String> {
    match path.written.as_str() {
        "order.json" => Ok(r#"{"type": "object", "properties": {"orderId": {"type": "string"}}, "required": ["orderId"]}"#.to_owned()),
        "broken.json" => Ok("{\n  \"properties\": {\n    \"total\": {\"type\": \"decimal\"}\n  }\n}".to_owned()),
        "order.avsc" => Ok(r#"{"type": "record", "name": "Order", "fields": []}"#.to_owned()),
        "order.proto" => Ok("syntax = \"proto3\"; message Order {}".to_owned()),
        "broken.avsc" => Ok("{\"type\": \"record\", \"name\": \"Order\", \"fields\": [\n  {\"name\": \"orderId\", \"type\": \"text\"}\n]}".to_owned()),
        "full.avsc" => Ok(r#"{"type": "record", "name": "Order", "fields": [{"name": "orderId", "type": "string"}, {"name": "note", "type": ["null", "string"]}]}"#.to_owned()),
        "protos/main.proto" => Ok("syntax = \"proto3\";\nimport \"part.proto\";\nmessage Order { Part part = 1; string order_id = 2; }\n".to_owned()),
        "protos/part.proto" => Ok("syntax = \"proto3\";\nmessage Part { string sku = 1; }\n".to_owned()),
        "protos/broken.proto" => Ok("syntax = \"proto3\";\nimport \"part.proto\";\nmessage Order { Port part = 1; }\n".to_owned()),
        "protos/lost.proto" => Ok("syntax = \"proto3\";\nimport \"gone.proto\";\nmessage Order {}\n".to_owned()),
        other => Err(format!("{other}: not found")),
    }
}

/// What the reader makes of one file, `design.yaml`.
pub(crate) fn read(text: &str) -> Reading {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: text.to_owned(),
    };
    tidegate_model::read(&[source], &schema_text)
}

/// The findings of reader and rules, as a check has them.
pub(crate) fn checked(text: &str) -> Vec<Finding> {
    let Reading {
        design,
        mut findings,
        ..
    } = read(text);
    findings.extend(design.iter().flat_map(tidegate_check::check));
    findings
}

/// One line a finding: code, severity, line, path, message, next step.
pub(crate) fn findings(text: &str) -> String {
    let line = |f: &Finding| {
        let hint = f.hint.as_deref().unwrap_or("-");
        format!(
            "{} {:?} {}:{} {}\n  {}\n  help: {hint}",
            f.code, f.severity, f.place.line, f.place.column, f.path, f.message
        )
    };
    checked(text)
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}
