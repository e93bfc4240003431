//! What holds for every design.

use proptest::prelude::*;
use tidegate_check::check;
use tidegate_model::{Design, Severity};

use crate::reading::{CHECKOUT, read};

fn checkout() -> Design {
    read(CHECKOUT).design.expect("the design is sound")
}

/// A quantity of any kind, sensible or not.
fn duration() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1ms", "100ms", "1s", "30s", "1m", "1h", "7d", "30d", "3650d",
    ])
}

fn names(list: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::subsequence(list, 0..=list.len().min(3)).prop_map(|names| names.join(", "))
}

prop_compose! {
    fn event()(
        name in prop::sample::select(vec!["A", "B", "C", "a", "D"]),
        rate in prop::sample::select(vec!["0/s", "1/h", "10/s", "5000/s", "1M/s"]),
        p99 in duration(), retention in duration(),
        key in prop::sample::select(vec!["", "key: /id, ", "key: /x/y, "]),
        schema in prop::sample::select(vec![
            "", "schema: order.json, ", "schema: broken.json, ", "schema: order.avsc, ",
            "schema: {$ref: '#'}, ", "schema: {required: [id], properties: {id: {}}}, ",
        ]),
    ) -> (String, String) {
        (name.to_owned(), format!(
            "  {name}: {{{key}{schema}retention: {retention}, targets: {{rate: {rate}, p99: {p99}}}}}\n"
        ))
    }
}

prop_compose! {
    fn consume()(
        event in prop::sample::select(vec!["A", "B", "C", "D", "Nowhere"]),
        emits in prop::option::of(names(&["A", "B", "C", "Else"])),
        needs in names(&["api", "db", "gone"]),
        order in prop::sample::select(vec!["none", "key", "total"]),
        guarantee in prop::sample::select(vec![
            "at-least-once", "deduplicated", "exactly-once-effect", "kafka-transaction",
        ]),
        deliver in prop::sample::select(vec![
            "", "to: 'http://x.example/', ", "to: 'http://[::1]/', ", "transaction: kafka, ",
            "transaction: log, ",
        ]),
        backoff in prop::sample::select(vec!["constant", "linear", "exponential"]),
        jitter in prop::sample::select(vec!["none", "full", "decorrelated"]),
        (attempts, concurrency) in (1_u32..100, 1_u32..1_000),
        (initial, max, timeout, handler, objective) in
            (duration(), duration(), duration(), duration(), duration()),
        rest in prop::sample::select(vec!["", "dead-letter: {}, ", "dead-letter: {retention: 1h}, "]),
    ) -> (String, String) {
        let emits = emits.map(|emits| format!("emits: [{emits}], ")).unwrap_or_default();
        (event.to_owned(), format!(
            "{event}: {{{emits}{rest}needs: [{needs}], order: {order}, guarantee: {guarantee}, \
             objective: {objective}, deliver: {{{deliver}concurrency: {concurrency}, timeout: {timeout}, \
             handler-time: {handler}}}, retry: {{backoff: {backoff}, jitter: {jitter}, \
             attempts: {attempts}, initial: {initial}, max: {max}}}}}"
        ))
    }
}

/// The first of each name: a design has each one once.
fn once(items: Vec<(String, String)>, separator: &str) -> String {
    let mut seen = std::collections::HashSet::new();
    let kept = items
        .into_iter()
        .filter(|(name, _)| seen.insert(name.clone()));
    kept.map(|(_, text)| text)
        .collect::<Vec<_>>()
        .join(separator)
}

prop_compose! {
    fn service()(
        name in prop::sample::select(vec!["one", "two", "three", "o-ne"]),
        owner in prop::sample::select(vec!["", "owner: team, "]),
        publishes in names(&["A", "B", "C", "D", "Missing"]),
        consumes in prop::collection::vec(consume(), 0..4),
    ) -> (String, String) {
        let consumes = once(consumes, ", ");
        (name.to_owned(), format!(
            "  {name}: {{{owner}publishes: [{publishes}], consumes: {{{consumes}}}}}\n"
        ))
    }
}

prop_compose! {
    fn design()(
        events in prop::collection::vec(event(), 0..6),
        services in prop::collection::vec(service(), 0..5),
        steps in names(&["one", "two", "three", "four"]),
        open in duration(), window in duration(), minimum in 1_u32..1_000,
        broker in prop::sample::select(vec!["", "broker: kafka", "broker: embedded", "broker: nats"]),
    ) -> String {
        format!(
            "tidegate: 1\nsystem: any\nevents:\n{}\nservices:\n{}\nprocesses:\n  p: {{criticality: high, \
             steps: [{steps}]}}\ndependencies:\n  api: {{breaker: {{open: {open}, window: {window}, \
             minimum: {minimum}}}}}\n  db: {{}}\nmessaging: {{{broker}}}\n",
            once(events, ""), once(services, "")
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_finding_has_a_place_and_the_list_is_sorted_and_the_same_again(text in design()) {
        let reading = read(&text);
        let Some(design) = reading.design else { return Ok(()) };
        let findings = check(&design);
        prop_assert_eq!(&findings, &check(&design));
        prop_assert!(findings.is_sorted_by_key(|f| (f.place.clone(), f.code)));
        let lines = text.lines().count();
        for finding in &findings {
            prop_assert_eq!(&*finding.place.file, "design.yaml");
            prop_assert!((1..=lines).contains(&(finding.place.line as usize)), "{:?}", finding);
            prop_assert!(finding.place.column >= 1 && finding.place.length >= 1);
            prop_assert!(!finding.message.is_empty() && !finding.message.ends_with('.'));
            prop_assert!(!finding.path.is_empty());
            prop_assert!(finding.hint.is_some(), "{:?}", finding);
            prop_assert!(tidegate_check::explain(finding.code.0).is_some());
        }
    }

    /// Whatever is taken away, each name that still refers to it is reported.
    #[test]
    fn without_its_target_a_reference_is_reported(pick in 0_usize..100) {
        let mut design = checkout();
        prop_assert_eq!(check(&design), []);
        let events = design.events.len();
        let services = design.services.len();
        let dependencies = design.dependencies.len();
        let pick = pick % (events + services + dependencies);
        let (code, name) = if pick < events {
            ("E0201", design.events.shift_remove_index(pick).unwrap().0)
        } else if pick < events + services {
            ("E0202", design.services.shift_remove_index(pick - events).unwrap().0)
        } else {
            ("E0203", design.dependencies.shift_remove_index(pick - events - services).unwrap().0)
        };
        let quoted = format!("`{name}`");
        let found = check(&design);
        let reported = |f: &&tidegate_model::Finding| {
            f.code.0 == code && f.severity == Severity::Error && f.message.contains(&quoted)
        };
        prop_assert!(found.iter().any(|f| reported(&f)), "{name}: {found:?}");
    }
}
