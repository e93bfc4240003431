//! Random Avro schemas, changes of them, and data.

use serde_json::{Map, Value, json};
use tidegate_schema::avro::{Avro, Datum, Kind, Logical, NodeId};

use super::Chance;

const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// A random schema; named types are used again, also inside of themselves.
pub(crate) fn schema(chance: &mut Chance) -> Value {
    let mut names = Vec::new();
    make(chance, 3, &mut names)
}

fn make(chance: &mut Chance, depth: usize, names: &mut Vec<String>) -> Value {
    let known = names.len();
    match chance.below(if depth == 0 { 5 } else { 13 }) {
        0..=3 => primitive(chance),
        4 if known > 0 => json!(names[chance.below(known)]),
        4 => json!("string"),
        5 => json!({"type": "array", "items": make(chance, depth - 1, names)}),
        6 => json!({"type": "map", "values": make(chance, depth - 1, names)}),
        7 => union(chance, depth, names),
        8 => {
            let name = name(names, "E");
            let count = 1 + chance.below(3);
            let symbols: Vec<String> = (0..count).map(|n| format!("S{n}")).collect();
            let mut made = json!({"type": "enum", "name": name, "symbols": symbols});
            if chance.one_in(3) {
                made["default"] = json!("S0");
            }
            made
        }
        9 => {
            let name = name(names, "F");
            json!({"type": "fixed", "name": name, "size": chance.below(4)})
        }
        10 => json!({"type": "long", "logicalType": "timestamp-millis"}),
        _ => {
            let name = name(names, "R");
            let count = chance.below(4);
            let fields: Vec<Value> = (0..count)
                .map(|at| {
                    let mut field = json!({"name": format!("f{at}")});
                    let kind = make(chance, depth - 1, names);
                    if chance.one_in(3) {
                        default(&kind)
                            .into_iter()
                            .for_each(|value| field["default"] = value);
                    }
                    field["type"] = kind;
                    field
                })
                .collect();
            json!({"type": "record", "name": name, "fields": fields})
        }
    }
}

fn name(names: &mut Vec<String>, letter: &str) -> String {
    let name = format!("{letter}{}", names.len());
    names.push(name.clone());
    name
}

fn primitive(chance: &mut Chance) -> Value {
    json!(PRIMITIVES[chance.below(PRIMITIVES.len())])
}

fn union(chance: &mut Chance, depth: usize, names: &mut Vec<String>) -> Value {
    let count = 1 + chance.below(3);
    let mut branches = vec![json!("null")];
    for _ in 0..count {
        let branch = make(chance, depth - 1, names);
        let same = |known: &Value| kind(known) == kind(&branch);
        if !branch.is_array() && !branches.iter().any(same) {
            branches.push(branch);
        }
    }
    if chance.one_in(3) {
        branches.remove(0);
    }
    if chance.one_in(2) {
        branches.reverse();
    }
    Value::Array(branches)
}

fn kind(value: &Value) -> String {
    match value {
        Value::Object(object) => match object.get("name") {
            Some(name) => name.to_string(),
            None => object["type"].to_string(),
        },
        other => other.to_string(),
    }
}

/// A value that may stand as the default of a type.
fn default(kind: &Value) -> Option<Value> {
    match kind {
        Value::String(word) => match word.as_str() {
            "null" => Some(Value::Null),
            "boolean" => Some(json!(true)),
            "int" | "long" => Some(json!(7)),
            "float" | "double" => Some(json!(0.5)),
            "bytes" | "string" => Some(json!("d")),
            _ => None,
        },
        Value::Array(branches) => branches.first().and_then(default),
        Value::Object(object) => match object["type"].as_str()? {
            "array" => Some(json!([])),
            "map" => Some(json!({})),
            "long" => Some(json!(1)),
            _ => None,
        },
        _ => None,
    }
}

/// The schema with one to three things changed.
pub(crate) fn change(chance: &mut Chance, schema: &Value) -> Value {
    let mut changed = schema.clone();
    for _ in 0..=chance.below(3) {
        let mut places = Vec::new();
        walk(&changed, &mut String::new(), &mut places);
        let place = places[chance.below(places.len())].clone();
        if let Some(value) = changed.pointer_mut(&place) {
            edit(chance, value);
        }
    }
    changed
}

/// Every place where a schema or a field stands.
fn walk(value: &Value, at: &mut String, places: &mut Vec<String>) {
    places.push(at.clone());
    let mut below = |part: &str, value: &Value, places: &mut Vec<String>| {
        let length = at.len();
        at.push('/');
        at.push_str(part);
        walk(value, at, places);
        at.truncate(length);
    };
    match value {
        Value::Array(branches) => {
            for (index, branch) in branches.iter().enumerate() {
                below(&index.to_string(), branch, places);
            }
        }
        Value::Object(object) => {
            for key in ["items", "values"] {
                if let Some(value) = object.get(key) {
                    below(key, value, places);
                }
            }
            if let Some(kind) = object.get("type").filter(|kind| !kind.is_string()) {
                below("type", kind, places);
            } else if object.contains_key("default") && object.get("name").is_some() {
                below("type", &object["type"], places);
            }
            for (index, field) in object
                .get("fields")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .enumerate()
            {
                below(&format!("fields/{index}"), field, places);
            }
        }
        _ => {}
    }
}

