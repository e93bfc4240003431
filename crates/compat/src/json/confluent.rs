//! The profile `confluent`: what the Confluent Schema Registry answers, by its described behaviour.
//!
//! These are rules about schemas, not about events: some of them are stricter than what a reader
//! does, and some miss what breaks. They are here so that both give one answer.

use std::collections::HashSet;

use serde_json::Value;
use tidegate_schema::Types;

use super::confluent_object::Content;
use super::effort::{Effort, size};
use super::known::{Node, types_named};
use super::number;
use super::pattern::Patterns;
use super::schema::Schema;
use crate::verdict::{Answer, Reason};

/// How strict the registry is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// An optional property must not be added to an open object, nor removed from a closed one.
    #[default]
    Strict,
    /// It may.
    Lenient,
}

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 64;
/// Most pairs of subschemas that are compared.
const PAIRS_MAX: usize = 50_000;
/// Most steps of a comparison, a pair being one.
const STEPS_MAX: u64 = 200_000;

pub(crate) fn compare(
    original: &Schema,
    update: &Schema,
    policy: Policy,
    keep_going: &dyn Fn() -> bool,
) -> Vec<Reason> {
    let mut rules = Rules {
        policy,
        effort: Effort::new(STEPS_MAX, keep_going),
        patterns: Patterns::default(),
        open: HashSet::new(),
        pairs: 0,
        was_stopped: false,
        reasons: Vec::new(),
    };
    rules.schema(
        &Node::start(&original.lowered),
        &Node::start(&update.lowered),
        0,
    );
    let mut reasons = rules.reasons;
    if rules.was_stopped {
        reasons.push(Reason {
            answer: Answer::NotProved,
            code: "effort-spent",
            path: String::new(),
            reason: "the comparison takes more work than it may".to_owned(),
            fix: None,
            witness: None,
        });
    }
    reasons
}

pub(crate) struct Rules<'k> {
    pub(crate) policy: Policy,
    effort: Effort<'k>,
    patterns: Patterns,
    open: HashSet<(usize, usize)>,
    pairs: usize,
    was_stopped: bool,
    reasons: Vec<Reason>,
}

