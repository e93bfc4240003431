//! Mermaid flowcharts: readable, with ids that are valid and unique.

#![cfg(test)]

mod designs;

use std::collections::HashSet;

use proptest::prelude::*;
use tidegate_generate::mermaid;

#[test]
fn the_shop_reads_well() {
    insta::assert_snapshot!("shop", mermaid(&designs::read(designs::SHOP)));
}

#[test]
fn labels_cannot_break_out() {
    let text = designs::SHOP.replace(
        "owner: team-billing",
        r#"owner: 'team "billing" #1 <b>`&`</b>'"#,
    );
    let chart = mermaid(&designs::read(&text));
    assert!(
        chart.contains("team #quot;billing#quot; #35;1 #lt;b#gt;#96;#amp;#96;#lt;/b#gt;"),
        "{chart}"
    );
    for line in chart.lines().filter(|line| line.contains('"')) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
    }
}

fn is_id(text: &str) -> bool {
    let (kind, rest) = text.split_once('_').unwrap();
    let kinds = ["process", "service", "event", "dependency", "dead"];
    kinds.contains(&kind) && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

proptest! {
    #[test]
    fn ids_are_valid_and_unique_and_nothing_is_lost(design in designs::any()) {
        let chart = mermaid(&design);
        let mut nodes = HashSet::new();
        let mut edges = 0;
        for line in chart.lines().skip(1).map(str::trim) {
            let first = line.split(' ').next().unwrap();
            let is_edge = line.contains(" -->") || line.contains(" -.->");
            if let Some(node) = line.find(['[', '(', '{']).filter(|_| !is_edge) {
                let id = line.split_at(node).0.trim_start_matches("subgraph ");
                prop_assert!(is_id(id), "{line}");
                prop_assert!(nodes.insert(id.to_owned()), "twice: {line}");
            } else if is_edge {
                edges += 1;
                prop_assert!(nodes.contains(first), "{line}");
                prop_assert!(nodes.contains(line.rsplit(' ').next().unwrap()), "{line}");
            } else {
                prop_assert!(["end", "class", "classDef"].contains(&first), "{line}");
            }
        }
        let dead = design.consumers().filter(|c| c.consume.dead_letter.is_some()).count();
        let elements = design.services.len() + design.events.len() + design.dependencies.len();
        // One process has the service, the other one is empty and is not drawn.
        prop_assert_eq!(nodes.len(), elements + dead + 1);
        let publishes: usize = design.services.values().map(|s| s.publishes.len()).sum();
        prop_assert!(edges >= publishes + design.consumers().count() + dead);
    }
}
