//! What every command that asks a daemon has in common: who is asked, with which right, and what no
//! answer or a wrong one means.

use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::scripted::{Scripted, problem, scene};
use crate::support::{Daemon, expect_exit, repository, run, tidegate};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn token(folder: &Path, name: &str, secret: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Each of the commands, with what it needs at least.
const COMMANDS: [&[&str]; 22] = [
    &["dlq", "list"],
    &["dlq", "groups"],
    &["dlq", "show", "billing/OrderPlaced/7"],
    &["dlq", "redrive", "billing/OrderPlaced/7"],
    &[
        "dlq",
        "redrive",
        "--consumer",
        "billing/OrderPlaced",
        "--dry-run",
    ],
    &[
        "dlq",
        "discard",
        "billing/OrderPlaced/7",
        "--reason",
        "test",
    ],
    &["dlq", "restore", "billing/OrderPlaced/7"],
    &["dlq", "export"],
    &["dlq", "redrive", "billing/OrderPlaced/7", "--job"],
    &["dlq", "jobs"],
    &["dlq", "job", "show", "1"],
    &["dlq", "job", "pause", "1"],
    &["dlq", "job", "resume", "1"],
    &["dlq", "job", "cancel", "1"],
    &["dlq", "edit", "billing/OrderPlaced/7", "--reason", "test"],
    &["consumer", "list"],
    &["consumer", "show", "billing/OrderPlaced"],
    &["consumer", "pause", "billing/OrderPlaced"],
    &["consumer", "resume", "billing/OrderPlaced"],
    &["breaker", "list"],
    &["breaker", "open", "payments-api"],
    &["why", "order-1"],
];

#[test]
fn a_daemon_that_is_not_there_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for command in COMMANDS {
        let output = run(&[command, &["--url", &url]].concat());
        expect_exit(&output, 3);
        assert!(output.stdout.is_empty(), "{command:?} prints data");
        let said = text(&output.stderr);
        let expected = format!("error: nothing listens at {url}\n");
        assert!(said.starts_with(&expected), "{command:?}: {said}");
    }
}

#[test]
fn a_daemon_that_says_nothing_is_not_waited_for() {
    // The system takes the connection, and nobody ever reads of it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let ask = |command: &[&str]| {
        let output = run(&[command, &["--url", &url, "--timeout", "200ms"]].concat());
        expect_exit(&output, 3);
        text(&output.stderr)
    };
    let said = ask(&["dlq", "list"]);
    assert!(said.contains("did not answer within 200ms"), "{said}");
    let said = ask(&["dlq", "restore", "billing/OrderPlaced/7"]);
    assert!(said.contains("may have been done all the same"), "{said}");
}

#[test]
fn what_answers_is_not_taken_for_a_daemon() {
    let garbage = [
        "\u{0}\u{1}\u{2} this is not HTTP\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"letters\":1",
        "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"letters\":1}",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}",
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
    ];
    for bytes in garbage {
        let stranger = Scripted::bytes(bytes);
        for command in COMMANDS {
            let output = stranger.ask(command);
            expect_exit(&output, 3);
            assert!(output.stdout.is_empty(), "{command:?} prints {bytes:?}");
            let said = text(&output.stderr);
            assert!(
                said.starts_with("error: "),
                "{command:?}, {bytes:?}: {said}"
            );
            assert!(
                said.contains(&stranger.url),
                "{command:?}, {bytes:?}: {said}"
            );
        }
    }
}

