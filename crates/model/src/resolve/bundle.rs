//! A JSON Schema with the files that it refers to, put into it: whoever reads the schema later needs no files.
//!
//! A part becomes one of the definitions, and references to it are pointers into the whole. Nothing is fetched: only files
//! below the folder of the design are read, or beside a schema that lies outside of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tidegate_base::limit::{SCHEMA_BYTES_MAX, SCHEMA_FILES_MAX};

use crate::design::{Bundle, Part};

/// Why a schema cannot be put together.
pub(super) enum Unbundled {
    /// A file that is referred to, and why it cannot be had.
    File {
        file: String,
        by: String,
        why: String,
    },
    /// Anything else, as a sentence about the schema.
    Refused(String),
}

/// In what a schema is written that does not say it.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The text of a file as JSON, by its path.
pub(super) type Read<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// The whole of a schema that refers to other files; `None` when it refers to none, or is not JSON at all. `path` is its
/// own file as written, or empty when it has none.
pub(super) fn whole(
    text: &str,
    path: &str,
    read: &mut Read<'_>,
) -> Result<Option<(String, Bundle)>, Unbundled> {
    if !may_leave(text) {
        return Ok(None);
    }
    let Ok(mut root) = serde_json::from_str::<Value>(text) else {
        return Ok(None);
    };
    let mut parts = Parts::of(&root, path, text.len());
    let own = Own::of(path, String::new(), &root);
    parts.rewrite(&mut root, &own, read)?;
    let mut at = 0;
    while let Some(found) = parts.waiting.get(at).cloned() {
        let mut value = parts.parsed(&found)?;
        let own = Own::of(&found.path, found.pointer.clone(), &value);
        parts.strip(&mut value, &found.path)?;
        parts.rewrite(&mut value, &own, read)?;
        parts.definitions.insert(found.key, value);
        at += 1;
    }
    if !parts.is_changed {
        return Ok(None);
    }
    if let Some(object) = root.as_object_mut()
        && !parts.definitions.is_empty()
    {
        let container = object
            .entry(parts.container)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(container) = container.as_object_mut() {
            container.extend(parts.definitions);
        }
    }
    let bundle = Bundle {
        written: text.to_owned(),
        parts: (parts.waiting.into_iter())
            .map(|found| Part {
                pointer: found.pointer,
                file: found.path,
                text: found.text,
            })
            .collect(),
    };
    Ok(Some((root.to_string(), bundle)))
}

/// Whether some `$ref` of a text does not begin with `#`: most have none, and are not read twice for it.
fn may_leave(text: &str) -> bool {
    text.split("\"$ref\"").skip(1).any(|after| {
        let value = after.trim_start().strip_prefix(':').map(str::trim_start);
        value.is_some_and(|value| value.starts_with('"') && !value.starts_with("\"#"))
    })
}

/// A file that is put into the schema.
#[derive(Clone)]
struct Found {
    path: String,
    key: String,
    /// Where it is in the whole.
    pointer: String,
    text: String,
}

/// Keywords whose value is a schema for each of some names.
const NAMED: [&str; 6] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
    "dependencies",
];

/// Whether a subschema gives itself a URI: it has references of its own, which are read against that.
fn is_resource(schema: &Value) -> bool {
    let id = schema.get("$id").and_then(Value::as_str);
    id.is_some_and(|id| !id.starts_with('#'))
}

/// The document whose references are looked at.
struct Own {
    /// Its path.
    path: String,
    /// Where it is in the whole.
    pointer: String,
    /// The URI that it gives itself.
    id: Option<String>,
    /// Those that its parts give themselves.
    within: BTreeSet<String>,
}

