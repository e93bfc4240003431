//! The formats of findings: what is shown, and that nothing in a name can break out of it.

use std::sync::Arc;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value;
use tidegate_check::report::{Format, Paint, render};
use tidegate_model::{Code, Finding, Place, Severity};

use crate::reading::checked;

pub(crate) const TEXT: &str = "tidegate: 1
system: shop
events:
  OrderPlaced: {summary: It happened., schema: broken.json}
services:
  orders: {owner: team-orders, publishes: [OrderPlaced, OrderPlacd]}
  billing:
    owner: team-billing
    consumes:
      OrderPlaced: {order: total, deliver: {concurrency: 4}}
";

pub(crate) fn design() -> Vec<Finding> {
    checked(TEXT)
}

pub(crate) fn sources() -> [(&'static str, &'static str); 1] {
    [("design.yaml", TEXT)]
}

/// Findings with everything in them that a format must escape.
pub(crate) fn hostile() -> Vec<Finding> {
    let place = |file: &str, line| Place {
        file: Arc::from(file),
        line,
        column: 2,
        length: 3,
    };
    let finding = |file: &str, line, message: &str| Finding {
        code: Code("E0201"),
        severity: Severity::Error,
        place: place(file, line),
        path: "services.a,b:c".to_owned(),
        message: message.to_owned(),
        hint: Some("100% <b>sure</b>\nline two".to_owned()),
        related: vec![(place("x\u{1b}[31m.yaml", 9), "]]> & \"quoted\"".to_owned())],
    };
    vec![
        finding(
            "a b/ü%,:.yaml",
            1,
            "a | b & <c> 'd' \"e\"\r\n::error::injected \u{1b}[2J\u{202e}",
        ),
        finding("./dir\\two.yaml", 4_000_000_000, "\u{0}\u{ffff}"),
    ]
}

