//! Recordings read back what was written, and say which line is wrong.

#![cfg(test)]

use std::time::Duration;

use indexmap::IndexMap;
use proptest::prelude::*;
use tidegate_base::Name;
use tidegate_trace::recording::{Arrival, Outcome, Recording, Stream, read, write};

fn example() -> Recording {
    let arrival = |offset, outcome, payload_bytes| Arrival {
        offset: Duration::from_millis(offset),
        handler_time: Duration::from_micros(530),
        outcome,
        key: "7c0f".to_owned(),
        payload_bytes,
    };
    let stream = Stream {
        publisher: Name::new("checkout").unwrap(),
        consumer: Name::new("email").unwrap(),
        arrivals: vec![
            arrival(1, Outcome::Succeeded, None),
            arrival(9, Outcome::Failed, Some(412)),
        ],
    };
    Recording {
        origin: "checkout.otlp.json".to_owned(),
        duration: Duration::from_secs(60),
        streams: IndexMap::from([(Name::new("OrderConfirmationRequested").unwrap(), stream)]),
    }
}

#[test]
fn the_text_is_one_object_a_line() {
    insta::assert_snapshot!(write(&example()), @r##"
    {"tidegate-recording":1,"origin":"checkout.otlp.json","duration_ns":60000000000}
    {"event":"OrderConfirmationRequested","publisher":"checkout","consumer":"email"}
    {"offset_ns":1000000,"handler_ns":530000,"key":"7c0f"}
    {"offset_ns":9000000,"handler_ns":530000,"key":"7c0f","failed":true,"bytes":412}
    "##);
}

#[test]
fn errors_name_the_line() {
    let good = write(&example());
    let error = |text: &str| read("r.jsonl", text.as_bytes()).unwrap_err().to_string();
    let lines: Vec<&str> = good.lines().collect();
    let (header, event) = (lines[0], lines[1]);
    insta::assert_snapshot!(error(""), @r##"r.jsonl:1: not a recording: the first line is not {"tidegate-recording":1,…}; write one with `tidegate discover TRACES --draft DIR`"##);
    insta::assert_snapshot!(error(event), @r##"r.jsonl:1: not a recording: the first line is not {"tidegate-recording":1,…}; write one with `tidegate discover TRACES --draft DIR`"##);
    insta::assert_snapshot!(error(&header.replace(":1,", ":2,")), @r##"r.jsonl:1: recording version 2 is not 1; write the recording again with this program"##);
    insta::assert_snapshot!(error(&format!("{header}\n{}", lines[2])), @r##"r.jsonl:2: an arrival stands before any line with `event`"##);
    insta::assert_snapshot!(error(&format!("{header}\n{event}\n{event}")), @r##"r.jsonl:3: event `OrderConfirmationRequested` is recorded twice; join its arrivals"##);
    insta::assert_snapshot!(error(&format!("{header}\n{event}\n{}\n{}", lines[3], lines[2])), @r##"r.jsonl:4: the arrival is earlier than the one before; sort them by offset"##);
    insta::assert_snapshot!(error(&format!("{header}\n{event}\n\n{{\"offset_ns\":1}}")), @r##"r.jsonl:4: column 15: missing field `handler_ns`"##);
    insta::assert_snapshot!(error(&format!("{header}\n{event}\n{}", lines[2].replace("1000000", "99000000000"))), @r##"r.jsonl:3: the arrival is later than the recording's duration"##);
    insta::assert_snapshot!(error(&format!("{header}\n{}", event.replace("checkout", "a b"))), @r##"r.jsonl:2: column 55: name `a b` has the character ' '; letters, digits, `.`, `_`, `-` are allowed"##);
    insta::assert_snapshot!(error(&format!("{header}\n{event}\n{}", lines[2].split_at(20).0)), @r##"r.jsonl:3: column 20: EOF while parsing an object"##);
}

#[test]
fn fields_may_stand_in_any_order() {
    let text = write(&example()).replace(
        r#"{"event":"OrderConfirmationRequested","publisher":"checkout","#,
        r#"{ "publisher": "checkout", "event": "OrderConfirmationRequested","#,
    );
    assert_eq!(read("r.jsonl", text.as_bytes()).unwrap(), example());
}

fn any_recording() -> impl Strategy<Value = Recording> {
    let arrival = (
        0_u64..1_000_000,
        any::<u32>(),
        any::<bool>(),
        ".{0,12}",
        any::<Option<u32>>(),
    );
    let arrival = arrival.prop_map(|(offset, time, failed, key, bytes)| Arrival {
        offset: Duration::from_nanos(offset),
        handler_time: Duration::from_nanos(u64::from(time)),
        outcome: if failed {
            Outcome::Failed
        } else {
            Outcome::Succeeded
        },
        key,
        payload_bytes: bytes.map(u64::from),
    });
    let arrivals = prop::collection::vec(arrival, 0..20).prop_map(|mut arrivals| {
        arrivals.sort_by_key(|arrival| arrival.offset);
        arrivals
    });
    let name = "[a-zA-Z0-9][a-zA-Z0-9._-]{0,10}".prop_map(|text| Name::new(&text).unwrap());
    let stream =
        (name.clone(), name.clone(), arrivals).prop_map(|(publisher, consumer, arrivals)| Stream {
            publisher,
            consumer,
            arrivals,
        });
    let streams = prop::collection::vec((name, stream), 0..5);
    (".{0,30}", 1_000_000_u64..10_000_000_000, streams).prop_map(|(origin, duration, streams)| {
        Recording {
            origin,
            duration: Duration::from_nanos(duration),
            streams: streams.into_iter().collect(),
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(recording in any_recording()) {
        let text = write(&recording);
        prop_assert_eq!(read("r.jsonl", text.as_bytes()).unwrap(), recording);
    }

    #[test]
    fn no_text_panics(recording in any_recording(), at in 0..1_000_usize, byte in any::<u8>()) {
        let mut bytes = write(&recording).into_bytes();
        let at = bytes.len() * at / 1_000;
        bytes[at] = byte;
        // Either is fine; what is read must write and read again.
        for bytes in [&bytes[..], &bytes[..at]] {
            if let Ok(recording) = read("r.jsonl", bytes) {
                let again = read("r.jsonl", write(&recording).as_bytes());
                prop_assert_eq!(again.unwrap(), recording);
            }
        }
    }
}
