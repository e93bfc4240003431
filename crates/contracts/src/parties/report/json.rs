//! For programs. Fields are added, and never taken away.

use serde_json::{Value, json};

use crate::parties::judge::{Broken, Verdict};
use crate::parties::matrix::{Answer, Cell, EventContracts, Judged, Matrix};
use crate::parties::order::{Move, Upgrade};

pub(super) fn render(matrix: &Matrix, upgrade: &Upgrade) -> String {
    let events: Vec<Value> = matrix.events.iter().map(event).collect();
    let steps: Vec<Vec<Value>> = upgrade
        .steps
        .iter()
        .map(|moves| moves.iter().map(step).collect())
        .collect();
    let cycle: Vec<Value> = upgrade.cycle.iter().map(step).collect();
    let document = json!({
        "schema": "tidegate/contracts/v1",
        "met": met(matrix.answer()),
        "events": events,
        "upgrade": {"steps": steps, "cycle": cycle},
    });
    pretty(&document)
}

/// JSON for people and programs alike.
pub(super) fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}

/// `true`, `false`, or `null` for what is not proved.
fn met(answer: Answer) -> Value {
    match answer {
        Answer::Yes => json!(true),
        Answer::No => json!(false),
        Answer::NotProved => Value::Null,
    }
}

fn event(contracts: &EventContracts) -> Value {
    let producers: Vec<Value> = contracts
        .producers
        .iter()
        .map(|producer| json!({"service": producer.service, "versions": producer.versions}))
        .collect();
    let cells: Vec<Value> = contracts.cells.iter().map(cell).collect();
    json!({"event": contracts.event, "producers": producers, "contracts": cells})
}

fn cell(cell: &Cell) -> Value {
    let clauses: Vec<Value> = cell.clauses.iter().map(clause).collect();
    json!({
        "consumer": cell.consumer,
        "version": cell.version,
        "met": met(cell.answer()),
        "clauses": clauses,
    })
}

fn clause(judged: &Judged) -> Value {
    let (met, witness, reason) = match &judged.verdict {
        Verdict::Met => (json!(true), Value::Null, None),
        Verdict::Unmet(broken) => (json!(false), witness(broken), Some(&broken.reason)),
        Verdict::NotProved(why) => (Value::Null, Value::Null, Some(why)),
    };
    json!({
        "relies_on": judged.clause,
        "because": judged.because,
        "place": judged.place,
        "met": met,
        "witness": witness,
        "reason": reason,
    })
}

/// The event that breaks, and where.
pub(super) fn witness(broken: &Broken) -> Value {
    json!({"event": broken.event, "path": broken.path})
}

fn step(one: &Move) -> Value {
    let after: Vec<Value> = one
        .after
        .iter()
        .map(|(service, why)| json!({"service": service, "why": why}))
        .collect();
    json!({"service": one.service, "what": one.what, "after": after})
}
