//! Reports: every format of real captures, and texts of captures that mean to do harm.
#![cfg(test)]

mod captures;

use captures::{all, folder};
use proptest::prelude::*;
use serde_json::Value;
use tidegate_discover::{Discovery, Paint, ReportFormat, discover, report};
use tidegate_trace::read;

fn load(path: &str) -> Option<Discovery> {
    let bytes = std::fs::read(folder()?.join(path)).unwrap();
    Some(discover(&[(path.to_owned(), read(path, &bytes).unwrap())]))
}

#[test]
fn the_boutique_for_a_terminal() {
    let Some(discovery) = load("online_boutique/nezha_online_boutique_normal.otlp.json") else {
        return;
    };
    insta::assert_snapshot!(
        "boutique_terminal",
        report(&discovery, ReportFormat::Human, Paint::Plain)
    );
}

#[test]
fn the_failing_shop_for_a_wiki() {
    let Some(discovery) = load("otel_demo/otel_demo_traces.otlp.pb") else {
        return;
    };
    insta::assert_snapshot!(
        "failing_shop_wiki",
        report(&discovery, ReportFormat::Markdown, Paint::Plain)
    );
}

#[test]
fn json_is_json_and_a_page_is_whole_for_every_capture() {
    for (name, traces) in all() {
        let captures = [(name.clone(), traces)];
        let discovery = discover(&captures);
        let text = |discovery| report(discovery, ReportFormat::Json, Paint::Plain);
        assert_eq!(
            text(&discovery),
            text(&discover(&captures)),
            "{name}: not the same twice"
        );
        let json: Value =
            serde_json::from_str(&report(&discovery, ReportFormat::Json, Paint::Plain)).unwrap();
        assert_eq!(json["schema"], "tidegate/discover/v1", "{name}");
        assert_eq!(
            json["candidates"].as_array().unwrap().len(),
            discovery.calls.len(),
            "{name}"
        );
        let page = report(&discovery, ReportFormat::Html, Paint::Plain);
        assert_is_whole(&page, &name);
    }
}

/// Every tag that opens closes in order; nothing is loaded from elsewhere.
fn assert_is_whole(page: &str, name: &str) {
    const VOID: [&str; 3] = ["meta", "!doctype", "br"];
    let mut open = Vec::new();
    for part in page.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        let word = tag
            .trim_start_matches('/')
            .split_whitespace()
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(word), "{name}");
        } else if !VOID.contains(&word) && !tag.ends_with('/') {
            open.push(word);
        }
    }
    assert!(open.is_empty(), "{name}: {open:?}");
    for forbidden in [
        "http://", "https://", "src=", "href=", "@import", "url(", "<script",
    ] {
        // Names in captures may hold addresses: as text only, which the tags above show.
        let in_markup = page
            .split('<')
            .any(|part| part.split('>').next().unwrap().contains(forbidden));
        assert!(!in_markup, "{name}: {forbidden}");
    }
}

/// One caller, one callee, five calls, all names hostile.
fn hostile(name: &str) -> Discovery {
    let text = |text: &str| Value::from(text).to_string();
    let mut spans = Vec::new();
    for call in 1..=6 {
        spans.push(format!(
            r#"{{"traceId":"{call:032}","id":"000000000000000a","name":{0},"timestamp":{1},"duration":900000,"kind":"SERVER","localEndpoint":{{"serviceName":{2}}}}}"#,
            text(name), call * 1_000_000, text(&format!("a{name}"))
        ));
        spans.push(format!(
            r#"{{"traceId":"{call:032}","id":"000000000000000b","parentId":"000000000000000a","name":{0},"timestamp":{1},"duration":500000,"kind":"CLIENT","localEndpoint":{{"serviceName":{2}}},"remoteEndpoint":{{"serviceName":{3}}}}}"#,
            text(&format!("send {name}")), call * 1_000_000 + 100, text(&format!("a{name}")), text(&format!("b{name}"))
        ));
    }
    let file = format!("[{}]", spans.join(","));
    discover(&[(name.to_owned(), read(name, file.as_bytes()).unwrap())])
}

#[test]
fn a_name_cannot_leave_its_place() {
    let name = "</title><script>alert(1)</script>\"'|`\u{1b}[31m\n- x";
    let discovery = hostile(name);
    assert_eq!(discovery.calls.len(), 1);
    let page = report(&discovery, ReportFormat::Html, Paint::Plain);
    assert!(!page.contains("<script"), "{page}");
    assert_is_whole(&page, name);
    let human = report(&discovery, ReportFormat::Human, Paint::Plain);
    assert!(!human.contains('\u{1b}'), "{human}");
    let markdown = report(&discovery, ReportFormat::Markdown, Paint::Plain);
    assert!(
        !markdown.contains("<script") && !markdown.contains("\n- x"),
        "{markdown}"
    );
}

proptest! {
    #[test]
    fn no_name_breaks_a_report(name in "[ -~\n\u{1b}é]{1,40}") {
        let discovery = hostile(&name);
        assert_is_whole(&report(&discovery, ReportFormat::Html, Paint::Plain), &name);
        let human = report(&discovery, ReportFormat::Human, Paint::Plain);
        prop_assert!(!human.contains('\u{1b}'), "an escape sequence");
        let json = report(&discovery, ReportFormat::Json, Paint::Plain);
        prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
    }
}