fn edit(chance: &mut Chance, value: &mut Value) {
    match value {
        Value::String(_) => {
            *value = match chance.below(4) {
                0 => json!(["null", value.clone()]),
                1 => json!({"type": "array", "items": value.clone()}),
                _ => primitive(chance),
            };
        }
        Value::Array(branches) => match chance.below(4) {
            0 if branches.len() > 1 => {
                let at = chance.below(branches.len());
                branches.remove(at);
            }
            1 => branches.reverse(),
            2 if branches.len() == 1 => *value = branches[0].clone(),
            _ => {
                let branch = primitive(chance);
                if !branches.iter().any(|known| kind(known) == kind(&branch)) {
                    branches.push(branch);
                }
            }
        },
        Value::Object(object) => edit_object(chance, object),
        _ => {}
    }
}

fn edit_object(chance: &mut Chance, object: &mut Map<String, Value>) {
    let kind = object.get("type").cloned().unwrap_or_default();
    match kind.as_str() {
        Some("enum") => match chance.below(3) {
            0 => object["symbols"].as_array_mut().unwrap().push(json!("NEW")),
            1 => {
                object.remove("default");
                object["symbols"].as_array_mut().unwrap().pop();
            }
            _ => {
                let first = object["symbols"].get(0).cloned();
                first.into_iter().for_each(|first| {
                    object.insert("default".into(), first);
                });
            }
        },
        Some("fixed") => {
            object.insert("size".into(), json!(chance.below(4)));
        }
        Some("record") => record(chance, object),
        _ if object.contains_key("name") && !object.contains_key("fields") => {
            // A field.
            match chance.below(4) {
                0 => {
                    object.remove("default");
                }
                1 => {
                    let old = object.insert("name".into(), json!(format!("n{}", chance.below(9))));
                    if chance.one_in(2) {
                        object.insert("aliases".into(), json!([old]));
                    }
                }
                2 => default(&kind).into_iter().for_each(|value| {
                    object.insert("default".into(), value);
                }),
                _ => {
                    object.remove("default");
                    object.insert("type".into(), primitive(chance));
                }
            }
        }
        _ => {}
    }
}

fn record(chance: &mut Chance, object: &mut Map<String, Value>) {
    match chance.below(4) {
        0 => {
            let fields = object["fields"].as_array_mut().unwrap();
            let at = chance.below(fields.len() + 1);
            fields.insert(
                at,
                json!({"name": format!("g{}", chance.below(99)), "type": "int"}),
            );
        }
        1 => {
            let fields = object["fields"].as_array_mut().unwrap();
            let at = chance.below(fields.len() + 1);
            let name = format!("h{}", chance.below(99));
            fields.insert(at, json!({"name": name, "type": "string", "default": "x"}));
        }
        2 => object["fields"].as_array_mut().unwrap().reverse(),
        _ => {
            object["fields"].as_array_mut().unwrap().pop();
        }
    }
}

/// A random datum of the root; `None` when it would be nested too deep.
pub(crate) fn datum(chance: &mut Chance, schema: &Avro) -> Option<Datum> {
    value(chance, schema, schema.root(), 12)
}

fn value(chance: &mut Chance, schema: &Avro, id: NodeId, depth: usize) -> Option<Datum> {
    let depth = depth.checked_sub(1)?;
    let node = schema.node(id);
    Some(match &node.kind {
        Kind::Null => Datum::Null,
        Kind::Boolean => Datum::Boolean(chance.one_in(2)),
        Kind::Int => Datum::Int([0, -1, 1, 127, i32::MAX, i32::MIN][chance.below(6)]),
        Kind::Long => match node.logical {
            Some(Logical::TimeOfDay { per_day }) => Datum::Long(per_day - 1),
            _ => Datum::Long([0, -1, 300, i64::MAX, i64::MIN, 1 << 33][chance.below(6)]),
        },
        Kind::Float => Datum::Float([0.0, -1.5, 1e30][chance.below(3)]),
        Kind::Double => Datum::Double([0.0, -1.5, 1e300][chance.below(3)]),
        Kind::Bytes => Datum::Bytes([vec![], vec![0xff], b"ab".to_vec()][chance.below(3)].clone()),
        Kind::String => Datum::String(["", "é", "text"][chance.below(3)].to_owned()),
        Kind::Array(items) => {
            let count = chance.below(3);
            let list = (0..count).map(|_| value(chance, schema, *items, depth));
            // What is too deep is left out.
            Datum::Array(list.flatten().collect())
        }
        Kind::Map(values) => {
            let count = chance.below(3);
            let entries = (0..count)
                .map(|at| Some((format!("k{at}"), value(chance, schema, *values, depth)?)));
            Datum::Map(entries.flatten().collect())
        }
        Kind::Union(branches) => {
            let first = chance.below(branches.len());
            let order = (0..branches.len()).map(|at| (first + at) % branches.len());
            let mut made = order.map(|at| Some((at, value(chance, schema, branches[at], depth)?)));
            let (at, made) = made.find_map(|made| made)?;
            Datum::Union(at, Box::new(made))
        }
        Kind::Record { fields, .. } => {
            let values = fields
                .iter()
                .map(|field| value(chance, schema, field.node, depth));
            Datum::Record(values.collect::<Option<_>>()?)
        }
        Kind::Enum { symbols, .. } if symbols.is_empty() => return None,
        Kind::Enum { symbols, .. } => Datum::Enum(chance.below(symbols.len())),
        Kind::Fixed { size, .. } => Datum::Fixed(vec![7; *size]),
    })
}
