//! What the specification's own schema says of a document.
//!
//! References into the document stay as they are: what they name is looked at where it stands.
//! References into other files are put in place, so that what they name is looked at too.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};
use tidegate_model::closest;

use crate::bundle::{At, Bundle, DATA};
use crate::codes::STRUCTURE;
use crate::findings::{Findings, Problem, excerpt};
use crate::node::{Kind, Node};
use crate::pointer;
use crate::version::Version;

/// Most nodes that files referred to may add to a document.
const ADDED_NODES_MAX: usize = 1_000_000;

/// Longest chain of files that refer to each other which is put in place.
const HOPS_MAX: usize = 8;

/// Most mistakes of one document that are looked at.
const ERRORS_MAX: usize = 1_000;

/// Reports everything that a document of this version may not be.
pub(crate) fn check(bundle: &Bundle, root: &Node, version: Version, findings: &mut Findings<'_>) {
    let Some(validator) = version.validator() else {
        return;
    };
    let mut expansion = Expansion {
        bundle,
        file: root.span.file,
        open: Vec::new(),
        left: ADDED_NODES_MAX,
    };
    let document = expansion.expanded(root, false);
    if validator.is_valid(&document) {
        return;
    }
    for error in validator.iter_errors(&document).take(ERRORS_MAX) {
        report(bundle, root, &error, findings);
    }
}

struct Expansion<'b> {
    bundle: &'b Bundle,
    file: u32,
    /// The files' parts that are being put in place.
    open: Vec<*const Node>,
    left: usize,
}

impl<'b> Expansion<'b> {
    fn expanded(&mut self, node: &Node, is_schema: bool) -> Value {
        match &node.kind {
            Kind::Map(map) => {
                if let Some(target) = self.elsewhere(node, is_schema) {
                    self.open.push(std::ptr::from_ref(target));
                    let value = self.expanded(target, is_schema);
                    self.open.pop();
                    return value;
                }
                let mut object = Map::new();
                for (key, entry) in map {
                    let value = if DATA.contains(&&**key) {
                        entry.node.to_json()
                    } else {
                        self.expanded(&entry.node, is_schema || starts_schema(key))
                    };
                    object.insert(key.to_string(), value);
                }
                Value::Object(object)
            }
            Kind::List(items) => items
                .iter()
                .map(|item| self.expanded(item, is_schema))
                .collect(),
            _ => node.to_json(),
        }
    }

    /// The target of a reference to another file, unless it leads back or costs too much.
    fn elsewhere(&mut self, node: &Node, is_schema: bool) -> Option<&'b Node> {
        let reference = node.reference().filter(|_| !is_schema)?;
        let target = self.bundle.target(node.span.file, reference).ok()?;
        let stays = target.node.span.file == self.file
            || self.open.contains(&std::ptr::from_ref(target.node));
        let stays = stays || self.open.len() >= HOPS_MAX;
        let size = target.node.size();
        if stays || size > self.left {
            return None;
        }
        self.left -= size;
        Some(target.node)
    }
}

/// Whether what stands below this key is a schema.
fn starts_schema(key: &str) -> bool {
    matches!(key, "payload" | "headers" | "schemas" | "schema")
}

/// The mistakes that `value` has by a schema: the place in it, what is wrong, and the next step.
pub(crate) fn mistakes(validator: &jsonschema::Validator, value: &Value) -> Vec<Told> {
    let mut told = Vec::new();
    for error in validator.iter_errors(value).take(ERRORS_MAX) {
        explain(&error, &mut told);
    }
    told
}

fn report(bundle: &Bundle, root: &Node, error: &ValidationError<'_>, findings: &mut Findings<'_>) {
    let mut told = Vec::new();
    explain(error, &mut told);
    for (tokens, message, hint) in told {
        let (span, path) = place(bundle, root, &tokens);
        let mut problem = Problem::new(&STRUCTURE, message);
        problem.hint = hint;
        findings.report(span, &path, problem);
    }
}

/// The place of an instance path. A path into another file goes on there.
pub(crate) fn place(
    bundle: &Bundle,
    root: &Node,
    tokens: &[String],
) -> (crate::node::Span, String) {
    let mut at = At {
        node: root,
        path: "#".to_owned(),
    };
    let mut span = root.span;
    for token in tokens {
        if at.node.step(token).is_none() && at.node.reference().is_some() {
            at = bundle.followed(at);
            span = at.node.span;
        }
        let entry = at.node.map().and_then(|map| map.get(token.as_str()));
        let Some(next) = at.step(token) else {
            break;
        };
        span = entry.map_or(next.node.span, |entry| entry.key);
        at = next;
    }
    (span, at.path)
}

/// A mistake: where, what, and the next step.
pub(crate) type Told = (Vec<String>, String, Option<String>);

