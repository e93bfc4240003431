//! Whole designs, selected for and reported.

#![cfg(test)]

use proptest::prelude::*;
use tidegate_base::Timestamp;
use tidegate_model::{Design, Source};
use tidegate_select::facts::{Criterion, Fact, Kind, Value};
use tidegate_select::{Amount, Certainty, Facts, Outcome, Selection, Workload, select};

const SHOP: &str = "
tidegate: 1
system: shop
events:
  OrderPlaced: {key: /orderId, retention: 7d, targets: {rate: 2000/s, peak: 10000/s, p99: 250ms, size: 1KiB}}
services:
  orders: {publishes: [OrderPlaced]}
  billing:
    consumes:
      OrderPlaced:
        deliver: {concurrency: 16}
        guarantee: deduplicated
        needs: [payments-api]
        dead-letter: {owner: team-billing}
dependencies:
  payments-api: {breaker: {open: 10s}}
messaging: {existing: [postgres], clouds: [self-hosted, aws]}
";

fn design(text: &str) -> Design {
    let file = Source {
        name: "design.yaml".into(),
        text: text.to_owned(),
    };
    let reading = tidegate_model::read(&[file], &|_| Err("no files here".to_owned()));
    reading
        .design
        .unwrap_or_else(|| panic!("{:#?}", reading.findings))
}

fn today() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-24T08:00:00Z").unwrap()
}

fn selected(text: &str) -> Selection {
    select(&design(text), &Facts::bundled().unwrap(), today())
}

fn is_out(selection: &Selection, option: &str) -> bool {
    selection
        .out
        .iter()
        .any(|excluded| excluded.option == option)
}

/// The outcome of one check of one option.
fn outcome(selection: &Selection, option: &str, criterion: &str) -> Outcome {
    let remaining = selection.ranking.iter().map(|r| (&r.option, &r.checks));
    let out = selection.out.iter().map(|e| (&e.option, &e.checks));
    let (_, checks) = remaining.chain(out).find(|(id, _)| *id == option).unwrap();
    checks
        .iter()
        .find(|check| check.criterion == criterion)
        .unwrap()
        .outcome
}

#[test]
fn the_bundled_facts_are_sound_and_every_one_has_a_source() {
    let facts = Facts::bundled().unwrap();
    assert_eq!(facts.options.len(), 15);
    for fact in &facts.facts {
        assert!(!fact.source.is_empty() && !fact.unit.is_empty(), "{fact:?}");
    }
    for option in &facts.options {
        assert!(
            facts.of(&option.id, Criterion::Operations).is_some(),
            "{}",
            option.id
        );
    }
}

#[test]
fn a_wrong_table_is_refused_with_its_reason() {
    let fact = r#"{"option": "x", "criterion": "replay", "value": true, "unit": "yes/no", "kind": "default", "confidence": "read", "source": "s", "as_of": "2026"}"#;
    let table = |options: &str, facts: &str| {
        let text = format!(
            r#"{{"schema": "tidegate/facts/v1", "expires_after_days": 365, "options": [{options}], "facts": [{facts}]}}"#
        );
        Facts::parse(&text)
    };
    let option = r#"{"id": "x", "name": "X", "aliases": [], "runs": "software", "protocols": []}"#;
    assert!(table(option, fact).is_ok());
    let reason = |facts: &str, options: &str| table(options, facts).unwrap_err().to_string();
    assert_eq!(
        reason(fact, ""),
        "a fact is about `x`, which is not among the options"
    );
    assert_eq!(
        reason(&format!("{fact}, {fact}"), option),
        "`replay` of `x` is given twice"
    );
    let wrong = fact.replace("true", "12");
    assert_eq!(
        reason(&wrong, option),
        "the fact about `replay` of `x` has a value that it cannot have"
    );
    let wrong = fact.replace("\"2026\"", "\"soon\"");
    assert!(reason(&wrong, option).contains("`soon` is not a date"));
    assert!(reason(&fact.replace("\"unit\"", "\"unity\""), option).contains("unknown field"));
}

#[test]
fn the_reports_read_well() {
    let selection = selected(SHOP);
    insta::assert_snapshot!("human", selection.to_human());
    insta::assert_snapshot!("record", selection.to_markdown());
    insta::assert_snapshot!(
        "json",
        serde_json::to_string_pretty(&selection.to_json()).unwrap()
    );
}

