//! A design from what a schema registry holds: an event for each subject, with its schema.
//!
//! The subjects are given as they were answered; asking for them is for others. Source: Confluent
//! Schema Registry API, "Subjects", "Compatibility" and "Subject Name Strategy".

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tidegate_base::Name;
use tidegate_model::{Finding, Place, Source};

use crate::bundle::{At, Bundle};
use crate::codes::LOST;
use crate::findings::excerpt;
use crate::import::{Draft, Imported, Names, first_message, flows};
use crate::payload::bundled;

/// The dialect of a JSON Schema that says none, as registries take it.
const DRAFT_07: &str = "http://json-schema.org/draft-07/schema#";

/// The newest version of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name: usually a topic with `-value` or `-key`.
    pub name: String,
    /// The number of its newest version.
    pub version: u64,
    /// How many versions it has.
    pub versions: usize,
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub schema_type: String,
    /// The text of the schema.
    pub schema: String,
    /// The schemas that it refers to: the name by which it does, and the text; of all depths.
    pub references: Vec<(String, String)>,
    /// The level of compatibility, such as `BACKWARD`.
    pub compatibility: Option<String>,
}

/// The design of the events that `subjects` of the registry at `url` describe.
#[must_use]
pub fn import(url: &str, subjects: &[Subject], system: &Name) -> Imported {
    let mut reading = Reading {
        url,
        draft: Draft::default(),
        findings: Vec::new(),
    };
    let mut names = Names::default();
    for subject in subjects {
        reading.subject(subject, &mut names);
    }
    let flows = flows(&reading.draft);
    let findings = reading.findings;
    let (design, files) = reading.draft.finish(Some(system));
    Imported {
        design,
        files,
        flows,
        findings,
    }
}

struct Reading<'a> {
    url: &'a str,
    draft: Draft,
    findings: Vec<Finding>,
}

impl Reading<'_> {
    fn subject(&mut self, subject: &Subject, names: &mut Names) {
        let plain = self.without_context(subject);
        if plain.strip_suffix("-key").is_some() {
            self.lose(
                subject,
                "the schema of a key: a design says which field of the payload it is",
            );
            return;
        }
        let topic = plain.strip_suffix("-value").unwrap_or(plain);
        let name = names.claim(&[topic.to_owned()]);
        let mut event = Map::new();
        if let Some(word) = self.compatibility(subject) {
            event.insert("compatibility".to_owned(), json!(word));
        }
        if let Some(schema) = self.schema(subject, &name) {
            event.insert("schema".to_owned(), json!(schema));
        }
        if subject.versions > 1 {
            let older = format!("the versions before {}", subject.version);
            self.lose(subject, &older);
        }
        self.draft.events.insert(name, Value::Object(event));
    }

    /// The name without `:.context:`.
    fn without_context<'s>(&mut self, subject: &'s Subject) -> &'s str {
        let inner = subject
            .name
            .strip_prefix(":.")
            .and_then(|rest| rest.split_once(':'));
        match inner {
            Some((context, name)) => {
                self.lose(subject, &format!("the context `{}`", excerpt(context)));
                name
            }
            None => &subject.name,
        }
    }

    fn compatibility(&mut self, subject: &Subject) -> Option<&'static str> {
        let level = subject.compatibility.as_deref()?;
        let word = match level {
            "BACKWARD" => return None,
            "NONE" => "none",
            "BACKWARD_TRANSITIVE" => "backward-transitive",
            "FORWARD" => "forward",
            "FORWARD_TRANSITIVE" => "forward-transitive",
            "FULL" => "full",
            "FULL_TRANSITIVE" => "full-transitive",
            other => {
                self.lose(
                    subject,
                    &format!("the level of compatibility `{}`", excerpt(other)),
                );
                return None;
            }
        };
        Some(word)
    }

    /// The file of the schema, as the design names it.
    fn schema(&mut self, subject: &Subject, event: &str) -> Option<String> {
        let (text, name) = match subject.schema_type.as_str() {
            "JSON" => (self.json(subject)?, format!("schemas/{event}.json")),
            _ if !subject.references.is_empty() => {
                self.lose(subject, "the schema: it needs those of other subjects");
                return None;
            }
            "AVRO" => (subject.schema.clone(), format!("schemas/{event}.avsc")),
            "PROTOBUF" => {
                let message = first_message(&subject.schema)?;
                (
                    subject.schema.clone(),
                    format!("schemas/{event}.proto#{message}"),
                )
            }
            other => {
                self.lose(
                    subject,
                    &format!("a schema of the type `{}`", excerpt(other)),
                );
                return None;
            }
        };
        let file = name.split('#').next().unwrap_or_default().to_owned();
        self.draft.files.push((file, text));
        Some(name)
    }

    /// A JSON Schema with those that it refers to in one.
    fn json(&mut self, subject: &Subject) -> Option<String> {
        let source = |(name, text): &(String, String)| Source {
            name: Arc::from(name.as_str()),
            text: text.clone(),
        };
        let root = source(&(format!("{} itself", subject.name), subject.schema.clone()));
        let others: Vec<Source> = subject.references.iter().map(source).collect();
        let bundle = Bundle::read(&[root], &others);
        let root = bundle.documents().next().map(|(_, node)| At {
            node,
            path: "#".to_owned(),
        });
        let Some(mut schema) = root.and_then(|root| bundled(&bundle, &root)) else {
            self.lose(subject, "the schema: it is not JSON, or too large");
            return None;
        };
        if let Some(object) = schema.as_object_mut()
            && !object.contains_key("$schema")
        {
            object.shift_insert(0, "$schema".to_owned(), json!(DRAFT_07));
        }
        Some(format!("{schema:#}\n"))
    }

    fn lose(&mut self, subject: &Subject, what: &str) {
        self.findings.push(Finding {
            code: LOST.code,
            severity: LOST.severity,
            place: Place {
                file: Arc::from(format!("{}/subjects/{}", self.url, subject.name)),
                line: 1,
                column: 1,
                length: 1,
            },
            path: subject.name.clone(),
            message: format!("lost: {what}"),
            hint: None,
            related: Vec::new(),
        });
    }
}
