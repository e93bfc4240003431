//! Bytes that say they are an event in Avro or Protobuf: read or refused; what is read is written.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidegate_schema::EventSchema;
use tidegate_schema::avro::Avro;
use tidegate_schema::protobuf::Sources;

const AVRO: &str = r#"{"type":"record","name":"R","namespace":"n","fields":[
 {"name":"id","type":"string"},{"name":"n","type":["null","long",{"type":"array","items":"R"}]},
 {"name":"m","type":{"type":"map","values":{"type":"array","items":["int","double","R"]}}},
 {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
 {"name":"f","type":{"type":"fixed","name":"F","size":4}},{"name":"b","type":"bytes"},
 {"name":"x","type":{"type":"array","items":"null"}},
 {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}"#;
const PROTO: &str = r#"syntax = "proto3"; import "google/protobuf/any.proto"; import "google/protobuf/timestamp.proto";
 import "google/protobuf/struct.proto";
 message M { string id = 1; repeated M kids = 2; map<string, M> by = 3; oneof o { int64 n = 4; bytes b = 5; }
 google.protobuf.Any any = 6; google.protobuf.Timestamp at = 7; google.protobuf.Struct s = 8; repeated sint32 z = 9;
 enum E { A = 0; B = 1; } E e = 10; double d = 11; optional float f = 12; }"#;

static AVRO_SCHEMA: LazyLock<Avro> = LazyLock::new(|| Avro::parse(AVRO).expect("it is a schema"));
static SCHEMAS: LazyLock<[EventSchema; 2]> = LazyLock::new(|| {
    let files = Sources::from([("m.proto".to_owned(), PROTO.to_owned())]);
    [
        EventSchema::avro(AVRO).expect("it is a schema"),
        EventSchema::protobuf(&files, "M").expect("it is a schema"),
    ]
});

fuzz_target!(|data: &[u8]| {
    for schema in &*SCHEMAS {
        let _ = schema.read_binary(data);
    }
    if let Ok(datum) = AVRO_SCHEMA.decode(data) {
        let bytes = AVRO_SCHEMA
            .encode(&datum)
            .expect("what was read is written");
        assert_eq!(AVRO_SCHEMA.decode(&bytes).as_ref(), Ok(&datum));
        assert_eq!(
            AVRO_SCHEMA.from_json(&AVRO_SCHEMA.to_json(&datum)).as_ref(),
            Ok(&datum)
        );
    }
});
