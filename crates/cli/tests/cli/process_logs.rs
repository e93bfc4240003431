//! `tidegate discover` of process logs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::support::{expect_exit, repository, run, shared, tidegate};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn log(name: &str) -> String {
    let path = repository("crates/trace/tests/logs").join(name);
    path.to_str().unwrap().to_owned()
}

fn json(arguments: &[&str]) -> Value {
    let output = run(&[&["discover", "--format", "json"], arguments].concat());
    expect_exit(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Forty cases of three steps; the second is taken up hours after the first.
fn table(folder: &Path, name: &str, hours: u64) -> PathBuf {
    let mut rows = "order;step;from;to;who\n".to_owned();
    for case in 0..40_u64 {
        let day = case / 2 + 1;
        let start = 8 + case % 2;
        let time = |hour: u64, minute: u64| format!("2025-03-{day:02} {hour:02}:{minute:02}+01:00");
        let take = start + hours;
        rows.push_str(&format!(
            "{case};Register order;{};{};ann\n{case};Check stock;{};{};bob\n{case};Send parcel;{};{};cy\n",
            time(start, 0),
            time(start, 10),
            time(take, 10),
            time(take, 20),
            time(take, 20),
            time(take, 30 + case % 5),
        ));
    }
    let path = folder.join(name);
    fs::write(&path, rows).unwrap();
    path
}

const COLUMNS: &str = "case=order,activity=step,start=from,end=to,resource=who";

#[test]
fn logs_are_told_from_traces_by_their_content() {
    let xes = json(&[&log("claims.xes")]);
    assert_eq!(xes["schema"], "tidegate/process/v1");
    assert_eq!(
        (&xes["cases"], &xes["instances"]),
        (&Value::from(2), &Value::from(4))
    );
    let items = json(&[&log("orders.ocel.json")]);
    let names: Vec<&str> = items["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["item", "order", "truck"]);
    let orders = json(&[&log("orders.ocel.json"), "--columns", "object-type=order"]);
    assert_eq!(orders["cases"], 2);
    let Some(folder) = shared("traces") else {
        return;
    };
    let trace = folder.join("online_boutique/nezha_online_boutique_normal.otlp.json");
    let trace = trace.to_str().unwrap();
    assert_eq!(json(&[trace])["schema"], "tidegate/discover/v1");
    let mixed = run(&["discover", trace, &log("claims.xes")]);
    expect_exit(&mixed, 2);
    assert!(text(&mixed.stderr).contains("claims.xes` is a process log, and"));
    let refused = run(&["discover", trace, "--visible-end", "pay"]);
    expect_exit(&refused, 2);
    assert!(text(&refused.stderr).contains("--visible-end is for process logs"));
}

/// Writes the objects and events of the JSON log as OCEL 2.0 lays them out in a database.
async fn write_database(path: &Path) {
    let text = fs::read_to_string(log("orders.ocel.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    let mut script = "CREATE TABLE object (ocel_id TEXT PRIMARY KEY, ocel_type TEXT);
         CREATE TABLE event (ocel_id TEXT PRIMARY KEY, ocel_type TEXT);
         CREATE TABLE event_map_type (ocel_type TEXT, ocel_type_map TEXT);
         CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT, ocel_qualifier TEXT);"
        .to_owned();
    for kind in ["place order", "pick item", "ship"] {
        let table = kind.replace(' ', "");
        script.push_str(&format!(
            "INSERT INTO event_map_type VALUES ('{kind}', '{table}');
             CREATE TABLE \"event_{table}\" (ocel_id TEXT, ocel_time TEXT, resource TEXT);"
        ));
    }
    for object in document["objects"].as_array().unwrap() {
        let (id, kind) = (
            object["id"].as_str().unwrap(),
            object["type"].as_str().unwrap(),
        );
        script.push_str(&format!("INSERT INTO object VALUES ('{id}', '{kind}');"));
    }
    for event in document["events"].as_array().unwrap() {
        let field = |name: &str| event[name].as_str().unwrap();
        let (id, kind, time) = (field("id"), field("type"), field("time"));
        let by = event["attributes"][0]["value"].as_str();
        let by = by.map_or_else(|| "NULL".to_owned(), |by| format!("'{by}'"));
        let table = kind.replace(' ', "");
        script.push_str(&format!(
            "INSERT INTO event VALUES ('{id}', '{kind}');
             INSERT INTO \"event_{table}\" VALUES ('{id}', '{time}', {by});"
        ));
        for object in event["relationships"].as_array().unwrap() {
            let object = object["objectId"].as_str().unwrap();
            script.push_str(&format!(
                "INSERT INTO event_object VALUES ('{id}', '{object}', 'of');"
            ));
        }
    }
    sqlx::raw_sql(AssertSqlSafe(script))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[test]
fn an_object_centric_database_says_what_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.sqlite");
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(write_database(&path));
    let mut database = json(&[path.to_str().unwrap()]);
    let mut document = json(&[&log("orders.ocel.json")]);
    assert_eq!(database["logs"][0]["format"], "OCEL 2.0 SQLite");
    database["logs"] = Value::Null;
    document["logs"] = Value::Null;
    assert_eq!(database, document);
    let broken = folder.path().join("other.sqlite");
    let bytes = fs::read(&path).unwrap();
    // A frame of zstd with one block, as it is.
    let block = 1 | u32::try_from(bytes.len()).unwrap() << 3;
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3];
    let header = block.to_le_bytes();
    let packed = [&frame[..], header.split_at(3).0, &bytes].concat();
    fs::write(&broken, packed).unwrap();
    let refused = run(&["discover", broken.to_str().unwrap()]);
    expect_exit(&refused, 2);
    let said = text(&refused.stderr);
    assert!(said.contains("not compressed"), "{said}");
    fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let refused = run(&["discover", broken.to_str().unwrap()]);
    expect_exit(&refused, 2);
    assert!(
        text(&refused.stderr).contains("not an OCEL 2.0 database"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn a_table_with_named_columns_becomes_a_report_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let orders = table(folder.path(), "orders.csv", 3);
    let orders = orders.to_str().unwrap();
    let unnamed = run(&["discover", orders]);
    expect_exit(&unnamed, 2);
    let named = "name them with --columns, those of a process log as case=NAME,activity=NAME";
    let said = text(&unnamed.stderr);
    assert!(
        said.contains("its columns are `order`, `step`, `from`"),
        "{said}"
    );
    assert!(
        said.contains(named) && said.contains("nor a process log"),
        "{said}"
    );
    let half = run(&["discover", orders, "--columns", "activity=step"]);
    expect_exit(&half, 2);
    assert!(text(&half.stderr).contains(named), "{}", text(&half.stderr));
    let report = json(&[orders, "--columns", COLUMNS]);
    assert_eq!(report["candidates"][0]["class"], "EVENT_AT_HANDOFF");
    assert_eq!(report["candidates"][0]["after"], "Register order");
    // Three hours less ten minutes of work.
    assert_eq!(
        report["candidates"][0]["saving"]["mean"]["value_ns"],
        10_800_000_000_000.0
    );
    let page = folder.path().join("report.html");
    let page = page.to_str().unwrap();
    let written = run(&[
        "discover",
        orders,
        "--columns",
        COLUMNS,
        "--format",
        "html",
        "--out",
        page,
    ]);
    expect_exit(&written, 0);
    assert!(written.stdout.is_empty());
    assert!(
        fs::read_to_string(page)
            .unwrap()
            .contains("How to check it cheaply")
    );
    let nowhere = run(&[
        "discover",
        orders,
        "--columns",
        COLUMNS,
        "--out",
        "/nowhere/report.txt",
    ]);
    expect_exit(&nowhere, 2);
    let ended = run(&[
        "discover",
        orders,
        "--columns",
        COLUMNS,
        "--visible-end",
        "Pack",
    ]);
    expect_exit(&ended, 2);
    assert!(text(&ended.stderr).contains("no case has an activity `Pack`"));
}

#[test]
fn what_is_wrong_is_said_with_the_path_as_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| -> String {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let said = |path: &str| -> String {
        let output = run(&["discover", path]);
        expect_exit(&output, 2);
        text(&output.stderr)
    };
    let row = file(
        "row.csv",
        "case,activity,time\r\n1,a,2025-03-03\r\n1,b,yesterday\r\n",
    );
    assert!(
        said(&row).contains(&format!("{row}:3: the end `yesterday`")),
        "{}",
        said(&row)
    );
    let old = file("old.json", "{\"ocel:global-log\": {}, \"ocel:events\": {}}");
    assert!(
        said(&old).contains(&format!("{old}: neither traces")),
        "{}",
        said(&old)
    );
    assert!(
        said(&old).contains("this is OCEL 1.0: export it as OCEL 2.0"),
        "{}",
        said(&old)
    );
}

#[test]
fn a_draft_is_accepted_by_check_and_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let orders = table(folder.path(), "orders.csv", 3);
    let orders = orders.to_str().unwrap();
    let draft = |name: &str| {
        let path = folder.path().join(name);
        let path = path.to_str().unwrap().to_owned();
        let system = ["--system", "orders"];
        let output = run(&[
            &["discover", orders, "--columns", COLUMNS, "--draft", &path],
            &system[..],
        ]
        .concat());
        expect_exit(&output, 0);
        path
    };
    let (one, two) = (draft("one"), draft("two"));
    expect_exit(&run(&["check", &one]), 0);
    for file in [
        "design.yaml",
        "recording.jsonl",
        "README.md",
        "schemas/order-registered.json",
    ] {
        let read = |folder: &str| fs::read(Path::new(folder).join(file)).unwrap();
        assert_eq!(read(&one), read(&two), "{file}");
    }
}

/// The same columns for a table of spans and for one of a process.
#[test]
fn one_mapping_serves_tables_of_both_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let orders = table(folder.path(), "orders.csv", 3);
    let spans = folder.path().join("spans.csv");
    fs::write(
        &spans,
        "t,s,svc,op,from,to\n1,1,shop,buy,1700000000000,1700000000005\n",
    )
    .unwrap();
    let both = "trace=t,span=s,service=svc,operation=op,start=from,\
                case=order,activity=step,end=to,resource=who";
    let orders = json(&[orders.to_str().unwrap(), "--columns", both]);
    assert_eq!(orders["schema"], "tidegate/process/v1");
    assert_eq!(orders["cases"], 40);
    let spans = json(&[spans.to_str().unwrap(), "--columns", both]);
    assert_eq!(spans["schema"], "tidegate/discover/v1");
    assert_eq!(spans["spans"], 1);
}

#[test]
fn a_folder_of_logs_is_read_and_what_is_none_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), "orders.csv", 3);
    fs::write(folder.path().join("LICENSE"), "Nobody may, ever.\n").unwrap();
    let path = folder.path().to_str().unwrap();
    let output = run(&["discover", path, "--columns", COLUMNS, "--format", "json"]);
    expect_exit(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["cases"], 40);
    let refused = run(&["discover", path, "--columns", COLUMNS, "--memory", "1MiB"]);
    expect_exit(&refused, 2);
    // Traces beside them are no licence: to pass them over would lose them.
    let spans = r#"[{"traceId":"1","id":"2","name":"n","timestamp":5,"duration":5}]"#;
    fs::write(folder.path().join("spans.json"), spans).unwrap();
    let refused = run(&["discover", path, "--columns", COLUMNS]);
    expect_exit(&refused, 2);
    let said = text(&refused.stderr);
    assert!(
        said.contains("spans.json") && said.contains("of one kind"),
        "{said}"
    );
    assert!(refused.stdout.is_empty());
}