/// The mistakes that an error of the validator stands for: those of the alternative that was most
/// likely meant.
fn explain(error: &ValidationError<'_>, told: &mut Vec<Told>) {
    let path = error.instance_path().as_str();
    let tokens = pointer::tokens(path).unwrap_or_default();
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let is_reference = error.instance().get("$ref").is_some();
            let meant = context
                .iter()
                .filter(|errors| !errors.is_empty())
                .min_by_key(|errors| weight(errors, path, is_reference));
            match meant {
                Some(errors) => errors.iter().for_each(|error| explain(error, told)),
                None => told.push((
                    tokens,
                    "it fits none of what may stand here".to_owned(),
                    None,
                )),
            }
        }
        // A reference fits the thing and the Reference Object alike in some versions' schemas.
        ValidationErrorKind::OneOfMultipleValid { .. }
            if error.instance().get("$ref").is_some() => {}
        // Parameters stand in references as they stand in addresses: in braces.
        ValidationErrorKind::Format { .. } if path.ends_with("/$ref") => {}
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                let mut place = tokens.clone();
                place.push(name.clone());
                let what = last_name(&tokens);
                let message = format!("{what} has no field `{}`", excerpt(name));
                told.push((place, message, field_hint(name)));
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let message = format!("{} needs `{name}`", last_name(&tokens));
            told.push((tokens, message, Some(format!("add `{name}`"))));
        }
        ValidationErrorKind::Enum { options } => {
            let (message, hint) = not_of(options, error.instance(), &tokens);
            told.push((tokens, message, hint));
        }
        ValidationErrorKind::Pattern { pattern } => {
            let message = format!(
                "{} is {}, which the pattern `{}` does not take",
                last_name(&tokens),
                written(error.instance()),
                excerpt(pattern)
            );
            told.push((tokens, message, None));
        }
        _ => {
            let name = last_name(&tokens);
            let said = excerpt(&error.masked_with("the value").to_string());
            told.push((tokens, format!("{name}: {said}"), None));
        }
    }
}

/// What to say of a value that is none of some.
fn not_of(options: &Value, value: &Value, tokens: &[String]) -> (String, Option<String>) {
    let plain = |option: &Value| {
        let text = option.as_str().map(str::to_owned);
        text.unwrap_or_else(|| option.to_string())
    };
    let words: Vec<String> = options
        .as_array()
        .into_iter()
        .flatten()
        .map(plain)
        .collect();
    let similar = value
        .as_str()
        .and_then(|text| closest(text, words.iter().map(String::as_str)));
    let message = format!(
        "{} is {}; one of {} is expected",
        last_name(tokens),
        written(value),
        excerpt(&words.join(", "))
    );
    (
        message,
        similar.map(|similar| format!("did you mean `{similar}`?")),
    )
}

/// How unlikely it is that an alternative was meant: one for a reference where there is none, then
/// one that fails at the top, then one with more mistakes.
fn weight(errors: &[ValidationError<'_>], path: &str, is_reference: bool) -> (bool, usize, usize) {
    let wants_reference = errors.iter().any(|error| {
        matches!(error.kind(), ValidationErrorKind::Required { property } if property == "$ref")
    });
    let refuses_reference = errors.iter().any(|error| {
        matches!(
            error.kind(),
            ValidationErrorKind::AdditionalProperties { unexpected }
                if unexpected.iter().any(|name| name == "$ref")
        )
    });
    let at_top = errors
        .iter()
        .filter(|error| error.instance_path().as_str() == path)
        .count();
    let unlikely = if is_reference {
        refuses_reference
    } else {
        wants_reference
    };
    (unlikely, at_top, errors.len())
}

fn last_name(tokens: &[String]) -> String {
    match tokens.last() {
        None => "the document".to_owned(),
        Some(name) => format!("`{}`", excerpt(name)),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", excerpt(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => format!("`{other}`"),
    }
}

/// A field that is likely meant.
fn field_hint(name: &str) -> Option<String> {
    const FIELDS: [&str; 32] = [
        "action",
        "address",
        "bindings",
        "channel",
        "channels",
        "components",
        "contentType",
        "correlationId",
        "description",
        "examples",
        "headers",
        "info",
        "location",
        "message",
        "messages",
        "name",
        "operationId",
        "operations",
        "parameters",
        "payload",
        "protocol",
        "publish",
        "reply",
        "security",
        "servers",
        "subscribe",
        "summary",
        "tags",
        "title",
        "traits",
        "url",
        "variables",
    ];
    let similar = closest(name, FIELDS.iter().copied()).filter(|similar| *similar != name);
    Some(match similar {
        Some(similar) => format!("did you mean `{similar}`? A field of your own starts with `x-`"),
        None => "remove it; a field of your own starts with `x-`".to_owned(),
    })
}
