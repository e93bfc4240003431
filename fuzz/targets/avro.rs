//! Two Avro schemas: an answer, and data that each reads and writes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_compat::{Answer, Mode, Profile, avro};
use tidegate_fuzz::parts;
use tidegate_schema::avro::Avro;

fuzz_target!(|data: &[u8]| {
    let Some(parts) = parts(data) else { return };
    let [old, rest @ ..] = parts.as_slice() else {
        return;
    };
    let Ok(schema) = Avro::parse(old) else { return };
    assert!(
        Avro::parse(schema.text()).is_ok(),
        "what was read does not read again"
    );
    for event in rest {
        if let Ok(datum) = schema.decode(event.as_bytes()) {
            let bytes = schema.encode(&datum).expect("what was read is written");
            assert_eq!(schema.decode(&bytes).as_ref(), Ok(&datum));
        }
        if let Ok(event) = serde_json::from_str(event) {
            let _ = schema.validate_json(&event);
        }
    }
    let Some(new) = rest.first().filter(|new| Avro::parse(new).is_ok()) else {
        return;
    };
    if let Ok(verdict) = avro::compare(&[old], new, Mode::Full, Profile::Exact) {
        for finding in &verdict.findings {
            assert!(
                finding.answer != Answer::Incompatible
                    || finding.witness.is_some()
                    || finding.code == "too-many-findings"
            );
        }
    }
    let _ = avro::compare(&[old], new, Mode::Full, Profile::Confluent);
});