impl Rules<'_> {
    /// Whether a pattern matches a name; `None` when that cannot be told.
    pub(crate) fn matches(&mut self, pattern: &str, name: &str) -> Option<bool> {
        self.patterns.matches(pattern, name, &mut self.effort)
    }

    pub(crate) fn say(&mut self, code: &'static str, at: String, reason: String) {
        let is_said = self
            .reasons
            .iter()
            .any(|one| one.code == code && one.path == at);
        if !is_said {
            self.reasons.push(Reason {
                answer: Answer::Incompatible,
                code,
                path: at,
                reason,
                fix: None,
                witness: None,
            });
        }
    }

    /// Whether the update takes over from the original, without telling why not.
    pub(crate) fn agrees(&mut self, original: &Node<'_>, update: &Node<'_>, depth: usize) -> bool {
        let before = self.reasons.len();
        self.schema(original, update, depth);
        let agrees = self.reasons.len() == before;
        self.reasons.truncate(before);
        agrees
    }

    pub(crate) fn schema(&mut self, original: &Node<'_>, update: &Node<'_>, depth: usize) {
        let (original, update) = (resolved(original), resolved(update));
        if original.schema == update.schema && !has_reference(original.schema)
            || is_anything(&update)
            || is_nothing(&original)
        {
            return;
        }
        self.pairs += 1;
        if depth > DEPTH_MAX || self.pairs > PAIRS_MAX || !self.effort.take(1) {
            self.was_stopped = true;
            return;
        }
        let pair = (original.key(), update.key());
        if !self.open.insert(pair) {
            return;
        }
        if is_nothing(&update) {
            let at = update.of.written(&update.pointer);
            self.say(
                "never-allowed",
                at,
                "no value is allowed any more".to_owned(),
            );
        } else {
            self.combined(&original, &update, depth);
            // Where one side alone has branches, those were held against the other as a whole.
            if combination(&original).is_some() == combination(&update).is_some() {
                self.types(&original, &update);
                self.values(&original, &update);
                self.bounds(&original, &update);
                self.texts(&original, &update);
                self.object(&original, &update, depth);
                self.array(&original, &update, depth);
            }
        }
        self.open.remove(&pair);
    }

    fn types(&mut self, original: &Node<'_>, update: &Node<'_>) {
        let Some(named) = update.get("type") else {
            return;
        };
        let allowed = types_named(named);
        let had = match (original.get("type"), combination(original)) {
            (Some(named), _) => types_named(named),
            (None, Some(_)) => Types::NONE,
            (None, None) => implied(original),
        };
        let lost = had.without(allowed);
        if !lost.is_none() {
            let reason = format!("values of type {} are not allowed any more", lost.words());
            self.say("type-narrowed", update.written("type"), reason);
        }
    }

    fn values(&mut self, original: &Node<'_>, update: &Node<'_>) {
        let list = |node: &Node<'_>| {
            let all = node.get("enum").and_then(Value::as_array).cloned();
            all.or_else(|| node.get("const").map(|one| vec![one.clone()]))
        };
        let Some(new) = list(update) else { return };
        let lost = match list(original) {
            Some(old) => self.first_lost(old, &new),
            None => Some(Value::Null),
        };
        if let Some(lost) = lost {
            let keyword = if update.get("enum").is_some() {
                "enum"
            } else {
                "const"
            };
            let reason = match list(original) {
                Some(_) => format!("{} is not allowed any more", super::keywords::short(&lost)),
                None => "only the listed values are allowed now".to_owned(),
            };
            self.say("enum-narrowed", update.written(keyword), reason);
        }
    }

    /// The first value that is not among the new ones. Lists may be long, so that work is counted.
    fn first_lost(&mut self, old: Vec<Value>, new: &[Value]) -> Option<Value> {
        if old == new {
            return None;
        }
        let each = new.iter().map(size).sum::<usize>() / 8;
        for value in old {
            if !self.effort.work(each) {
                self.was_stopped = true;
                return None;
            }
            if !new.contains(&value) {
                return Some(value);
            }
        }
        None
    }

    fn bounds(&mut self, original: &Node<'_>, update: &Node<'_>) {
        use std::cmp::Ordering;
        for (keyword, is_low) in [
            ("minimum", true),
            ("exclusiveMinimum", true),
            ("minLength", true),
            ("minItems", true),
            ("minProperties", true),
            ("maximum", false),
            ("exclusiveMaximum", false),
            ("maxLength", false),
            ("maxItems", false),
            ("maxProperties", false),
        ] {
            let Some(new) = update.number(keyword) else {
                continue;
            };
            let old = original.number(keyword);
            let holds = old.is_some_and(|old| {
                let order = number::compare(old, new);
                order == Ordering::Equal || (order == Ordering::Greater) == is_low
            });
            if !holds {
                let code = match keyword {
                    "minLength" => "min-length-raised",
                    "minItems" => "min-items-raised",
                    "minProperties" => "min-properties-raised",
                    "maxLength" => "max-length-lowered",
                    "maxItems" => "max-items-lowered",
                    "maxProperties" => "max-properties-lowered",
                    _ if is_low => "minimum-raised",
                    _ => "maximum-lowered",
                };
                let was =
                    old.map_or_else(|| "was not there".to_owned(), |old| format!("was {old}"));
                self.say(
                    code,
                    update.written(keyword),
                    format!("`{keyword}` is {new}, and {was}"),
                );
            }
        }
        if let Some(new) = update.number("multipleOf") {
            let old = original.number("multipleOf");
            if !old.is_some_and(|old| number::divides(new, old)) {
                let reason = format!("only multiples of {new} are allowed now");
                self.say("multiple-narrowed", update.written("multipleOf"), reason);
            }
        }
    }

    fn texts(&mut self, original: &Node<'_>, update: &Node<'_>) {
        if let Some(pattern) = update.get("pattern")
            && original.get("pattern") != Some(pattern)
        {
            let reason = "the pattern is another one, or new".to_owned();
            self.say("pattern-narrowed", update.written("pattern"), reason);
        }
        if update.get("uniqueItems") == Some(&Value::Bool(true))
            && original.get("uniqueItems") != Some(&Value::Bool(true))
        {
            let reason = "items must differ from each other now".to_owned();
            self.say("unique-items-added", update.written("uniqueItems"), reason);
        }
    }

    fn array(&mut self, original: &Node<'_>, update: &Node<'_>, depth: usize) {
        let (old, new) = (original.list("prefixItems"), update.list("prefixItems"));
        for (a, b) in old.iter().zip(&new) {
            self.schema(a, b, depth + 1);
        }
        if old.is_empty() && new.is_empty() {
            match (original.one("items"), update.one("items")) {
                (Some(a), Some(b)) => self.schema(&a, &b, depth + 1),
                (None, Some(b)) if !is_anything(&b) => {
                    let reason = "items are not of any kind any more".to_owned();
                    self.say("items-narrowed", update.written("items"), reason);
                }
                _ => {}
            }
            return;
        }
        match (original.one("items"), update.one("items")) {
            (Some(a), Some(b)) => self.schema(&a, &b, depth + 1),
            (None, Some(b)) if !is_anything(&b) && (!old.is_empty() || is_nothing(&b)) => {
                let reason = "further items are not of any kind any more".to_owned();
                self.say("items-narrowed", update.written("items"), reason);
            }
            _ => {}
        }
        for added in new.iter().skip(old.len()) {
            let is_fine = match Content::of_items(original) {
                Content::Open => is_anything(added),
                Content::Partly => original
                    .one("items")
                    .is_some_and(|rest| self.agrees(&rest, added, depth + 1)),
                Content::Closed => true,
            };
            if !is_fine {
                let at = added.of.written(&added.pointer);
                let reason = "the list of items was open there, and held any value".to_owned();
                self.say("item-added-to-open-array", at, reason);
            }
        }
        for removed in old.iter().skip(new.len()) {
            let is_fine = match Content::of_items(update) {
                Content::Open => true,
                Content::Partly => update
                    .one("items")
                    .is_some_and(|rest| self.agrees(removed, &rest, depth + 1)),
                Content::Closed => is_nothing(removed),
            };
            if !is_fine {
                let reason = "an item that was allowed is not any more".to_owned();
                self.say("items-closed", update.of.written(&update.pointer), reason);
            }
        }
    }

    /// `allOf`, `anyOf`, `oneOf` and `not`.
    fn combined(&mut self, original: &Node<'_>, update: &Node<'_>, depth: usize) {
        if let (Some(a), Some(b)) = (original.one("not"), update.one("not")) {
            if !self.agrees(&b, &a, depth + 1) {
                let reason = "`not` refuses more than before".to_owned();
                self.say("not-widened", update.written("not"), reason);
            }
        } else if update.get("not").is_some() {
            let reason = "`not` is new".to_owned();
            self.say("not-widened", update.written("not"), reason);
        }
        let (was, is) = (combination(original), combination(update));
        let fits = match (was, is) {
            (None, None) => true,
            (Some("allOf"), None) => {
                let parts = original.list("allOf");
                parts
                    .iter()
                    .any(|part| self.agrees(part, update, depth + 1))
            }
            (Some(keyword), None) => {
                let parts = original.list(keyword);
                parts
                    .iter()
                    .all(|part| self.agrees(part, update, depth + 1))
            }
            (was, Some("allOf")) => {
                let old =
                    was.map_or_else(|| vec![original.clone()], |keyword| original.list(keyword));
                let new = update.list("allOf");
                self.matched(&new, &old, depth, |rules, new, old, depth| {
                    rules.agrees(old, new, depth)
                })
            }
            (None, Some(keyword)) => {
                let parts = update.list(keyword);
                parts
                    .iter()
                    .any(|part| self.agrees(original, part, depth + 1))
            }
            (Some("allOf"), Some(keyword)) => {
                let (old, new) = (original.list("allOf"), update.list(keyword));
                let mut pairs = old.iter().flat_map(|a| new.iter().map(move |b| (a, b)));
                pairs.any(|(a, b)| self.agrees(a, b, depth + 1))
            }
            (Some(was), Some(is)) => {
                let (old, new) = (original.list(was), update.list(is));
                let may_change = was == is || is == "anyOf" || old.len() == 1;
                may_change
                    && self.matched(&old, &new, depth, |rules, old, new, depth| {
                        rules.agrees(old, new, depth)
                    })
            }
        };
        if !fits {
            let keyword = is.unwrap_or_default();
            let at = match is {
                Some(_) => update.written(keyword),
                None => update.of.written(&update.pointer),
            };
            let reason = "not every branch that was has one that takes its place".to_owned();
            self.say("no-branch-fits", at, reason);
        }
    }

    /// Whether each of `needy` can have one of `others` of its own.
    fn matched<'n>(
        &mut self,
        needy: &[Node<'n>],
        others: &[Node<'n>],
        depth: usize,
        agree: impl Fn(&mut Self, &Node<'n>, &Node<'n>, usize) -> bool,
    ) -> bool {
        let edges: Vec<Vec<usize>> = needy
            .iter()
            .map(|one| {
                let all = others.iter().enumerate();
                let fit = all
                    .filter(|(_, other)| !self.was_stopped && agree(self, one, other, depth + 1));
                fit.map(|(index, _)| index).collect()
            })
            .collect();
        let mut taken: Vec<Option<usize>> = vec![None; others.len()];
        (0..needy.len()).all(|one| {
            let mut seen = HashSet::new();
            augment(one, &edges, (&mut taken, &mut seen))
        })
    }
}

