//! The reader's keywords about the fields of objects, each field by its name.
//!
//! The names that either side declares are gone through one by one. All others fall into kinds, by
//! the patterns that they match: a kind without names is left out.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;
use tidegate_schema::Types;

use super::failure::Step;
use super::flat::Flat;
use super::keywords::Why;
use super::known::{Known, Node};
use super::pattern::{Strings, Word};
use super::reserved::Told;
use super::study::Study;

/// Most patterns of names that are combined: their kinds are two to this power.
const PATTERNS_MAX: usize = 5;
/// Most declared names that are gone through.
const NAMES_MAX: usize = 5_000;

/// Names that one side does not declare, alike in the patterns that they match.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// What the names are.
    pub(crate) strings: Strings,
    /// One of them, if one was found.
    pub(crate) example: Option<String>,
}

impl<'a> Study<'a, '_> {
    /// What is known of a field of this name, if it is there; none when it cannot be.
    pub(crate) fn field(&mut self, flat: &Flat<'a>, name: &str) -> Option<Known<'a>> {
        if flat.absent.contains(name) {
            return None;
        }
        let spoken = match self.told_of_field(flat.spoken.as_ref(), name) {
            Told::Never => return None,
            Told::By(spoken) => spoken,
            Told::Unknown => None,
        };
        let text = Value::String(name.to_owned());
        for node in &flat.atoms {
            if let Some(names) = node.one("propertyNames")
                && self.fits(&names, &text) == Some(false)
            {
                return None;
            }
        }
        let mut fits = Vec::new();
        for node in &flat.atoms {
            let matching = |study: &mut Self, pattern: &str| {
                // What cannot be told adds nothing that is known.
                study.matches(pattern, name)
            };
            let schemas = self.schemas_of(node, Some(name), matching);
            fits.extend(schemas.sure);
        }
        self.unevaluated(flat, &mut fits, |part, study| part.declares(study, name));
        let mut known = Known::of(fits);
        known.spoken = spoken;
        let misses = flat.field_misses.iter().filter(|(field, _)| *field == name);
        known.misses.extend(misses.map(|(_, node)| node.clone()));
        Some(known)
    }

    /// What is known of a field whose name is of a kind; none when there can be no such field.
    pub(crate) fn field_of(&mut self, flat: &Flat<'a>, kind: &Kind) -> Option<Known<'a>> {
        let spoken = match self.told_of_kind(flat.spoken.as_ref(), kind) {
            Told::Never => return None,
            Told::By(spoken) => spoken,
            Told::Unknown => None,
        };
        let mut fits = Vec::new();
        for node in &flat.atoms {
            let matching = |_: &mut Self, pattern: &str| Some(kind.strings.must.contains(pattern));
            fits.extend(self.schemas_of(node, None, matching).sure);
        }
        self.unevaluated(flat, &mut fits, |part, _| part.may_declare(kind));
        let mut known = Known::of(fits);
        known.spoken = spoken;
        Some(known)
    }

    /// The schemas of a field by one schema's own keywords. `unsure` when a pattern cannot be told.
    fn schemas_of(
        &mut self,
        node: &Node<'a>,
        name: Option<&str>,
        matching: impl Fn(&mut Self, &str) -> Option<bool>,
    ) -> Schemas<'a> {
        let declared = name.and_then(|name| node.named("properties", name));
        let mut is_other = declared.is_none();
        let mut found = Schemas {
            sure: declared.into_iter().collect(),
            is_unsure: false,
        };
        for pattern in node.names("patternProperties") {
            match matching(self, pattern) {
                Some(true) => {
                    is_other = false;
                    found.sure.extend(node.named("patternProperties", pattern));
                }
                Some(false) => {}
                None => {
                    is_other = false;
                    found.is_unsure = true;
                }
            }
        }
        if is_other {
            found.sure.extend(node.one("additionalProperties"));
        }
        found
    }

    /// What `unevaluatedProperties` says of a field that nothing else looks at.
    fn unevaluated(
        &mut self,
        flat: &Flat<'a>,
        fits: &mut Vec<Node<'a>>,
        declares: impl Fn(&Declared<'a>, &mut Self) -> bool,
    ) {
        for node in &flat.atoms {
            let Some(rest) = node.one("unevaluatedProperties") else {
                continue;
            };
            let mut all = Declared::default();
            all.take(node);
            // Its own `unevaluatedProperties` is among those; any other looks at every name.
            let is_seen = all.is_opened || all.others.iter().any(|other| other.key() != rest.key());
            if !is_seen && !declares(&all, self) {
                fits.push(rest);
            }
        }
    }

    /// The names that are declared on either side.
    pub(crate) fn declared(&self, flat: &Flat<'a>, goal: Option<&Node<'a>>) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = flat.present.clone();
        let mut looked_at = Declared::default();
        for node in flat.atoms.iter().chain(goal) {
            names.extend(node.names("properties").into_iter().map(str::to_owned));
            // Where every other name is ruled out, those that stand in a part alone are not: in a
            // condition, in a branch that is not the case at hand.
            if node.get("unevaluatedProperties").is_some() {
                looked_at.take(node);
            }
            let listed = node
                .get("propertyNames")
                .and_then(|names| names.get("enum"));
            let listed = listed.and_then(Value::as_array).into_iter().flatten();
            names.extend(listed.filter_map(Value::as_str).map(str::to_owned));
        }
        names.extend(looked_at.names.into_iter().map(str::to_owned));
        names.extend(flat.spoken.iter().flat_map(|spoken| spoken.names()));
        names.extend(flat.field_misses.iter().map(|(name, _)| (*name).to_owned()));
        names
    }

    /// The kinds of the names that are not declared; none when there are too many patterns.
    pub(crate) fn kinds(
        &mut self,
        flat: &Flat<'a>,
        goal: Option<&Node<'a>>,
        declared: &BTreeSet<String>,
    ) -> Option<Vec<Kind>> {
        let mut patterns: BTreeSet<&str> = BTreeSet::new();
        for node in flat.atoms.iter().chain(goal) {
            patterns.extend(node.names("patternProperties"));
        }
        patterns.extend(flat.spoken.iter().flat_map(|spoken| spoken.patterns()));
        if patterns.len() > PATTERNS_MAX {
            return None;
        }
        let names = flat
            .atoms
            .iter()
            .filter_map(|node| node.one("propertyNames"));
        let names = Known::of(names.collect()).of_types(Types::STRING);
        let Some(names) = self.facts(&names) else {
            return Some(Vec::new());
        };
        // As [`Self::declared`] reads them.
        let is_listed = flat.atoms.iter().any(|node| {
            let names = node.get("propertyNames");
            names.is_some_and(|names| names.get("enum").is_some())
        });
        if is_listed {
            // Each of them is among the declared ones.
            return Some(Vec::new());
        }
        let mut kinds = Vec::new();
        for chosen in 0..1_usize << patterns.len() {
            let mut strings = names.strings.clone();
            for (index, pattern) in patterns.iter().enumerate() {
                let side = match chosen >> index & 1 {
                    1 => &mut strings.must,
                    _ => &mut strings.must_not,
                };
                side.insert((*pattern).to_owned());
            }
            let mut asked = strings.clone();
            asked.other_than.extend(declared.iter().take(100).cloned());
            let example = match self.word(&asked) {
                Word::None => continue,
                Word::Is(word) if word.is_empty() => {
                    asked.other_than.insert(word);
                    match self.word(&asked) {
                        Word::Is(word) => Some(word),
                        _ => Some(String::new()),
                    }
                }
                Word::Is(word) => Some(word),
                Word::Unknown => None,
            };
            kinds.push(Kind { strings, example });
        }
        Some(kinds)
    }

    pub(crate) fn prove_fields(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let known = &known.of_types(Types::OBJECT);
        let names = self.declared(flat, Some(goal));
        if names.len() > NAMES_MAX {
            return self.not_understood(known, (goal, "properties"));
        }
        let rest = goal.one("unevaluatedProperties");
        let rest = rest.filter(|rest| rest.schema != &Value::Bool(true));
        let mut looked_at = Declared::default();
        if rest.is_some() {
            if has_branches(goal) {
                return self.not_understood(known, (goal, "unevaluatedProperties"));
            }
            looked_at.take(goal);
            let own = rest.as_ref().map_or(0, Node::key);
            looked_at.others.retain(|other| other.key() != own);
        }
        let rest = rest.filter(|_| looked_at.others.is_empty() && !looked_at.is_opened);
        let mut all = true;
        for name in &names {
            let matching = |study: &mut Self, pattern: &str| study.matches(pattern, name);
            let mut wanted = self.schemas_of(goal, Some(name), matching);
            if rest.is_some() && !looked_at.surely_declares(self, name) {
                wanted.sure.extend(rest.clone());
            }
            if !wanted.says_something() {
                continue;
            }
            let Some(field) = self.field(flat, name) else {
                continue;
            };
            let step = Step::Field(name.clone());
            all &= self.prove_field(known, (&field, step), (goal, &wanted));
            if !all && self.is_quiet() {
                return false;
            }
        }
        let Some(kinds) = self.kinds(flat, Some(goal), &names) else {
            return self.not_understood(known, (goal, "patternProperties"));
        };
        for kind in kinds {
            let matching = |_: &mut Self, pattern: &str| Some(kind.strings.must.contains(pattern));
            let mut wanted = self.schemas_of(goal, None, matching);
            if rest.is_some() && !looked_at.surely_has(&kind) {
                wanted.sure.extend(rest.clone());
            }
            if !wanted.says_something() {
                continue;
            }
            let Some(field) = self.field_of(flat, &kind) else {
                continue;
            };
            let name = kind.example.clone().unwrap_or_else(|| "other".to_owned());
            all &= self.prove_field(known, (&field, Step::Field(name)), (goal, &wanted));
        }
        all
    }

    fn prove_field(
        &mut self,
        known: &Known<'a>,
        (field, step): (&Known<'a>, Step),
        (goal, wanted): (&Node<'a>, &Schemas<'a>),
    ) -> bool {
        if wanted.is_unsure {
            return self.is_impossible(field)
                || self.not_understood(known, (goal, "patternProperties"));
        }
        let name = match &step {
            Step::Field(name) => name.clone(),
            Step::Item(index) => index.to_string(),
        };
        self.within(known, step, |study| {
            let mut all = true;
            for schema in &wanted.sure {
                all &= if schema.schema == &Value::Bool(false) {
                    study.is_impossible(field) || study.refuse_field(field, (goal, schema), &name)
                } else {
                    study.prove_declared(field, (goal, schema), &name)
                };
                if !all && study.is_quiet() {
                    break;
                }
            }
            all
        })
    }

    /// The reader takes no field of this name, and the writer may send it.
    fn refuse_field(
        &mut self,
        field: &Known<'a>,
        (_, wanted): (&Node<'a>, &Node<'a>),
        name: &str,
    ) -> bool {
        let is_declared = !field.fits.is_empty();
        self.refuse(field, (wanted, ""), |subject| {
            if is_declared {
                Why::new(
                    "property-removed",
                    format!("the writer may send {subject}, and the reader takes no `{name}`"),
                )
                .fix(format!("keep `{name}` in the reader, or open its object"))
            } else {
                Why::new(
                    "object-closed",
                    format!(
                        "the writer's object is open, so it may hold any field, such as {subject}; \
                         the reader's is closed"
                    ),
                )
                .fix("leave the reader's object open, or close the writer's first")
            }
        })
    }

    /// A field that the reader declares. Where the writer says nothing of it and is open, that is the
    /// reason, not what the reader says of it.
    fn prove_declared(
        &mut self,
        field: &Known<'a>,
        (_, wanted): (&Node<'a>, &Node<'a>),
        name: &str,
    ) -> bool {
        let is_undeclared = field.fits.is_empty() && field.misses.is_empty();
        if !is_undeclared || self.is_quiet() {
            return self.prove(field, wanted);
        }
        if self.attempt(|study| study.prove(field, wanted)) {
            return true;
        }
        self.refuse(field, (wanted, ""), |_| {
            Why::new(
                "property-added-to-open-object",
                format!(
                    "the writer does not declare `{name}`, but its object is open: it may already \
                     hold a `{name}` that does not fit what the reader now says of it"
                ),
            )
            .fix(format!(
                "close the objects of writers (`additionalProperties: false`) and leave those of \
                 readers open, or agree that undeclared names are reserved and compare with \
                 `--open-content reserved`; or say nothing of `{name}` in the reader"
            ))
        })
    }

    /// Whether no field is possible but the declared ones; those that are.
    pub(crate) fn possible_names(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
    ) -> Option<Vec<String>> {
        let names = self.declared(flat, None);
        for kind in self.kinds(flat, None, &names)? {
            let step = Step::Field(kind.example.clone().unwrap_or_default());
            if let Some(field) = self.field_of(flat, &kind)
                && !self.within(known, step, |study| study.is_impossible(&field))
            {
                return None;
            }
        }
        let mut possible = Vec::new();
        for name in names {
            let step = Step::Field(name.clone());
            if let Some(field) = self.field(flat, &name)
                && !self.within(known, step, |study| study.is_impossible(&field))
            {
                possible.push(name);
            }
        }
        Some(possible)
    }
}

/// Schemas of one field.
pub(crate) struct Schemas<'a> {
    pub(crate) sure: Vec<Node<'a>>,
    /// There may be more.
    is_unsure: bool,
}

