//! What people and CI systems are shown.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;
use tidegate_check::report::{Format, Paint};
use tidegate_contracts::past::{Change, Report, compare};
use tidegate_model::{Design, Finding, Severity};

use crate::designs::{SHOP, design, edited, options, reading};

/// A report of two texts.
struct Case {
    old: Design,
    new: Design,
    changes: Vec<Change>,
    texts: (String, String),
}

impl Case {
    fn of(old: &str, new: &str) -> Self {
        let texts = (old.to_owned(), new.to_owned());
        let (old, new) = (design("old.yaml", old), design("new.yaml", new));
        let changes = compare(&old, &[], &new, &options());
        Self {
            old,
            new,
            changes,
            texts,
        }
    }

    fn with(
        &self,
        format: Format,
        against: &str,
        shows_harmless: bool,
        findings: &[Finding],
    ) -> String {
        let sources = [
            ("new.yaml", self.texts.1.as_str()),
            ("old.yaml", self.texts.0.as_str()),
        ];
        let machine = format != Format::Human;
        let report = Report {
            against,
            past: &self.old,
            new: &self.new,
            changes: &self.changes,
            findings,
            sources: if machine { &sources[..1] } else { &sources },
            shows_harmless,
        };
        report.render(format, Paint::Plain)
    }

    fn render(&self, format: Format) -> String {
        self.with(format, "main", false, &[])
    }
}

fn key_and_more() -> Case {
    let new = edited(SHOP, "key: /orderId", "key: /total");
    let new = edited(&new, "objective: 31s", "objective: 1m");
    let new = edited(&new, "      InvoicePaid: {dead-letter: {}}\n", "");
    Case::of(SHOP, &edited(&new, "Takes orders.", "Takes any order."))
}

#[test]
fn people_see_what_breaks_with_both_places() {
    let text = key_and_more().render(Format::Human);
    assert!(
        text.contains("error[E1010]: `key` of event `OrderPlaced` is `/total`, was `/orderId`"),
        "{text}"
    );
    assert!(text.contains("--> new.yaml:16:10"), "{text}");
    assert!(text.contains("= old.yaml:16:10: it was so here"), "{text}");
    // What is gone is shown with its line of before.
    assert!(text.contains("--> old.yaml:50:7\n"), "{text}");
    assert!(
        text.contains("50 |       InvoicePaid: {dead-letter: {}}"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "against main: 1 breaking, 2 risky, 1 harmless changes (`--harmless` shows those)\n"
        ),
        "{text}"
    );
    assert!(!text.contains("E1059"));
    let all = key_and_more().with(Format::Human, "ma\u{1b}[2Jin", true, &[]);
    assert!(all.contains("note[E1059]") && !all.contains('\u{1b}'));
    let none = Case::of(SHOP, SHOP).render(Format::Human);
    assert_eq!(none, "no findings in 2 files\nagainst main: no changes\n");
}

#[test]
fn programs_get_one_document_with_all_there_is_to_know() {
    let text = key_and_more().with(Format::Json, "main", true, &[]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "tidegate/check/v1");
    assert_eq!(document["findings"].as_array().unwrap().len(), 4);
    let against = &document["against"];
    assert_eq!(against["past"], "main");
    assert_eq!(
        [
            &against["breaking"],
            &against["risky"],
            &against["harmless"],
            &against["accepted"]
        ],
        [1, 2, 1, 0]
    );
    let changes = against["changes"].as_array().unwrap();
    assert_eq!(changes[0]["kind"], "breaking");
    assert_eq!(
        (&changes[0]["old"], &changes[0]["new"]),
        (&"/orderId".into(), &"/total".into())
    );
    assert_eq!(changes[0]["touches"][0]["name"], "billing/OrderPlaced");
    assert_eq!(changes[0]["touches"][0]["owner"], "team-billing");
    let gone = changes
        .iter()
        .find(|change| change["code"] == "E1018")
        .unwrap();
    assert_eq!(
        (&gone["place"]["file"], &gone["anchor"]["file"]),
        (&"old.yaml".into(), &"new.yaml".into())
    );
}

/// Formats that show findings at lines of the change know no file but the new one.
#[test]
fn annotations_are_at_lines_of_the_new_design() {
    let text = key_and_more().render(Format::Github);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.lines().all(|line| line.contains(" file=new.yaml,")),
        "{text}"
    );
    let sarif: Value = serde_json::from_str(&key_and_more().render(Format::Sarif)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "new.yaml");
        assert!(place["region"]["startLine"].as_u64().unwrap() > 1);
        assert!(
            result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                == "old.yaml"
        );
    }
}

#[test]
fn fingerprints_of_sarif_stay_when_lines_move() {
    let prints = |new: &str| {
        let text = Case::of(SHOP, new).render(Format::Sarif);
        let document: Value = serde_json::from_str(&text).unwrap();
        let results = document["runs"][0]["results"].as_array().unwrap().clone();
        results
            .iter()
            .map(|result| result["partialFingerprints"].to_string())
            .collect::<Vec<_>>()
    };
    let new = edited(SHOP, "key: /orderId", "key: /total");
    let moved = new.replace("\nevents:\n", "\n# A remark.\n\nevents:\n");
    assert_eq!(prints(&new), prints(&moved));
    assert_eq!(prints(&new).len(), 1);
}

