//! What changes touch, as a Mermaid flowchart: what breaks is red, what may is amber.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use tidegate_base::Name;
use tidegate_model::Design;

use super::changes::{Change, Kind, Role};

/// Most nodes: more is no picture any more, and readers of Mermaid refuse texts that are long.
const NODES_MAX: usize = 60;
/// Most arrows.
const ARROWS_MAX: usize = 200;

/// An element that is drawn. Its name has no character that means anything to Mermaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'a> {
    Event(&'a str),
    Service(&'a str),
    Dependency(&'a str),
}

/// The picture; `None` when nothing that can be drawn is touched.
pub(super) fn picture(past: &Design, new: &Design, changes: &[Change]) -> Option<String> {
    let mut worst: BTreeMap<Node<'_>, Option<Kind>> = BTreeMap::new();
    let live = changes
        .iter()
        .filter(|change| change.kind != Kind::Harmless && change.accepted.is_none());
    // What breaks comes first in the list, so that it is drawn when there is more than can be.
    for change in live {
        let own = elements(past, new, &change.finding.path).into_iter();
        let own = own.map(|node| (node, Some(change.kind)));
        let others = change.affected.iter().flat_map(|one| match one.role {
            Role::Publisher => vec![(Node::Service(&one.name), None)],
            Role::Consumer => match one.name.split_once('/') {
                Some((service, event)) => {
                    vec![(Node::Service(service), None), (Node::Event(event), None)]
                }
                None => Vec::new(),
            },
        });
        for (node, kind) in own.chain(others) {
            if worst.len() >= NODES_MAX && !worst.contains_key(&node) {
                continue;
            }
            let entry = worst.entry(node).or_insert(kind);
            *entry = match (*entry, kind) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }
    if worst.is_empty() {
        return None;
    }
    Some(draw(past, new, &worst))
}

fn draw(past: &Design, new: &Design, nodes: &BTreeMap<Node<'_>, Option<Kind>>) -> String {
    let ids: BTreeMap<Node<'_>, usize> = nodes.keys().copied().zip(0..).collect();
    let mut text = String::from("flowchart LR\n");
    for (node, id) in &ids {
        text.push_str(&match node {
            Node::Event(name) => format!("  n{id}([\"{name}\"])\n"),
            Node::Service(name) => format!("  n{id}[\"{name}\"]\n"),
            Node::Dependency(name) => format!("  n{id}{{{{\"{name}\"}}}}\n"),
        });
    }
    let (before, after) = (arrows(past, &ids), arrows(new, &ids));
    let kept = after
        .iter()
        .map(|(from, to)| format!("  n{from} --> n{to}\n"));
    let gone = before.difference(&after);
    let gone = gone.map(|(from, to)| format!("  n{from} -. was .-> n{to}\n"));
    text.extend(gone.chain(kept).take(ARROWS_MAX));
    text.push_str("  classDef breaking fill:#ffd7d5,stroke:#cf222e,color:#24292f\n");
    text.push_str("  classDef risky fill:#fff1c2,stroke:#bf8700,color:#24292f\n");
    for (node, kind) in nodes {
        let class = match kind {
            Some(Kind::Breaking) => "breaking",
            Some(Kind::Risky) => "risky",
            Some(Kind::Harmless) | None => continue,
        };
        if let Some(id) = ids.get(node) {
            text.push_str(&format!("  class n{id} {class}\n"));
        }
    }
    text
}

/// Who publishes to whom, among what is drawn.
fn arrows(design: &Design, ids: &BTreeMap<Node<'_>, usize>) -> BTreeSet<(usize, usize)> {
    let mut arrows = BTreeSet::new();
    for (name, service) in &design.services {
        let Some(of_service) = ids.get(&Node::Service(name.as_str())) else {
            continue;
        };
        for event in &service.publishes {
            if let Some(to) = ids.get(&Node::Event(event.value.as_str())) {
                arrows.insert((*of_service, *to));
            }
        }
        for (event, consume) in &service.consumes {
            if let Some(from) = ids.get(&Node::Event(event.as_str())) {
                arrows.insert((*from, *of_service));
            }
            for need in &consume.needs {
                if let Some(to) = ids.get(&Node::Dependency(need.value.as_str())) {
                    arrows.insert((*of_service, *to));
                }
            }
        }
    }
    arrows
}

/// The elements that a path leads to. A name may have dots, so that the longest known one counts.
fn elements<'a>(past: &'a Design, new: &'a Design, path: &'a str) -> Vec<Node<'a>> {
    let Some((section, rest)) = path.split_once('.') else {
        return Vec::new();
    };
    match section {
        "events" => longest(rest, &past.events, &new.events)
            .map(Node::Event)
            .into_iter()
            .collect(),
        "dependencies" => {
            let found = longest(rest, &past.dependencies, &new.dependencies);
            found.map(Node::Dependency).into_iter().collect()
        }
        "services" => {
            let Some(service) = longest(rest, &past.services, &new.services) else {
                return Vec::new();
            };
            let event = rest
                .strip_prefix(service)
                .and_then(|rest| rest.strip_prefix(".consumes."));
            let event = event.and_then(|rest| longest(rest, &past.events, &new.events));
            [Some(Node::Service(service)), event.map(Node::Event)]
                .into_iter()
                .flatten()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn longest<'a, T>(
    rest: &'a str,
    old: &IndexMap<Name, T>,
    new: &IndexMap<Name, T>,
) -> Option<&'a str> {
    let ends = rest.match_indices(['.', '#']).map(|(at, _)| at);
    let mut ends: Vec<usize> = ends.chain([rest.len()]).collect();
    ends.reverse();
    let names = ends.into_iter().filter_map(|end| rest.get(..end));
    let mut names = names.filter(|name| old.contains_key(*name) || new.contains_key(*name));
    names.next()
}
