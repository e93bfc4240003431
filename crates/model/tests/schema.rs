//! The published JSON Schema and the reader say the same.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod shown;

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use shown::{findings, read};
use tidegate_model::{Severity, Source, json_schema};

const PUBLISHED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/reference/design.schema.json"
);

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&json_schema()).expect("the schema is valid"));

/// Whether the reader finds no error; every schema file can be read. JSON is YAML, so both judge the same text.
fn is_read(design: &Value) -> bool {
    let file = Source {
        name: "design.yaml".into(),
        text: design.to_string(),
    };
    let reading = tidegate_model::read(&[file], &|_| Ok("{}".to_owned()));
    reading
        .findings
        .iter()
        .all(|finding| finding.severity < Severity::Error)
}

#[test]
fn the_published_schema_is_the_one_of_the_tables() {
    let expected = format!("{:#}\n", json_schema());
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(PUBLISHED, &expected).expect("the file can be written");
    }
    let published = std::fs::read_to_string(PUBLISHED).unwrap_or_default();
    assert!(
        published == expected,
        "docs/reference/design.schema.json is not what the language says; write it again with\n\
         TIDEGATE_WRITE_GOLDEN=1 cargo test -p tidegate-model --test schema"
    );
}

#[test]
fn the_schema_is_a_valid_schema() {
    assert!(jsonschema::meta::is_valid(&json_schema()));
}

/// The values of every field that the schema shows: its examples and its default.
fn shown_values(field: &Value) -> Vec<Value> {
    let examples = field["examples"].as_array().cloned().unwrap_or_default();
    examples
        .into_iter()
        .chain(field.get("default").cloned())
        .collect()
}

/// A section as the schema has it, where in a design it stands, and a place to put one into.
struct Stand {
    section: Value,
    /// Puts fields into a design at this section's place.
    design_with: fn(Value) -> Value,
}

static STANDS: LazyLock<Vec<Stand>> = LazyLock::new(stands);

fn stands() -> Vec<Stand> {
    let schema = json_schema();
    let definition = |name: &str| schema["$defs"][name].clone();
    let consume = |name| (definition(name), name);
    let mut stands = vec![
        Stand {
            section: schema.clone(),
            design_with: in_design,
        },
        Stand {
            section: definition("process"),
            design_with: |v| in_design(json!({"processes": {"a": v}})),
        },
        Stand {
            section: definition("event"),
            design_with: |v| in_design(json!({"events": {"a": v}})),
        },
        Stand {
            section: definition("backlog"),
            design_with: |v| in_design(json!({"events": {"a": {"backlog": v}}})),
        },
        Stand {
            section: definition("targets"),
            design_with: |v| in_design(json!({"events": {"a": {"targets": v}}})),
        },
        Stand {
            section: definition("service"),
            design_with: |v| in_design(json!({"services": {"a": v}})),
        },
        Stand {
            section: definition("dependency"),
            design_with: |v| in_design(json!({"dependencies": {"a": v}})),
        },
        Stand {
            section: definition("breaker"),
            design_with: |v| in_design(json!({"dependencies": {"a": {"breaker": v}}})),
        },
        Stand {
            section: definition("messaging"),
            design_with: |v| in_design(json!({"messaging": v})),
        },
        Stand {
            section: definition("consume"),
            design_with: in_consume,
        },
    ];
    stands.extend(contract_stands(&definition));
    for (section, name) in ["deliver", "retry", "classes", "class", "dead-letter"].map(consume) {
        let design_with = match name {
            "classes" => |v| in_consume(json!({"retry": {"classes": v}})),
            "class" => |v| in_consume(json!({"retry": {"classes": {"timeout": v}}})),
            "deliver" => |v| in_consume(json!({"deliver": v})),
            "retry" => |v| in_consume(json!({"retry": v})),
            _ => |v| in_consume(json!({"dead-letter": v})),
        };
        stands.push(Stand {
            section,
            design_with,
        });
    }
    stands
}

