//! SARIF: what code scanning relies on.

use std::collections::HashSet;

use insta::assert_snapshot;
use serde_json::Value;
use tidegate_check::report::{Format, Paint, render};
use tidegate_model::Finding;

use crate::reading::checked;
use crate::report::{TEXT, design, hostile, sources};

/// What code scanning asks of a SARIF file, besides its schema.
fn sarif_is_sound(text: &str, findings: &[Finding]) {
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), findings.len());
    let mut fingerprints = HashSet::new();
    for (result, finding) in results.iter().zip(findings) {
        assert_eq!(result["ruleId"], finding.code.0);
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], finding.code.0);
        assert!(
            rule["help"]["text"]
                .as_str()
                .is_some_and(|text| text.len() > 20)
        );
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(
            result["message"]["text"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(
            uri.is_ascii() && !uri.starts_with('/') && !uri.contains([' ', '\\', ':']),
            "{uri}"
        );
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        assert!(place["region"]["startColumn"].as_u64() < place["region"]["endColumn"].as_u64());
        let fingerprint = result["partialFingerprints"]["tidegateElement/v1"]
            .as_str()
            .unwrap();
        assert!(
            fingerprints.insert(fingerprint.to_owned()),
            "{fingerprint} twice"
        );
    }
}

#[test]
fn every_result_is_sound() {
    let text = render(Format::Sarif, &design(), &sources(), Paint::Plain);
    sarif_is_sound(&text, &design());
    sarif_is_sound(
        &render(Format::Sarif, &hostile(), &[], Paint::Plain),
        &hostile(),
    );
}

#[test]
fn a_result_has_its_rule_place_and_fingerprint() {
    let short = render(Format::Sarif, &design()[1..2], &sources(), Paint::Plain);
    let page = tidegate_check::explain("E0201").unwrap();
    let short = short.replace(&serde_json::to_string(page).unwrap(), "\"(the page)\"");
    assert_snapshot!(short, @r###"
{
  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
  "version": "2.1.0",
  "runs": [
    {
      "tool": {
        "driver": {
          "name": "tidegate",
          "semanticVersion": "0.1.0",
          "rules": [
            {
              "id": "E0201",
              "shortDescription": {
                "text": "unknown event"
              },
              "help": {
                "text": "(the page)"
              },
              "defaultConfiguration": {
                "level": "error"
              }
            }
          ]
        }
      },
      "columnKind": "unicodeCodePoints",
      "results": [
        {
          "ruleId": "E0201",
          "level": "error",
          "message": {
            "text": "event `OrderPlacd` is not defined\ndid you mean `OrderPlaced`?"
          },
          "locations": [
            {
              "physicalLocation": {
                "artifactLocation": {
                  "uri": "design.yaml"
                },
                "region": {
                  "startLine": 6,
                  "startColumn": 57,
                  "endColumn": 67
                }
              }
            }
          ],
          "partialFingerprints": {
            "tidegateElement/v1": "E0201:design.yaml:services.orders.publishes:1"
          },
          "ruleIndex": 0
        }
      ]
    }
  ]
}
"###);
}

#[test]
fn fingerprints_stay_when_lines_move() {
    let moved = TEXT.replace("events:", "\n\n# a remark\nevents:");
    let prints = |findings: &[Finding]| {
        let text = render(Format::Sarif, findings, &[], Paint::Plain);
        let document: Value = serde_json::from_str(&text).unwrap();
        let results = document["runs"][0]["results"].as_array().unwrap().clone();
        results
            .iter()
            .map(|r| r["partialFingerprints"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(prints(&checked(&moved)), prints(&design()));
}
