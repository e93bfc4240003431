//! Process logs in every format: what is in them, what is said when something is wrong, and that
//! no bytes cause a panic.

#![cfg(test)]

use std::fs;
use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tidegate_trace::process::{
    Columns, EventLog, EventRow, LogFormat, OcelRows, START_BYTES, hint, read_log, sniff_start,
};

const XES: &str = include_str!("logs/claims.xes");
const JSON: &str = include_str!("logs/orders.ocel.json");
const XML: &str = include_str!("logs/orders.ocel.xml");

fn log(text: &str) -> EventLog {
    read_log("log", text.as_bytes(), &Columns::default()).unwrap()
}

fn error(text: &str) -> String {
    let read = read_log("log", text.as_bytes(), &Columns::default());
    read.unwrap_err().to_string()
}

fn with(columns: &str, text: &str) -> Result<EventLog, String> {
    let columns = Columns::parse(columns).unwrap();
    read_log("log", text.as_bytes(), &columns).map_err(|error| error.to_string())
}

/// Every case in a line: `case: activity start..end by resource`.
fn shown(log: &EventLog) -> String {
    let mut lines = vec![format!("{} zone {} {:?}", log.format, log.zone, log.notes)];
    for case in &log.cases {
        for instance in &case.instances {
            lines.push(format!(
                "{}: {} {}{}..{} by {}",
                case.id,
                log.activities[instance.activity],
                instance
                    .enabled
                    .map(|time| format!("[{time}] "))
                    .unwrap_or_default(),
                instance
                    .start
                    .map(|time| time.to_string())
                    .unwrap_or_default(),
                instance.end,
                instance.resource.map_or("-", |by| &log.resources[by]),
            ));
        }
    }
    lines.join("\n")
}

#[test]
fn starts_and_completions_of_xes_are_paired() {
    insta::assert_snapshot!("claims", shown(&log(XES)));
}

#[test]
fn the_same_objects_in_json_and_xml_give_the_same_log() {
    let (json, xml) = (log(JSON), log(XML));
    assert_eq!(json.format, LogFormat::OcelJson);
    assert_eq!(xml.format, LogFormat::OcelXml);
    let same = EventLog {
        format: json.format,
        ..xml
    };
    assert_eq!(json, same);
    insta::assert_snapshot!("items", shown(&json));
    let objects = json.objects.unwrap();
    let types: Vec<String> = objects
        .types
        .iter()
        .map(|kind| {
            format!(
                "{} {}/{}/{}",
                kind.name, kind.objects, kind.events, kind.single
            )
        })
        .collect();
    assert_eq!(types, ["item 3/5/3", "order 2/2/2", "truck 1/1/1"]);
    assert_eq!(objects.events.len(), 5);
    let orders = with("object-type=order", JSON).unwrap();
    assert_eq!(orders.cases.len(), 2);
    // Activities that no order has are still named by the objects' events.
    let objects = orders.objects.unwrap();
    let named: Vec<&str> = objects
        .events
        .iter()
        .map(|event| orders.activities[event.activity].as_str())
        .collect();
    assert_eq!(
        named,
        [
            "place order",
            "pick item",
            "place order",
            "pick item",
            "ship"
        ]
    );
}

#[test]
fn rows_of_a_database_give_the_same_log_as_json() {
    let document: serde_json::Value = serde_json::from_str(JSON).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let rows = OcelRows {
        objects: document["objects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|object| (text(&object["id"]), text(&object["type"])))
            .collect(),
        events: document["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| EventRow {
                id: text(&event["id"]),
                kind: text(&event["type"]),
                time: text(&event["time"]),
                resource: event["attributes"][0]["value"].as_str().map(str::to_owned),
                objects: event["relationships"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|relationship| text(&relationship["objectId"]))
                    .collect(),
                line: 0,
            })
            .collect(),
    };
    let read = rows.into_log("log", LogFormat::OcelJson, &Columns::default());
    assert_eq!(read.unwrap(), log(JSON));
}

#[test]
fn csv_in_its_usual_dialects_gives_the_same_log() {
    let comma = "case_id,activity,start_time,end_time,resource\n\
                 1,\"check, weigh\",2025-03-03 09:00:00+01:00,2025-03-03 09:10:00+01:00,Ada\n\
                 1,pay,,2025-03-03 10:00:00+01:00,\n";
    let expected = shown(&log(comma));
    insta::assert_snapshot!("rows", expected);
    let semicolon = comma
        .replace(',', ";")
        .replace("check; weigh", "check, weigh");
    assert_eq!(shown(&log(&semicolon)), expected);
    let tabs = comma
        .replace(',', "\t")
        .replace("check\t weigh", "check, weigh");
    assert_eq!(shown(&log(&format!("\u{feff}{tabs}"))), expected);
    assert_eq!(shown(&log(&comma.replace('\n', "\r\n"))), expected);
    let quoted = comma.replace("Ada\n", "\"Ada\"\r\n\r\n");
    assert_eq!(shown(&log(&quoted)), expected);
    let renamed = comma.replace("case_id,activity,start_time", "order,what,von");
    let mapped = with("case=order,activity=what,start=von", &renamed).unwrap();
    assert_eq!(shown(&mapped), expected);
    let lifecycle = "case:concept:name,concept:name,time:timestamp,lifecycle:transition,org:resource\n\
                     1,\"check, weigh\",2025-03-03 09:00:00+01:00,start,Ada\n\
                     1,\"check, weigh\",2025-03-03 09:10:00+01:00,complete,Ada\n\
                     1,pay,2025-03-03 10:00:00+01:00,complete,\n";
    let expected = expected.replace(
        "[]",
        "[\"1 completions without a start: when work on them started is not known\"]",
    );
    assert_eq!(shown(&log(lifecycle)), expected);
}

