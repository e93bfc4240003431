//! The texts of schemas: inline ones as JSON, those of files as the caller gives them.

use tidegate_base::Name;
use tidegate_base::limit::SCHEMA_BYTES_MAX;

use crate::code::SCHEMA_FILE;
use crate::design::{Located, Schema, SchemaFormat};
use crate::finding::Place;
use crate::findings::{Findings, Problem, excerpt};
use crate::reader::Value;
use crate::source::SchemaPath;
use crate::yaml;

/// Finds the texts of schemas.
pub(crate) struct Schemas<'a> {
    schema_text: &'a dyn Fn(&SchemaPath) -> Result<String, String>,
    findings: &'a mut Findings,
}

impl<'a> Schemas<'a> {
    pub(crate) fn new(
        schema_text: &'a dyn Fn(&SchemaPath) -> Result<String, String>,
        findings: &'a mut Findings,
    ) -> Self {
        Self {
            schema_text,
            findings,
        }
    }

    /// The schema of an event; its text is absent when the file cannot be read, which is a finding.
    pub(super) fn resolve(&mut self, event: &Name, written: &Located<Value>) -> Option<Schema> {
        let place = written.place.clone();
        match &written.value {
            Value::SchemaInline(json) => Some(Schema {
                place,
                format: SchemaFormat::JsonSchema,
                file: None,
                text: Some(json.clone()),
            }),
            Value::SchemaFile(file, format) => {
                let text = self.read(event, &place, file, *format);
                Some(Schema {
                    place,
                    format: *format,
                    file: Some(file.clone()),
                    text,
                })
            }
            _ => None,
        }
    }

    fn read(
        &mut self,
        event: &Name,
        place: &Place,
        file: &str,
        format: SchemaFormat,
    ) -> Option<String> {
        let written = file.split('#').next().unwrap_or(file).to_owned();
        let path = SchemaPath {
            design_file: place.file.clone(),
            written,
        };
        let text = match (self.schema_text)(&path) {
            Ok(text) if text.len() > SCHEMA_BYTES_MAX => {
                let why = format!("is {} bytes; the most is {SCHEMA_BYTES_MAX}", text.len());
                self.report(event, place, &path, &why);
                return None;
            }
            Ok(text) => text,
            Err(why) => {
                self.report(
                    event,
                    place,
                    &path,
                    &format!("cannot be read: {}", excerpt(&why)),
                );
                return None;
            }
        };
        let is_yaml = format == SchemaFormat::JsonSchema && !path.written.ends_with(".json");
        if is_yaml {
            self.yaml_as_json(&path, &text)
        } else {
            Some(text)
        }
    }

    /// JSON Schemas are handed on as JSON, however they are written.
    fn yaml_as_json(&mut self, path: &SchemaPath, text: &str) -> Option<String> {
        let file = self.findings.add_file(path.path().into());
        yaml::load(text, file, self.findings).map(|tree| tree.to_json())
    }

    fn report(&mut self, event: &Name, place: &Place, path: &SchemaPath, why: &str) {
        let message = format!("schema file `{}` {why}", excerpt(&path.path()));
        let problem = Problem::new(&SCHEMA_FILE, message)
            .hint("the path is relative to the folder of the file that names it");
        self.findings
            .report_at(place.clone(), format!("events.{event}.schema"), problem);
    }
}