fn contract_stands(definition: &dyn Fn(&str) -> Value) -> [Stand; 4] {
    [
        Stand {
            section: definition("event-version"),
            design_with: |v| {
                in_design(
                    json!({"events": {"a": {"versions": {"old": with(v, "schema", json!({"type": "string"}))}}}}),
                )
            },
        },
        Stand {
            section: definition("rule"),
            design_with: |v| {
                in_design(json!({"events": {"a": {"rules": [with(v, "rule", json!("true"))]}}}))
            },
        },
        Stand {
            section: definition("publication"),
            design_with: |v| {
                in_design(
                    json!({"services": {"a": {"publishes": [with(v, "event", json!("Zed"))]}}}),
                )
            },
        },
        Stand {
            section: definition("requirement"),
            design_with: |v| match v.get("rule") {
                Some(_) => in_consume(json!({"requires": [v]})),
                None => in_consume(json!({"requires": [with(v, "field", json!("zed"))]})),
            },
        },
    ]
}

/// Fields with one more that must be there.
fn with(mut fields: Value, name: &str, value: Value) -> Value {
    if let Some(fields) = fields.as_object_mut() {
        fields.entry(name).or_insert(value);
    }
    fields
}

fn in_design(fields: Value) -> Value {
    let mut design = json!({"tidegate": 1, "system": "shop"});
    if let (Some(design), Value::Object(fields)) = (design.as_object_mut(), fields) {
        design.extend(fields);
    }
    design
}

fn in_consume(fields: Value) -> Value {
    in_design(json!({"services": {"a": {"consumes": {"b": fields}}}}))
}

fn fields(stand: &Stand) -> Map<String, Value> {
    stand.section["properties"]
        .as_object()
        .cloned()
        .expect("a section has fields")
}

#[test]
fn every_section_stands_somewhere() {
    let schema = json_schema();
    let sections = schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .filter(|d| d.get("properties").is_some());
    assert_eq!(sections.count() + 1, STANDS.len());
}

#[test]
fn both_take_every_shown_value_and_no_unknown_field() {
    for stand in STANDS.iter() {
        for (name, field) in fields(stand) {
            let values = shown_values(&field);
            assert!(!values.is_empty(), "{name} shows no value");
            for value in values {
                let design = (stand.design_with)(json!({&name: value}));
                assert!(
                    is_read(&design),
                    "{}",
                    findings(&[("design.yaml", &design.to_string())])
                );
                assert!(VALIDATOR.is_valid(&design), "{design}");
            }
            let misspelt = (stand.design_with)(json!({format!("{name}x"): 1}));
            assert!(!is_read(&misspelt), "{misspelt}");
            assert!(!VALIDATOR.is_valid(&misspelt), "{misspelt}");
        }
    }
}

#[test]
fn both_refuse_a_word_that_is_not_of_the_list() {
    let mut words = 0;
    for stand in STANDS.iter() {
        for (name, field) in fields(stand) {
            if field.get("enum").is_some() {
                let design = (stand.design_with)(json!({name: "sometimes"}));
                assert!(
                    !is_read(&design) && !VALIDATOR.is_valid(&design),
                    "{design}"
                );
                words += 1;
            }
        }
    }
    assert_eq!(words, 18);
}

#[test]
fn both_require_the_header() {
    for name in ["tidegate", "system"] {
        let mut design = in_design(json!({}));
        assert!(is_read(&design) && VALIDATOR.is_valid(&design));
        design.as_object_mut().unwrap().remove(name);
        assert!(!is_read(&design) && !VALIDATOR.is_valid(&design));
    }
}