#[test]
fn a_log_is_compared_with_one_from_before() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (
        table(folder.path(), "before.csv", 3),
        table(folder.path(), "after.csv", 1),
    );
    let (before, after) = (before.to_str().unwrap(), after.to_str().unwrap());
    let compared = json(&["--columns", COLUMNS, "--diff", before, after]);
    assert_eq!(compared["schema"], "tidegate/process-diff/v1");
    let rows = compared["compared"].as_array().unwrap();
    let verdict =
        |what: &str| rows.iter().find(|row| row["what"] == what).unwrap()["verdict"].clone();
    assert_eq!(verdict("wait before Check stock, median"), "LESS");
    assert_eq!(verdict("wait before Send parcel, median"), "NO_DIFFERENCE");
    let page = run(&[
        "discover",
        "--columns",
        COLUMNS,
        "--diff",
        before,
        after,
        "--format",
        "html",
    ]);
    expect_exit(&page, 2);
}

#[test]
fn what_stands_against_a_draft_is_said_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("design.yaml"), "mine").unwrap();
    let there = folder.path().to_str().unwrap();
    let file = folder.path().join("design.yaml");
    for draft in [there, file.to_str().unwrap()] {
        let output = run(&["discover", "no-such-file.json", "--draft", draft]);
        expect_exit(&output, 2);
        let said = text(&output.stderr);
        assert!(said.contains(draft) && said.contains("help: "), "{said}");
        assert!(!said.contains("no-such-file"), "{said}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn a_draft_of_every_real_log_is_accepted_by_check() {
    let Some(folder) = shared("eventlogs/simod") else {
        return;
    };
    for name in [
        "Insurance_Claims_test.csv",
        "PurchasingExample.csv.gz",
        "LoanApp_simplified.csv.gz",
        "Simple_log_with_batching.csv",
    ] {
        let draft = tempfile::tempdir().unwrap();
        let draft = draft.path().join("draft");
        let draft = draft.to_str().unwrap();
        let file = folder.join(name);
        expect_exit(
            &run(&["discover", file.to_str().unwrap(), "--draft", draft]),
            0,
        );
        let output = run(&["check", draft]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{name}:\n{}",
            text(&output.stdout)
        );
    }
}

#[test]
fn a_log_on_standard_input_is_the_log() {
    let file = repository("crates/trace/tests/logs/claims.xes");
    let said = |output: &std::process::Output| -> serde_json::Value {
        expect_exit(output, 0);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let whole = said(&run(&[
        "discover",
        "--format",
        "json",
        file.to_str().unwrap(),
    ]));
    let mut child = tidegate(&["discover", "--format", "json", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &std::fs::read(&file).unwrap()).unwrap();
    drop(stdin);
    let piped = said(&child.wait_with_output().unwrap());
    for part in ["flow", "waiting", "cases"] {
        assert_eq!(whole.get(part), piped.get(part), "{part}");
    }
    assert_eq!(
        whole.as_object().unwrap().keys().collect::<Vec<_>>(),
        piped.as_object().unwrap().keys().collect::<Vec<_>>()
    );
}