#[test]
fn limits_exclude_and_advice_does_not() {
    let selection = selected(SHOP);
    // Order by key, which these two do not keep; and the cloud is not allowed for those two.
    for option in [
        "sqs-standard",
        "eventbridge",
        "pubsub",
        "service-bus",
        "event-hubs",
    ] {
        assert!(is_out(&selection, option), "{option}");
    }
    assert_eq!(outcome(&selection, "kafka", "message-bytes"), Outcome::Met);
    // 10,000 deliveries a second are what was measured, not a limit.
    assert_eq!(
        outcome(&selection, "postgres", "deliveries-total"),
        Outcome::Tight
    );
    // 300/s for one group: whether it is enough depends on the keys.
    assert_eq!(
        outcome(&selection, "sqs-fifo", "rate-per-key"),
        Outcome::Unknown
    );
    assert_eq!(
        outcome(&selection, "redpanda", "message-bytes"),
        Outcome::Unknown
    );
    let large = SHOP.replace("1KiB", "1200KiB");
    let selection = selected(&large);
    assert!(is_out(&selection, "embedded"), "1 MiB is its limit");
    assert_eq!(
        outcome(&selection, "kafka", "message-bytes"),
        Outcome::Tight,
        "a default"
    );
}

#[test]
fn requirements_are_held_against_facts_and_unknown_words_are_said() {
    let text = SHOP.replace(
        "messaging: {",
        "messaging: {requires: [power-loss, node-loss, teleport], ",
    );
    let selection = selected(&text);
    assert!(is_out(&selection, "embedded") && is_out(&selection, "redis-streams"));
    assert!(is_out(&selection, "rabbitmq-stream"));
    // By default only: it can be configured.
    assert_eq!(
        outcome(&selection, "kafka", "fsync-before-acknowledge"),
        Outcome::Tight
    );
    assert!(
        selection
            .workload
            .gaps
            .iter()
            .any(|gap| gap.contains("`teleport`"))
    );
    let stays = selection
        .out
        .iter()
        .find(|e| e.option == "embedded")
        .unwrap();
    assert!(
        stays
            .readmission
            .as_ref()
            .unwrap()
            .contains("survives-node-loss")
    );
}

#[test]
fn old_facts_warn_and_fresh_ones_do_not() {
    let facts = Facts::bundled().unwrap();
    let warnings = |day: &str| {
        let today = Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z")).unwrap();
        let all = select(&design(SHOP), &facts, today).warnings;
        all.iter().filter(|w| w.contains("look again")).count()
    };
    let old = warnings("2026-11-24");
    assert!(old > 0, "the benchmark of 2020 is old");
    assert!(warnings("2028-01-01") > old + 50);
}

#[test]
fn an_override_takes_the_place_of_a_fact() {
    let mut own = Facts::bundled().unwrap();
    own.facts
        .retain(|fact| fact.option == "kafka" && fact.criterion == Criterion::OrderPerKey);
    own.options.clear();
    own.facts[0].value = Value::Flag(false);
    let facts = Facts::bundled().unwrap().overridden_by(own);
    assert!(is_out(&select(&design(SHOP), &facts, today()), "kafka"));
}

#[test]
fn weights_of_the_design_decide() {
    let with = |weights: &str| {
        let text = SHOP.replace(
            "messaging: {",
            &format!("messaging: {{weights: {{{weights}}}, "),
        );
        selected(&text)
    };
    let zero = "headroom: 0, latency: 0, operations: 0, durability: 0, features: 0";
    let familiar = with(&format!("{zero}, familiarity: 1, independence: 0"));
    assert_eq!(familiar.ranking[0].option, "postgres");
    let unknown = with("cost: 2");
    assert!(unknown.warnings[0].contains("`cost`, for which there are no facts"));
}

#[test]
fn nothing_left_is_said() {
    let text = SHOP
        .replace(
            "messaging: {",
            "messaging: {requires: [replay, priority, node-loss, open-source, delay], ",
        )
        .replace("1KiB", "600MiB")
        .replace("self-hosted, aws", "aws");
    let selection = selected(&text);
    let remaining: Vec<&str> = selection
        .ranking
        .iter()
        .map(|r| r.option.as_str())
        .collect();
    if remaining.is_empty() {
        assert_eq!(selection.certainty, Certainty::Nothing);
    }
    assert!(
        selection
            .ranking
            .iter()
            .all(|r| r.checks.iter().all(|c| c.outcome != Outcome::Rejected))
    );
}

