//! Events of a schema, made by chance and judged by the schema before they are used.

use serde_json::{Map, Value, json};
use tidegate_generate::Language;
use tidegate_model::Design;
use tidegate_model::design::SchemaFormat;
use tidegate_schema::EventSchema;
use tidegate_schema::avro::{Avro, Kind};

/// Chance from a seed.
pub(crate) struct Random(pub u64);

impl Random {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 31)
    }
}

/// An event's type and its data.
pub(crate) type Event = (String, Value);

/// Up to `each` different valid events of every event of the design.
pub(crate) fn events(design: &Design, each: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for event in design.events.values() {
        let schema = event.schema.as_ref().unwrap();
        let text = schema.text.as_deref().unwrap();
        let judge = match schema.format {
            SchemaFormat::JsonSchema => EventSchema::json(text),
            SchemaFormat::Avro => EventSchema::avro(text),
            SchemaFormat::Protobuf => {
                EventSchema::protobuf(&schema.sources(), schema.message().unwrap())
            }
        };
        let judge = judge.unwrap();
        let mut random = Random(7);
        let mut found: Vec<Value> = Vec::new();
        for _ in 0..each * 40 {
            let value = match &judge {
                EventSchema::Json(_) => {
                    let root: Value = serde_json::from_str(text).unwrap();
                    Json {
                        root: &root,
                        random: &mut random,
                    }
                    .value(&root, 0)
                }
                EventSchema::Avro(schema) => of_avro(schema, schema.root(), &mut random, 0),
                EventSchema::Protobuf(_) => crate::cases::protobuf_event(&mut random),
            };
            if found.len() < each && !found.contains(&value) && judge.validate(&value).is_empty() {
                found.push(value);
            }
        }
        events.extend(
            found
                .into_iter()
                .map(|value| (event.event_type.clone(), value)),
        );
    }
    events
}

/// What was written is what was read, as JSON: `1` is `1.0`.
pub(crate) fn assert_same(language: Language, events: &[Event], written: &[Value]) {
    assert_eq!(events.len(), written.len(), "{language:?}");
    for ((name, event), written) in events.iter().zip(written) {
        assert!(
            same(event, written),
            "{language:?} {name}\nread    {event}\nwrote   {written}"
        );
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

struct Json<'a> {
    root: &'a Value,
    random: &'a mut Random,
}

pub(crate) fn below(random: &mut Random, end: usize) -> usize {
    let end = u64::try_from(end.max(1)).unwrap();
    usize::try_from(random.next_u64() % end).unwrap()
}

impl Json<'_> {
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        let Some(object) = schema.as_object() else {
            return json!("anything");
        };
        if depth > 30 {
            return Value::Null;
        }
        if let Some(value) = object.get("const") {
            return value.clone();
        }
        if let Some(list) = object.get("enum").and_then(Value::as_array) {
            return list
                .get(below(self.random, list.len()))
                .cloned()
                .unwrap_or_default();
        }
        let mut made: Option<Value> = None;
        if let Some(target) = object.get("$ref").and_then(Value::as_str) {
            let target = self.root.pointer(target.trim_start_matches('#')).cloned();
            made = Some(self.value(&target.unwrap_or_default(), depth + 1));
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(list) = object.get(keyword).and_then(Value::as_array) {
                let one = list.get(below(self.random, list.len())).cloned();
                let one = self.value(&one.unwrap_or_default(), depth + 1);
                made = Some(merged(made, one));
            }
        }
        for part in object
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let part = self.value(part, depth + 1);
            made = Some(merged(made, part));
        }
        let declares = ["type", "properties", "items"]
            .iter()
            .any(|k| object.contains_key(*k));
        if made.is_none() || declares {
            let own = self.own(object, depth);
            made = Some(merged(made, own));
        }
        made.unwrap_or_default()
    }

    fn own(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => {
                let kind = kinds.get(below(self.random, kinds.len()));
                kind.and_then(Value::as_str).unwrap_or("null").to_owned()
            }
            // Whoever names no type means the one that the keywords are for.
            _ if ["properties", "required", "patternProperties"]
                .iter()
                .any(|keyword| schema.contains_key(*keyword)) =>
            {
                "object".to_owned()
            }
            _ if ["prefixItems", "items"]
                .iter()
                .any(|keyword| schema.contains_key(*keyword)) =>
            {
                "array".to_owned()
            }
            _ => "string".to_owned(),
        };
        match kind.as_str() {
            "null" => Value::Null,
            "boolean" => json!(below(self.random, 2) == 0),
            "integer" => json!(self.number(schema)),
            "number" if below(self.random, 2) == 0 => json!(self.number(schema)),
            "number" => json!(f64::from(i32::try_from(self.number(schema)).unwrap_or(3)) + 0.5),
            "array" => self.array(schema, depth),
            "object" => self.object(schema, depth),
            _ => {
                let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
                let least = usize::try_from(least).unwrap();
                let texts = [
                    "",
                    "é\u{1f30a}",
                    "a \"b\" \\ \n",
                    "123e4567-e89b-42d3-a456-426614174000",
                ];
                let text = texts[below(self.random, texts.len())];
                json!(format!("{text}{}", "x".repeat(least.min(500))))
            }
        }
    }

    fn number(&mut self, schema: &Map<String, Value>) -> i64 {
        let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
        #[expect(clippy::cast_possible_truncation, reason = "small bounds of schemas")]
        let low = bound("minimum").map_or(-3, |low| low.ceil() as i64);
        low + i64::try_from(below(self.random, 9)).unwrap()
    }

    fn array(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let more = if depth > 4 { 0 } else { below(self.random, 3) };
        let count = usize::try_from(least).unwrap().min(20) + more;
        let places = schema.get("prefixItems").or_else(|| schema.get("items"));
        let items = (0..count).map(|index| match places {
            Some(Value::Array(list)) => {
                let item = list.get(index).cloned();
                item.map_or(json!(index), |item| self.value(&item, depth + 1))
            }
            Some(item) => self.value(item, depth + 1),
            None => json!([index, null]),
        });
        items.collect()
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let mut made = Map::new();
        let empty = Map::new();
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let required = schema.get("required").and_then(Value::as_array);
        let required: Vec<&str> = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, property) in properties {
            let optional = depth > 4 || below(self.random, 3) == 0;
            if (!optional || required.contains(&name.as_str())) && depth < 12 {
                made.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        for name in required {
            if !made.contains_key(name) {
                made.insert(name.to_owned(), json!(1));
            }
        }
        let rest = schema
            .get("additionalProperties")
            .filter(|rest| rest.is_object());
        if let Some(rest) = rest {
            for name in ["extra", "größe"].iter().take(below(self.random, 3)) {
                if !made.contains_key(*name) && depth < 5 {
                    made.insert((*name).to_owned(), self.value(rest, depth + 1));
                }
            }
        }
        Value::Object(made)
    }
}

