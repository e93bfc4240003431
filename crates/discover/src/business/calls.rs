//! What the page of calls says beside its numbers: how sure, at what cost, and how to check.

use super::sections::{COSTS, card, list, section};
use crate::discovery::{Call, Discovery, Weight};

/// Most calls that are gone through one by one.
const CALLS_MAX: usize = 5;

/// How sure the candidates are, what they cost and how to check them; empty without candidates.
pub(crate) fn of_calls(discovery: &Discovery) -> String {
    let feasible: Vec<&Call> = discovery
        .calls
        .iter()
        .filter(|call| call.class.is_feasible())
        .take(CALLS_MAX)
        .collect();
    if feasible.is_empty() {
        return String::new();
    }
    let mut page = section("How sure this is", &sure(discovery, &feasible));
    page.push_str(&section("What it costs", &costs(&feasible)));
    page.push_str(&section("How to check it cheaply", &checks(&feasible)));
    page
}

fn name(call: &Call) -> String {
    format!(
        "{} \u{2192} {}: {}",
        call.caller, call.callee, call.callee_operation
    )
}

fn sure(discovery: &Discovery, feasible: &[&Call]) -> String {
    let mut lines = vec![format!(
        "All numbers are of {} requests that were traced. What is rare in them is not known well: \
         each share stands with the interval that holds the true one in 95 of 100 cases.",
        discovery.traces
    )];
    if discovery.orphans > 0 {
        lines.push(format!(
            "{} of {} spans name a parent that is not there: parts of some requests are missing.",
            discovery.orphans, discovery.spans
        ));
    }
    for call in feasible {
        let against = call
            .evidence
            .iter()
            .filter(|evidence| matches!(evidence.weight, Weight::Against | Weight::Veto))
            .count();
        let seen = call.evidence.len();
        lines.push(format!(
            "{}: seen {} times; {against} of {seen} observations speak against it, and {} things \
             that would tell are not in the traces.",
            name(call),
            call.count,
            call.missing.len()
        ));
    }
    card("What the numbers rest on", &list(&lines))
}

fn costs(feasible: &[&Call]) -> String {
    let events = feasible.len();
    let mut callers: Vec<&str> = feasible.iter().map(|call| call.caller.as_str()).collect();
    callers.sort_unstable();
    callers.dedup();
    let mut callees: Vec<&str> = feasible.iter().map(|call| call.callee.as_str()).collect();
    callees.sort_unstable();
    callees.dedup();
    let own = vec![format!(
        "{events} events to define; {} to change to publish ({}), {} to change to handle ({}).",
        callers.len(),
        callers.join(", "),
        callees.len(),
        callees.join(", ")
    )];
    let always: Vec<String> = COSTS.map(str::to_owned).to_vec();
    format!(
        "<div class=\"grid-2\">{}{}</div>\n",
        card("For these changes", &list(&own)),
        card("For events in general", &list(&always))
    )
}

fn checks(feasible: &[&Call]) -> String {
    let lines: Vec<String> = feasible
        .iter()
        .map(|call| {
            let first = call.exemplars.first();
            let look = first.map_or_else(String::new, |id| {
                format!(" Look at trace {id} first: it is the slowest.")
            });
            format!(
                "{}: in a test environment, answer this call at once and do the work later; let \
                 the tests run. What fails needs the answer.{look}",
                name(call)
            )
        })
        .collect();
    let next = [
        "`tidegate discover … --draft DIR` writes these calls as events, with the traffic that was \
         measured.",
        "`tidegate simulate DIR` shows the backlog and the delay of each handler.",
        "`tidegate run DIR --traffic recorded` runs it with stand-in services.",
    ]
    .map(str::to_owned);
    format!(
        "<div class=\"grid-2\">{}{}</div>\n",
        card("Before anything is built", &list(&lines)),
        card("With this program, in an afternoon", &list(&next))
    )
}