/// Finds a place for one, moving others where that makes room.
fn augment(
    one: usize,
    edges: &[Vec<usize>],
    (taken, seen): (&mut Vec<Option<usize>>, &mut HashSet<usize>),
) -> bool {
    for place in edges.get(one).into_iter().flatten() {
        if !seen.insert(*place) {
            continue;
        }
        let holder = taken.get(*place).copied().flatten();
        if holder.is_none_or(|holder| augment(holder, edges, (taken, seen))) {
            if let Some(slot) = taken.get_mut(*place) {
                *slot = Some(one);
            }
            return true;
        }
    }
    false
}

fn combination(node: &Node<'_>) -> Option<&'static str> {
    ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .find(|keyword| node.get(keyword).is_some())
}

/// The types that a schema without `type` is about, by its other keywords.
fn implied(node: &Node<'_>) -> Types {
    let listed = node.get("enum").and_then(Value::as_array);
    let listed = listed.map(|all| all.iter().map(Types::of_value).fold(Types::NONE, Types::or));
    listed
        .or_else(|| node.get("const").map(Types::of_value))
        .unwrap_or(Types::ALL)
}

fn resolved<'a>(node: &Node<'a>) -> Node<'a> {
    let mut node = node.clone();
    for _ in 0..DEPTH_MAX {
        match node.referred() {
            Some(to) => node = to,
            None => break,
        }
    }
    node
}

fn has_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => object.contains_key("$ref") || object.values().any(has_reference),
        Value::Array(all) => all.iter().any(has_reference),
        _ => false,
    }
}

pub(crate) fn is_anything(node: &Node<'_>) -> bool {
    match node.schema {
        Value::Bool(anything) => *anything,
        Value::Object(object) => object.keys().all(|keyword| keyword == "default"),
        _ => false,
    }
}

pub(crate) fn is_nothing(node: &Node<'_>) -> bool {
    node.schema == &Value::Bool(false) || node.one("not").is_some_and(|barred| is_anything(&barred))
}
