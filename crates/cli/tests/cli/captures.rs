//! Captures as people have them: in folders, behind patterns, on standard input, cut into files.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Daemon, agent, eventually, expect_exit, repository, run, shared, tidegate};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The report without the names of the files.
#[track_caller]
fn report(output: &Output) -> Value {
    expect_exit(output, 0);
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report.as_object_mut().unwrap().remove("captures").unwrap();
    report
}

fn discover(arguments: &[&str]) -> Output {
    run(&[&["discover", "--format", "json"], arguments].concat())
}

fn discover_stdin(bytes: &[u8]) -> Output {
    let mut child = tidegate(&["discover", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(bytes).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The lines of a capture in three files of a folder, with what is no capture beside them.
fn in_three(lines: &str, folder: &Path) {
    fs::create_dir_all(folder.join("deep/deeper")).unwrap();
    let mut parts = [const { String::new() }; 3];
    for (index, line) in lines.lines().enumerate() {
        parts[index % 3].push_str(line);
        parts[index % 3].push('\n');
    }
    let [first, second, third] = parts;
    fs::write(folder.join("a.jsonl"), first).unwrap();
    fs::write(folder.join("deep/b"), second).unwrap();
    fs::write(folder.join("deep/deeper/c.txt"), third).unwrap();
    fs::write(folder.join("LICENSE"), "Do as you please.\n").unwrap();
    fs::write(folder.join(".hidden.json"), "{\"resourceSpans\": [").unwrap();
}

#[test]
fn spans_of_one_trace_in_several_files_are_put_together() {
    let Some(capture) = shared("traces/otel_demo/otel_demo_traces_only.otlp.jsonl") else {
        return;
    };
    let whole = report(&discover(&[capture.to_str().unwrap()]));
    let folder = tempfile::tempdir().unwrap();
    let lines = fs::read_to_string(&capture).unwrap();
    in_three(&lines, folder.path());
    let path = folder.path().to_str().unwrap();
    let in_folder = discover(&[path]);
    assert_eq!(report(&in_folder), whole);
    let said = text(&in_folder.stderr);
    assert!(
        said.contains("skipped what is no capture: 1 of the files found")
            && said.contains("LICENSE"),
        "{said}"
    );
    // A file that is named itself is not passed over.
    let license = folder.path().join("LICENSE");
    expect_exit(&discover(&[path, license.to_str().unwrap()]), 2);
    let pattern = format!("{path}/**/[abc]*");
    assert_eq!(report(&discover(&[&pattern])), whole);
    expect_exit(&discover(&[&format!("{path}/*.nothing")]), 2);
    assert_eq!(report(&discover_stdin(lines.as_bytes())), whole);
}

#[test]
fn spans_that_do_not_fit_into_memory_go_through_files() {
    let Some(capture) = shared("traces/online_boutique/nezha_online_boutique_normal.otlp.json")
    else {
        return;
    };
    let capture = capture.to_str().unwrap();
    let whole = discover(&[capture]);
    let temporary = tempfile::tempdir().unwrap();
    let small = tidegate(&["discover", "--format", "json", "--memory", "64KiB", capture])
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    assert_eq!(report(&small), report(&whole));
    assert!(text(&small.stderr).contains("went through temporary files"));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn columns_of_a_table_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spans.csv");
    fs::write(&file, "a,b,c,d,e,f\nt,s,shop,GET /,1800000000,3\n").unwrap();
    let file = file.to_str().unwrap();
    expect_exit(&discover(&[file]), 2);
    let columns = "trace=a,span=b,service=c,operation=d,start=e:s,duration=f:ms";
    let named = report(&discover(&["--columns", columns, file]));
    assert_eq!(named["services"][0]["name"], "shop");
    let wrong = discover(&["--columns", "trace=z", file]);
    expect_exit(&wrong, 2);
    assert!(text(&wrong.stderr).contains("the columns are a, b, c, d, e, f"));
}

/// A port that was free a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_daemon_says_what_the_traces_that_it_receives_show() {
    let Some(capture) = shared("traces/otel_demo/otel_demo_traces.otlp.pb") else {
        return;
    };
    let file = report(&discover(&[capture.to_str().unwrap()]));
    let data = tempfile::tempdir().unwrap();
    let address = free_address();
    let design = repository("examples/checkout/design.yaml");
    let otlp = format!("--otlp-http={address}");
    let daemon = Daemon::start(&[
        "run",
        design.to_str().unwrap(),
        "--data",
        data.path().to_str().unwrap(),
        &otlp,
    ]);
    let bytes = fs::read(&capture).unwrap();
    // It listens for traces just after it has said where the console is.
    eventually("the receiver listens", || {
        let sent = ureq::post(format!("http://{address}/v1/traces"))
            .header("content-type", "application/x-protobuf")
            .send(&bytes[..]);
        sent.is_ok().then_some(())
    });
    let mut received = daemon.get("/v1/discover");
    received
        .as_object_mut()
        .unwrap()
        .remove("captures")
        .unwrap();
    assert_eq!(received, file);
    assert!(daemon.interrupt().success());
}

#[test]
fn a_daemon_without_a_receiver_says_how_to_get_one() {
    let data = tempfile::tempdir().unwrap();
    let design = repository("examples/checkout/design.yaml");
    let data = data.path().to_str().unwrap().to_owned();
    let daemon = Daemon::start(&["run", design.to_str().unwrap(), "--data", &data]);
    let answer = agent()
        .get(format!("{}/v1/discover", daemon.url))
        .call()
        .unwrap();
    assert_eq!(answer.status(), 404);
    // Beyond this machine only with a token.
    let open = run(&[
        "run",
        design.to_str().unwrap(),
        "--data",
        &data,
        "--otlp-grpc=0.0.0.0:0",
    ]);
    expect_exit(&open, 2);
}

/// One order of a shop that mails while the customer waits: the request's fields are in a span.
fn order(number: u64) -> String {
    let at = |millis: u64| (1_700_000_000_000 + number * 200 + millis) * 1_000_000;
    let span = |id: u64,
                parent: u64,
                service: &str,
                (kind, from, to): (u8, u64, u64),
                body: &str| {
        let body = body.replace('"', "\\\"");
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},
            "scopeSpans":[{{"spans":[{{"traceId":"{:032x}","spanId":"{:016x}","parentSpanId":"{:016x}","name":"POST /orders",
            "kind":{kind},"startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":[{{"key":"http.request.body",
            "value":{{"stringValue":"{body}"}}}}]}}]}}]}}]}}"#,
            number + 1, number * 4 + id, if parent == 0 { 0 } else { number * 4 + parent }, at(from), at(to)
        )
        .replace('\n', "")
    };
    let body = format!(r#"{{"orderId":"o{number}","total":{number}.5}}"#);
    // One of twenty takes a hundred times as long.
    let took = if number.is_multiple_of(20) { 100 } else { 1 };
    [
        span(1, 0, "shop", (2, 0, took + 30), ""),
        span(2, 1, "shop", (3, 1, took + 3), &body),
        span(3, 2, "mailer", (2, 2, took + 2), ""),
    ]
    .join("\n")
}

#[test]
fn a_draft_has_the_fields_of_payloads_and_simulates_as_it_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("orders.jsonl");
    let lines: Vec<String> = (0..400).map(order).collect();
    fs::write(&capture, lines.join("\n")).unwrap();
    let draft = folder.path().join("shop");
    let draft = draft.to_str().unwrap();
    expect_exit(&discover(&[capture.to_str().unwrap(), "--draft", draft]), 0);
    expect_exit(&run(&["check", draft]), 0);
    let schemas = fs::read_dir(folder.path().join("shop/schemas")).unwrap();
    let schema = schemas.flatten().next().unwrap().path();
    let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    assert_eq!(schema["properties"]["total"]["type"], "number", "{schema}");
    let design = fs::read_to_string(folder.path().join("shop/design.yaml")).unwrap();
    assert!(design.contains("key: /orderId"), "{design}");
    let simulated = run(&["simulate", draft]);
    expect_exit(&simulated, 0);
    let said = text(&simulated.stdout);
    assert!(
        said.contains("5.95ms on average") && said.contains("as the 400 recorded times do"),
        "{said}"
    );
}
