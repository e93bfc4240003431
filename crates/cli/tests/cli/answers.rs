//! Commands that run to an end: exit codes, formats that parse, errors with a next step.

use crate::support::{expect_exit, files_below, repository, run, shared};
use serde_json::Value;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_checkout_example_has_no_findings() {
    let output = run(&[
        "check",
        repository("examples/checkout").to_str().unwrap(),
        "--fail-on",
        "note",
    ]);
    expect_exit(&output, 0);
}

#[test]
fn a_starting_design_is_written_once_and_has_no_errors() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("my shop");
    let folder = folder.to_str().unwrap();
    expect_exit(&run(&["init", folder]), 0);
    expect_exit(&run(&["check", folder, "--fail-on", "warning"]), 0);
    let again = run(&["init", folder]);
    expect_exit(&again, 2);
    assert!(
        text(&again.stderr).contains("is there already"),
        "{}",
        text(&again.stderr)
    );
}

#[test]
fn every_format_of_check_parses_and_says_no() {
    let folder = tempfile::tempdir().unwrap();
    let design = folder.path().join("design.yaml");
    std::fs::write(
        &design,
        "tidegate: 1\nsystem: s\nservices: {a: {publishes: [Nothing]}}\n",
    )
    .unwrap();
    let design = design.to_str().unwrap();
    for format in ["human", "json", "sarif", "junit", "github", "markdown"] {
        let output = run(&["check", design, "--format", format]);
        expect_exit(&output, 1);
        let text = text(&output.stdout);
        assert!(text.contains("E02"), "{format}: {text}");
        match format {
            "json" => assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap()["schema"],
                "tidegate/check/v1"
            ),
            "sarif" => assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap()["version"],
                "2.1.0"
            ),
            "junit" => assert!(text.starts_with("<?xml")),
            "github" => assert!(text.lines().all(|line| line.starts_with("::"))),
            _ => {}
        }
    }
}

