//! A requirement that is judged met is kept by every event of the schema; one that is not is broken by
//! the event that is shown, which the schema allows.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidegate_contracts::parties::Verdict;
use tidegate_schema::Compiled;

use crate::support::{design, one, verdicts};

/// A type of a field, as a schema and as a maker of values that fit it.
#[derive(Clone, Debug)]
enum Kind {
    Text,
    Enum(Vec<&'static str>),
    Number(i64),
    Integer(i64, i64),
    Boolean,
    Nullable(Box<Kind>),
    List(Box<Kind>),
    Object(Vec<(&'static str, bool, Kind)>, bool),
}

impl Kind {
    fn schema(&self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Enum(values) => json!({"enum": values}),
            Self::Number(least) => json!({"type": "number", "minimum": least}),
            Self::Integer(least, most) => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Self::Boolean => json!({"type": "boolean"}),
            Self::Nullable(inner) => json!({"anyOf": [inner.schema(), {"type": "null"}]}),
            Self::List(inner) => json!({"type": "array", "items": inner.schema()}),
            Self::Object(fields, is_open) => {
                let properties = fields
                    .iter()
                    .map(|(name, _, kind)| ((*name).to_owned(), kind.schema()));
                let required: Vec<&str> = fields
                    .iter()
                    .filter(|(_, required, _)| *required)
                    .map(|(name, ..)| *name)
                    .collect();
                json!({
                    "type": "object",
                    "properties": properties.collect::<Map<_, _>>(),
                    "required": required,
                    "additionalProperties": is_open,
                })
            }
        }
    }

    fn event(&self, chance: &mut Chance) -> Value {
        match self {
            Self::Text => json!(["", "a", "placed", "xyz", "é"][chance.below(5)]),
            Self::Enum(values) => json!(values[chance.below(values.len())]),
            Self::Number(least) => {
                json!(*least as f64 + [0.0, 0.5, 1.0, 7.25, 1e6][chance.below(5)])
            }
            Self::Integer(least, most) => {
                let span = usize::try_from(most - least + 1).unwrap();
                json!(least + i64::try_from(chance.below(span)).unwrap())
            }
            Self::Boolean => json!(chance.below(2) == 0),
            Self::Nullable(inner) => match chance.below(3) {
                0 => Value::Null,
                _ => inner.event(chance),
            },
            Self::List(inner) => (0..chance.below(4)).map(|_| inner.event(chance)).collect(),
            Self::Object(fields, is_open) => {
                let mut made = Map::new();
                for (name, is_required, kind) in fields {
                    if *is_required || chance.below(2) == 0 {
                        made.insert((*name).to_owned(), kind.event(chance));
                    }
                }
                if *is_open && chance.below(3) == 0 {
                    let names = ["a", "b", "c", "d", "other"];
                    let name = names[chance.below(names.len())];
                    if !fields.iter().any(|(known, ..)| *known == name) {
                        made.insert(
                            name.to_owned(),
                            [json!(1), json!("x"), Value::Null][chance.below(3)].clone(),
                        );
                    }
                }
                Value::Object(made)
            }
        }
    }
}

/// Chance from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap() % end.max(1)
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Text),
        proptest::sample::subsequence(vec!["placed", "paid", "lost"], 1..=3).prop_map(Kind::Enum),
        (-1..2_i64).prop_map(Kind::Number),
        (-1..2_i64, 2..4_i64).prop_map(|(least, most)| Kind::Integer(least, most)),
        Just(Kind::Boolean),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|kind| Kind::Nullable(Box::new(kind))),
            inner.clone().prop_map(|kind| Kind::List(Box::new(kind))),
            object(inner.boxed()),
        ]
    })
}

fn object(inner: impl Strategy<Value = Kind> + Clone) -> impl Strategy<Value = Kind> {
    let names = proptest::sample::subsequence(vec!["a", "b", "c"], 1..=3);
    (
        names,
        proptest::collection::vec((any::<bool>(), inner), 3),
        any::<bool>(),
    )
        .prop_map(|(names, kinds, open)| {
            let fields = names
                .into_iter()
                .zip(kinds)
                .map(|(name, (required, kind))| (name, required, kind));
            Kind::Object(fields.collect(), open)
        })
}

/// What is required, with a judge of its own that knows nothing of schemas.
#[derive(Clone, Debug)]
struct Wish {
    field: &'static str,
    kind: Option<&'static str>,
    values: Option<Vec<Value>>,
    is_optional: bool,
}

impl Wish {
    fn written(&self) -> String {
        let mut value = json!({"field": self.field});
        if let Some(kind) = self.kind {
            value["type"] = json!(kind);
        }
        if let Some(values) = &self.values {
            value["values"] = json!(values);
        }
        if self.is_optional {
            value["presence"] = json!("optional");
        }
        json!([value]).to_string()
    }

