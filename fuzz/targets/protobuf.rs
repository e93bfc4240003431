//! Two Protobuf files: an answer by every profile.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_compat::protobuf::{Version, compare};
use tidegate_compat::{Mode, Profile};
use tidegate_fuzz::parts;
use tidegate_schema::protobuf::{Protobuf, Sources};

fuzz_target!(|data: &[u8]| {
    let Some(parts) = parts(data) else { return };
    let file = |text: &str| Sources::from([("a.proto".to_owned(), text.to_owned())]);
    let Some((old, rest)) = parts.split_first() else {
        return;
    };
    let old = file(old);
    let Ok(compiled) = Protobuf::compile(&old, None) else {
        return;
    };
    let Some((new, events)) = rest.split_first() else {
        return;
    };
    for message in compiled.messages().iter().take(4) {
        let Ok(of_message) = Protobuf::compile(&old, Some(message.full_name())) else {
            continue;
        };
        for event in events.iter().take(4) {
            let _ = of_message.validate_binary(event.as_bytes());
            if let Ok(event) = serde_json::from_str(event) {
                let _ = of_message.validate_json(&event);
            }
        }
    }
    let new = file(new);
    for profile in [
        Profile::Exact,
        Profile::Confluent,
        Profile::BufWire,
        Profile::BufWireJson,
    ] {
        let old = Version {
            files: &old,
            root: None,
        };
        let _ = compare(
            &[old],
            &Version {
                files: &new,
                root: None,
            },
            Mode::Full,
            profile,
        );
    }
});
