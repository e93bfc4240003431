//! A schema as it would be after a change of one field.

use serde_json::{Map, Value, json};
use tidegate_schema::Types;

use super::shape::{Found, Shape};

/// Deepest chain of subschemas that is followed to a field.
const DEPTH_MAX: usize = 64;

/// A change of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is sent no more.
    Removed,
    /// It is sent under another name.
    Renamed,
    /// A whole number may be any number; anything else may be null.
    Widened,
    /// One more value than those listed.
    ValueAdded,
}

impl Change {
    /// Every change, in the order of the report.
    pub const ALL: [Self; 4] = [
        Self::Removed,
        Self::Renamed,
        Self::Widened,
        Self::ValueAdded,
    ];

    /// In JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::Widened => "type-widened",
            Self::ValueAdded => "value-added",
        }
    }
}

/// The schema after a change, with what the change is in words; `None` where the schema has no such
/// field, or the change is none there.
pub(crate) fn changed(
    root: &Value,
    shape: &Shape,
    path: &[String],
    change: Change,
) -> Option<(Value, String)> {
    let Found::Node(id, _) = shape.at(path) else {
        return None;
    };
    let node = shape.node(id);
    let (last, _) = path.split_last()?;
    let (edit, words) = match change {
        Change::Removed => (Edit::Remove, "is sent no more".to_owned()),
        Change::Renamed => {
            let name = format!("{last}Renamed");
            let words = format!("is sent as `{name}`");
            (Edit::Rename(name), words)
        }
        Change::Widened => {
            let is_whole = node.types.is_within(Types::INTEGER) && !node.types.is_none();
            let (more, words) = match is_whole {
                true => ("number", "may be any number, not only a whole one"),
                false if node.types.is_within(Types::ALL) && has_null(node.types) => return None,
                false => ("null", "may be null too"),
            };
            (Edit::Also(json!({"type": more})), words.to_owned())
        }
        Change::ValueAdded => {
            let values = node.values.as_ref()?;
            let value = fresh(values)?;
            let words = format!("may be {value} too");
            (Edit::Also(json!({"const": value})), words)
        }
    };
    let mut editor = Editor { root, depth: 0 };
    let changed = editor.edit(root, path, &edit)?;
    Some((with_root(root, changed), words))
}

fn has_null(types: Types) -> bool {
    !types.and(Types::NULL).is_none()
}

/// A value that is not among those, of their kind.
fn fresh(values: &[Value]) -> Option<Value> {
    let is_upper = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| !text.chars().any(char::is_lowercase))
    };
    let words = match values.iter().all(is_upper) {
        true => ["ANOTHER_VALUE", "YET_ANOTHER_VALUE"],
        false => ["another-value", "yet-another-value"],
    };
    let texts = words.iter().map(|word| json!(word));
    let numbers = [999, -999, 12_345].iter().map(|number| json!(number));
    let is_text = values.iter().any(Value::is_string);
    let mut candidates: Box<dyn Iterator<Item = Value>> = match is_text {
        true => Box::new(texts),
        false => Box::new(numbers),
    };
    candidates.find(|value| !values.contains(value))
}

/// The edited schema keeps the definitions and the draft of the whole.
fn with_root(root: &Value, mut changed: Value) -> Value {
    if let (Value::Object(root), Value::Object(changed)) = (root, &mut changed) {
        for keyword in ["$schema", "$defs", "definitions"] {
            if let Some(value) = root.get(keyword) {
                changed.entry(keyword).or_insert_with(|| value.clone());
            }
        }
    }
    changed
}

enum Edit {
    Remove,
    Rename(String),
    Also(Value),
}

struct Editor<'a> {
    root: &'a Value,
    depth: usize,
}

impl Editor<'_> {
    /// The schema with the field at a path edited; `None` where it says nothing of that field.
    fn edit(&mut self, schema: &Value, path: &[String], edit: &Edit) -> Option<Value> {
        let (name, rest) = path.split_first()?;
        let own = schema.as_object()?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut changed = own.clone();
        let mut found = false;
        if let Some(target) = self.target(own)
            && let Some(target) = self.edit(&target, path, edit)
        {
            changed.shift_remove("$ref");
            append(&mut changed, "allOf", target);
            found = true;
        }
        found |= self.properties(own, &mut changed, (name, rest), edit);
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let Some(parts) = own.get(keyword).and_then(Value::as_array) else {
                continue;
            };
            for (index, part) in parts.iter().enumerate() {
                let place = changed
                    .get_mut(keyword)
                    .and_then(|list| list.get_mut(index));
                if let (Some(edited), Some(place)) = (self.edit(part, path, edit), place) {
                    *place = edited;
                    found = true;
                }
            }
        }
        self.depth -= 1;
        // What is required beside the declaration is no more required either.
        if rest.is_empty() && !matches!(edit, Edit::Also(_)) {
            found |= unrequire(&mut changed, name);
        }
        found.then_some(Value::Object(changed))
    }

    fn properties(
        &mut self,
        own: &Map<String, Value>,
        changed: &mut Map<String, Value>,
        (name, rest): (&str, &[String]),
        edit: &Edit,
    ) -> bool {
        if let Some(child) = own.get("properties").and_then(|all| all.get(name)) {
            let edited = match (rest.is_empty(), edit) {
                (true, Edit::Also(more)) => Some(json!({"anyOf": [child, more]})),
                (true, Edit::Remove | Edit::Rename(_)) => Some(Value::Bool(false)),
                (false, _) => self.edit(child, rest, edit),
            };
            let Some(edited) = edited else { return false };
            let is_required = has_name(own.get("required"), name);
            if let Some(Value::Object(properties)) = changed.get_mut("properties") {
                properties.insert(name.to_owned(), edited);
                if let (true, Edit::Rename(other)) = (rest.is_empty(), edit) {
                    properties.insert(other.clone(), child.clone());
                }
            }
            if let (true, true, Edit::Rename(other)) = (rest.is_empty(), is_required, edit)
                && let Some(Value::Array(required)) = changed.get_mut("required")
            {
                required.push(json!(other));
            }
            return true;
        }
        let is_index = name.bytes().all(|byte| byte.is_ascii_digit());
        if let (true, false, Some(items)) = (is_index, rest.is_empty(), own.get("items"))
            && let Some(edited) = self.edit(items, rest, edit)
        {
            changed.insert("items".to_owned(), edited);
            return true;
        }
        false
    }

    fn target(&self, own: &Map<String, Value>) -> Option<Value> {
        let reference = own.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(reference).cloned()
    }
}

fn has_name(list: Option<&Value>, name: &str) -> bool {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.into_iter().any(|item| item.as_str() == Some(name))
}

fn unrequire(schema: &mut Map<String, Value>, name: &str) -> bool {
    let Some(Value::Array(required)) = schema.get_mut("required") else {
        return false;
    };
    let before = required.len();
    required.retain(|item| item.as_str() != Some(name));
    required.len() != before
}

fn append(schema: &mut Map<String, Value>, keyword: &str, part: Value) {
    let list = schema.entry(keyword).or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.push(part);
    }
}
