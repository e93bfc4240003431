//! Payloads that name the schema that they were written with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::System;

const BINARY: (&str, &str) = ("content-type", "application/octet-stream");

impl System {
    async fn publish(
        &self,
        event: &str,
        id: &str,
        more: &[(&str, &str)],
        data: Vec<u8>,
    ) -> (u16, Value) {
        let mut headers = vec![
            ("ce-specversion", "1.0"),
            ("ce-type", event),
            ("ce-source", "/test"),
            ("ce-id", id),
        ];
        headers.extend(more);
        let (status, answer, _) = self.send("POST", "/v1/events", &headers, data).await;
        (status, answer)
    }

    async fn pull(&self, event: &str, payload: &str) -> Value {
        let body = json!({"max": 1, "wait": "20s", "payload": payload}).to_string();
        let path = format!("/v1/consumers/reader/{event}/pull");
        let json = ("content-type", "application/json");
        let (status, answer, _) = self.send("POST", &path, &[json], body).await;
        assert_eq!(status, 200, "{answer}");
        let delivery = &answer["deliveries"][0];
        let lease = format!("/v1/leases/{}", delivery["lease"].as_str().unwrap());
        let (status, ..) = self
            .send("POST", &lease, &[json], r#"{"outcome":"done"}"#)
            .await;
        assert_eq!(status, 204);
        delivery["event"].clone()
    }

    async fn id_of(&self, subject: &str) -> u32 {
        let path = format!("/subjects/{subject}/versions/latest");
        let id = self.fine("GET", &path, Value::Null).await["id"].as_u64();
        u32::try_from(id.unwrap()).unwrap()
    }
}

fn framed(id: u32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(rest);
    bytes
}

/// `{"id": "1", "total": {"unit": "EUR", "cents": 250}, "count": 3}` in Avro.
const AVRO: &[u8] = b"\x021\x06EUR\xf4\x03\x06";
/// The same in Protobuf, of the second message of its file.
const PROTO: &[u8] = b"\x0a\x011\x12\x08\x0a\x03EUR\x10\xfa\x01";

#[tokio::test(flavor = "multi_thread")]
async fn the_designs_schemas_are_there_and_payloads_name_them() {
    let system = System::start().await;
    let subjects = system.fine("GET", "/subjects", Value::Null).await;
    assert_eq!(
        subjects,
        json!([
            "AvroOrder-value",
            "JsonOrder-value",
            "ProtoOrder-value",
            "base/money.proto"
        ])
    );

    let id = system.id_of("AvroOrder-value").await;
    let bytes = framed(id, AVRO);
    assert_eq!(
        system
            .publish("AvroOrder", "1", &[BINARY], bytes.clone())
            .await
            .0,
        202
    );
    let raw = system.pull("AvroOrder", "raw").await;
    assert_eq!(
        STANDARD
            .decode(raw["data_base64"].as_str().unwrap())
            .unwrap(),
        bytes,
        "as it came"
    );
    assert_eq!(
        system.publish("AvroOrder", "2", &[BINARY], bytes).await.0,
        202
    );
    let plain = json!({"id": "1", "total": {"unit": "EUR", "cents": 250}, "count": 3});
    assert_eq!(system.pull("AvroOrder", "json").await["data"], plain);
    // The format's own encoding stays what it was, and can be had as JSON as well.
    let own = ("content-type", "avro/binary");
    assert_eq!(
        system
            .publish("AvroOrder", "3", &[own], AVRO.to_vec())
            .await
            .0,
        202
    );
    assert_eq!(system.pull("AvroOrder", "json").await["data"], plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_the_other_formats_name_them_too() {
    let system = System::start().await;
    let id = system.id_of("ProtoOrder-value").await;
    let plain = json!({"orderId": "1", "total": {"unit": "EUR", "cents": "250"}});
    let second_message = [&[2, 2], PROTO].concat();
    assert_eq!(
        system
            .publish("ProtoOrder", "1", &[BINARY], framed(id, &second_message))
            .await
            .0,
        202
    );
    assert_eq!(system.pull("ProtoOrder", "json").await["data"], plain);

    let id = system.id_of("JsonOrder-value").await;
    let text = br#"{"id": "1", "total": {"unit": "EUR", "cents": 250}}"#;
    assert_eq!(
        system
            .publish(
                "JsonOrder",
                "1",
                &[("content-type", "application/json")],
                framed(id, text)
            )
            .await
            .0,
        202
    );
    assert_eq!(system.pull("JsonOrder", "json").await["data"]["id"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_may_stand_beside_the_payload() {
    let system = System::start().await;
    let found = system
        .fine("GET", "/subjects/ProtoOrder-value/versions/1", Value::Null)
        .await;
    let guid = found["guid"].as_str().unwrap();
    let hex: String = guid.chars().filter(|c| *c != '-').collect();
    let mut header = vec![1];
    header.extend(u128::from_str_radix(&hex, 16).unwrap().to_be_bytes());
    header.extend([2, 2]);
    let header = STANDARD.encode(header);
    let beside = ("ce-schemaid", header.as_str());
    assert_eq!(
        system
            .publish("ProtoOrder", "1", &[BINARY, beside], PROTO.to_vec())
            .await
            .0,
        202
    );
    let event = system.pull("ProtoOrder", "json").await;
    assert_eq!(event["data"]["orderId"], "1");
    assert!(event.get("schemaid").is_none(), "JSON needs none: {event}");
    let avro = system
        .fine("GET", "/subjects/AvroOrder-value/versions/1", Value::Null)
        .await;
    let id = avro["id"].to_string();
    for (number, named) in [id.as_str(), avro["guid"].as_str().unwrap()]
        .into_iter()
        .enumerate()
    {
        let beside = ("ce-schemaid", named);
        let (status, answer) = system
            .publish(
                "AvroOrder",
                &number.to_string(),
                &[BINARY, beside],
                AVRO.to_vec(),
            )
            .await;
        assert_eq!(status, 202, "{answer}");
    }
    let (status, answer) = system
        .publish(
            "AvroOrder",
            "x",
            &[BINARY, ("ce-schemaid", "?")],
            AVRO.to_vec(),
        )
        .await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (422, &json!("schema-id"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_schema_of_the_event_is_refused() {
    let system = System::start().await;
    let avro = system.id_of("AvroOrder-value").await;
    let json_id = system.id_of("JsonOrder-value").await;
    let proto = system.id_of("ProtoOrder-value").await;
    let cases: [(&str, Vec<u8>, &str, &str); 8] = [
        ("AvroOrder", framed(4_000, AVRO), "schema-id", "4000"),
        (
            "AvroOrder",
            framed(json_id, AVRO),
            "schema-id",
            "JsonOrder-value",
        ),
        ("AvroOrder", vec![0, 0, 0], "schema-id", "end inside"),
        ("AvroOrder", framed(avro, b"\x021\x06EU"), "schema", ""),
        (
            "AvroOrder",
            framed(avro, &[AVRO, b"more"].concat()),
            "schema",
            "",
        ),
        (
            "JsonOrder",
            framed(json_id, br#"{"id": 1}"#),
            "schema",
            "/id",
        ),
        (
            "ProtoOrder",
            framed(proto, &[&[0], PROTO].concat()),
            "schema-id",
            "shop.Unused",
        ),
        (
            "ProtoOrder",
            framed(proto, &[&[2, 18], PROTO].concat()),
            "schema-id",
            "indexes",
        ),
    ];
    for (event, bytes, code, word) in cases {
        let (status, answer) = system.publish(event, "1", &[BINARY], bytes.clone()).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (422, &json!(code)),
            "{bytes:?} {answer}"
        );
        assert!(answer.to_string().contains(word), "{word}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_schema_takes_any_bytes_until_something_is_registered() {
    let system = System::start().await;
    assert_eq!(
        system
            .publish("Free", "1", &[BINARY], vec![0, 9, 9, 9, 9, 9])
            .await
            .0,
        202
    );
    system
        .register("Free-value", json!({"schema": "\"string\""}))
        .await;
    let id = system.id_of("Free-value").await;
    assert_eq!(
        system
            .publish("Free", "2", &[BINARY], vec![0, 9, 9, 9, 9, 9])
            .await
            .0,
        422
    );
    assert_eq!(
        system
            .publish("Free", "3", &[BINARY], framed(id, b"\x04hi"))
            .await
            .0,
        202
    );
    system.pull("Free", "json").await;
    assert_eq!(system.pull("Free", "json").await["data"], "hi");
    assert!(system.runtime.registry().is_some());
}
