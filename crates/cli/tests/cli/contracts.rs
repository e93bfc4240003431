//! `tidegate contracts`, `tidegate impact`, and `check` over contracts.

use std::path::Path;

use serde_json::Value;

use crate::support::{repository, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const SHOP: &str = "
tidegate: 1
system: shop
events:
  OrderPlaced:
    summary: An order was accepted.
    owner: team-orders
    key: /id
    version: v2
    versions: {v1: {schema: {type: object, additionalProperties: false, required: [id, status], properties: {id: {type: string}, status: {enum: [placed]}}}}}
    schema: {type: object, additionalProperties: false, required: [id, status], properties: {id: {type: string}, status: {enum: [placed, paid]}}}
services:
  orders: {owner: team-orders, publishes: [{event: OrderPlaced, versions: [v1]}]}
  email: {owner: team-email, consumes: {OrderPlaced: {requires: [id, {field: /status, values: [placed]}], dead-letter: {owner: team-email}}}}
  archive: {owner: team-data, consumes: {OrderPlaced: {reads: v1, dead-letter: {owner: team-data}}}}
";

fn file(folder: &Path, design: &str) -> String {
    let path = folder.join("design.yaml");
    std::fs::write(&path, design).unwrap();
    path.display().to_string()
}

#[test]
fn contracts_are_shown_in_three_formats() {
    let folder = tempfile::tempdir().unwrap();
    let design = file(folder.path(), SHOP);
    let shown = |format: &str| {
        let output = run(&["contracts", &design, "--format", format]);
        assert_eq!(output.status.code(), Some(0), "what is published is read");
        assert!(output.stderr.is_empty());
        text(&output.stdout).replace(&design, "design.yaml")
    };
    let human = shown("human");
    let head = "EVENT        VERSION  PRODUCER  CONSUMER  READ\n\
                OrderPlaced  v1       orders    email     yes\n\
                OrderPlaced  v1       orders    archive   yes\n\
                OrderPlaced  v2       (kept)    email     no\n\
                OrderPlaced  v2       (kept)    archive   no\n";
    assert!(human.starts_with(head), "{human}");
    assert!(
        human.contains("this event may be sent: {\"id\":\"a\",\"status\":\"paid\"}"),
        "{human}"
    );
    let steps =
        "upgrade, in this order:\n  1. archive: take OrderPlaced in version v2\n  1. email: take";
    assert!(human.contains(steps), "{human}");
    assert!(
        human.contains("  2. orders: publish OrderPlaced in version v2 alone\n"),
        "{human}"
    );
    assert!(shown("markdown").contains("| OrderPlaced | v2 | (kept) | email | **no** |"));
    let json: Value = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!(
        (&json["schema"], &json["met"]),
        (&"tidegate/contracts/v1".into(), &true.into())
    );
    assert_eq!(json["events"][0]["contracts"].as_array().unwrap().len(), 4);
    assert_eq!(json["upgrade"]["steps"][0][0]["service"], "archive");
}

#[test]
fn a_contract_that_is_not_met_fails_check_and_contracts_alike() {
    let folder = tempfile::tempdir().unwrap();
    let design = file(
        folder.path(),
        &SHOP.replace("versions: [v1]", "versions: [v2]"),
    );
    let output = run(&["contracts", &design]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("this event may be sent: {\"id\":\"a\",\"status\":\"paid\"}")
    );
    let output = run(&["check", &design, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    let codes: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["E0901", "E0901"], "{json:#}");
    let sarif = run(&["check", &design, "--format", "sarif"]);
    assert!(text(&sarif.stdout).contains("contract that is not met"));
    // Nothing runs on contracts that are broken.
    assert_eq!(run(&["simulate", &design]).status.code(), Some(2));
}

#[test]
fn impact_names_who_breaks_and_their_owners() {
    let folder = tempfile::tempdir().unwrap();
    // As it is in `SHOP`, the newest version breaks it already.
    let design = file(
        folder.path(),
        &SHOP.replace("values: [placed]", "values: [placed, paid]"),
    );
    let output = run(&["impact", &design, "OrderPlaced#/status"]);
    assert_eq!(output.status.code(), Some(0));
    let human = text(&output.stdout);
    assert!(
        human.starts_with(
            "OrderPlaced#/status (team-orders)\n  published by orders (team-orders)\n"
        )
    );
    assert!(
        human.contains("  read as a whole by archive (team-data)\n"),
        "{human}"
    );
    assert!(human.contains("  breaks email (team-email)\n"), "{human}");
    let output = run(&["impact", &design, "OrderPlaced#/status", "--format", "json"]);
    let json: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    assert_eq!(json["schema"], "tidegate/impact/v1");
    assert_eq!(json["changes"][0]["breaks"][0]["owner"], "team-email");
    for (asked, said) in [
        ("OrderPlacd", "did you mean `OrderPlaced`?"),
        ("OrderPlaced#/stat", "did you mean `/status`?"),
        ("OrderPlaced#", "no JSON pointer"),
    ] {
        let output = run(&["impact", &design, asked]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(said),
            "{}",
            text(&output.stderr)
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_bad_rule_stops_every_command_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let design = file(
        folder.path(),
        &SHOP.replace(
            "    key: /id",
            "    key: /id\n    rules: [event.stats == 'x']",
        ),
    );
    for command in [
        &["contracts", &design][..],
        &["impact", &design, "OrderPlaced"],
    ] {
        let output = run(command);
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(
            said.contains("E0904") && said.contains("design.yaml:9:18"),
            "{said}"
        );
        assert!(said.contains("did you mean `status`?"), "{said}");
    }
}

#[test]
fn the_contracts_of_the_example_are_met() {
    let design = repository("examples/checkout").display().to_string();
    let output = run(&["contracts", &design]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("everybody is on the newest version already"));
}