impl Schemas<'_> {
    fn says_something(&self) -> bool {
        self.is_unsure
            || self
                .sure
                .iter()
                .any(|node| node.schema != &Value::Bool(true))
    }
}

/// The names that a schema and its parts look at, whatever the value is.
#[derive(Default)]
pub(crate) struct Declared<'a> {
    pub(crate) names: BTreeSet<&'a str>,
    pub(crate) patterns: BTreeSet<&'a str>,
    /// What looks at every other name, and says something of it.
    pub(crate) others: Vec<Node<'a>>,
    /// Every other name is looked at, and may be there: for `unevaluatedProperties` that is another
    /// thing than an object without a word about it.
    is_opened: bool,
    /// The schemas that were taken.
    seen: HashSet<usize>,
}

impl<'a> Declared<'a> {
    /// Takes a schema and all of its parts, each once: they may be reached in many ways.
    pub(crate) fn take(&mut self, node: &Node<'a>) {
        let mut waiting = vec![node.clone()];
        while let Some(node) = waiting.pop() {
            if !self.seen.insert(node.key()) {
                continue;
            }
            self.names.extend(node.names("properties"));
            self.patterns.extend(node.names("patternProperties"));
            for keyword in ["additionalProperties", "unevaluatedProperties"] {
                let Some(other) = node.one(keyword) else {
                    continue;
                };
                match says_nothing(&other) {
                    true => self.is_opened = true,
                    false => self.others.push(other),
                }
            }
            waiting.extend(parts(&node));
        }
    }