#[test]
fn gzip_is_unpacked_and_a_torn_one_is_said() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(XES.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let read = read_log("log", &packed, &Columns::default()).unwrap();
    assert_eq!(read, log(XES));
    let torn = read_log("log", &packed[..packed.len() / 2], &Columns::default());
    let said = torn.unwrap_err().to_string();
    let place = "log: not valid gzip: it is cut off after ";
    assert!(
        said.starts_with(place) && said.contains(" decompressed bytes; copy or export"),
        "{said}"
    );
}

#[test]
fn zstd_is_unpacked_and_a_torn_one_is_said() {
    let packed = compress_to_vec(XES.as_bytes(), CompressionLevel::Fastest);
    let read = read_log("log", &packed, &Columns::default()).unwrap();
    assert_eq!(read, log(XES));
    assert_eq!(
        sniff_start(&packed, &Columns::default()),
        Some(LogFormat::Xes)
    );
    let torn = read_log("log", &packed[..packed.len() / 2], &Columns::default());
    insta::assert_snapshot!(torn.unwrap_err(), @"log: not valid zstd: it is cut off after 0 decompressed bytes; copy or export the file again");
}

/// A frame of zstd whose blocks are as they are, and may refer back eight mebibytes: nothing of it is
/// given out by a decoder until as many have come.
fn zstd_frame(content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3];
    let mut blocks = content.chunks(100_000).peekable();
    while let Some(block) = blocks.next() {
        let is_last = u32::from(blocks.peek().is_none());
        let header = is_last | u32::try_from(block.len()).unwrap() << 3;
        frame.extend(header.to_le_bytes().iter().take(3));
        frame.extend(block);
    }
    frame
}

#[test]
fn a_compressed_log_is_told_by_its_start_whatever_the_decoder_keeps() {
    let rows: String = (0..20_000)
        .map(|row| format!("{row},pack,2025-03-03T09:00Z,2025-03-03T10:00Z\n"))
        .collect();
    let text = format!("case_id,activity,start_time,end_time\n{rows}");
    let packed = zstd_frame(text.as_bytes());
    let columns = Columns::default();
    assert_eq!(read_log("log", &packed, &columns).unwrap(), log(&text));
    let (start, _) = packed.split_at(START_BYTES);
    assert_eq!(sniff_start(start, &columns), Some(LogFormat::Csv));
    // Two blocks are whole.
    insta::assert_snapshot!(read_log("log", start, &columns).unwrap_err(), @"log: not valid zstd: it is cut off after 200000 decompressed bytes; copy or export the file again");
    let mut damaged = packed;
    // A block of a kind that there is none of.
    *damaged.get_mut(6).unwrap() |= 6;
    insta::assert_snapshot!(read_log("log", &damaged, &columns).unwrap_err(), @"log: not valid zstd: it is damaged, after 0 decompressed bytes; copy or export the file again");
}