/// Any contract: rates, sizes, order, guarantee, clouds, requirements.
fn contracts() -> impl Strategy<Value = (f64, u64, u64, bool, Vec<&'static str>, Vec<&'static str>)>
{
    let requires = proptest::sample::subsequence(
        vec![
            "replay",
            "priority",
            "delay",
            "dead-letter",
            "open-source",
            "node-loss",
            "power-loss",
        ],
        0..4,
    );
    let clouds = proptest::sample::subsequence(vec!["self-hosted", "aws", "gcp", "azure"], 0..4);
    (
        1.0..200_000.0_f64,
        1_u64..200_000_000,
        1_u64..200,
        any::<bool>(),
        requires,
        clouds,
    )
}

fn contract(
    rate: f64,
    size: u64,
    days: u64,
    ordered: bool,
    requires: &[&str],
    clouds: &[&str],
) -> Design {
    let order = if ordered { "key" } else { "none" };
    design(&format!(
        "{{tidegate: 1, system: any, \
          events: {{A: {{key: /id, retention: {days}d, targets: {{rate: {rate:.0}/s, size: {size}B}}}}}}, \
          services: {{p: {{publishes: [A]}}, c: {{consumes: {{A: {{order: {order}}}}}}}}}, \
          messaging: {{requires: [{}], clouds: [{}]}}}}",
        requires.join(", "),
        clouds.join(", ")
    ))
}

/// Whether a fact rules a need out, said independently of the code under test.
fn violates(fact: &Fact, amount: Amount) -> bool {
    let binding = matches!(fact.kind, Kind::HardLimit | Kind::GeneralKnowledge) && fact.decides();
    binding
        && match (&fact.value, amount) {
            (Value::Number(limit), Amount::AtLeast(need)) => *limit < need,
            (Value::Flag(there), Amount::Yes) => !there,
            _ => false,
        }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_hard_limit_is_ever_violated((rate, size, days, ordered, requires, clouds) in contracts()) {
        let facts = Facts::bundled().unwrap();
        let design = contract(rate, size, days, ordered, &requires, &clouds);
        let workload = Workload::of(&design);
        let selection = select(&design, &facts, today());
        for ranked in &selection.ranking {
            for need in &workload.needs {
                if let Some(fact) = facts.of(&ranked.option, need.criterion) {
                    prop_assert!(!violates(fact, need.amount), "{} {need:?} {fact:?}", ranked.option);
                }
            }
        }
        // And what is out is out for a reason that holds, or because something dominates it.
        for excluded in selection.out.iter().filter(|e| e.dominated_by.is_none()) {
            let limit = workload.needs.iter().any(|need| {
                facts.of(&excluded.option, need.criterion).is_some_and(|f| violates(f, need.amount))
            });
            let hosting = outcome_of(excluded, "hosting") == Some(Outcome::Rejected);
            prop_assert!(limit || hosting, "{}", excluded.option);
        }
    }

    #[test]
    fn relaxing_a_need_never_takes_an_option_out((rate, size, days, ordered, requires, clouds) in contracts()) {
        let facts = Facts::bundled().unwrap();
        let rejected = |design: &Design| -> Vec<String> {
            let out = select(design, &facts, today()).out;
            out.into_iter().filter(|e| e.dominated_by.is_none()).map(|e| e.option).collect()
        };
        let strict = rejected(&contract(rate, size, days, ordered, &requires, &clouds));
        let fewer = &requires[..requires.len().saturating_sub(1)];
        let relaxed = [
            contract((rate / 2.0).max(1.0), size, days, ordered, &requires, &clouds),
            contract(rate, (size / 2).max(1), days, ordered, &requires, &clouds),
            contract(rate, size, (days / 2).max(1), ordered, &requires, &clouds),
            contract(rate, size, days, false, &requires, &clouds),
            contract(rate, size, days, ordered, fewer, &clouds),
            contract(rate, size, days, ordered, &requires, &[]),
        ];
        for design in &relaxed {
            for option in rejected(design) {
                prop_assert!(strict.contains(&option), "{option} fell out");
            }
        }
    }
}

fn outcome_of(excluded: &tidegate_select::Excluded, criterion: &str) -> Option<Outcome> {
    excluded
        .checks
        .iter()
        .find(|check| check.criterion == criterion)
        .map(|check| check.outcome)
}
