//! The form that an Avro schema is known by: two texts that Avro's own library reads as the same
//! schema have the same.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Deepest nesting that is brought into the form; what is deeper stays as it is written. A schema
/// that compiles is far less deep, but the text of a record that was kept is not compiled again.
const DEPTH_MAX: usize = 256;

/// Attributes that say something of one kind of schema, and nothing of others: the library drops
/// them where they say nothing, and keeps every other as a property.
const RESERVED: [&str; 10] = [
    "type",
    "name",
    "namespace",
    "aliases",
    "doc",
    "fields",
    "items",
    "values",
    "size",
    "symbols",
];

/// The attributes of a field that are no properties.
const RESERVED_OF_FIELD: [&str; 6] = ["name", "type", "aliases", "doc", "default", "order"];

/// The schema with full names instead of namespaces, types without attributes as their words, and
/// without what says nothing. Documentation, aliases, defaults and properties stay.
pub(crate) fn of(schema: &Value) -> Value {
    let mut forming = Forming::default();
    forming.schema(schema, "", 0)
}

#[derive(Default)]
struct Forming {
    /// The full names that are defined so far.
    defined: HashSet<String>,
}

impl Forming {
    fn schema(&mut self, value: &Value, namespace: &str, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return value.clone();
        }
        match value {
            Value::String(word) => Value::String(self.word(word, namespace)),
            Value::Array(branches) => {
                let branches = branches.iter();
                let branches = branches.map(|one| self.schema(one, namespace, depth + 1));
                Value::Array(branches.collect())
            }
            Value::Object(object) => self.object(object, namespace, depth),
            other => other.clone(),
        }
    }

    fn word(&self, word: &str, namespace: &str) -> String {
        if is_word_of_avro(word) || word.contains('.') || namespace.is_empty() {
            return word.to_owned();
        }
        let near = format!("{namespace}.{word}");
        // A name of the null namespace is found from everywhere, unless a nearer one hides it.
        let is_far = self.defined.contains(word) && !self.defined.contains(&near);
        if is_far { word.to_owned() } else { near }
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str, depth: usize) -> Value {
        let word = match object.get("type") {
            Some(Value::String(word)) => word.as_str(),
            // `{"type": {…}}` is how a field's type is written by some tools.
            Some(inner) => return self.schema(inner, namespace, depth + 1),
            None => return Value::Object(object.clone()),
        };
        let mut formed = Map::new();
        match word {
            "record" | "error" => {
                let inside = self.names(object, namespace, &mut formed);
                let fields = object.get("fields").and_then(Value::as_array);
                let fields = fields.into_iter().flatten();
                let fields = fields.map(|field| self.field(field, &inside, depth + 1));
                formed.insert("fields".to_owned(), Value::Array(fields.collect()));
            }
            "enum" | "fixed" => {
                self.names(object, namespace, &mut formed);
                let key = if word == "enum" { "symbols" } else { "size" };
                copy(object, key, &mut formed);
            }
            "array" | "map" => {
                let key = if word == "array" { "items" } else { "values" };
                if let Some(of) = object.get(key) {
                    formed.insert(key.to_owned(), self.schema(of, namespace, depth + 1));
                }
            }
            _ if is_word_of_avro(word) => {}
            // A name with attributes: they cannot change the type that it stands for.
            _ => return Value::String(self.word(word, namespace)),
        }
        let properties = object.iter();
        let properties = properties.filter(|(key, _)| !RESERVED.contains(&key.as_str()));
        formed.extend(properties.map(|(key, value)| (key.clone(), value.clone())));
        if formed.is_empty() {
            return Value::String(word.to_owned());
        }
        formed.insert("type".to_owned(), Value::String(word.to_owned()));
        Value::Object(formed)
    }

    /// Writes the full names of what an object defines and its documentation; the namespace of what
    /// stands inside of it.
    fn names(
        &mut self,
        object: &Map<String, Value>,
        around: &str,
        formed: &mut Map<String, Value>,
    ) -> String {
        let name = object.get("name").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let own = object.get("namespace").and_then(Value::as_str);
        let space = match name.rsplit_once('.') {
            Some((space, _)) => space,
            None => own.unwrap_or(around),
        };
        let name = full(name, space);
        self.defined.insert(name.clone());
        // A bare name inside of a namespace would be one of that.
        let is_far = !around.is_empty() && !name.contains('.');
        formed.insert("name".to_owned(), Value::String(name));
        if is_far {
            formed.insert("namespace".to_owned(), Value::String(String::new()));
        }
        let aliases = texts(object).map(|alias| full(alias, space));
        put_aliases(aliases, formed);
        copy_text(object, "doc", formed);
        space.to_owned()
    }

    fn field(&mut self, field: &Value, namespace: &str, depth: usize) -> Value {
        let Value::Object(object) = field else {
            return field.clone();
        };
        let mut formed = Map::new();
        copy(object, "name", &mut formed);
        copy_text(object, "doc", &mut formed);
        copy(object, "default", &mut formed);
        put_aliases(texts(object).map(str::to_owned), &mut formed);
        if let Some(of) = object.get("type") {
            let of = self.schema(of, namespace, depth + 1);
            formed.insert("type".to_owned(), of);
        }
        // Ascending is what an order is when nothing is said.
        let order = object.get("order").filter(|order| {
            let order = order.as_str().unwrap_or_default();
            !order.eq_ignore_ascii_case("ascending")
        });
        if let Some(order) = order {
            formed.insert("order".to_owned(), order.clone());
        }
        let properties = object.iter();
        let properties = properties.filter(|(key, _)| !RESERVED_OF_FIELD.contains(&key.as_str()));
        formed.extend(properties.map(|(key, value)| (key.clone(), value.clone())));
        Value::Object(formed)
    }
}