#[test]
fn a_refusal_is_told_with_its_hint_and_its_exit_code() {
    let cases = [
        (400, "after", 2),
        (401, "token", 4),
        (403, "foreign-host", 4),
        (404, "unknown-consumer", 1),
        (404, "not-found", 2),
        (405, "method", 2),
        (408, "timeout", 3),
        (413, "body", 2),
        (429, "busy", 1),
        (503, "draining", 1),
    ];
    for (status, code, exit) in cases {
        let body = problem(code, "it says \u{1b}[2Jno", "do this");
        let line = "POST /v1/consumers/billing/OrderPlaced/resume";
        let daemon = Scripted::start(vec![scene(line, status, body)]);
        let output = daemon.ask(&["consumer", "resume", "billing/OrderPlaced"]);
        expect_exit(&output, exit);
        assert!(output.stdout.is_empty());
        let said = text(&output.stderr);
        let expected = match code {
            "token" => {
                "error: it says \\u{1b}[2Jno\nhelp: name the file with it: --token-file FILE\n"
                    .to_owned()
            }
            "not-found" | "method" => format!(
                "error: the daemon at {} does not know this request\nhelp: it may be older than this program\n",
                daemon.url
            ),
            _ => "error: it says \\u{1b}[2Jno\nhelp: do this\n".to_owned(),
        };
        assert_eq!(said, expected, "{status} {code}");
    }
    // A daemon from before a command says no more than this.
    let older = Scripted::bytes("HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
    let output = older.ask(&["consumer", "resume", "billing/OrderPlaced"]);
    expect_exit(&output, 2);
    assert!(text(&output.stderr).contains("does not know this request"));
}

#[test]
fn the_token_is_sent_and_a_wrong_one_is_not_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let right = token(folder.path(), "right", SECRET);
    let wrong = token(folder.path(), "wrong", &SECRET.replace('0', "1"));
    let short = token(folder.path(), "short", "secret");
    let design = repository("examples/checkout");
    let data = folder.path().join("data");
    let daemon = Daemon::start(&[
        "run",
        design.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
        "--token-file",
        &right,
    ]);
    let ask = |more: &[&str]| {
        let command = ["consumer", "list", "--url", &daemon.url];
        run(&[&command[..], more].concat())
    };
    expect_exit(&ask(&["--token-file", &right]), 0);
    let output = ask(&["--token-file", &wrong]);
    expect_exit(&output, 4);
    assert_eq!(
        text(&output.stderr),
        "error: the request needs the token\nhelp: the one of --token-file is another\n"
    );
    let output = ask(&[]);
    expect_exit(&output, 4);
    assert!(text(&output.stderr).contains("help: name the file with it: --token-file FILE"));
    let output = ask(&["--token-file", &short]);
    expect_exit(&output, 2);
    assert!(!text(&output.stderr).contains("secret"));
    expect_exit(&ask(&["--token-file", "/nowhere/token"]), 2);
}

#[test]
fn the_daemon_is_named_by_the_environment_or_the_flag() {
    let state =
        json!({ "schema": "tidegate/state/v1", "totals": {}, "consumers": [], "dependencies": [] });
    let daemon = Scripted::start(vec![scene("GET /v1/state", 200, state)]);
    let list = |url: &str, arguments: &[&str]| {
        let mut command = tidegate(&[&["breaker", "list", "--format", "json"], arguments].concat());
        command.env("TIDEGATE_URL", url).output().unwrap()
    };
    let output = list(&format!("{}/", daemon.url), &[]);
    expect_exit(&output, 1);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer,
        json!({ "schema": "tidegate/state/v1", "dependencies": [] })
    );
    expect_exit(&list("http://127.0.0.1:1", &["--url", &daemon.url]), 1);
    expect_exit(&list("nonsense", &[]), 2);
    assert_eq!(daemon.requests().len(), 2);
}

#[test]
fn https_is_spoken_and_checked() {
    // Whoever listens answers in clear text, which is no TLS.
    let clear = Scripted::bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let url = clear.url.replace("http://", "https://");
    let output = run(&["dlq", "list", "--url", &url, "--timeout", "5s"]);
    // Without certificates on the machine, nothing can be checked.
    assert!(matches!(output.status.code(), Some(2 | 3)), "{output:?}");
    assert!(
        clear.requests().is_empty(),
        "the request went out in clear text"
    );
}

#[test]
fn mistakes_of_usage_ask_nobody() {
    let daemon = Scripted::start(Vec::new());
    let long = "x".repeat(1_001);
    let cases: [&[&str]; 14] = [
        &["dlq"],
        &["dlq", "redrive"],
        &[
            "dlq",
            "redrive",
            "billing/OrderPlaced/7",
            "--consumer",
            "billing/OrderPlaced",
        ],
        &["dlq", "redrive", "billing/OrderPlaced/7", "--group", "a"],
        &["dlq", "redrive", "--where", "a"],
        &["dlq", "redrive", "billing/OrderPlaced"],
        &["dlq", "redrive", "billing/OrderPlaced/../../state"],
        &["dlq", "discard", "billing/OrderPlaced/7"],
        &["dlq", "discard", "billing/OrderPlaced/7", "--reason", " "],
        &["dlq", "discard", "billing/OrderPlaced/7", "--reason", &long],
        &["dlq", "list", "--limit", "0"],
        &["dlq", "list", "--consumer", "billing"],
        &["breaker", "open", "a/b/c"],
        &["why", ""],
    ];
    for arguments in cases {
        let output = daemon.ask(arguments);
        expect_exit(&output, 2);
        assert!(output.stdout.is_empty(), "{arguments:?} prints data");
    }
    assert_eq!(daemon.requests(), []);
}
