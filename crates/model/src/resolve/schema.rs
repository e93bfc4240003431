//! The texts of schemas: inline ones as JSON, those of files as the caller gives them.

use std::collections::BTreeMap;

use tidegate_base::Name;
use tidegate_base::limit::{SCHEMA_BYTES_MAX, SCHEMA_FILES_MAX};

use super::bundle::{self, Unbundled};
use crate::code::SCHEMA_FILE;
use crate::design::{Bundle, Located, Schema, SchemaFormat};
use crate::finding::Place;
use crate::findings::{Findings, Problem, excerpt};
use crate::reader::Value;
use crate::source::SchemaPath;
use crate::yaml;

/// Whose schema it is: the event's own, or that of an older version.
type Version<'a> = (&'a Name, Option<&'a Name>);

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
    pub(super) fn resolve(&mut self, of: Version<'_>, written: &Located<Value>) -> Option<Schema> {
        let place = written.place.clone();
        match &written.value {
            Value::SchemaInline(json) => {
                let (text, bundle) = self.whole(of, &place, "", json.clone());
                Some(Schema {
                    place,
                    format: SchemaFormat::JsonSchema,
                    file: None,
                    text,
                    imports: BTreeMap::new(),
                    bundle,
                })
            }
            Value::SchemaFile(file, format) => {
                let text = self.read(of, &place, file, *format);
                let imports = match &text {
                    Some(text) if *format == SchemaFormat::Protobuf => {
                        self.imports(&place, file, text)
                    }
                    _ => BTreeMap::new(),
                };
                let (text, bundle) = match text {
                    Some(text) if *format == SchemaFormat::JsonSchema => {
                        self.whole(of, &place, file, text)
                    }
                    text => (text, None),
                };
                Some(Schema {
                    place,
                    format: *format,
                    file: Some(file.clone()),
                    text,
                    imports,
                    bundle,
                })
            }
            _ => None,
        }
    }

    /// A JSON Schema with the files that it refers to; without a text where one cannot be had, which is a finding.
    fn whole(
        &mut self,
        of: Version<'_>,
        place: &Place,
        file: &str,
        text: String,
    ) -> (Option<String>, Option<Bundle>) {
        let path_of = |written: &str| SchemaPath {
            design_file: place.file.clone(),
            written: written.to_owned(),
        };
        let mut read = |written: &str| {
            let path = path_of(written);
            let text = (self.schema_text)(&path)?;
            if written.ends_with(".json") {
                return Ok(text);
            }
            let json = self.yaml_as_json(&path, &text);
            json.ok_or_else(|| "is not YAML".to_owned())
        };
        match bundle::whole(&text, file, &mut read) {
            Ok(None) => (Some(text), None),
            Ok(Some((whole, bundle))) => (Some(whole), Some(bundle)),
            Err(Unbundled::File { file, by, why }) => {
                let why = match by.as_str() {
                    "" => format!("cannot be read: {}", excerpt(&why)),
                    by => format!(
                        "cannot be read: {} (`{}` refers to it)",
                        excerpt(&why),
                        excerpt(by)
                    ),
                };
                self.report(of, place, &path_of(&file), &why);
                (None, None)
            }
            Err(Unbundled::Refused(why)) => {
                self.report(of, place, &path_of(file), &why);
                (None, None)
            }
        }
    }

    fn read(
        &mut self,
        of: Version<'_>,
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
                self.report(of, place, &path, &why);
                return None;
            }
            Ok(text) => text,
            Err(why) => {
                self.report(
                    of,
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

    /// What a Protobuf file imports, and what that imports: looked for from its own folder, then from
    /// that of the design. What is not found is the compiler's to report, with its place.
    fn imports(&self, place: &Place, file: &str, text: &str) -> BTreeMap<String, String> {
        let written = file.split('#').next().unwrap_or(file);
        let folder = written
            .rfind('/')
            .map_or("", |slash| written.get(..=slash).unwrap_or_default());
        let mut found = BTreeMap::new();
        let mut bytes = text.len();
        let mut waiting = protobuf_imports(text);
        while let Some(name) = waiting.pop() {
            let is_known = name.starts_with("google/protobuf/") || found.contains_key(&name);
            if is_known || !is_within(&name) || found.len() >= SCHEMA_FILES_MAX {
                continue;
            }
            let read = |written: String| {
                let design_file = place.file.clone();
                (self.schema_text)(&SchemaPath {
                    design_file,
                    written,
                })
                .ok()
            };
            let Some(text) = read(format!("{folder}{name}")).or_else(|| read(name.clone())) else {
                continue;
            };
            bytes = bytes.saturating_add(text.len());
            if bytes > SCHEMA_BYTES_MAX {
                break;
            }
            waiting.extend(protobuf_imports(&text));
            found.insert(name, text);
        }
        found
    }

    /// JSON Schemas are handed on as JSON, however they are written.
    fn yaml_as_json(&mut self, path: &SchemaPath, text: &str) -> Option<String> {
        let file = self.findings.add_file(path.path().into());
        yaml::load(text, file, self.findings).map(|tree| tree.to_json())
    }

    fn report(
        &mut self,
        (event, version): Version<'_>,
        place: &Place,
        path: &SchemaPath,
        why: &str,
    ) {
        let message = format!("schema file `{}` {why}", excerpt(&path.path()));
        let problem = Problem::new(&SCHEMA_FILE, message)
            .hint("the path is relative to the folder of the file that names it");
        let path = match version {
            None => format!("events.{event}.schema"),
            Some(version) => format!("events.{event}.versions.{version}.schema"),
        };
        self.findings.report_at(place.clone(), path, problem);
    }
}

/// The names in the `import` statements of a Protobuf file.
#[must_use]
pub fn protobuf_imports(text: &str) -> Vec<String> {
    let statements = text.split(['\n', ';']);
    let statements = statements.filter_map(|part| part.trim().strip_prefix("import"));
    let names = statements.filter_map(|rest| {
        let mut parts = rest.split(['"', '\'']);
        let before = parts.next()?.trim();
        let is_import = matches!(before, "" | "public" | "weak");
        parts.next().filter(|_| is_import).map(str::to_owned)
    });
    names.collect()
}

/// Whether a name stays below the folder that it is looked for in.
#[must_use]
pub fn is_within(name: &str) -> bool {
    let parts = name.split('/');
    !name.is_empty()
        && !name.contains(['\\', ':'])
        && parts
            .into_iter()
            .all(|part| !part.is_empty() && part != "." && part != "..")
}