fn full(name: &str, namespace: &str) -> String {
    if namespace.is_empty() || name.contains('.') {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// The aliases that an object lists.
fn texts(object: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let list = object.get("aliases").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Aliases are a set; an empty one says nothing.
fn put_aliases(aliases: impl Iterator<Item = String>, formed: &mut Map<String, Value>) {
    let mut seen = HashSet::new();
    let known: Vec<String> = aliases.filter(|alias| seen.insert(alias.clone())).collect();
    if !known.is_empty() {
        formed.insert("aliases".to_owned(), known.into());
    }
}

fn copy(object: &Map<String, Value>, key: &str, formed: &mut Map<String, Value>) {
    if let Some(value) = object.get(key) {
        formed.insert(key.to_owned(), value.clone());
    }
}

fn copy_text(object: &Map<String, Value>, key: &str, formed: &mut Map<String, Value>) {
    if object.get(key).is_some_and(Value::is_string) {
        copy(object, key, formed);
    }
}

fn is_word_of_avro(word: &str) -> bool {
    [
        "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    ]
    .contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Value {
        of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn what_says_nothing_makes_no_difference() {
        let plain = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
        for same in [
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int"}}]}"#,
            r#"{"type":"record","name":"R","namespace":"","fields":[{"name":"a","type":"int"}]}"#,
            r#"{"type":{"type":"record","name":"R","aliases":[],"fields":[{"name":"a","type":"int","aliases":[],"order":"ascending"}]}}"#,
            r#"{"type":"record","name":"R","size":3,"fields":[{"type":{"type":"int","doc":"dropped"},"name":"a"}]}"#,
        ] {
            assert_eq!(form(plain), form(same), "{same}");
        }
        let named = r#"{"type":"record","name":"a.b.R","aliases":["Q"],"fields":[
            {"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}},
            {"name":"f","type":{"type":"map","values":"E"}}]}"#;
        let spaced = r#"{"type":"record","name":"R","namespace":"a.b","aliases":["a.b.Q","Q"],"fields":[
            {"name":"e","type":{"type":"enum","name":"E","namespace":"a.b","symbols":["X"]}},
            {"name":"f","type":{"type":"map","values":{"type":"a.b.E"}}}]}"#;
        assert_eq!(form(named), form(spaced));
    }

    #[test]
    fn what_says_something_does() {
        let plain = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
        for other in [
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"}]}"#,
            r#"{"type":"record","name":"R","doc":"","fields":[{"name":"a","type":"int"}]}"#,
            r#"{"type":"record","name":"R","aliases":["Q"],"fields":[{"name":"a","type":"int"}]}"#,
            r#"{"type":"record","name":"R","own":1,"fields":[{"name":"a","type":"int"}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int","logicalType":"date"}}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":0}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"ignore"}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","doc":"x"}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","aliases":["b"]}]}"#,
            r#"{"type":"error","name":"R","fields":[{"name":"a","type":"int"}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":["int"]}]}"#,
        ] {
            assert_ne!(form(plain), form(other), "{other}");
        }
        // The order of branches, symbols and fields is part of the schema.
        assert_ne!(form(r#"["int","null"]"#), form(r#"["null","int"]"#));
        // A name that is near hides the one of the null namespace.
        let hides = |far: &str| {
            format!(
                r#"["{far}",{{"type":"record","name":"n.R","fields":[{{"name":"a","type":"T"}}]}}]"#
            )
        };
        let far = hides("int").replace("\"int\"", r#"{"type":"fixed","name":"T","size":1}"#);
        assert_eq!(form(&far)[1]["fields"][0]["type"], "T");
        assert_eq!(form(&hides("int"))[1]["fields"][0]["type"], "n.T");
    }

    #[test]
    fn a_text_that_is_too_deep_is_left_as_it_is() {
        let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
        let value: Value = {
            let mut value = Value::Array(Vec::new());
            for _ in 1..2_000 {
                value = Value::Array(vec![value]);
            }
            value
        };
        assert_eq!(of(&value).to_string(), deep);
    }

    #[test]
    fn a_bare_name_within_a_namespace_stays_one() {
        let far = form(
            r#"{"type":"record","name":"a.B","fields":[
            {"name":"x","type":{"type":"record","name":"R","namespace":"","fields":[]}}]}"#,
        );
        let near = form(
            r#"{"type":"record","name":"a.B","fields":[
            {"name":"x","type":{"type":"record","name":"R","fields":[]}}]}"#,
        );
        let name = |form: &Value| form["fields"][0]["type"]["name"].clone();
        assert_eq!((name(&far), name(&near)), ("R".into(), "a.R".into()));
        assert_eq!((of(&far), of(&near)), (far, near));
    }
}
