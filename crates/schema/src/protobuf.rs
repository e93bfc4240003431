//! Protobuf schemas: files compiled together, messages judged in both encodings.
//!
//! Sources come by name from the caller, and the well-known ones of Google from the library; nothing
//! is read from a disk.

use std::collections::BTreeMap;
use std::path::Path;

use miette::Diagnostic;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor, ReflectMessage, Value,
};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value as Json;
use tidegate_base::limit::{SCHEMA_BYTES_MAX, SCHEMA_FILES_MAX, VIOLATIONS_MAX};

use crate::error::SchemaError;
use crate::keyword::escape;
use crate::violation::{Violation, short};

/// Deepest nesting of a message that is judged; the library stops at it too.
const MESSAGE_DEPTH_MAX: usize = 100;
/// Deepest nesting of brackets in a source.
const SOURCE_DEPTH_MAX: usize = 64;

/// Most names that one that is not known is compared with.
const NAMES_COMPARED_MAX: usize = 1_000;
/// Most names that are listed.
const NAMES_SHOWN_MAX: usize = 5;

/// Names in a sentence.
fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_SHOWN_MAX);
    let shown: Vec<String> = shown.map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Files by the name under which others import them.
pub type Sources = BTreeMap<String, String>;

/// A compiled Protobuf schema: its files, and the message that an event is.
#[derive(Clone, Debug)]
pub struct Protobuf {
    pool: DescriptorPool,
    own: Vec<String>,
    root: Option<MessageDescriptor>,
}

#[derive(Debug)]
struct Given(Sources);

impl FileResolver for Given {
    /// A name is what was given, also where it is a path such as `../a.proto`.
    fn resolve_path(&self, path: &Path) -> Option<String> {
        let name = path.to_str()?;
        self.0.contains_key(name).then(|| name.to_owned())
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = self.0.get(name);
        let source = source.ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, source)
    }
}

impl Protobuf {
    /// Compiles the files, of `proto2` or `proto3` syntax. `root` names the message of an event: in
    /// full, or in part when only one message ends so.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] with file, line and column when a source is wrong, an import or the message is
    /// not there, or a limit is exceeded.
    pub fn compile(sources: &Sources, root: Option<&str>) -> Result<Self, SchemaError> {
        Self::compiled(sources, root, false)
    }

    /// As [`Protobuf::compile`], and the files keep their comments.
    ///
    /// # Errors
    ///
    /// Those of [`Protobuf::compile`].
    pub fn with_comments(sources: &Sources, root: Option<&str>) -> Result<Self, SchemaError> {
        Self::compiled(sources, root, true)
    }

    fn compiled(
        sources: &Sources,
        root: Option<&str>,
        comments: bool,
    ) -> Result<Self, SchemaError> {
        let bytes = sources.values().map(String::len).sum();
        if bytes > SCHEMA_BYTES_MAX {
            return Err(SchemaError::Large(bytes));
        }
        if sources.len() > SCHEMA_FILES_MAX {
            let message = format!("the schema has more than {SCHEMA_FILES_MAX} files");
            return Err(source_error("", 1, 1, &message));
        }
        for (name, source) in sources {
            survey(name, source)?;
        }
        let mut resolver = ChainFileResolver::new();
        resolver.add(Given(sources.clone()));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_source_info(comments);
        for name in sources.keys() {
            let opened = compiler.open_file(name);
            opened.map_err(|error| refused(sources, name, &error))?;
        }
        let mut compiled = Self {
            pool: compiler.descriptor_pool(),
            own: sources.keys().cloned().collect(),
            root: None,
        };
        if let Some(name) = root {
            let found = compiled.find(name);
            compiled.root = Some(found.ok_or_else(|| {
                let first = compiled.own.first().map_or("", String::as_str);
                source_error(first, 1, 1, &compiled.not_found(name))
            })?);
        }
        Ok(compiled)
    }

    fn find(&self, name: &str) -> Option<MessageDescriptor> {
        let name = name.trim_start_matches('.');
        if let Some(found) = self.pool.get_message_by_name(name) {
            return Some(found);
        }
        let suffix = format!(".{name}");
        let mut found = self.messages();
        found.retain(|message| message.full_name().ends_with(&suffix));
        if found.len() > 1 { None } else { found.pop() }
    }

