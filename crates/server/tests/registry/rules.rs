//! What may change, what schemas use, and what a refusal says.

use serde_json::{Value, json};

use crate::support::{System, record};

const NONE: Value = Value::Null;

#[tokio::test(flavor = "multi_thread")]
async fn levels_are_said_and_taken_back() {
    let system = System::start().await;
    let level = json!({"compatibilityLevel": "BACKWARD"});
    assert_eq!(system.fine("GET", "/config", NONE).await, level);
    let full = json!({"compatibility": "FULL"});
    assert_eq!(system.fine("PUT", "/config", full.clone()).await, full);
    assert_eq!(
        system
            .fine("GET", "/config/s?defaultToGlobal=true", NONE)
            .await,
        json!({"compatibilityLevel": "FULL"})
    );
    let own = json!({"compatibility": "NONE", "normalize": true});
    system.fine("PUT", "/config/s", own).await;
    let said = json!({"compatibilityLevel": "NONE", "normalize": true});
    assert_eq!(system.fine("GET", "/config/s", NONE).await, said);
    assert_eq!(system.fine("DELETE", "/config/s", NONE).await, said);
    assert_eq!(system.code("GET", "/config/s", NONE).await, 40408);
    system.fine("DELETE", "/config", NONE).await;
    assert_eq!(system.fine("GET", "/config", NONE).await, level);
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_are_said_and_taken_back() {
    let system = System::start().await;
    assert_eq!(
        system.fine("GET", "/mode", NONE).await,
        json!({"mode": "READWRITE"})
    );
    let shut = json!({"mode": "READONLY"});
    assert_eq!(system.fine("PUT", "/mode/s", shut.clone()).await, shut);
    assert_eq!(
        system
            .code("POST", "/subjects/s/versions", record("R", &["a"]))
            .await,
        42205
    );
    assert_eq!(
        system
            .fine("GET", "/mode/t?defaultToGlobal=true", NONE)
            .await,
        json!({"mode": "READWRITE"})
    );
    assert_eq!(system.fine("DELETE", "/mode/s", NONE).await, shut);
    system
        .fine("PUT", "/mode/s", json!({"mode": "IMPORT"}))
        .await;
    assert_eq!(
        system
            .code("POST", "/subjects/s/versions", record("R", &["a"]))
            .await,
        42205,
        "without a number"
    );
    let mut chosen = record("R", &["a"]);
    chosen["id"] = json!(700);
    chosen["version"] = json!(7);
    let taken = system
        .fine("POST", "/subjects/s/versions", chosen.clone())
        .await;
    assert_eq!((&taken["id"], &taken["version"]), (&json!(700), &json!(7)));
    let mut other = record("Q", &["a"]);
    other["id"] = json!(700);
    assert_eq!(
        system.code("POST", "/subjects/s/versions", other).await,
        42205,
        "another has it"
    );
    chosen["id"] = json!(701);
    chosen["version"] = json!(8);
    assert_eq!(
        system.code("POST", "/subjects/s/versions", chosen).await,
        42207,
        "it has another"
    );
    system.fine("DELETE", "/mode/s", NONE).await;
    assert_eq!(
        system.register("t", record("Q", &["a"])).await,
        701,
        "beyond what was imported"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_uses_others_is_whole_in_every_format() {
    let system = System::start().await;
    let money = r#"{"type":"record","name":"Money","namespace":"b","fields":[{"name":"cents","type":"long"}]}"#;
    system.register("b.Money", json!({"schema": money})).await;
    let uses = |subject: &str, version: i64| json!([{"name": subject, "subject": subject, "version": version}]);
    let order = r#"{"type":"record","name":"Order","fields":[{"name":"m","type":"b.Money"}]}"#;
    let avro = json!({"schema": order, "references": uses("b.Money", 1)});
    let id = system.register("avro", avro.clone()).await;
    assert_eq!(
        system
            .code("POST", "/subjects/x/versions", json!({"schema": order}))
            .await,
        42201
    );
    let mut newest = avro.clone();
    newest["references"][0]["version"] = json!(-1);
    assert_eq!(
        system.register("avro", newest).await,
        id,
        "-1 is the newest"
    );
    let whole = system
        .fine("GET", &format!("/schemas/ids/{id}?format=resolved"), NONE)
        .await;
    assert!(
        whole["schema"].as_str().unwrap().contains("cents"),
        "{whole}"
    );

    let cents = json!({"schemaType": "JSON", "schema": r#"{"type":"integer"}"#});
    system.register("cents.json", cents).await;
    let json_text = r#"{"type":"object","properties":{"c":{"$ref":"cents.json"}}}"#;
    system
        .register(
            "json",
            json!({"schemaType": "JSON", "schema": json_text, "references": uses("cents.json", 1)}),
        )
        .await;

    let proto = r#"syntax = "proto3"; package b; message Money { int64 cents = 1; }"#;
    system
        .register(
            "money.proto",
            json!({"schemaType": "PROTOBUF", "schema": proto}),
        )
        .await;
    let order = r#"syntax = "proto3"; import "money.proto"; message O { b.Money m = 1; }"#;
    let sent =
        json!({"schemaType": "PROTOBUF", "schema": order, "references": uses("money.proto", 1)});
    let id = system.register("proto", sent.clone()).await;
    // How a source is written says nothing; its descriptor is the same schema.
    let mut spaced = sent.clone();
    spaced["schema"] = json!(order.replace("; ", ";\n\n// what for\n"));
    assert_eq!(system.register("proto", spaced).await, id);
    let described = system
        .fine("GET", &format!("/schemas/ids/{id}?format=serialized"), NONE)
        .await;
    let mut as_descriptor = sent;
    as_descriptor["schema"] = described["schema"].clone();
    assert_eq!(system.register("proto", as_descriptor).await, id);

    what_is_used_stays(&system).await;
}

/// Nobody takes a version away that another schema uses.
async fn what_is_used_stays(system: &System) {
    for (used, by) in [
        ("b.Money", "avro"),
        ("cents.json", "json"),
        ("money.proto", "proto"),
    ] {
        let path = format!("/subjects/{used}/versions/1");
        let users = system
            .fine("GET", &format!("{path}/referencedby"), NONE)
            .await;
        let id = system
            .fine("GET", &format!("/subjects/{by}/versions/1"), NONE)
            .await["id"]
            .clone();
        assert_eq!(users, json!([id]), "{used}");
        assert_eq!(system.code("DELETE", &path, NONE).await, 42206, "{used}");
        system
            .fine("DELETE", &format!("/subjects/{by}"), NONE)
            .await;
        system.fine("DELETE", &path, NONE).await;
        assert_eq!(
            system
                .code("DELETE", &format!("{path}?permanent=true"), NONE)
                .await,
            42206,
            "a hidden one uses it"
        );
        system
            .fine("DELETE", &format!("/subjects/{by}?permanent=true"), NONE)
            .await;
        system
            .fine("DELETE", &format!("{path}?permanent=true"), NONE)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_shows_the_event_that_breaks() {
    let system = System::start().await;
    let with = |fields: Value| json!({"schema": json!({"type": "record", "name": "R", "fields": fields}).to_string()});
    system
        .register("s", with(json!([{"name": "a", "type": "long"}])))
        .await;
    let broken = with(json!([{"name": "a", "type": "long"}, {"name": "due", "type": "long"}]));
    let path = "/compatibility/subjects/s/versions/latest";
    let short = system.fine("POST", path, broken.clone()).await;
    assert_eq!(short, json!({"is_compatible": false}));
    for path in [path, "/compatibility/subjects/s/versions"] {
        let long = system
            .fine("POST", &format!("{path}?verbose=true"), broken.clone())
            .await;
        let messages = long["messages"].to_string();
        assert!(
            messages.contains("due") && messages.contains(r#"{\"a\":"#),
            "{messages}"
        );
        assert!(messages.contains("exact verdict"), "{messages}");
    }
    let (_, answer) = system.ask("POST", "/subjects/s/versions", broken).await;
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("due") && message.contains(r#"{"a":"#),
        "{message}"
    );
    let fine =
        with(json!([{"name": "a", "type": "long"}, {"name": "b", "type": "long", "default": 1}]));
    let answer = system
        .fine("POST", &format!("{path}?verbose=true"), fine)
        .await;
    assert_eq!(answer["is_compatible"], true);

    // Where the rules of the registry and what events do are not the same, both are said.
    let json_schema = |text: &str| json!({"schemaType": "JSON", "schema": text});
    system
        .register(
            "j",
            json_schema(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#),
        )
        .await;
    let required =
        json_schema(r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["foo"]}"#);
    let path = "/compatibility/subjects/j/versions/latest?verbose=true";
    let answer = system.fine("POST", path, required).await;
    assert_eq!(answer["is_compatible"], true, "{answer}");
    assert!(
        answer["messages"].to_string().contains("an event breaks"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_metadata_and_one_form() {
    let system = System::start().await;
    system
        .fine("PUT", "/config/s", json!({"compatibilityGroup": "major"}))
        .await;
    let of = |schema: &str, major: &str| {
        json!({"schema": schema, "metadata": {"properties": {"major": major}},
        "ruleSet": {"domainRules": []}})
    };
    let first = system.register("s", of("\"long\"", "1")).await;
    assert_eq!(
        system
            .code("POST", "/subjects/s/versions", of("\"string\"", "1"))
            .await,
        40901
    );
    let second = system.register("s", of("\"string\"", "2")).await;
    assert_ne!(first, second);
    let found = system
        .fine("GET", &format!("/schemas/ids/{second}"), NONE)
        .await;
    assert_eq!(found["metadata"]["properties"]["major"], "2");
    assert_eq!(found["ruleSet"], json!({"domainRules": []}));

    let json_schema = |text: &str| json!({"schemaType": "JSON", "schema": text});
    let (a, b) = (
        r#"{"type":"object","title":"T"}"#,
        r#"{ "title":"T", "type":"object" }"#,
    );
    let id = system
        .fine(
            "POST",
            "/subjects/n/versions?normalize=true",
            json_schema(a),
        )
        .await["id"]
        .clone();
    let again = system
        .fine(
            "POST",
            "/subjects/n/versions?normalize=true",
            json_schema(b),
        )
        .await["id"]
        .clone();
    assert_eq!(id, again);
    assert_eq!(
        system
            .fine("POST", "/subjects/n?normalize=true", json_schema(a))
            .await["id"],
        id
    );
}
