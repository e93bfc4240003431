//! Events that lead back to themselves: each round starts the next one, so they never end.

use std::collections::{HashMap, VecDeque};

use tidegate_model::Severity;
use tidegate_model::design::ConsumerRef;

use crate::codes::EVENT_CYCLE;
use crate::components::Components;
use crate::draft::Findings;
use crate::graph::{Edge, Graph};
use crate::index::Index;

/// Longest path that is printed in full, in steps.
const PRINTED_STEPS_MAX: usize = 12;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    let declared = index.graph.declared();
    let sure = report(&declared, None, Severity::Warning, out);
    // Where a handler does not say what it emits, a loop is a possibility, not a fact.
    report(&index.graph, Some(&sure), Severity::Note, out);
}

/// Reports one shortest loop of every component without a node that `known` already has; marks the
/// nodes of the reported ones.
fn report(
    graph: &Graph<'_>,
    known: Option<&[bool]>,
    severity: Severity,
    out: &mut Findings,
) -> Vec<bool> {
    let components = Components::of(graph);
    let mut reported = vec![false; graph.len()];
    for members in &components.members {
        let is_known = |node: &usize| known.and_then(|known| known.get(*node)) == Some(&true);
        if members.iter().any(is_known) {
            continue;
        }
        let Some(start) = members
            .iter()
            .copied()
            .find(|node| graph.event(*node).is_some())
        else {
            continue;
        };
        let Some(steps) = shortest_loop(graph, &components, start) else {
            continue;
        };
        for node in members {
            if let Some(slot) = reported.get_mut(*node) {
                *slot = true;
            }
        }
        say(graph, start, &steps, severity, out);
    }
    reported
}

/// The fewest edges from `start` back to itself, within its component.
fn shortest_loop<'a>(
    graph: &Graph<'a>,
    components: &Components,
    start: usize,
) -> Option<Vec<Edge<'a>>> {
    let home = components.of.get(start)?;
    let mut reached: HashMap<usize, (usize, Edge<'a>)> = HashMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        for edge in graph.from(node) {
            if components.of.get(edge.to) != Some(home) || reached.contains_key(&edge.to) {
                continue;
            }
            reached.insert(edge.to, (node, *edge));
            if edge.to == start {
                return Some(unwind(&reached, start));
            }
            waiting.push_back(edge.to);
        }
    }
    None
}

fn unwind<'a>(reached: &HashMap<usize, (usize, Edge<'a>)>, start: usize) -> Vec<Edge<'a>> {
    let mut steps = Vec::new();
    let mut node = start;
    while let Some((from, edge)) = reached.get(&node) {
        steps.push(*edge);
        node = *from;
        if node == start {
            break;
        }
    }
    steps.reverse();
    steps
}

fn say(
    graph: &Graph<'_>,
    start: usize,
    steps: &[Edge<'_>],
    severity: Severity,
    out: &mut Findings,
) {
    let consumers: Vec<ConsumerRef<'_>> = steps.iter().filter_map(|edge| edge.consumer).collect();
    let (Some(first), Some(event)) = (consumers.first(), graph.event(start)) else {
        return;
    };
    let mut path = format!("`{event}`");
    let mut shown = 0;
    for edge in steps {
        match (edge.consumer, graph.event(edge.to)) {
            _ if shown >= PRINTED_STEPS_MAX => {}
            (Some(consumer), Some(to)) => {
                path.push_str(&format!(" → {} → `{to}`", consumer.service_name));
                shown += 1;
            }
            (Some(consumer), None) => path.push_str(&format!(" → {}", consumer.service_name)),
            (None, Some(to)) => {
                path.push_str(&format!(" → `{to}`"));
                shown += 1;
            }
            (None, None) => {}
        }
    }
    if shown >= PRINTED_STEPS_MAX {
        path.push_str(&format!(" → … → `{event}`"));
    }
    let (verb, hint) = match severity {
        Severity::Note => (
            "may lead",
            format!(
                "write `emits: […]` in consumer `{}`: what its handler publishes, or `[]`",
                unsaid(&consumers).unwrap_or(first).id()
            ),
        ),
        Severity::Warning | Severity::Error => (
            "leads",
            "break the loop, or let one handler on it stop: emit only when something changed"
                .to_owned(),
        ),
    };
    let message = format!("event `{event}` {verb} back to itself without end: {path}");
    let mut draft = out
        .add(EVENT_CYCLE, &first.consume.place, first.path(), message)
        .hint(hint)
        .weighing(severity);
    for consumer in consumers.iter().skip(1).take(PRINTED_STEPS_MAX) {
        draft = draft.related(&consumer.consume.place, format!("then `{}`", consumer.id()));
    }
}

/// The first consumer that does not say what it emits.
fn unsaid<'a, 'd>(consumers: &'a [ConsumerRef<'d>]) -> Option<&'a ConsumerRef<'d>> {
    consumers
        .iter()
        .find(|consumer| consumer.consume.emits.is_none())
}