/// A value that may or may not fit a field: some right, some nearly right, some of another type.
fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3_000).prop_map(Value::from),
        (0.0..2.0_f64).prop_map(Value::from),
        "[0-9]{1,3}\\.?[0-9]{0,2} ?(ns|us|ms|s|m|min|h|d|w|kB|KiB|MB|B|%|/s|k/s|/min|/x)?"
            .prop_map(Value::from),
        "[a-zA-Z0-9._ -]{0,8}".prop_map(Value::from),
        "/?[a-c~01/]{0,6}".prop_map(Value::from),
        "https?://[a-z0-9.:@\\[\\]-]{0,8}(/[a-z#? ]{0,4})?".prop_map(Value::from),
        "(\\.\\./)?[a-z/]{0,6}\\.(json|yaml|avsc|proto|proto#[A-Z.]{1,3}|txt)"
            .prop_map(Value::from),
        prop::sample::select(vec![
            "none", "full", "key", "high", "kafka", "aws", "log", "wait"
        ])
        .prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z ._-]{0,5}", inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Mostly a text that is nearly what the field takes, to search along the border between the two.
fn value_near(field: &Value) -> BoxedStrategy<Value> {
    let number = r"([0-9]{1,3}\.?[0-9]{0,2}|\.[0-9])";
    let reference = field["$ref"].as_str().unwrap_or_default();
    let texts = match reference.trim_start_matches("#/$defs/") {
        "duration" => format!("({number} ?(ns|us|µs|ms|s|min|m|h|d|w|y) ?){{1,2}}"),
        "rate" => format!("{number} ?[kMG]? ?/ ?(s|m|min|h|d|w)"),
        "bytes" => format!("{number} ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB|kb|K)?"),
        "share" => format!("{number} ?%?"),
        "name" => "[a-zA-Z0-9._ -]{1,5}".to_owned(),
        "line" | "text" => "[ -~\u{80}-\u{a0}\\t]{0,4}".to_owned(),
        "pointer" | "field-path" => "/?[a/~01é]{0,5}".to_owned(),
        _ if field.get("format").is_some() => {
            r"https?://[a-z0-9.:\[\]_-]{0,6}(:[0-9]{1,5})?([/?][a-z#?= é]{0,4})?".to_owned()
        }
        _ if field.get("anyOf").is_some() => {
            r"(\.\./|/|~|)[a-z/]{1,3}[ \\:#]?\.(json|yaml|avsc|txt|proto#[A-Z1][A-Z._]?)".to_owned()
        }
        _ => return any_value().boxed(),
    };
    let near = proptest::string::string_regex(&texts).expect("a regular expression");
    prop_oneof![4 => near.prop_map(Value::from), 1 => any_value()].boxed()
}

/// A field of any section with a value for it, in a design.
fn design_with_a_field() -> impl Strategy<Value = Value> {
    let all: Vec<_> = STANDS
        .iter()
        .flat_map(|stand| {
            fields(stand)
                .into_iter()
                .map(move |field| (stand.design_with, field))
        })
        .collect();
    prop::sample::select(all).prop_flat_map(|(design_with, (name, field))| {
        value_near(&field).prop_map(move |value| design_with(json!({&name: value})))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_the_reader_reads_the_schema_takes(design in design_with_a_field()) {
        if is_read(&design) {
            let errors: Vec<_> = VALIDATOR.iter_errors(&design).map(|e| e.to_string()).collect();
            prop_assert!(errors.is_empty(), "{design}: {errors:?}");
        }
    }
}

/// A design as text, without the places.
fn without_places(design: &Value) -> String {
    let reading = read(&[("design.yaml", &design.to_string())]);
    let text = format!("{:?}", reading.design.expect("a design"));
    let mut parts = text.split("Place {");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('}').map_or("", |(_, rest)| rest)
    })
}

#[test]
fn every_field_reaches_the_design() {
    for stand in STANDS.iter() {
        let without = without_places(&(stand.design_with)(json!({})));
        for (name, field) in fields(stand).iter().filter(|(name, _)| *name != "tidegate") {
            let example = &field["examples"][0];
            assert_ne!(Some(example), field.get("default"), "{name}");
            let with = without_places(&(stand.design_with)(json!({name: example})));
            assert_ne!(with, without, "{name} changes nothing");
        }
    }
}