    /// Says that no message has this name, or that several have, and which there are.
    fn not_found(&self, name: &str) -> String {
        let messages = self.messages();
        let names = || messages.iter().map(MessageDescriptor::full_name);
        let suffix = format!(".{}", name.trim_start_matches('.'));
        let same: Vec<&str> = names().filter(|full| full.ends_with(&suffix)).collect();
        if same.len() > 1 {
            let shown = listed(&same);
            return format!(
                "more than one message is called `{name}`: write one of {shown} in full"
            );
        }
        if messages.is_empty() {
            return format!("no message is called `{name}`: the files declare none");
        }
        let plain = |text: &str| text.rsplit('.').next().unwrap_or_default().to_lowercase();
        let wanted = plain(name);
        let mut near: Vec<&str> = names().take(NAMES_COMPARED_MAX).collect();
        near.sort_by_cached_key(|full| strsim::osa_distance(&wanted, &plain(full)));
        format!("no message is called `{name}`; there are {}", listed(&near))
    }

    /// The message of an event, where one was named.
    #[must_use]
    pub fn root(&self) -> Option<&MessageDescriptor> {
        self.root.as_ref()
    }

    /// The types of the files, with those that they import.
    #[must_use]
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The files given, without those of Google.
    pub fn files(&self) -> impl Iterator<Item = FileDescriptor> {
        self.own
            .iter()
            .filter_map(|name| self.pool.get_file_by_name(name))
    }

    /// Every message of the files given, those inside of others too, without the entries of maps.
    #[must_use]
    pub fn messages(&self) -> Vec<MessageDescriptor> {
        let mut found = Vec::new();
        let mut waiting: Vec<MessageDescriptor> = self
            .files()
            .flat_map(|file| file.messages().collect::<Vec<_>>())
            .collect();
        waiting.reverse();
        while let Some(message) = waiting.pop() {
            if message.is_map_entry() {
                continue;
            }
            waiting.extend(message.child_messages());
            found.push(message);
        }
        found
    }

    /// Where the root message is in its file: its place there, or that of the message around it and its place in
    /// that, and so on.
    #[must_use]
    pub fn root_indexes(&self) -> Option<Vec<usize>> {
        let mut at = self.root.clone()?;
        let mut indexes = Vec::new();
        loop {
            let around = at.parent_message();
            let place = match &around {
                Some(around) => around.child_messages().position(|one| one == at),
                None => at.parent_file().messages().position(|one| one == at),
            };
            indexes.insert(0, place?);
            match around {
                Some(around) => at = around,
                None => return Some(indexes),
            }
        }
    }

    /// What is wrong with `payload` as the JSON mapping of the root message; empty when it fits.
    #[must_use]
    pub fn validate_json(&self, payload: &Json) -> Vec<Violation> {
        self.read_json(payload).err().unwrap_or_default()
    }

    /// The binary encoding of `payload`, which is the JSON mapping of the root message.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn encode_json(&self, payload: &Json) -> Result<Vec<u8>, Vec<Violation>> {
        Ok(self.read_json(payload)?.encode_to_vec())
    }

    fn read_json(&self, payload: &Json) -> Result<DynamicMessage, Vec<Violation>> {
        let Some(root) = &self.root else {
            return Err(vec![Violation::at("", "the schema names no message")]);
        };
        if is_deeper(payload, MESSAGE_DEPTH_MAX) {
            return Err(vec![Violation::too_deep()]);
        }
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(payload, &mut track);
        let message = DynamicMessage::deserialize(root.clone(), tracked).map_err(|error| {
            let path = pointer(&track.path());
            vec![Violation::at(&path, &masked(&error.to_string()))]
        })?;
        let missing = missing(&message);
        if missing.is_empty() {
            Ok(message)
        } else {
            Err(missing)
        }
    }

    /// What is wrong with `payload` as the binary encoding of the root message; empty when it fits.
    #[must_use]
    pub fn validate_binary(&self, payload: &[u8]) -> Vec<Violation> {
        match self.decode(payload) {
            Ok(message) => missing(&message),
            Err(violation) => vec![violation],
        }
    }

    /// Reads the root message.
    ///
    /// # Errors
    ///
    /// A [`Violation`] when the bytes are no message of this type, or the schema names none.
    pub fn decode(&self, payload: &[u8]) -> Result<DynamicMessage, Violation> {
        let Some(root) = &self.root else {
            return Err(Violation::at("", "the schema names no message"));
        };
        let decoded = DynamicMessage::decode(root.clone(), payload);
        decoded.map_err(|error| Violation::at("", &error.to_string()))
    }
}

/// The required fields that are not set, wherever they are in the message.
#[must_use]
pub fn missing(message: &DynamicMessage) -> Vec<Violation> {
    let mut found = Vec::new();
    look(message, &mut String::new(), &mut found);
    found
}