impl Own {
    fn of(path: &str, pointer: String, root: &Value) -> Self {
        let id = root.get("$id").or_else(|| root.get("id"));
        let id = id
            .and_then(Value::as_str)
            .map(|id| id.trim_end_matches('#').to_owned());
        let mut own = Self {
            path: path.to_owned(),
            pointer,
            id,
            within: BTreeSet::new(),
        };
        let mut waiting: Vec<&Value> = vec![root];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Array(items) => waiting.extend(items),
                Value::Object(object) => {
                    let id = object.get("$id").and_then(Value::as_str);
                    own.within.extend(id.map(|id| own.absolute(id)));
                    waiting.extend(object.values());
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        own
    }

    /// A URI as seen from the document's own.
    fn absolute(&self, uri: &str) -> String {
        let uri = uri.trim_end_matches('#');
        let folder = self.id.as_deref().and_then(|id| id.get(..=id.rfind('/')?));
        match folder {
            Some(folder) if !uri.contains(':') => {
                format!("{folder}{}", uri.trim_start_matches("./"))
            }
            _ => uri.to_owned(),
        }
    }
}

/// What has been found so far.
struct Parts {
    root_path: String,
    /// The `$schema` of the root.
    dialect: Option<String>,
    container: &'static str,
    /// By path: its place in the whole.
    known: BTreeMap<String, String>,
    taken: Vec<String>,
    waiting: Vec<Found>,
    definitions: Map<String, Value>,
    bytes: usize,
    is_changed: bool,
}

impl Parts {
    fn of(root: &Value, path: &str, bytes: usize) -> Self {
        let dialect = root.get("$schema").and_then(Value::as_str);
        let is_old = dialect.map_or(
            root.get("definitions").is_some() && root.get("$defs").is_none(),
            |dialect| {
                ["draft-04", "draft-06", "draft-07"]
                    .iter()
                    .any(|old| dialect.contains(old))
            },
        );
        let container = if is_old { "definitions" } else { "$defs" };
        let taken = root.get(container).and_then(Value::as_object);
        let mut known = BTreeMap::new();
        if !path.is_empty() {
            known.insert(joined("", path).unwrap_or_default(), String::new());
        }
        Self {
            root_path: path.to_owned(),
            dialect: dialect.map(str::to_owned),
            container,
            known,
            taken: taken.map_or_else(Vec::new, |taken| taken.keys().cloned().collect()),
            waiting: Vec::new(),
            definitions: Map::new(),
            bytes,
            is_changed: false,
        }
    }

    fn parsed(&self, found: &Found) -> Result<Value, Unbundled> {
        serde_json::from_str(&found.text).map_err(|error| Unbundled::File {
            file: found.path.clone(),
            by: self.root_path.clone(),
            why: format!("is not JSON: {error}"),
        })
    }

    /// Takes away what only a document of its own may say.
    fn strip(&self, value: &mut Value, path: &str) -> Result<(), Unbundled> {
        let Some(object) = value.as_object_mut() else {
            return Ok(());
        };
        let dialect = object.shift_remove("$schema");
        let dialect = dialect.as_ref().and_then(Value::as_str);
        let own = self.dialect.as_deref().unwrap_or(DIALECT);
        if let Some(other) = dialect
            && own.trim_end_matches('#') != other.trim_end_matches('#')
        {
            return Err(Unbundled::Refused(format!(
                "is written in `{own}`, and refers to `{path}` in `{other}`: write both in one"
            )));
        }
        for id in ["$id", "id"] {
            if object.get(id).is_some_and(Value::is_string) {
                object.shift_remove(id);
            }
        }
        Ok(())
    }

    /// Has every reference that leaves the document lead into the whole.
    fn rewrite(
        &mut self,
        value: &mut Value,
        own: &Own,
        read: &mut Read<'_>,
    ) -> Result<(), Unbundled> {
        let object = match value {
            Value::Array(items) => {
                return items
                    .iter_mut()
                    .try_for_each(|item| self.rewrite(item, own, read));
            }
            Value::Object(object) => object,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Ok(()),
        };
        if let Some(Value::String(reference)) = object.get_mut("$ref")
            && let Some(inside) = self.inside(reference, own, read)?
        {
            self.is_changed |= *reference != inside;
            *reference = inside;
        }
        for (name, child) in object {
            // What stands in these has names of its own, which are no keywords.
            if NAMED.contains(&name.as_str())
                && let Some(children) = child.as_object_mut()
            {
                for child in children.values_mut().filter(|child| !is_resource(child)) {
                    self.rewrite(child, own, read)?;
                }
                continue;
            }
            let is_data = ["enum", "const", "default", "examples"].contains(&name.as_str());
            if !is_data && !is_resource(child) {
                self.rewrite(child, own, read)?;
            }
        }
        Ok(())
    }