/// The fields of both, of which the second is the closer one.
fn merged(a: Option<Value>, b: Value) -> Value {
    match (a, b) {
        (Some(Value::Object(mut a)), Value::Object(b)) => {
            a.extend(b);
            Value::Object(a)
        }
        (_, b) => b,
    }
}

fn of_avro(
    schema: &Avro,
    id: tidegate_schema::avro::NodeId,
    random: &mut Random,
    depth: usize,
) -> Value {
    if depth > 20 {
        // A record in itself has no value that ends.
        return Value::Null;
    }
    match &schema.node(id).kind {
        Kind::Null => Value::Null,
        Kind::Boolean => json!(below(random, 2) == 0),
        Kind::Int | Kind::Long => json!(below(random, 1_000)),
        Kind::Float | Kind::Double => json!(0.5),
        Kind::Bytes => json!("\u{0}\u{ff}a"),
        Kind::String => json!(["", "é", "00000000-0000-4000-8000-000000000000"][below(random, 3)]),
        Kind::Fixed { size, .. } => json!("a".repeat(*size)),
        Kind::Array(item) => {
            let count = if depth > 6 { 0 } else { below(random, 3) };
            (0..count)
                .map(|_| of_avro(schema, *item, random, depth + 1))
                .collect()
        }
        Kind::Map(value) => {
            let count = if depth > 6 { 0 } else { below(random, 3) };
            let entries =
                (0..count).map(|n| (format!("k{n}"), of_avro(schema, *value, random, depth + 1)));
            Value::Object(entries.collect())
        }
        Kind::Enum { symbols, .. } => json!(symbols[below(random, symbols.len())]),
        Kind::Record { fields, .. } => {
            let fields = fields.iter();
            let fields =
                fields.map(|f| (f.name.clone(), of_avro(schema, f.node, random, depth + 1)));
            Value::Object(fields.collect())
        }
        Kind::Union(branches) => {
            let null = branches
                .iter()
                .find(|b| schema.node(**b).kind == Kind::Null);
            let drawn = branches[below(random, branches.len())];
            let branch = if depth > 6 {
                *null.unwrap_or(&drawn)
            } else {
                drawn
            };
            let value = of_avro(schema, branch, random, depth + 1);
            if schema.node(branch).kind == Kind::Null {
                return Value::Null;
            }
            Value::Object(Map::from_iter([(schema.name(branch), value)]))
        }
    }
}