#[test]
fn what_is_not_there_is_said_with_exit_code_2() {
    let cases: [&[&str]; 10] = [
        &["check", "/nowhere/design.yaml"],
        &["check"],
        &["contracts"],
        &["impact"],
        &["frobnicate"],
        &["check", "--format", "xml", "x"],
        &["explain", "E9999"],
        &["discover", "/nowhere/traces.json"],
        &["run", "/nowhere"],
        &["simulate", "examples", "--outage", "x"],
    ];
    for arguments in cases {
        let output = run(arguments);
        expect_exit(&output, 2);
        assert!(output.stdout.is_empty(), "{arguments:?} prints data");
        assert!(
            text(&output.stderr).starts_with("error"),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn the_network_is_refused_without_a_token() {
    let design = repository("examples/checkout");
    let output = run(&["run", design.to_str().unwrap(), "--listen", "0.0.0.0:0"]);
    expect_exit(&output, 2);
    assert!(text(&output.stderr).contains("--token-file"));
}

#[test]
fn a_transaction_of_kafka_is_refused_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let design = folder.path().join("design.yaml");
    let written = "tidegate: 1\nsystem: shop\nmessaging: {broker: kafka}\nevents: {Happened: {}}\nservices:\n  here: {publishes: \
                [Happened]}\n  there: {consumes: {Happened: {guarantee: kafka-transaction}}}\n";
    std::fs::write(&design, written).unwrap();
    let design = design.to_str().unwrap();
    let others: [(&str, &[&str]); 3] = [
        ("the embedded log", &[]),
        ("NATS JetStream", &["--broker", "nats://127.0.0.1:9"]),
        ("RabbitMQ", &["--broker", "amqp://127.0.0.1:9"]),
    ];
    for (name, place) in others {
        let data = folder.path().join("data");
        let arguments = ["run", design, "--data", data.to_str().unwrap()];
        let output = run(&[&arguments[..], place].concat());
        expect_exit(&output, 2);
        let said = text(&output.stderr);
        let asks = format!("`there/Happened` asks for kafka-transaction, and this runs on {name}");
        assert!(said.contains(&asks), "{said}");
        assert!(said.contains("add `--broker kafka://HOST:PORT`"), "{said}");
        assert!(!data.exists(), "nothing is begun");
    }
}

#[test]
fn every_code_is_explained() {
    let list = text(&run(&["explain"]).stdout);
    let codes: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(codes.len() >= 35, "{} codes", codes.len());
    for code in codes {
        let page = run(&["explain", code]);
        expect_exit(&page, 0);
        assert!(
            text(&page.stdout).starts_with(&format!("# {code}: ")),
            "{code}"
        );
    }
}

#[test]
fn the_steps_of_the_chain_run_on_the_example() {
    let design = repository("examples/checkout");
    let design = design.to_str().unwrap();
    for (command, schema) in [
        ("select", "tidegate/select/v1"),
        ("size", "tidegate/size/v1"),
        ("simulate", "tidegate/simulate/v1"),
    ] {
        let output = run(&[command, design, "--format", "json"]);
        expect_exit(&output, 0);
        assert_eq!(
            serde_json::from_slice::<Value>(&output.stdout).unwrap()["schema"],
            schema
        );
        for format in ["human", "markdown"] {
            expect_exit(&run(&[command, design, "--format", format]), 0);
        }
    }
    let document = run(&["generate", "asyncapi", design, "--format", "json"]);
    assert_eq!(
        serde_json::from_slice::<Value>(&document.stdout).unwrap()["asyncapi"],
        "3.0.0"
    );
    expect_exit(
        &run(&["generate", "asyncapi", design, "--service", "billing"]),
        0,
    );
    let mistyped = run(&["generate", "asyncapi", design, "--service", "biling"]);
    expect_exit(&mistyped, 2);
    assert!(text(&mistyped.stderr).contains("did you mean `billing`?"));
    assert!(text(&run(&["generate", "mermaid", design]).stdout).starts_with("flowchart"));
}

#[test]
fn every_trace_file_is_read_or_refused() {
    let Some(folder) = shared("traces") else {
        return;
    };
    let mut read = 0;
    for file in files_below(&folder) {
        let output = run(&["discover", file.to_str().unwrap(), "--format", "json"]);
        match output.status.code() {
            Some(0) => {
                let report: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(
                    report["schema"],
                    "tidegate/discover/v1",
                    "{}",
                    file.display()
                );
                read += 1;
            }
            Some(2) => {
                let said = text(&output.stderr);
                let named = said.contains(&*file.file_name().unwrap().to_string_lossy());
                assert!(
                    said.starts_with("error") && named,
                    "{}: {said}",
                    file.display()
                );
            }
            other => panic!(
                "{}: exit {other:?}: {}",
                file.display(),
                text(&output.stderr)
            ),
        }
    }
    assert!(read > 80, "only {read} files were read");
}

#[test]
fn a_draft_of_every_capture_is_accepted_by_check() {
    let Some(folder) = shared("traces") else {
        return;
    };
    let captures = [
        "traceweaver/hotel_load150.jaeger.json",
        "traceweaver/hotel_load25.jaeger.json",
        "traceweaver/nodejs_fileio_0.jaeger.json",
        "online_boutique/nezha_online_boutique_normal.otlp.json",
        "online_boutique/nezha_online_boutique_fault_shipping_delay.otlp.json",
        "train_ticket/nezha_train_ticket_normal.otlp.json",
        "otel_demo/otel_demo_traces.otlp.pb",
        "zipkin_lens/smartthings-mobile-web-install.json",
        "kiali_bookinfo/responseTrace.tempo.json",
    ];
    for capture in captures {
        let draft = tempfile::tempdir().unwrap();
        let draft = draft.path().join("draft");
        let draft = draft.to_str().unwrap();
        let file = folder.join(capture);
        expect_exit(
            &run(&["discover", file.to_str().unwrap(), "--draft", draft]),
            0,
        );
        let output = run(&["check", draft]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{capture}:\n{}",
            text(&output.stdout)
        );
    }
}

/// Twelve requests whose mail takes so many microseconds, as Zipkin writes them.
fn requests_with_mail(took: u64) -> String {
    let spans = (1..=12).flat_map(|request| {
        let start = 1_000_000_000_000 + request * 1_000_000;
        let span = |id: u64, parent: &str, kind: &str, service: &str, from: u64, took: u64| {
            format!(
                r#"{{"traceId":"{request:032x}","id":"{id:016x}","parentId":"{parent}","kind":"{kind}","name":"sendMail","timestamp":{from},"duration":{took},"localEndpoint":{{"serviceName":"{service}"}}}}"#
            )
        };
        let (asking, answering) = ("0000000000000001", "0000000000000002");
        [
            span(1, "", "SERVER", "shop", start, 20_000 + took),
            span(2, asking, "CLIENT", "shop", start + 15_000, took),
            span(3, answering, "SERVER", "mailer", start + 15_100, took - 200),
        ]
    });
    format!("[{}]", spans.collect::<Vec<_>>().join(","))
}

#[test]
fn discover_predicts_compares_and_can_do_without_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, took| {
        let path = folder.path().join(name);
        std::fs::write(&path, requests_with_mail(took)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (before, after) = (file("before.json", 10_000), file("after.json", 30_000));
    let json = |arguments: &[&str]| -> Value {
        let output = run(&[&["discover", "--format", "json"], arguments].concat());
        expect_exit(&output, 0);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let report = json(&[&before, "--publish-time", "1ms"]);
    let first = &report["candidates"][0];
    assert_eq!(first["class"], "FIRE_AND_FORGET");
    assert_eq!(first["saving"]["mean"]["value"], 9_000_000.0);
    assert_eq!(report["completeness"]["traces_used"], 12);
    let without = json(&[&before, "--no-vocabulary"]);
    assert_eq!(without["candidates"][0]["class"], "ASYNC_WITH_OUTBOX");
    let difference = json(&["--diff", &before, &after]);
    assert_eq!(difference["schema"], "tidegate/discover-diff/v1");
    let cause = &difference["changes"][0];
    assert_eq!(
        (&cause["service"], &cause["total_ns"]),
        (&"mailer".into(), &240_000_000.0.into())
    );
    let asked = json(&[
        &before,
        "--what-if",
        "slow=5ms:mailer",
        "--what-if",
        "remove:mailer/sendMail",
    ]);
    let means = asked["what_if"].as_array().unwrap().iter();
    let means: Vec<&Value> = means
        .map(|one| &one["savings"][0]["mean"]["value"])
        .collect();
    assert_eq!(means, [-5_000_000.0, 10_000_000.0]);
    let nobody = run(&["discover", &before, "--what-if", "remove:mailer/sendLetter"]);
    expect_exit(&nobody, 2);
    assert!(text(&nobody.stderr).contains("`mailer/sendMail`"));
    assert!(nobody.stdout.is_empty());
    expect_exit(&run(&["discover", &before, "--what-if", "later:mailer"]), 2);
    assert_eq!(cause["verdict"], "MORE");
    assert_eq!(cause["longer_ns"]["low"], 20_000_000.0);
    let same = run(&["discover", "--diff", &before, &before]);
    expect_exit(&same, 0);
    let same = String::from_utf8_lossy(&same.stdout).into_owned();
    assert!(
        same.contains("Nothing differs by more than chance"),
        "{same}"
    );
    assert!(!same.contains("largest change"), "{same}");
    expect_exit(&run(&["discover", "--diff", &before]), 2);
    expect_exit(&run(&["discover", &before, "--diff", &before, &after]), 2);
}

/// The reference of the command line is what the command says of itself.
/// Every command, in the order of the page.
const COMMANDS: [&[&str]; 79] = [
    &[],
    &["init"],
    &["check"],
    &["explain"],
    &["discover"],
    &["select"],
    &["size"],
    &["simulate"],
    &["generate"],
    &["generate", "asyncapi"],
    &["generate", "mermaid"],
    &["generate", "rust"],
    &["generate", "typescript"],
    &["generate", "java"],
    &["generate", "python"],
    &["generate", "kafka-topics"],
    &["generate", "strimzi"],
    &["generate", "rabbitmq-definitions"],
    &["generate", "nats"],
    &["asyncapi"],
    &["asyncapi", "validate"],
    &["import"],
    &["import", "asyncapi"],
    &["import", "registry"],
    &["import", "rabbitmq"],
    &["run"],
    &["demo"],
    &["bench"],
    &["log"],
    &["log", "verify"],
    &["log", "dump"],
    &["log", "repair"],
    &["dlq"],
    &["dlq", "list"],
    &["dlq", "groups"],
    &["dlq", "show"],
    &["dlq", "redrive"],
    &["dlq", "jobs"],
    &["dlq", "job"],
    &["dlq", "job", "show"],
    &["dlq", "job", "pause"],
    &["dlq", "job", "resume"],
    &["dlq", "job", "cancel"],
    &["dlq", "edit"],
    &["dlq", "discard"],
    &["dlq", "restore"],
    &["dlq", "export"],
    &["consumer"],
    &["consumer", "list"],
    &["consumer", "show"],
    &["consumer", "pause"],
    &["consumer", "resume"],
    &["consumer", "seek"],
    &["breaker"],
    &["breaker", "list"],
    &["breaker", "open"],
    &["breaker", "reset"],
    &["why"],
    &["outbox"],
    &["outbox", "sql"],
    &["outbox", "relay"],
    &["outbox", "status"],
    &["outbox", "list"],
    &["outbox", "retry"],
    &["outbox", "skip"],
    &["schema"],
    &["schema", "compat"],
    &["schema", "validate"],
    &["schema", "show"],
    &["event"],
    &["event", "validate"],
    &["apply"],
    &["drift"],
    &["doctor"],
    &["broker"],
    &["broker", "compare"],
    &["lag"],
    &["dead-letters"],
    &["dead-letters", "read"],
];

#[test]
fn the_reference_of_the_command_line_is_current() {
    let mut page =
        "# Command line\n\nWritten by the command itself: `tidegate COMMAND --help`.\n".to_owned();
    for command in COMMANDS {
        let arguments: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = text(&run(&arguments).stdout);
        let title = ["tidegate"]
            .iter()
            .chain(command)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        page.push_str(&format!(
            "\n## {title}\n\n```text\n{}\n```\n",
            help.join("\n").trim_end()
        ));
    }
    page.push_str(include_str!("log_formats.txt"));
    page.push_str(include_str!("daemon_answers.txt"));
    page.push_str(include_str!("outbox_answers.txt"));
    page.push_str(include_str!("schema_answers.txt"));
    page.push_str(include_str!("contracts_answers.txt"));
    page.push_str(include_str!("estate_answers.txt"));
    let path = repository("docs/reference/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "run `UPDATE_DOCS=1 cargo test -p tidegate-cli --test cli` and commit docs/reference/cli.md"
    );
}
