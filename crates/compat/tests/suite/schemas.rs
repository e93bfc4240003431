//! Random schemas over the whole set of keywords, from few names and small numbers, so that two of
//! them have to do with each other.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const NAMES: [&str; 5] = ["a", "b", "c", "ab", "x1"];
const PATTERNS: [&str; 10] = [
    "a",
    "^a",
    "^[a-c]+$",
    "[0-9]$",
    "",
    "^x",
    "b|1",
    "^.{2,3}$",
    "^\\p{L}+$",
    "é|😀",
];
/// Where integers, floats and what is between them end.
const LARGE: [u64; 6] = [
    (1 << 53) - 1,
    1 << 53,
    (1 << 53) + 1,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

fn name() -> impl Strategy<Value = String> {
    select(&NAMES[..]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(Value::Null),
        4 => any::<bool>().prop_map(Value::Bool),
        4 => (-3_i64..6).prop_map(Value::from),
        4 => select(vec![0.5, 1.5, -0.5, 2.0, 0.1]).prop_map(Value::from),
        1 => select(&LARGE[..]).prop_map(Value::from),
        4 => select(vec!["", "a", "b", "ab", "aaa", "x1", "é", "😀", "e\u{301}", "2026-01-01"])
            .prop_map(Value::from),
    ]
}

fn constant() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => scalar(),
        1 => vec(scalar(), 0..3).prop_map(Value::from),
        1 => btree_map(name(), scalar(), 0..3).prop_map(|m| m.into_iter().collect::<Map<_, _>>().into()),
    ]
}

fn kind() -> impl Strategy<Value = Value> {
    let one = select(vec![
        "null", "boolean", "integer", "number", "string", "array", "object",
    ]);
    prop_oneof![
        5 => one.clone().prop_map(Value::from),
        1 => proptest::sample::subsequence(vec!["null", "boolean", "number", "string", "array", "object"], 1..4)
            .prop_map(Value::from),
    ]
}

/// A keyword without subschemas.
fn plain(is_old: bool) -> BoxedStrategy<(String, Value)> {
    let count = || (0_u64..4).prop_map(Value::from);
    let number = || {
        prop_oneof![
            9 => (-2_i64..5).prop_map(Value::from),
            6 => select(vec![0.5, 1.5, 2.5]).prop_map(Value::from),
            1 => select(&LARGE[..]).prop_map(Value::from),
        ]
    };
    let keyword = |name: &'static str| move |value: Value| (name.to_owned(), value);
    let mut all = vec![
        kind().prop_map(keyword("type")).boxed(),
        kind().prop_map(keyword("type")).boxed(),
        vec(constant(), 1..4)
            .prop_map(|mut all| {
                let mut seen: Vec<Value> = Vec::new();
                all.retain(|v| {
                    let new = !seen.contains(v);
                    seen.push(v.clone());
                    new
                });
                ("enum".to_owned(), Value::from(all))
            })
            .boxed(),
        number().prop_map(keyword("minimum")).boxed(),
        number().prop_map(keyword("maximum")).boxed(),
        select(vec![json!(1), json!(2), json!(3), json!(0.5), json!(1.5)])
            .prop_map(keyword("multipleOf"))
            .boxed(),
        count().prop_map(keyword("minLength")).boxed(),
        count().prop_map(keyword("maxLength")).boxed(),
        select(&PATTERNS[..])
            .prop_map(|p| ("pattern".to_owned(), p.into()))
            .boxed(),
        count().prop_map(keyword("minItems")).boxed(),
        count().prop_map(keyword("maxItems")).boxed(),
        any::<bool>()
            .prop_map(|b| ("uniqueItems".to_owned(), b.into()))
            .boxed(),
        // A note, not a rule.
        select(vec!["date", "uuid", "email"])
            .prop_map(|format| ("format".to_owned(), format.into()))
            .boxed(),
        count().prop_map(keyword("minProperties")).boxed(),
        count().prop_map(keyword("maxProperties")).boxed(),
        proptest::sample::subsequence(NAMES.to_vec(), 1..3)
            .prop_map(|n| ("required".to_owned(), Value::from(n)))
            .boxed(),
    ];
    if !is_old {
        all.extend([
            constant().prop_map(keyword("const")).boxed(),
            number().prop_map(keyword("exclusiveMinimum")).boxed(),
            number().prop_map(keyword("exclusiveMaximum")).boxed(),
            (name(), proptest::sample::subsequence(NAMES.to_vec(), 0..2))
                .prop_map(|(n, wanted)| ("dependentRequired".to_owned(), json!({n: wanted})))
                .boxed(),
        ]);
    }
    proptest::strategy::Union::new(all).boxed()
}