/// Texts of a design that try to be something else in every format.
fn hostile() -> Case {
    let evil = r#"]]> <script>alert(1)</script> `x | [l](http://evil.example) ![i](//evil.example/i.png) www.evil.example @octocat #1 **b** %0A::error::x & 'q'"#;
    let owner = evil.replace('"', "'");
    let old = format!(
        "tidegate: 1\nsystem: s\nevents: {{A: {{key: /id}}}}\nservices:\n  a: {{publishes: [A]}}\n  b: {{owner: \
         \"{owner}\", consumes: {{A: {{}}}}}}\n"
    );
    Case::of(&old, &old.replace("key: /id", "key: '/<i>id|x'"))
}

#[test]
fn nothing_in_a_design_breaks_out_of_a_format() {
    let case = hostile();
    assert_eq!(case.changes.len(), 1);
    let github = case.render(Format::Github);
    assert_eq!(github.lines().count(), 1, "{github}");
    assert!(github.contains("%250A::error::x"), "{github}");
    let junit = case.render(Format::Junit);
    let mut reader = Reader::from_str(&junit);
    let mut cases = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.name().as_ref().to_owned();
                assert!(
                    ["testsuites", "testsuite", "testcase", "failure"].contains(&name.as_str()),
                    "{name}"
                );
                cases += usize::from(name == "testcase");
            }
            _ => {}
        }
    }
    assert_eq!(cases, 1);
    let markdown = case.render(Format::Markdown);
    let row = markdown
        .lines()
        .find(|line| line.contains("E1010"))
        .unwrap();
    for bad in [
        "<script>", "](http", "@octocat", "**b**", "://evil", "www.evil", "<i>id|",
    ] {
        assert!(!row.contains(bad), "{bad}: {row}");
    }
    // Bars that part cells: as many as in any other row.
    let bars = row.replace("\\|", "").matches('|').count();
    assert_eq!(bars, 6, "{row}");
    let json: Value = serde_json::from_str(&case.render(Format::Json)).unwrap();
    assert_eq!(json["against"]["changes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_summary_shows_what_is_touched() {
    let text = key_and_more().render(Format::Markdown);
    assert!(
        text.starts_with("### Against main\n\n**1 breaking, 2 risky, 1 harmless changes**\n"),
        "{text}"
    );
    let picture = text
        .split("```mermaid\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert!(picture.starts_with("flowchart LR\n"), "{picture}");
    let id = |name: &str| {
        let line = picture
            .lines()
            .find(|line| line.contains(&format!("[\"{name}\"]")))
            .unwrap();
        line.trim().split(['[', '(']).next().unwrap().to_owned()
    };
    let (order, billing, mail, paid) = (
        id("OrderPlaced"),
        id("billing"),
        id("mail"),
        id("InvoicePaid"),
    );
    assert!(picture.contains(&format!("class {order} breaking")));
    assert!(picture.contains(&format!("class {mail} risky")));
    assert!(
        picture.contains(&format!("{order} --> {billing}")),
        "{picture}"
    );
    assert!(
        picture.contains(&format!("{paid} -. was .-> {mail}")),
        "{picture}"
    );
    assert!(!picture.contains("archive"));
    let none = Case::of(SHOP, SHOP).render(Format::Markdown);
    assert!(!none.contains("mermaid") && none.contains("**no changes**"));
}

/// Every event loses its key, and owners are long: a job's summary takes 1 MiB.
#[test]
fn a_summary_stays_below_what_ci_systems_take() {
    let mut old = String::from("tidegate: 1\nsystem: s\nevents:\n");
    for number in 0..2_000 {
        old.push_str(&format!("  Event{number}: {{key: /id}}\n"));
    }
    old.push_str(&format!(
        "services:\n  a: {{owner: \"{}\", consumes: {{",
        "<&".repeat(1_000)
    ));
    for number in 0..2_000 {
        old.push_str(&format!("Event{number}: {{}}, "));
    }
    old.push_str("}}\n");
    let case = Case::of(&old, &old.replace("key: /id", "key: /di"));
    assert_eq!(case.changes.len(), 2_000);
    let others: Vec<Finding> = case
        .changes
        .iter()
        .map(|change| change.finding.clone())
        .collect();
    let text = case.with(Format::Markdown, "main", true, &others);
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    assert!(text.contains("more\n"));
    let arrows = text.matches("-->").count();
    assert!(
        arrows <= 200 && text.matches("([\"").count() <= 60,
        "{arrows}"
    );
}

#[test]
fn the_worst_is_that_of_what_is_shown() {
    let case = Case::of(SHOP, &edited(SHOP, "Takes orders.", "Takes any order."));
    let report = |shows_harmless| {
        let report = Report {
            against: "main",
            past: &case.old,
            new: &case.new,
            changes: &case.changes,
            findings: &[],
            sources: &[],
            shows_harmless,
        };
        report.worst()
    };
    assert_eq!((report(false), report(true)), (None, Some(Severity::Note)));
}

#[test]
fn a_past_that_cannot_be_read_as_a_whole_is_said_to_be_so() {
    let broken = reading(
        "old.yaml",
        "tidegate: 1\nsystem: s\nevents: {A: {retention: soon}}\n",
    );
    let finding = tidegate_contracts::past::unread("main", &broken.findings).unwrap();
    assert_eq!(
        (finding.code.0, finding.severity),
        ("E1054", Severity::Warning)
    );
    assert!(
        finding.message.contains("`main`") && finding.message.contains("E0105"),
        "{}",
        finding.message
    );
    let sound = reading("old.yaml", SHOP);
    assert_eq!(
        tidegate_contracts::past::unread("main", &sound.findings),
        None
    );
}
