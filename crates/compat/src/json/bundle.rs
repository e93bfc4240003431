//! The documents of one schema: what their references lead to. Nothing is ever fetched.

use std::collections::HashMap;

use serde_json::Value;

use super::draft::Draft;
use super::error::JsonError;

/// A document that others may refer to.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// How references name it: its URI, or the name of its file.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A place in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) document: usize,
    pub(crate) pointer: String,
}

pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) root: Value,
    pub(crate) draft: Draft,
}

/// Documents, the first one being the schema itself, with the names that they give.
pub(crate) struct Bundle {
    pub(crate) documents: Vec<Document>,
    /// By URI without fragment.
    resources: HashMap<String, Place>,
    /// By URI with an anchor as fragment.
    anchors: HashMap<String, Place>,
    /// Anchors that a dynamic reference could be bound to, with how often each is declared.
    dynamic: HashMap<String, usize>,
}

/// The base of a document whose name is no URI.
const BASE: &str = "tidegate:/";

impl Bundle {
    /// Reads the documents.
    pub(crate) fn read(
        schema: Named<'_>,
        others: &[Named<'_>],
        default: Draft,
    ) -> Result<Self, JsonError> {
        let mut bundle = Self {
            documents: Vec::new(),
            resources: HashMap::new(),
            anchors: HashMap::new(),
            dynamic: HashMap::new(),
        };
        for (document, named) in std::iter::once(&schema).chain(others).enumerate() {
            let root: Value =
                serde_json::from_str(named.text).map_err(|error| JsonError::Text {
                    name: named.name.to_owned(),
                    message: error.to_string(),
                })?;
            let draft = Draft::of(&root, default).ok_or_else(|| JsonError::Draft {
                name: named.name.to_owned(),
            })?;
            let base = absolute(BASE, named.name);
            let place = Place {
                document,
                pointer: String::new(),
            };
            bundle
                .resources
                .entry(base.clone())
                .or_insert(place.clone());
            bundle.index(&root, draft, &base, place);
            bundle.documents.push(Document {
                name: named.name.to_owned(),
                root,
                draft,
            });
        }
        Ok(bundle)
    }

    /// Notes the names that stand in `value`.
    fn index(&mut self, value: &Value, draft: Draft, base: &str, place: Place) {
        match value {
            Value::Object(object) => {
                let mut base = base.to_owned();
                if let Some(id) = object.get(draft.id()).and_then(Value::as_str) {
                    let full = absolute(&base, id);
                    let (resource, fragment) = split(&full);
                    if fragment.is_empty() {
                        self.resources
                            .entry(resource.to_owned())
                            .or_insert(place.clone());
                        resource.clone_into(&mut base);
                    } else {
                        self.anchors.entry(full.clone()).or_insert(place.clone());
                    }
                }
                for keyword in ["$anchor", "$dynamicAnchor"] {
                    if let Some(name) = object.get(keyword).and_then(Value::as_str) {
                        let full = format!("{base}#{name}");
                        self.anchors.entry(full).or_insert(place.clone());
                        if keyword == "$dynamicAnchor" {
                            *self.dynamic.entry(name.to_owned()).or_default() += 1;
                        }
                    }
                }
                if object.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
                    *self.dynamic.entry(String::new()).or_default() += 1;
                }
                for (name, child) in object {
                    if !["enum", "const", "default", "examples"].contains(&name.as_str()) {
                        self.index(child, draft, &base, place.below(name));
                    }
                }
            }
            Value::Array(items) => {
                for (index, child) in items.iter().enumerate() {
                    self.index(child, draft, base, place.below(&index.to_string()));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The URI that references at this place are read against.
    fn base(&self, place: &Place) -> String {
        let Some(document) = self.documents.get(place.document) else {
            return BASE.to_owned();
        };
        let mut base = absolute(BASE, &document.name);
        let mut value = Some(&document.root);
        let mut segments = place.pointer.split('/').skip(1);
        while let Some(here) = value {
            if let Some(id) = here.get(document.draft.id()).and_then(Value::as_str) {
                let full = absolute(&base, id);
                let (resource, fragment) = split(&full);
                if fragment.is_empty() {
                    resource.clone_into(&mut base);
                }
            }
            let Some(segment) = segments.next() else {
                break;
            };
            let name = segment.replace("~1", "/").replace("~0", "~");
            value = match here {
                Value::Array(items) => name.parse().ok().and_then(|i: usize| items.get(i)),
                other => other.get(&name),
            };
        }
        base
    }

    /// What a reference at a place leads to.
    pub(crate) fn resolve(&self, reference: &str, from: &Place) -> Option<Place> {
        let full = absolute(&self.base(from), reference);
        let (resource, fragment) = split(&full);
        if !fragment.is_empty()
            && !fragment.starts_with('/')
            && let Some(place) = self.anchors.get(&full)
        {
            return Some(place.clone());
        }
        let (plain, _) = split(reference);
        let start = self
            .resources
            .get(resource)
            .or_else(|| self.by_name(plain))?;
        if fragment.is_empty() {
            return Some(start.clone());
        }
        let place = Place {
            document: start.document,
            pointer: format!("{}{}", start.pointer, decoded(fragment)?),
        };
        self.value(&place).is_some().then_some(place)
    }

    /// The document whose name is a reference as written, or ends like it.
    fn by_name(&self, reference: &str) -> Option<&Place> {
        let wanted = reference.trim_start_matches("./");
        if wanted.is_empty() {
            return None;
        }
        let last = wanted.rsplit('/').next()?;
        let found = |fits: &dyn Fn(&str) -> bool| {
            self.documents.iter().find(|document| fits(&document.name))
        };
        let document = found(&|name| name == wanted)
            .or_else(|| found(&|name| name.rsplit('/').next() == Some(last)))?;
        self.resources.get(&absolute(BASE, &document.name))
    }

    /// The value at a place.
    pub(crate) fn value(&self, place: &Place) -> Option<&Value> {
        let document = self.documents.get(place.document)?;
        document.root.pointer(&place.pointer)
    }

    /// What a dynamic reference leads to, where only one schema could be meant.
    pub(crate) fn resolve_dynamic(&self, reference: &str, from: &Place) -> Option<Place> {
        let (_, fragment) = split(reference);
        let declared = self.dynamic.get(fragment).copied().unwrap_or(0);
        (declared <= 1).then(|| self.resolve(reference, from))?
    }
}

impl Place {
    pub(crate) fn below(&self, name: &str) -> Self {
        Self {
            document: self.document,
            pointer: format!("{}/{}", self.pointer, escape(name)),
        }
    }
}

/// `name` as one segment of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A URI without its fragment, and the fragment.
fn split(uri: &str) -> (&str, &str) {
    uri.split_once('#').unwrap_or((uri, ""))
}

/// `reference` read against `base` (RFC 3986, section 5.2), its query part of the path.
fn absolute(base: &str, reference: &str) -> String {
    let reference = match reference.strip_suffix('#') {
        Some(whole) => whole,
        None => reference,
    };
    let (base, _) = split(base);
    if reference.is_empty() || reference.starts_with('#') {
        return format!("{base}{reference}");
    }
    let scheme_end = reference.find(':');
    let is_scheme = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            && chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    if scheme_end.is_some_and(|end| reference.get(..end).is_some_and(is_scheme)) {
        return reference.to_owned();
    }
    let path_start = base
        .find("://")
        .and_then(|at| base.get(at + 3..)?.find('/').map(|slash| at + 3 + slash))
        .or_else(|| {
            base.find(":/")
                .filter(|_| !base.contains("://"))
                .map(|at| at + 1)
        })
        .unwrap_or(base.len());
    let (root, path) = base.split_at(path_start);
    if reference.starts_with("//") {
        let scheme = base.split(':').next().unwrap_or_default();
        return format!("{scheme}:{reference}");
    }
    let (wanted, fragment) = split(reference);
    let joined = match wanted.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{}/{wanted}", folder.trim_start_matches('/'))
        }
    };
    let mut segments: Vec<&str> = Vec::new();
    for segment in joined.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let end = if fragment.is_empty() { "" } else { "#" };
    format!("{root}/{}{end}{fragment}", segments.join("/"))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn references_are_read_against_their_base() {
        let cases = [
            (
                "http://x.io/a/b.json",
                "c.json#/d",
                "http://x.io/a/c.json#/d",
            ),
            ("http://x.io/a/b.json", "/c.json", "http://x.io/c.json"),
            ("http://x.io/a/b.json", "../c.json", "http://x.io/c.json"),
            ("http://x.io", "c.json", "http://x.io/c.json"),
            ("http://x.io/a/b.json", "#", "http://x.io/a/b.json"),
            ("http://x.io/a/b.json", "#x", "http://x.io/a/b.json#x"),
            ("http://x.io/a/b.json", "urn:x:y", "urn:x:y"),
            ("http://x.io/a", "//y.io/b", "http://y.io/b"),
            ("tidegate:/", "order.json", "tidegate:/order.json"),
            (
                "tidegate:/a/order.json",
                "./item.json",
                "tidegate:/a/item.json",
            ),
            ("urn:x:y", "#/a", "urn:x:y#/a"),
        ];
        for (base, reference, full) in cases {
            assert_eq!(absolute(base, reference), full, "{base} {reference}");
        }
    }
}