    fn declares(&self, study: &mut Study<'a, '_>, name: &str) -> bool {
        let mut patterns = self.patterns.iter();
        self.names.contains(name)
            || patterns.any(|pattern| study.matches(pattern, name) != Some(false))
    }

    /// Of a reader, what cannot be told must not count as looked at.
    fn surely_declares(&self, study: &mut Study<'a, '_>, name: &str) -> bool {
        let mut patterns = self.patterns.iter();
        self.names.contains(name)
            || patterns.any(|pattern| study.matches(pattern, name) == Some(true))
    }

    /// As [`Self::surely_declares`]: patterns of a schema's parts are not among those of its kinds.
    fn surely_has(&self, kind: &Kind) -> bool {
        let mut patterns = self.patterns.iter();
        patterns.any(|pattern| kind.strings.must.contains(*pattern))
    }

    fn may_declare(&self, kind: &Kind) -> bool {
        self.patterns
            .iter()
            .any(|pattern| !kind.strings.must_not.contains(*pattern))
    }
}

fn says_nothing(node: &Node<'_>) -> bool {
    match node.schema {
        Value::Bool(anything) => *anything,
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// The schemas that look at the same value and may say what its fields are.
pub(crate) fn parts<'a>(node: &Node<'a>) -> Vec<Node<'a>> {
    let mut parts: Vec<Node<'a>> = node.referred().into_iter().collect();
    for keyword in ["allOf", "anyOf", "oneOf"] {
        parts.extend(node.list(keyword));
    }
    // Without a condition, what follows from it is not looked at.
    let is_condition = node.get("if").is_some();
    for keyword in ["if", "then", "else"].into_iter().filter(|_| is_condition) {
        parts.extend(node.one(keyword));
    }
    for name in node.names("dependentSchemas") {
        parts.extend(node.named("dependentSchemas", name));
    }
    parts
}

/// Whether what a schema looks at depends on the value.
fn has_branches(node: &Node<'_>) -> bool {
    let branches = ["anyOf", "oneOf", "if", "dependentSchemas"];
    let mut seen = HashSet::new();
    let mut waiting = vec![node.clone()];
    while let Some(node) = waiting.pop() {
        if branches
            .into_iter()
            .any(|keyword| node.get(keyword).is_some())
        {
            return true;
        }
        if seen.insert(node.key()) {
            waiting.extend(parts(&node));
        }
    }
    false
}
