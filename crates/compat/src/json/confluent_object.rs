//! The rules of the Confluent Schema Registry about the properties of objects.

use serde_json::Value;

use super::confluent::{Policy, Rules, is_anything, is_nothing};
use super::flat::required;
use super::known::Node;

/// What an object takes beyond its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Anything.
    Open,
    /// What a schema says.
    Partly,
    /// Nothing.
    Closed,
}

impl Content {
    fn of(node: &Node<'_>) -> Self {
        let others = ["additionalProperties", "unevaluatedProperties"];
        let others: Vec<Node<'_>> = others.into_iter().filter_map(|k| node.one(k)).collect();
        if others.iter().any(is_nothing) {
            return if node.names("patternProperties").is_empty() {
                Self::Closed
            } else {
                Self::Partly
            };
        }
        let has_patterns = !node.names("patternProperties").is_empty();
        match has_patterns || others.iter().any(|other| !is_anything(other)) {
            true => Self::Partly,
            false => Self::Open,
        }
    }

    pub(crate) fn of_items(node: &Node<'_>) -> Self {
        match node.one("items") {
            None => Self::Open,
            Some(rest) if is_anything(&rest) => Self::Open,
            Some(rest) if is_nothing(&rest) => Self::Closed,
            Some(_) => Self::Partly,
        }
    }
}

/// The schemas that say what a property is that is not listed.
fn governing<'a>(rules: &mut Rules<'_>, node: &Node<'a>, name: &str) -> Vec<Node<'a>> {
    let matching = node.names("patternProperties").into_iter();
    let found: Vec<Node<'a>> = matching
        .filter(|pattern| rules.matches(pattern, name) == Some(true))
        .filter_map(|pattern| node.named("patternProperties", pattern))
        .collect();
    if !found.is_empty() {
        return found;
    }
    let other = node.one("additionalProperties");
    other
        .or_else(|| node.one("unevaluatedProperties"))
        .into_iter()
        .collect()
}

impl Rules<'_> {
    pub(crate) fn object(&mut self, original: &Node<'_>, update: &Node<'_>, depth: usize) {
        self.closing(original, update, depth);
        self.dependencies(original, update, depth);
        let (old, new) = (original.names("properties"), update.names("properties"));
        for name in &new {
            let Some(now) = update.named("properties", name) else {
                continue;
            };
            match original.named("properties", name) {
                Some(was) => {
                    self.schema(&was, &now, depth + 1);
                    self.became_required(original, update, (name, &now));
                }
                None => self.added(original, update, (name, &now), depth),
            }
        }
        for name in old {
            if new.contains(&name) {
                continue;
            }
            if let Some(was) = original.named("properties", name) {
                self.removed(update, (name, &was), depth);
            }
        }
    }

    fn became_required(
        &mut self,
        original: &Node<'_>,
        update: &Node<'_>,
        (name, now): (&str, &Node<'_>),
    ) {
        let requires = |node: &Node<'_>| required(node).iter().any(|one| one == name);
        if requires(update) && !requires(original) && now.get("default").is_none() {
            let reason = format!("`{name}` is required now, and has no default");
            self.say("required-added", update.written("required"), reason);
        }
    }

    fn added(
        &mut self,
        original: &Node<'_>,
        update: &Node<'_>,
        (name, now): (&str, &Node<'_>),
        depth: usize,
    ) {
        let at = now.of.written(&now.pointer);
        let content = Content::of(original);
        let is_lenient = self.policy == Policy::Lenient;
        if required(update).iter().any(|one| one == name) {
            let has_default = now.get("default").is_some();
            let is_fine = has_default && (content != Content::Open || is_lenient);
            if !is_fine {
                let reason = format!("`{name}` is new and required");
                self.say("required-added", at, reason);
            }
            return;
        }
        match content {
            Content::Closed => {}
            Content::Open if is_anything(now) || is_lenient => {}
            Content::Open => {
                let reason = format!("`{name}` is new, and the object was open: it may be there");
                self.say("property-added-to-open-object", at, reason);
            }
            Content::Partly => {
                let ruling = governing(self, original, name);
                let is_covered =
                    !ruling.is_empty() && ruling.iter().any(|was| self.agrees(was, now, depth + 1));
                if !is_covered && !is_anything(now) {
                    let reason = format!("`{name}` takes less than the object did before");
                    self.say("property-added-to-partly-open-object", at, reason);
                }
            }
        }
    }

    fn removed(&mut self, update: &Node<'_>, (name, was): (&str, &Node<'_>), depth: usize) {
        let at = update.of.written(&update.pointer);
        let is_fine = match Content::of(update) {
            Content::Open => true,
            Content::Closed => is_nothing(was) || self.policy == Policy::Lenient,
            Content::Partly => {
                let ruling = governing(self, update, name);
                let fits = ruling.iter().any(|now| self.agrees(was, now, depth + 1));
                fits || ruling.is_empty()
            }
        };
        if !is_fine {
            let reason = format!("`{name}` was allowed, and is not any more");
            self.say("property-removed", at, reason);
        }
    }

    fn closing(&mut self, original: &Node<'_>, update: &Node<'_>, depth: usize) {
        let (was, is) = (
            original.one("additionalProperties"),
            update.one("additionalProperties"),
        );
        let is_fine = match (&was, &is) {
            (_, None) => true,
            (None, Some(is)) => is_anything(is),
            (Some(was), Some(is)) => {
                is_anything(is) || is_nothing(was) || self.agrees(was, is, depth + 1)
            }
        };
        if !is_fine {
            let reason = "the object takes fewer other properties than before".to_owned();
            self.say(
                "object-closed",
                update.written("additionalProperties"),
                reason,
            );
        }
    }

    fn dependencies(&mut self, original: &Node<'_>, update: &Node<'_>, depth: usize) {
        if let Some(Value::Object(all)) = update.get("dependentRequired") {
            let before = original.get("dependentRequired");
            for (name, wanted) in all {
                let had = before
                    .and_then(|all| all.get(name))
                    .and_then(Value::as_array);
                let mut wanted = wanted.as_array().into_iter().flatten();
                let is_fine = wanted.all(|one| had.is_some_and(|had| had.contains(one)));
                if !is_fine {
                    let reason = format!("`{name}` wants more properties beside it");
                    self.say(
                        "dependency-added",
                        update.written("dependentRequired"),
                        reason,
                    );
                }
            }
        }
        for name in update.names("dependentSchemas") {
            let (was, is) = (
                original.named("dependentSchemas", name),
                update.named("dependentSchemas", name),
            );
            match (was, is) {
                (Some(was), Some(is)) => self.schema(&was, &is, depth + 1),
                (None, Some(_)) => {
                    let reason = format!("`{name}` brings a schema with it that is new");
                    self.say(
                        "dependency-added",
                        update.written("dependentSchemas"),
                        reason,
                    );
                }
                _ => {}
            }
        }
    }
}