/// A keyword with subschemas.
fn applied(inner: BoxedStrategy<Value>, is_old: bool) -> BoxedStrategy<Vec<(String, Value)>> {
    let one = |name: &'static str| {
        inner
            .clone()
            .prop_map(move |s| vec![(name.to_owned(), s)])
            .boxed()
    };
    let list = |name: &'static str| {
        vec(inner.clone(), 1..4)
            .prop_map(move |s| vec![(name.to_owned(), Value::from(s))])
            .boxed()
    };
    let map = |name: &'static str, key: BoxedStrategy<String>| {
        btree_map(key, inner.clone(), 1..4)
            .prop_map(move |m| vec![(name.to_owned(), m.into_iter().collect::<Map<_, _>>().into())])
            .boxed()
    };
    let patterns = select(&PATTERNS[..]).prop_map(str::to_owned).boxed();
    let mut all = vec![
        map("properties", name().boxed()),
        map("properties", name().boxed()),
        map("patternProperties", patterns),
        one("additionalProperties"),
        Just(vec![("additionalProperties".to_owned(), true.into())]).boxed(),
        Just(vec![(
            "additionalProperties".to_owned(),
            Value::Bool(false),
        )])
        .boxed(),
        one("items"),
        list("allOf"),
        list("anyOf"),
        list("oneOf"),
        one("not"),
    ];
    if is_old {
        all.push(list("items"));
        all.push(
            (list("items"), one("additionalItems"))
                .prop_map(|(a, b)| [a, b].concat())
                .boxed(),
        );
        all.push(map("dependencies", name().boxed()));
    } else {
        all.extend([
            list("prefixItems"),
            (list("prefixItems"), one("items"))
                .prop_map(|(a, b)| [a, b].concat())
                .boxed(),
            one("propertyNames"),
            map("dependentSchemas", name().boxed()),
            one("unevaluatedProperties"),
            one("unevaluatedItems"),
            (
                one("contains"),
                proptest::option::of(0_u64..3),
                proptest::option::of(0_u64..3),
            )
                .prop_map(|(mut all, least, most)| {
                    all.extend(least.map(|n| ("minContains".to_owned(), n.into())));
                    all.extend(most.map(|n| ("maxContains".to_owned(), n.into())));
                    all
                })
                .boxed(),
            condition(inner.clone()),
            narrow(),
            Just(vec![("$ref".to_owned(), "#/$defs/d".into())]).boxed(),
        ]);
    }
    proptest::strategy::Union::new(all).boxed()
}

/// `if` with what may stand beside it.
fn condition(inner: BoxedStrategy<Value>) -> BoxedStrategy<Vec<(String, Value)>> {
    let one = |name: &'static str, inner: BoxedStrategy<Value>| {
        inner.prop_map(move |s| vec![(name.to_owned(), s)])
    };
    (
        one("if", inner.clone()),
        proptest::option::of(one("then", inner.clone())),
        proptest::option::of(one("else", inner)),
    )
        .prop_map(|(a, b, c)| [a, b.unwrap_or_default(), c.unwrap_or_default()].concat())
        .boxed()
}

