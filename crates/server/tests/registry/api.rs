//! Every route and every refusal.

use serde_json::{Value, json};

use crate::support::{System, record};

const NONE: Value = Value::Null;

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_lives_and_dies() {
    let system = System::start().await;
    let id = system.register("s", record("R", &["a"])).await;
    assert_eq!(
        system.register("s", record("R", &["a"])).await,
        id,
        "idempotent"
    );
    assert_eq!(
        system.register("other", record("R", &["a"])).await,
        id,
        "global"
    );
    let second = system.register("s", record("R", &["a", "b"])).await;
    assert_eq!(second, id + 1, "dense");
    assert_eq!(
        system.fine("GET", "/subjects/s/versions", NONE).await,
        json!([1, 2])
    );
    for newest in ["latest", "-1", "2"] {
        let path = format!("/subjects/s/versions/{newest}");
        let found = system.fine("GET", &path, NONE).await;
        assert_eq!(
            (&found["version"], &found["id"]),
            (&json!(2), &json!(second))
        );
        assert!(found.get("schemaType").is_none(), "Avro is not said");
    }
    let text = system
        .fine("GET", "/subjects/s/versions/1/schema", NONE)
        .await;
    assert_eq!(text["name"], "R");
    let found = system
        .fine("POST", "/subjects/s", record("R", &["a"]))
        .await;
    assert_eq!((&found["version"], &found["id"]), (&json!(1), &json!(id)));
    let by_id = system
        .fine("GET", &format!("/schemas/ids/{id}"), NONE)
        .await;
    let guid = by_id["guid"].as_str().unwrap();
    let again = system
        .fine("GET", &format!("/schemas/guids/{guid}"), NONE)
        .await;
    assert_eq!(again, by_id);
    let uses = system
        .fine("GET", &format!("/schemas/ids/{id}/versions"), NONE)
        .await;
    assert_eq!(
        uses,
        json!([{"subject": "other", "version": 1}, {"subject": "s", "version": 1}])
    );
    let subjects = system
        .fine("GET", &format!("/schemas/ids/{id}/subjects"), NONE)
        .await;
    assert_eq!(subjects, json!(["other", "s"]));
    assert_eq!(
        system.fine("GET", "/schemas/types", NONE).await,
        json!(["JSON", "PROTOBUF", "AVRO"])
    );
    assert_eq!(system.fine("GET", "/contexts", NONE).await, json!(["."]));
    let all = system
        .fine("GET", "/schemas?subjectPrefix=s&latestOnly=true", NONE)
        .await;
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_hidden_first_and_gone_afterwards() {
    let system = System::start().await;
    let id = system.register("s", record("R", &["a"])).await;
    system.register("other", record("R", &["a"])).await;
    system.register("s", record("R", &["a", "b"])).await;
    assert_eq!(
        system
            .code("DELETE", "/subjects/s/versions/1?permanent=true", NONE)
            .await,
        40407
    );
    assert_eq!(
        system.fine("DELETE", "/subjects/s/versions/1", NONE).await,
        json!(1)
    );
    assert_eq!(
        system.code("DELETE", "/subjects/s/versions/1", NONE).await,
        40406
    );
    assert_eq!(
        system.code("GET", "/subjects/s/versions/1", NONE).await,
        40402
    );
    assert_eq!(
        system
            .fine("GET", "/subjects/s/versions/1?deleted=true", NONE)
            .await["id"],
        id
    );
    assert_eq!(
        system
            .fine("GET", "/subjects/s/versions?deletedOnly=true", NONE)
            .await,
        json!([1])
    );
    assert_eq!(
        system
            .code("POST", "/subjects/s", record("R", &["a"]))
            .await,
        40403
    );
    assert_eq!(
        system
            .fine("POST", "/subjects/s?deleted=true", record("R", &["a"]))
            .await["id"],
        id
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_goes_as_a_whole() {
    let system = System::start().await;
    let id = system.register("s", record("R", &["a"])).await;
    system.register("other", record("R", &["a"])).await;
    let second = system.register("s", record("R", &["a", "b"])).await;
    system.fine("DELETE", "/subjects/s/versions/1", NONE).await;
    assert_eq!(
        system
            .code("DELETE", "/subjects/s?permanent=true", NONE)
            .await,
        40405
    );
    assert_eq!(system.fine("DELETE", "/subjects/s", NONE).await, json!([2]));
    assert_eq!(system.code("DELETE", "/subjects/s", NONE).await, 40404);
    assert_eq!(
        system.code("GET", "/subjects/s/versions", NONE).await,
        40401
    );
    let listed = system
        .fine("GET", "/subjects?deleted=true&subjectPrefix=s", NONE)
        .await;
    assert_eq!(listed, json!(["s"]));
    assert_eq!(
        system
            .fine("DELETE", "/subjects/s?permanent=true", NONE)
            .await,
        json!([1, 2])
    );
    assert_eq!(
        system
            .code("GET", &format!("/schemas/ids/{second}"), NONE)
            .await,
        40403
    );
    assert_eq!(
        system
            .fine("GET", &format!("/schemas/ids/{id}/subjects"), NONE)
            .await,
        json!(["other"])
    );
    let third = system.register("s", record("R", &["a", "b"])).await;
    assert_eq!(third, second + 1, "no number is given twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_has_a_number() {
    let system = System::start().await;
    system.register("s", record("R", &["a"])).await;
    let wrong = [
        ("GET", "/subjects/nobody/versions", NONE, 40401),
        ("GET", "/subjects/s/versions/9", NONE, 40402),
        ("GET", "/schemas/ids/999", NONE, 40403),
        ("GET", "/subjects/s/versions/0", NONE, 42202),
        ("GET", "/subjects/s/versions/first", NONE, 42202),
        ("GET", "/config/s", NONE, 40408),
        ("GET", "/mode/s", NONE, 40409),
        ("DELETE", "/config/s", NONE, 40401),
        ("DELETE", "/subjects/nobody", NONE, 40401),
        ("POST", "/subjects/nobody", record("R", &["a"]), 40401),
        ("POST", "/subjects/s", record("Q", &["a"]), 40403),
        ("POST", "/subjects/%00/versions", record("R", &["a"]), 42208),
        (
            "POST",
            "/subjects/:.o:s/versions",
            record("R", &["a"]),
            42208,
        ),
        ("PUT", "/config", json!({"compatibility": "MOST"}), 42203),
        ("PUT", "/config", json!({}), 42203),
        ("PUT", "/config", json!({"alias": "x"}), 42205),
        ("PUT", "/mode", json!({"mode": "SLEEP"}), 42204),
        ("PUT", "/mode/s", json!({"mode": "IMPORT"}), 42205),
        ("GET", "/nothing", NONE, 404),
        ("PATCH", "/subjects", json!({}), 405),
        ("PUT", "/config", json!([1]), 400),
    ];
    for (method, path, body, code) in wrong {
        let found = system.code(method, path, body.clone()).await;
        assert_eq!(found, code, "{method} {path} {body}");
    }
    let path = "/compatibility/subjects/nobody/versions/latest";
    assert_eq!(system.code("POST", path, record("R", &["a"])).await, 40401);
    let path = "/compatibility/subjects/s/versions/7";
    assert_eq!(system.code("POST", path, record("R", &["a"])).await, 40402);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_registered_has_a_number() {
    let system = System::start().await;
    system.register("s", record("R", &["a"])).await;
    let nowhere = json!([{"name": "x", "subject": "x", "version": 1}]);
    let large = " ".repeat(1 << 20) + "\"string\"";
    let wrong = [
        (json!({"schema": "{"}), 42201),
        (json!({}), 42201),
        (json!({"schema": "{}", "schemaType": "XML"}), 42201),
        (json!({"schema": "what", "schemaType": "PROTOBUF"}), 42201),
        (
            json!({"schema": "{\"type\":7}", "schemaType": "JSON"}),
            42201,
        ),
        (json!({"schema": "\"int\"", "references": nowhere}), 42201),
        (json!({"schema": "\"string\"", "id": 7}), 42205),
        (json!({"schema": "\"string\""}), 40901),
        (json!({"schema": large}), 42209),
    ];
    for (body, code) in wrong {
        let shown: String = body.to_string().chars().take(80).collect();
        let found = system.code("POST", "/subjects/s/versions", body).await;
        assert_eq!(found, code, "{shown}");
    }
    let versions = system.fine("GET", "/subjects/s/versions", NONE).await;
    assert_eq!(versions, json!([1]), "nothing has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_media_types_are_answered_in_the_registrys_words() {
    let system = System::start().await;
    let path = "/registry/subjects";
    let (status, answer, media) = system
        .send("GET", path, &[("authorization", "Basic eDp5")], "")
        .await;
    assert_eq!(
        (status, &answer["error_code"]),
        (401, &json!(40101)),
        "{answer}"
    );
    assert_eq!(media, "application/vnd.schemaregistry.v1+json");
    for (accept, wanted) in [
        ("*/*", "application/vnd.schemaregistry.v1+json"),
        ("application/json", "application/json"),
        (
            "text/html, application/vnd.schemaregistry+json; q=0.9",
            "application/vnd.schemaregistry+json",
        ),
    ] {
        let (status, _, media) = system.send("GET", path, &[("accept", accept)], "").await;
        assert_eq!((status, media.as_str()), (200, wanted), "{accept}");
    }
    let (status, answer, _) = system
        .send("GET", path, &[("accept", "image/png")], "")
        .await;
    assert_eq!((status, &answer["error_code"]), (406, &json!(406)));
    let path = "/registry/subjects/s/versions";
    let (status, answer, _) = system
        .send("POST", path, &[("content-type", "text/xml")], "x")
        .await;
    assert_eq!((status, &answer["error_code"]), (415, &json!(415)));
    let json = ("content-type", "application/json");
    // One byte too many: of a body that goes on, the answer may be lost on the way to who still sends.
    let large = "x".repeat((8 << 20) + 1);
    let (status, answer, _) = system.send("POST", path, &[json], large).await;
    assert_eq!(
        (status, &answer["error_code"]),
        (413, &json!(413)),
        "{answer}"
    );
    let deep = format!(
        "{{\"schema\": {}1{}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let (status, ..) = system.send("POST", path, &[json], deep).await;
    assert_eq!(status, 400);
}
