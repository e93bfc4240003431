//! Who is upgraded before whom.

use tidegate_contracts::parties::{Matrix, Upgrade};

use crate::support::design;

/// The steps, and the services that wait for each other.
fn order(text: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let design = design(text, &[]);
    let upgrade = Upgrade::of(&design, &Matrix::of(&design));
    let names = |moves: &[tidegate_contracts::parties::Move]| {
        moves
            .iter()
            .map(|one| one.service.to_string())
            .collect::<Vec<_>>()
    };
    (
        upgrade.steps.iter().map(|step| names(step)).collect(),
        names(&upgrade.cycle),
    )
}

fn versions(old: &str, new: &str, services: &str) -> String {
    format!(
        "tidegate: 1\nsystem: shop\nevents:\n  E:\n    version: v2\n    versions: {{v1: {{schema: {old}}}}}\n    schema: {new}\nservices:\n{services}"
    )
}

const CLOSED: &str =
    "{type: object, additionalProperties: false, required: [a], properties: {a: {type: integer}}}";
const MORE: &str = "{type: object, additionalProperties: false, required: [a], properties: {a: {type: integer}, b: {type: string}}}";
const LESS: &str = "{type: object, additionalProperties: false, required: [a], properties: {a: {type: integer, minimum: 0}}}";
const OTHER: &str =
    "{type: object, additionalProperties: false, required: [a], properties: {a: {type: string}}}";

const OLD_BOTH: &str =
    "  p: {publishes: [{event: E, versions: [v1]}]}\n  c: {consumes: {E: {reads: v1}}}\n";

#[test]
fn a_field_that_closed_readers_refuse_has_consumers_go_first() {
    let (steps, cycle) = order(&versions(CLOSED, MORE, OLD_BOTH));
    assert_eq!(
        (steps, cycle),
        (vec![vec!["c".to_owned()], vec!["p".to_owned()]], vec![])
    );
}

#[test]
fn a_promise_that_old_events_do_not_keep_has_producers_go_first() {
    let (steps, cycle) = order(&versions(CLOSED, LESS, OLD_BOTH));
    assert_eq!(
        (steps, cycle),
        (vec![vec!["p".to_owned()], vec!["c".to_owned()]], vec![])
    );
}

#[test]
fn a_change_that_neither_side_reads_is_a_cycle() {
    let (steps, cycle) = order(&versions(CLOSED, OTHER, OLD_BOTH));
    assert_eq!(
        (steps, cycle),
        (vec![], vec!["c".to_owned(), "p".to_owned()])
    );
}

#[test]
fn who_only_waits_for_a_cycle_is_not_called_a_part_of_it() {
    // `d` requires what both versions have; `e` is free; `w` waits for the producer only.
    let services = "  p: {publishes: [{event: E, versions: [v1]}]}\n  c: {consumes: {E: {reads: v1}}}\n  \
                    d: {consumes: {E: {requires: [a]}}}\n";
    let (steps, cycle) = order(&versions(CLOSED, OTHER, services));
    assert_eq!(
        (steps, cycle),
        (vec![], vec!["c".to_owned(), "p".to_owned()])
    );
}

#[test]
fn whoever_is_up_to_date_has_nothing_to_do() {
    let services = "  p: {publishes: [E]}\n  c: {consumes: {E: {}}}\n";
    assert_eq!(order(&versions(CLOSED, OTHER, services)), (vec![], vec![]));
}

#[test]
fn a_service_that_is_both_is_upgraded_once() {
    let services = "  p: {publishes: [{event: E, versions: [v1]}], consumes: {E: {reads: v1}}}\n";
    let (steps, cycle) = order(&versions(CLOSED, MORE, services));
    assert_eq!((steps, cycle), (vec![vec!["p".to_owned()]], vec![]));
}