    fn is_kept(&self, event: &Value) -> bool {
        let path = if self.field.starts_with('/') {
            self.field.to_owned()
        } else {
            format!("/{}", self.field)
        };
        let Some(value) = event.pointer(&path) else {
            return self.is_optional;
        };
        let is_of_kind = match self.kind {
            None => true,
            Some("string") => value.is_string(),
            Some("number") => value.is_number(),
            Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            Some("boolean") => value.is_boolean(),
            Some("object") => value.is_object(),
            Some(_) => value.is_array(),
        };
        is_of_kind
            && self
                .values
                .as_ref()
                .is_none_or(|values| values.contains(value))
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    let field = proptest::sample::select(vec!["a", "b", "/a", "/a/b", "/a/0", "/b/a/c", "c"]);
    let kind = proptest::option::of(proptest::sample::select(vec![
        "string", "number", "integer", "boolean", "object", "array",
    ]));
    let values = proptest::option::of(proptest::sample::subsequence(
        vec![
            json!("placed"),
            json!("paid"),
            json!("lost"),
            json!(1),
            json!(true),
            Value::Null,
        ],
        1..=6,
    ));
    (field, kind, values, any::<bool>()).prop_map(|(field, kind, values, is_optional)| Wish {
        field,
        kind,
        values,
        is_optional,
    })
}

/// Comparisons of fields with numbers and texts, joined.
fn rule() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        (
            "[abc]",
            proptest::sample::select(vec![">=", ">", "<", "<=", "==", "!="]),
            -1..3_i64
        )
            .prop_map(|(name, sign, number)| format!("event.{name} {sign} {number}.0")),
        (
            "[abc]",
            proptest::sample::select(vec!["placed", "paid", "x"])
        )
            .prop_map(|(name, text)| format!("event.{name} == '{text}'")),
        "[abc]".prop_map(|name| format!("has(event.{name})")),
        ("[abc]", 0..3_i64).prop_map(|(name, size)| format!("size(event.{name}) >= {size}")),
        "[abc]".prop_map(|name| format!("event.{name}.all(x, x == x)")),
        "[abc]".prop_map(|name| format!("event.{name} in ['placed', 'paid', 'lost']")),
    ];
    atom.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} && {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} || {other})")),
            inner.prop_map(|one| format!("!({one})")),
        ]
    })
}

#[expect(clippy::disallowed_methods, reason = "how many is asked for")]
fn cases() -> u32 {
    let asked = std::env::var("TIDEGATE_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    asked.unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_requirement_is_kept_by_all_or_broken_by_what_is_shown(of in object(kind().boxed()), wish in wish(), seed in any::<u64>()) {
        let schema = of.schema();
        let design = design(&one(&schema.to_string(), "[]", &wish.written()), &[]);
        match verdicts(&design).remove(0) {
            Verdict::Met => {
                let mut chance = Chance(seed);
                for _ in 0..60 {
                    let event = of.event(&mut chance);
                    prop_assert!(wish.is_kept(&event), "{event} breaks {}", wish.written());
                }
            }
            Verdict::Unmet(broken) => {
                let compiled = Compiled::json_schema(&schema.to_string()).unwrap();
                prop_assert!(compiled.validate(&broken.event).is_empty(), "{} is none of it", broken.event);
                prop_assert!(!wish.is_kept(&broken.event), "{} keeps {}", broken.event, wish.written());
            }
            Verdict::NotProved(_) => {}
        }
    }

    #[test]
    fn a_rule_is_kept_by_all_or_broken_by_what_is_shown(of in object(kind().boxed()), rule in rule(), seed in any::<u64>()) {
        let schema = of.schema();
        let requires = json!([{"rule": rule}]).to_string();
        // Rules that do not go with the schema are findings, and no proof of anything.
        let verdict = verdicts(&design(&one(&schema.to_string(), "[]", &requires), &[])).remove(0);
        let promised = design(&one(&schema.to_string(), &json!([{"rule": rule}]).to_string(), "[]"), &[]);
        let Ok(Some(rules)) = tidegate_contracts::parties::Rules::of(&promised.events["E"]) else {
            return Ok(());
        };
        let envelope = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "E"});
        let envelope = tidegate_base::Envelope::from_value(envelope).unwrap();
        match verdict {
            Verdict::Met => {
                let mut chance = Chance(seed);
                for _ in 0..60 {
                    let event = of.event(&mut chance);
                    let broken = rules.broken_by(&envelope, &event);
                    prop_assert!(broken.is_none(), "{event} breaks {rule}: {broken:?}");
                }
            }
            Verdict::Unmet(broken) => {
                let compiled = Compiled::json_schema(&schema.to_string()).unwrap();
                prop_assert!(compiled.validate(&broken.event).is_empty());
                prop_assert!(rules.broken_by(&envelope, &broken.event).is_some());
            }
            Verdict::NotProved(_) => {}
        }
    }
}