fn look(message: &DynamicMessage, path: &mut String, found: &mut Vec<Violation>) {
    for field in message.descriptor().fields() {
        if found.len() >= VIOLATIONS_MAX {
            return;
        }
        let length = path.len();
        path.push('/');
        path.push_str(&escape(field.json_name()));
        if field.is_required() && !message.has_field(&field) {
            let text = format!("the required field `{}` is missing", field.name());
            found.push(Violation::at(path, &text));
        }
        if message.has_field(&field) && field.kind().as_message().is_some() {
            look_inside(&message.get_field(&field), path, found);
        }
        path.truncate(length);
    }
}

fn look_inside(value: &Value, path: &mut String, found: &mut Vec<Violation>) {
    match value {
        Value::Message(message) => look(message, path, found),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let length = path.len();
                path.push_str(&format!("/{index}"));
                look_inside(item, path, found);
                path.truncate(length);
            }
        }
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| format!("{key:?}"));
            for (_, value) in entries {
                look_inside(value, path, found);
            }
        }
        _ => {}
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escape(key)),
            Segment::Enum { variant } => format!("/{}", escape(variant)),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// The library's message without the payload's own values, which may be private: they are quoted.
fn masked(message: &str) -> String {
    let is_enum = message.starts_with("unrecognized enum value");
    let is_quote = |c: char| c == '`' || c == '"' || (c == '\'' && is_enum);
    let mut kept = String::new();
    let mut within: Option<char> = None;
    for c in message.chars() {
        match within {
            Some(quote) if c == quote => within = None,
            Some(_) => {}
            None if is_quote(c) => {
                within = Some(c);
                kept.push('…');
            }
            None => kept.push(c),
        }
    }
    kept
}

/// Whether values stand deeper inside each other; the walk stops there.
fn is_deeper(value: &Json, than: usize) -> bool {
    let Some(less) = than.checked_sub(1) else {
        return true;
    };
    match value {
        Json::Object(fields) => fields.values().any(|value| is_deeper(value, less)),
        Json::Array(items) => items.iter().any(|value| is_deeper(value, less)),
        _ => false,
    }
}

fn source_error(file: &str, line: u32, column: u32, message: &str) -> SchemaError {
    SchemaError::Source {
        file: short(file),
        line,
        column,
        message: short(message),
    }
}

/// What the library would not survive or does not know, found before it is asked.
fn survey(name: &str, source: &str) -> Result<(), SchemaError> {
    let mut depth = 0_usize;
    for (at, token) in tokens(source) {
        match token {
            "{" | "[" | "<" | "(" => depth += 1,
            "}" | "]" | ">" | ")" => depth = depth.saturating_sub(1),
            // The word stands at the top of a file, before anything is open.
            "edition" if depth == 0 => {
                let (line, column) = position(source, at);
                let message =
                    "editions are not supported: write `syntax = \"proto3\"` or \"proto2\"";
                return Err(source_error(name, line, column, message));
            }
            _ => {}
        }
        if depth > SOURCE_DEPTH_MAX {
            let (line, column) = position(source, at);
            let message = format!("the nesting is deeper than {SOURCE_DEPTH_MAX}");
            return Err(source_error(name, line, column, &message));
        }
    }
    Ok(())
}

/// Words and signs with their places, without comments and strings.
fn tokens(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = source.get(at..)?;
            let first = rest.chars().next()?;
            let start = at;
            if rest.starts_with("//") {
                at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            } else if first == '"' || first == '\'' {
                at += quoted(rest, first);
            } else if first.is_ascii_alphanumeric() || first == '_' {
                let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
                let end = rest.find(word).unwrap_or(rest.len());
                at += end;
                return Some((start, rest.get(..end)?));
            } else {
                at += first.len_utf8();
                if !first.is_whitespace() {
                    return Some((start, rest.get(..first.len_utf8())?));
                }
            }
        }
    })
}

/// How long the string is that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote || c == '\n' {
            return at + 1;
        }
    }
    text.len()
}

/// The line and the column of a byte, both from 1.
fn position(source: &str, at: usize) -> (u32, u32) {
    let before = source.get(..at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

fn refused(sources: &Sources, name: &str, error: &protox::Error) -> SchemaError {
    let file = error.file().unwrap_or(name);
    let span = error.labels().and_then(|mut labels| labels.next());
    let source = sources.get(file).map_or("", String::as_str);
    let (line, column) = span.map_or((1, 1), |label| position(source, label.offset()));
    source_error(file, line, column, &error.to_string())
}