#[test]
fn people_see_the_line_and_the_next_step() {
    assert_snapshot!(render(Format::Human, &design(), &sources(), Paint::Plain), @r###"
error[E0502]: the schema of `OrderPlaced` is not valid: "decimal" is not a type: write array, boolean, integer, null, number, object or string at `/properties/total/type`
 --> design.yaml:4:48
  |
4 |   OrderPlaced: {summary: It happened., schema: broken.json}
  |                                                ^^^^^^^^^^^
  = broken.json:3:15: inside the schema
  = help: correct the schema there: nothing can be published to this event until it compiles

error[E0201]: event `OrderPlacd` is not defined
 --> design.yaml:6:57
  |
6 |   orders: {owner: team-orders, publishes: [OrderPlaced, OrderPlacd]}
  |                                                         ^^^^^^^^^^
  = help: did you mean `OrderPlaced`?

warning[E0306]: `billing/OrderPlaced` says nothing of dead letters: nobody looks after them, and they are kept without end
  --> design.yaml:10:7
   |
10 |       OrderPlaced: {order: total, deliver: {concurrency: 4}}
   |       ^^^^^^^^^^^
   = help: write `dead-letter: {owner: team-…, retention: 30d}`

warning[E0305]: `billing/OrderPlaced` keeps total order, so one delivery runs at a time, not 4
  --> design.yaml:10:58
   |
10 |       OrderPlaced: {order: total, deliver: {concurrency: 4}}
   |                                                          ^
   = design.yaml:10:28: total order
   = help: write `concurrency: 1`, or `order: key` to run different keys at the same time

2 errors, 2 warnings in 1 file
"###);
    assert_snapshot!(render(Format::Human, &[], &sources(), Paint::Plain), @"no findings in 1 file");
}

#[test]
fn colours_add_nothing_but_colours() {
    let plain = render(Format::Human, &design(), &sources(), Paint::Plain);
    let coloured = render(Format::Human, &design(), &sources(), Paint::Ansi);
    assert!(coloured.contains("\u{1b}[1;31merror[E0201]\u{1b}[0m"));
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        bare.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    bare.push_str(rest);
    assert_eq!(bare, plain);
}

#[test]
fn json_is_one_document_of_a_named_schema() {
    let text = render(Format::Json, &design()[..1], &sources(), Paint::Plain);
    assert_snapshot!(text, @r###"
{
  "schema": "tidegate/check/v1",
  "summary": {
    "errors": 1,
    "warnings": 0,
    "notes": 0,
    "files": 1
  },
  "findings": [
    {
      "code": "E0502",
      "severity": "error",
      "message": "the schema of `OrderPlaced` is not valid: \"decimal\" is not a type: write array, boolean, integer, null, number, object or string at `/properties/total/type`",
      "path": "events.OrderPlaced.schema",
      "place": {
        "file": "design.yaml",
        "line": 4,
        "column": 48,
        "length": 11
      },
      "hint": "correct the schema there: nothing can be published to this event until it compiles",
      "related": [
        {
          "place": {
            "file": "broken.json",
            "line": 3,
            "column": 15,
            "length": 6
          },
          "message": "inside the schema"
        }
      ]
    }
  ]
}
"###);
    let hostile: Value =
        serde_json::from_str(&render(Format::Json, &hostile(), &[], Paint::Plain)).unwrap();
    assert_eq!(hostile["findings"].as_array().unwrap().len(), 2);
    assert_eq!(hostile["summary"]["files"], 2);
}

#[test]
fn annotations_are_escaped() {
    assert_snapshot!(render(Format::Github, &design(), &sources(), Paint::Plain), @r###"
::error file=design.yaml,line=4,col=48,endColumn=59,title=E0502 events.OrderPlaced.schema::the schema of `OrderPlaced` is not valid: "decimal" is not a type: write array, boolean, integer, null, number, object or string at `/properties/total/type`%0Ahelp: correct the schema there: nothing can be published to this event until it compiles
::error file=design.yaml,line=6,col=57,endColumn=67,title=E0201 services.orders.publishes::event `OrderPlacd` is not defined%0Ahelp: did you mean `OrderPlaced`?
::warning file=design.yaml,line=10,col=7,endColumn=18,title=E0306 services.billing.consumes.OrderPlaced::`billing/OrderPlaced` says nothing of dead letters: nobody looks after them, and they are kept without end%0Ahelp: write `dead-letter: {owner: team-…, retention: 30d}`
::warning file=design.yaml,line=10,col=58,endColumn=59,title=E0305 services.billing.consumes.OrderPlaced.deliver.concurrency::`billing/OrderPlaced` keeps total order, so one delivery runs at a time, not 4%0Ahelp: write `concurrency: 1`, or `order: key` to run different keys at the same time
"###);
    let text = render(Format::Github, &hostile(), &[], Paint::Plain);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.starts_with("::error file=")));
    assert!(text.contains("file=a b/ü%25%2C%3A.yaml,line=1,col=2,endColumn=5,"));
    assert!(text.contains("%0D%0A::error::injected"));
}

#[test]
fn markdown_keeps_one_row_a_finding() {
    assert_snapshot!(render(Format::Markdown, &design(), &sources(), Paint::Plain), @r###"
**2 errors, 2 warnings in 1 file**

| severity | code | place | finding | next step |
|---|---|---|---|---|
| error | E0502 | design.yaml:4:48 | the schema of `OrderPlaced` is not valid: "decimal" is not a type: write array, boolean, integer, null, number, object or string at `/properties/total/type` | correct the schema there: nothing can be published to this event until it compiles |
| error | E0201 | design.yaml:6:57 | event `OrderPlacd` is not defined | did you mean `OrderPlaced`? |
| warning | E0306 | design.yaml:10:7 | `billing/OrderPlaced` says nothing of dead letters: nobody looks after them, and they are kept without end | write `dead-letter: {owner: team-…, retention: 30d}` |
| warning | E0305 | design.yaml:10:58 | `billing/OrderPlaced` keeps total order, so one delivery runs at a time, not 4 | write `concurrency: 1`, or `order: key` to run different keys at the same time |
"###);
    let text = render(Format::Markdown, &hostile(), &[], Paint::Plain);
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("| error"))
            .count(),
        2,
        "{text}"
    );
    assert!(!text.contains("<b>"));
}

