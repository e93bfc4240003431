//! Reading a design: from texts to a resolved [`Design`] and all findings.

use std::borrow::Cow;

use crate::consistency;
use crate::design::Design;
use crate::findings::{Findings, file_index};
use crate::language::{DESIGN, VERSION};
use crate::merge::merge;
use crate::path::Path;
use crate::reader::Reader;
use crate::resolve::resolve;
use crate::shape::Presence;
use crate::source::{Reading, SchemaPath, Source};
use crate::yaml::{self, Content, Entry, Node, Plain, Style};

/// Reads a design from its files, of which there may be several: their sections are merged by name,
/// in the order of the files. `schema_text` gives the text of a schema file, or says why it cannot.
///
/// A bad field leaves a finding and counts as absent. The design is `None` when a file is not YAML,
/// exceeds a limit, or is of another version of the language.
#[must_use]
pub fn read(
    files: &[Source],
    schema_text: &dyn Fn(&SchemaPath) -> Result<String, String>,
) -> Reading {
    // Without any file there is still a place at which to say so.
    let mut names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    if names.is_empty() {
        names.push("design.yaml".into());
    }
    let mut findings = Findings::in_files(names);
    let design = read_into(&mut findings, files, schema_text);
    Reading {
        design,
        findings: findings.finish(),
    }
}

fn read_into(
    findings: &mut Findings,
    files: &[Source],
    schema_text: &dyn Fn(&SchemaPath) -> Result<String, String>,
) -> Option<Design> {
    let mut trees = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        trees.extend(yaml::load(&file.text, file_index(index), findings));
    }
    let all_loaded = trees.len() == files.len();
    let tree = merge(trees, findings);
    let known_version = !is_of_another_version(&tree);
    let tree = if known_version {
        tree
    } else {
        version_alone(tree)
    };
    let tree = if all_loaded && known_version {
        tree
    } else {
        without_missing_fields(tree)
    };
    let record = Reader::new(findings).section(&DESIGN, &tree, &Path::Root, tree.span);
    let design = resolve(&record, schema_text, findings)?;
    consistency::check(&design, findings);
    (all_loaded && known_version).then_some(design)
}

fn is_of_another_version(tree: &Node<'_>) -> bool {
    let Some(Entry { value, .. }) = tree.get("tidegate") else {
        return false;
    };
    match &value.content {
        Content::Scalar { text, style } => match yaml::resolve(text, *style) {
            Plain::Integer(version) => version != i64::from(VERSION),
            _ => false,
        },
        Content::Sequence(_) | Content::Mapping(_) | Content::Refused => false,
    }
}

/// The fields of another version are not ours to judge.
fn version_alone(mut tree: Node<'_>) -> Node<'_> {
    if let Content::Mapping(entries) = &mut tree.content {
        entries.retain(|entry| entry.key == "tidegate");
    }
    tree
}

/// What is required may stand where we could not look: nothing is said to be missing.
fn without_missing_fields(mut tree: Node<'_>) -> Node<'_> {
    let span = tree.span;
    for field in DESIGN
        .fields
        .iter()
        .filter(|field| field.presence == Presence::Required)
    {
        if tree.get(field.name).is_none()
            && let Content::Mapping(entries) = &mut tree.content
        {
            let key = Cow::Borrowed(field.name);
            let value = Node {
                span,
                content: Content::Refused,
            };
            entries.push(Entry {
                key,
                key_span: span,
                key_style: Style::Plain,
                value,
            });
        }
    }
    tree
}