/// What leaves few names, or no others.
fn narrow() -> BoxedStrategy<Vec<(String, Value)>> {
    proptest::strategy::Union::new(vec![
        proptest::sample::subsequence(NAMES.to_vec(), 1..3)
            .prop_map(|names| vec![("propertyNames".to_owned(), json!({"enum": names}))])
            .boxed(),
        name()
            .prop_map(|name| vec![("propertyNames".to_owned(), json!({"const": name}))])
            .boxed(),
        Just(vec![("unevaluatedProperties".to_owned(), false.into())]).boxed(),
        Just(vec![("unevaluatedItems".to_owned(), false.into())]).boxed(),
    ])
    .boxed()
}

fn any_schema(is_old: bool) -> BoxedStrategy<Value> {
    let leaf = vec(plain(is_old), 0..3).prop_map(object);
    let leaf = if is_old {
        leaf.boxed()
    } else {
        prop_oneof![1 => any::<bool>().prop_map(Value::Bool), 9 => leaf].boxed()
    };
    leaf.prop_recursive(3, 24, 3, move |inner| {
        (
            vec(plain(is_old), 0..3),
            vec(applied(inner.boxed(), is_old), 1..3),
        )
            .prop_map(|(a, b)| object(a.into_iter().chain(b.into_iter().flatten()).collect()))
    })
    .boxed()
}

fn object(keywords: Vec<(String, Value)>) -> Value {
    keywords.into_iter().collect::<Map<_, _>>().into()
}

/// A schema of draft 2020-12; what it refers to may refer to itself.
pub(crate) fn schema() -> BoxedStrategy<Value> {
    (any_schema(false), any_schema(false))
        .prop_map(|(mut root, definition)| {
            if let Value::Object(root) = &mut root {
                root.insert("$defs".to_owned(), json!({"d": definition}));
            }
            root
        })
        .boxed()
}

/// A schema that each draft reads in its own way.
pub(crate) fn old_schema() -> BoxedStrategy<Value> {
    any_schema(true)
}

/// A schema, and the same with some subschemas or keywords changed.
pub(crate) fn pair() -> BoxedStrategy<(Value, Value)> {
    (
        schema(),
        vec((any::<u32>(), any_schema(false), plain(false)), 1..3),
    )
        .prop_map(|(old, changes)| {
            let mut new = old.clone();
            for (at, schema, keyword) in changes {
                let mut left = at % 12;
                change(&mut new, &mut left, &schema, &keyword);
            }
            (old, new)
        })
        .boxed()
}

/// Changes the subschema with this number, counted in the order they stand.
fn change(schema: &mut Value, left: &mut u32, to: &Value, keyword: &(String, Value)) -> bool {
    let Value::Object(object) = schema else {
        return false;
    };
    if *left == 0 {
        match keyword.1.to_string().len() % 4 {
            0 => *schema = to.clone(),
            1 => drop(object.insert(keyword.0.clone(), keyword.1.clone())),
            2 => {
                let first = object.keys().next().cloned().filter(|k| k != "$defs");
                first.and_then(|first| object.shift_remove(&first));
            }
            _ => {
                for value in object.values_mut() {
                    if let Some(n) = value.as_i64() {
                        *value = n.saturating_add(1).into();
                    }
                }
            }
        }
        return true;
    }
    *left -= 1;
    for (name, value) in object.iter_mut() {
        let found = match (name.as_str(), value) {
            (
                "properties" | "patternProperties" | "dependentSchemas" | "$defs",
                Value::Object(map),
            ) => map.values_mut().any(|one| change(one, left, to, keyword)),
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(list)) => {
                list.iter_mut().any(|one| change(one, left, to, keyword))
            }
            ("enum" | "const", _) => false,
            (_, value) => change(value, left, to, keyword),
        };
        if found {
            return true;
        }
    }
    false
}