    /// A reference as one within the whole; `None` where it stays as it is.
    fn inside(
        &mut self,
        reference: &str,
        own: &Own,
        read: &mut Read<'_>,
    ) -> Result<Option<String>, Unbundled> {
        let (target, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let absolute = own.absolute(target);
        let pointer = if target.is_empty() || own.id.as_ref() == Some(&absolute) {
            own.pointer.clone()
        } else if own.within.contains(&absolute) {
            // A part that gives itself this URI is meant, not a file.
            return Ok(None);
        } else {
            let Some(file) = self.file(target, own) else {
                return Ok(None);
            };
            match self.known.get(&file) {
                Some(pointer) => pointer.clone(),
                None => self.found(file, own, read)?,
            }
        };
        Ok(Some(match fragment {
            "" => format!("#{pointer}"),
            _ if fragment.starts_with('/') => format!("#{pointer}{fragment}"),
            // An anchor is one of the whole.
            _ => format!("#{fragment}"),
        }))
    }

    /// The path of the file that a reference names, if it names one.
    fn file(&self, target: &str, own: &Own) -> Option<String> {
        let beside = own.id.as_deref().and_then(|id| {
            let folder = id.get(..=id.rfind('/')?)?;
            target.strip_prefix(folder)
        });
        let target = beside.unwrap_or(target);
        let is_file = [".json", ".yaml", ".yml"]
            .iter()
            .any(|end| target.ends_with(end));
        if !is_file || target.contains([':', '\\', '?']) || target.starts_with('/') {
            return None;
        }
        let folder = own
            .path
            .rfind('/')
            .map_or("", |slash| own.path.get(..slash).unwrap_or(""));
        let path = joined(folder, target)?;
        let outside = |path: &str| path.split('/').take_while(|part| *part == "..").count();
        let most = outside(&joined("", &self.root_path).unwrap_or_default());
        (outside(&path) <= most).then_some(path)
    }

    /// Reads a file, and gives it a place in the whole.
    fn found(&mut self, path: String, own: &Own, read: &mut Read<'_>) -> Result<String, Unbundled> {
        let text = read(&path).map_err(|why| Unbundled::File {
            file: path.clone(),
            by: own.path.clone(),
            why,
        })?;
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > SCHEMA_BYTES_MAX || self.waiting.len() >= SCHEMA_FILES_MAX {
            return Err(Unbundled::Refused(format!(
                "with the files that it refers to is larger than {SCHEMA_BYTES_MAX} bytes, or more than \
                 {SCHEMA_FILES_MAX} files"
            )));
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "_-.".contains(c) {
                c
            } else {
                '_'
            }
        };
        let stem: String = stem.chars().map(plain).collect();
        let key = (1..).map(|number| match number {
            1 => stem.clone(),
            _ => format!("{stem}-{number}"),
        });
        let mut free = key.filter(|key| !self.taken.contains(key));
        let key = free.next().unwrap_or(stem);
        let pointer = format!("/{}/{key}", self.container);
        self.taken.push(key.clone());
        self.known.insert(path.clone(), pointer.clone());
        self.waiting.push(Found {
            path,
            key,
            pointer: pointer.clone(),
            text,
        });
        Ok(pointer)
    }
}

/// `path` from `folder`, without `.` and with `..` in front only; `None` when it names no file.
fn joined(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => drop(parts.pop()),
                _ => parts.push(".."),
            },
            name => parts.push(name),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}
