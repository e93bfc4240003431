//! Traits, merged into what they belong to.
//!
//! Source: AsyncAPI 2.6.0 and 3.0.0, "Traits Merge Mechanism"; RFC 7396, JSON Merge Patch. In version
//! 2 a trait is a patch of its target; since version 3 it never overrides what the target says.

use crate::bundle::{At, Bundle};
use crate::node::{Kind, Map, Node};

/// `node` with the traits that it lists; `None` when it lists none.
pub(crate) fn merged(bundle: &Bundle, at: &At<'_>, major: u32) -> Option<Node> {
    let traits = at
        .step("traits")
        .filter(|list| !list.node.items().is_empty())?;
    let traits: Vec<At<'_>> = traits.items().map(|item| bundle.followed(item)).collect();
    if major < 3 {
        let mut node = at.node.clone();
        for patch in &traits {
            patched(&mut node, patch.node, true);
        }
        return Some(node);
    }
    let mut node = Node {
        span: at.node.span,
        kind: Kind::Map(Map::new()),
    };
    for patch in &traits {
        patched(&mut node, patch.node, true);
    }
    // What the target writes stays as it is written, `null` included.
    patched(&mut node, at.node, false);
    Some(node)
}

fn patched(node: &mut Node, patch: &Node, removes: bool) {
    let (Kind::Map(target), Kind::Map(patch)) = (&mut node.kind, &patch.kind) else {
        *node = patch.clone();
        return;
    };
    // A reference is one value: nothing stands beside it.
    if target.contains_key("$ref") || patch.contains_key("$ref") {
        *target = patch.clone();
        return;
    }
    for (key, entry) in patch {
        if removes && matches!(entry.node.kind, Kind::Null) {
            target.shift_remove(key);
            continue;
        }
        match target.get_mut(key) {
            Some(known) if known.node.map().is_some() && entry.node.map().is_some() => {
                patched(&mut known.node, &entry.node, removes);
            }
            _ => {
                target.insert(key.clone(), entry.clone());
            }
        }
    }
}