#[test]
fn junit_has_a_suite_a_file_and_a_case_a_rule() {
    assert_snapshot!(render(Format::Junit, &design(), &sources(), Paint::Plain), @r###"
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="tidegate check" tests="4" failures="2">
  <testsuite name="design.yaml" tests="4" failures="2">
    <testcase classname="design.yaml" name="E0201">
      <failure type="error" message="event `OrderPlacd` is not defined">design.yaml:6:57: error: event `OrderPlacd` is not defined&#10;  help: did you mean `OrderPlaced`?</failure>
    </testcase>
    <testcase classname="design.yaml" name="E0305">
      <system-out>design.yaml:10:58: warning: `billing/OrderPlaced` keeps total order, so one delivery runs at a time, not 4&#10;  help: write `concurrency: 1`, or `order: key` to run different keys at the same time</system-out>
    </testcase>
    <testcase classname="design.yaml" name="E0306">
      <system-out>design.yaml:10:7: warning: `billing/OrderPlaced` says nothing of dead letters: nobody looks after them, and they are kept without end&#10;  help: write `dead-letter: {owner: team-…, retention: 30d}`</system-out>
    </testcase>
    <testcase classname="design.yaml" name="E0502">
      <failure type="error" message="the schema of `OrderPlaced` is not valid: &quot;decimal&quot; is not a type: write array, boolean, integer, null, number, object or string at `/properties/total/type`">design.yaml:4:48: error: the schema of `OrderPlaced` is not valid: &quot;decimal&quot; is not a type: write array, boolean, integer, null, number, object or string at `/properties/total/type`&#10;  help: correct the schema there: nothing can be published to this event until it compiles</failure>
    </testcase>
  </testsuite>
</testsuites>
"###);
    assert_snapshot!(render(Format::Junit, &[], &sources(), Paint::Plain), @r###"
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="tidegate check" tests="1" failures="0">
  <testsuite name="design.yaml" tests="1" failures="0">
    <testcase classname="design.yaml" name="check"/>
  </testsuite>
</testsuites>
"###);
    let text = render(Format::Junit, &hostile(), &[], Paint::Plain);
    assert!(
        text.contains(
            "message=\"a | b &amp; &lt;c&gt; &apos;d&apos; &quot;e&quot;&#13;&#10;::error"
        )
    );
    assert!(!text.contains('\u{0}') && !text.contains('\u{1b}') && !text.contains('\u{ffff}'));
    assert!(well_formed(&text), "{text}");
}

/// Whether every tag of `text` is closed in order and every `&` starts an entity.
fn well_formed(text: &str) -> bool {
    let mut open = Vec::new();
    for part in text.split('<').skip(1) {
        let Some((tag, content)) = part.split_once('>') else {
            return false;
        };
        if content
            .split('&')
            .skip(1)
            .any(|entity| !entity.contains(';'))
        {
            return false;
        }
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            if open.pop() != Some(closed) {
                return false;
            }
        } else if !tag.ends_with('/') && !tag.starts_with('?') {
            open.push(name);
        }
    }
    open.is_empty()
}

#[test]
fn files_of_annotations_are_paths_from_the_root() {
    let mut findings = design();
    for finding in &mut findings {
        finding.place.file = Arc::from(format!("./{}", finding.place.file));
    }
    let text = render(Format::Github, &findings, &sources(), Paint::Plain);
    let plain = render(Format::Github, &design(), &sources(), Paint::Plain);
    assert_eq!(text, plain);
}

#[test]
fn nothing_in_a_name_steers_the_terminal() {
    let text = render(
        Format::Human,
        &hostile(),
        &[("a b/ü%,:.yaml", "\u{1b}[2Jx")],
        Paint::Plain,
    );
    assert!(
        !text.contains(['\u{1b}', '\u{202e}', '\r', '\0']),
        "{text:?}"
    );
}

#[test]
fn words_name_the_formats() {
    for (word, format) in Format::ALL {
        assert_eq!(Format::parse(word), Some(*format));
    }
    assert_eq!(Format::parse("yaml"), None);
}

proptest! {
    #[test]
    fn no_place_and_no_text_panics(
        line in any::<u32>(), column in any::<u32>(), length in any::<u32>(),
        message in ".{0,30}", source in "(.{0,20}\n){0,4}", file in ".{0,8}",
    ) {
        let place = Place { file: Arc::from(file.as_str()), line, column, length };
        let finding = Finding {
            code: Code("E0201"), severity: Severity::Note, place: place.clone(), path: message.clone(),
            message: message.clone(), hint: Some(message.clone()), related: vec![(place, message)],
        };
        for (_, format) in Format::ALL {
            for paint in [Paint::Plain, Paint::Ansi] {
                let findings = std::slice::from_ref(&finding);
                let text = render(*format, findings, &[(&file, &source)], paint);
                prop_assert!(text.ends_with('\n') && text.len() < 20_000);
            }
        }
    }
}