#[test]
fn what_is_nearly_a_log_is_said_what_to_do_with() {
    let one = br#"{"ocel:global-log": {"ocel:version": "1.0"}, "ocel:events": {}}"#;
    insta::assert_snapshot!(hint(one).unwrap(), @"this is OCEL 1.0: export it as OCEL 2.0");
    let table = b"\xef\xbb\xbforder;step;when;who\r\n1;pay;yesterday;ann\r\n";
    insta::assert_snapshot!(hint(table).unwrap(), @"its columns are `order`, `step`, `when`, `who`: name them with --columns, those of a process log as case=NAME,activity=NAME,start=NAME,end=NAME,resource=NAME, those of spans as trace=NAME,span=NAME,start=NAME,duration=NAME,service=NAME");
    assert_eq!(hint(&zstd_frame(table)), hint(table));
    for text in [
        "hello, world",
        "{\"a\": 1, \"b\": 2, \"c\": 3}",
        "a,b,\u{1}c",
        "",
    ] {
        assert_eq!(hint(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let text = "case,activity,time\n1,a,2025-03-03\n\n1,b,yesterday\n";
    let said = "log:4: the end `yesterday` is not a time that is known";
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        let error = error(&text);
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn errors_name_the_line_and_the_next_step() {
    let head = "case_id,activity,start_time,end_time\n1,a,2025-03-03T09:00Z,2025-03-03T10:00Z\n";
    let said = [
        error(&format!("{head}1,b,yesterday,2025-03-03T10:00Z\n")),
        error(&format!("{head}1,b,03/04/2025 10:00,2025-03-03T10:00Z\n")),
        error(&format!("{head}1,b,2025-03-03T11:00Z,2025-03-03T10:00Z\n")),
        error(&format!("{head},b,2025-03-03T09:00Z,2025-03-03T10:00Z\n")),
        error(&format!("{head}1,,2025-03-03T09:00Z,2025-03-03T10:00Z\n")),
        error(&format!("{head}1,b,2025-03-03T09:00Z\n")),
        error(&format!("{head}1,b,,\n")),
        error("case_id,activity,start_time,end_time\n"),
        error("order,what,when\n1,a,2025-03-03\n"),
        with("case=order", "order,what,when\n1,a,2025-03-03\n").unwrap_err(),
        with("case=nope", "order,what,when\n1,a,2025-03-03\n").unwrap_err(),
        with("object-type=parcel", JSON).unwrap_err(),
        error(&XES.replace("09:20:00+01:00", "nine")),
        error(XES.split_at(XES.len() / 2).0),
        error(&XES.replacen("</trace>", "</event>", 1)),
        error(&JSON.replacen("{\"objectId\": \"i1\"", "{\"objectId\": \"i9\"", 1)),
        error(&XML.replacen("time=\"2025-03-03T10:00:00Z\"", "time=\"ten\"", 1)),
        error(JSON.split_at(JSON.len() - 9).0),
        error("{\"ocel:global-log\": {}}"),
        error("SQLite format 3\0"),
        error("{\"objectTypes\": [], \"events\": [{\"id\": 5}]}"),
    ];
    insta::assert_snapshot!("errors", said.join("\n"));
}

/// Counts by a script of its own, which knows nothing of this reader.
#[test]
fn real_logs_hold_what_another_reader_counts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/eventlogs/simod");
    if !folder.is_dir() {
        println!("skipped: {} is absent", folder.display());
        return;
    }
    // Name, instances, cases, activities, resources, starts.
    let expected = EXPECTED;
    for (name, instances, cases, activities, resources, starts) in expected {
        let log = read_log(
            name,
            &fs::read(folder.join(name)).unwrap(),
            &Columns::default(),
        );
        let log = log.unwrap();
        let counted = (
            log.recorded.instances,
            log.cases.len(),
            log.activities.len(),
            log.resources.len(),
            log.recorded.starts,
        );
        assert_eq!(
            counted,
            (instances, cases, activities, resources, starts),
            "{name}"
        );
    }
}

const EXPECTED: [(&str, usize, usize, usize, usize, usize); 6] = [
    ("BPIC15_1.csv.gz", 52_217, 1_199, 398, 23, 0),
    ("Insurance_Claims_test.csv", 5_398, 1_000, 7, 130, 5_398),
    ("LoanApp_simplified.csv.gz", 3_620, 500, 10, 19, 3_620),
    ("PurchasingExample.csv.gz", 9_119, 608, 21, 27, 9_119),
    ("Simple_log_with_batching.csv", 3_994, 1_000, 6, 1, 3_994),
    ("Simple_log_with_prioritization.csv", 400, 100, 6, 1, 400),
];

proptest! {
    #[test]
    fn no_cut_and_no_changed_byte_panics(which in 0..3_usize, at in 0_usize..4_000, byte: u8) {
        let text = [XES, JSON, XML][which];
        let mut bytes = text.as_bytes().to_vec();
        let place = at % bytes.len();
        drop(read_log("log", &bytes[..place], &Columns::default()));
        bytes[place] = byte;
        drop(read_log("log", &bytes, &Columns::default()));
    }

    #[test]
    fn no_text_panics(text in "(case,activity,time\n)?[ -~\n]{0,200}") {
        drop(read_log("log", text.as_bytes(), &Columns::default()));
    }

    /// Whatever the order of the rows, the log is the same.
    #[test]
    fn the_order_of_rows_does_not_matter(seed in 0_u64..1_000) {
        let mut rows: Vec<String> = (0..12)
            .map(|row| format!("{},a{},2025-03-03T{:02}:00Z,2025-03-03T{:02}:30Z", row % 3, row % 4, 8 + row, 8 + row))
            .collect();
        let head = "case,activity,start,end";
        let sorted = log(&format!("{head}\n{}\n", rows.join("\n")));
        for place in (1..rows.len()).rev() {
            let other = (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(place as u64) >> 7) as usize;
            rows.swap(place, other % (place + 1));
        }
        let mixed = log(&format!("{head}\n{}\n", rows.join("\n")));
        prop_assert_eq!(shown(&sorted), shown(&mixed));
    }
}
