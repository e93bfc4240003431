//! Two schemas under study: whether all that one allows fits the other.
//!
//! A proof goes along the reader's keywords, each of which must hold by what is known of the value.
//! Where that is not enough, the cases of the writer are gone through one by one. A question that
//! comes up again below itself, about a part of the value, is answered *yes*: values are finite, so
//! that is a proof by induction. Nothing here ever guesses; what cannot be shown is a [`Failure`].

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use jsonschema::Validator;
use serde_json::Value;
use tidegate_schema::Types;

use super::effort::{Effort, size};
use super::failure::{Failure, Step};
use super::flat::{Flat, Integers};
use super::known::{Key, Known, Node};
use super::lower::Lowered;
use super::pattern::{Patterns, Strings, Word};
use super::reserved::Spoken;
use super::sample::Pool;
use super::schema::references;

/// Deepest chain of questions that lead to each other: each takes stack.
const DEPTH_MAX: usize = 48;
/// Most failures that are told.
const FAILURES_MAX: usize = 64;
/// Most times that a failure is found, the same one again included, before answers are taken from
/// memory, which knows no reasons.
const REPORTS_MAX: usize = 200;
/// Most values that a schema without a list of values is taken apart into.
const FINITE_MAX: i128 = 64;
/// Most values of a list that are gone through.
const VALUES_MAX: usize = 2_000;

/// The goal of a question whether anything is possible at all: no schema has this key.
const NOTHING: usize = 0;

pub(crate) struct Study<'a, 'k> {
    pub(crate) writer: &'a Lowered,
    pub(crate) reader: &'a Lowered,
    /// Whether the writer never sends names that it does not declare.
    pub(crate) is_reserved: bool,
    /// What speaks of the values of the writer, by where it was started from.
    pub(crate) spoken: HashMap<Rc<[usize]>, Rc<Spoken<'a>>>,
    pub(crate) integers: Integers,
    pub(crate) patterns: Patterns,
    /// What stands in both schemas.
    pub(crate) pool: Pool,
    pub(crate) effort: Effort<'k>,
    pub(crate) failures: Vec<Failure<'a>>,
    pub(crate) trail: Vec<(Known<'a>, Step)>,
    /// References that lead to the same on both sides.
    alike: HashSet<String>,
    /// What judges values by a subschema, with its size.
    checkers: HashMap<usize, Option<(Validator, usize)>>,
    answers: HashMap<Key, bool>,
    open: Vec<(Key, usize)>,
    /// The first open question that an answer rests on.
    rests_on: usize,
    reports: usize,
    /// How many parts of a proof that may fail are being tried.
    trials: usize,
}

impl<'a, 'k> Study<'a, 'k> {
    pub(crate) fn new(
        writer: &'a Lowered,
        reader: &'a Lowered,
        (integers, is_reserved): (Integers, bool),
        effort: Effort<'k>,
    ) -> Self {
        Self {
            writer,
            reader,
            is_reserved,
            spoken: HashMap::new(),
            integers,
            patterns: Patterns::default(),
            pool: Pool::of([&writer.root, &reader.root]),
            effort,
            failures: Vec::new(),
            trail: Vec::new(),
            alike: alike(writer, reader),
            checkers: HashMap::new(),
            answers: HashMap::new(),
            open: Vec::new(),
            rests_on: usize::MAX,
            reports: 0,
            trials: 0,
        }
    }

    /// Whether everything that the writer allows fits the reader. Where that was not shown,
    /// [`Self::failures`] says why.
    pub(crate) fn covers(&mut self) -> bool {
        let known = self.whole();
        let goal = Node::start(self.reader);
        self.prove(&known, &goal)
    }

    /// What is known of every event of the writer.
    pub(crate) fn whole(&mut self) -> Known<'a> {
        let mut known = Known::of(vec![Node::start(self.writer)]);
        known.spoken = self.spoken_of_event();
        known
    }

    /// Whether every value of which this is known fits the goal.
    pub(crate) fn prove(&mut self, known: &Known<'a>, goal: &Node<'a>) -> bool {
        let is_trivial = match goal.schema {
            Value::Bool(anything) => *anything,
            Value::Object(object) => object.is_empty(),
            _ => false,
        };
        let is_known = |node: &Node<'_>| {
            node.key() == goal.key()
                || node.schema == goal.schema && refers_to(goal.schema, &self.alike)
        };
        if is_trivial || known.fits.iter().any(is_known) {
            return true;
        }
        self.ask(known.key(goal.key()), |study| study.prove_now(known, goal))
    }

    /// Whether there is no value of which this is known.
    pub(crate) fn is_impossible(&mut self, known: &Known<'a>) -> bool {
        self.ask(known.key(NOTHING), |study| {
            study.trials += 1;
            let answer = study.facts(known).is_none();
            study.trials -= 1;
            answer
        })
    }

    /// Asks once what may come up more than once.
    fn ask(&mut self, key: Key, answer: impl FnOnce(&mut Self) -> bool) -> bool {
        if !self.effort.take(1) {
            return false;
        }
        match self.answers.get(&key) {
            Some(true) => return true,
            Some(false) if self.trials > 0 || self.reports >= REPORTS_MAX => return false,
            _ => {}
        }
        let level = self.trail.len();
        if let Some(at) = self.open.iter().position(|(open, _)| *open == key) {
            let is_of_a_part = self.open.get(at).is_some_and(|(_, below)| *below < level);
            if is_of_a_part {
                self.rests_on = self.rests_on.min(at);
            }
            return is_of_a_part;
        }
        let at = self.open.len();
        if at >= DEPTH_MAX {
            return false;
        }
        self.open.push((key.clone(), level));
        let rested_on = std::mem::replace(&mut self.rests_on, usize::MAX);
        let answer = answer(self);
        self.open.pop();
        // A yes that rests on an open question is good only below that one.
        if !answer || self.rests_on >= at {
            self.answers.insert(key, answer);
        }
        if self.rests_on >= at {
            self.rests_on = usize::MAX;
        }
        self.rests_on = self.rests_on.min(rested_on);
        answer
    }

    fn prove_now(&mut self, known: &Known<'a>, goal: &Node<'a>) -> bool {
        let Some(flat) = self.facts(known) else {
            return true;
        };
        let known = &known.of_types(flat.types);
        if let Some(values) = self.values_of(known, &flat) {
            return self.prove_each(known, goal, values);
        }
        let whole = self.attempt(|study| study.prove_keywords(known, &flat, goal));
        if whole {
            return true;
        }
        match self.cases(known, &flat, goal) {
            Some(cases) => {
                let mut all = true;
                for case in cases {
                    all &= self.prove(&case, goal);
                    if !all && self.is_quiet() {
                        break;
                    }
                }
                all
            }
            None if self.is_quiet() => false,
            None => self.prove_keywords(known, &flat, goal),
        }
    }

    /// The cases in which a value may be, where they can be told apart: each of them more is known.
    fn cases(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> Option<Vec<Known<'a>>> {
        let mut choices = flat.choices.iter();
        let open = choices.find(|branches| !branches.iter().any(|branch| known.has(branch)));
        if let Some(branches) = open {
            return Some(branches.iter().map(|one| known.and(one.clone())).collect());
        }
        if let Some(condition) = flat.conditions.iter().find(|c| !known.has(&c.test)) {
            let mut yes = known.and(condition.test.clone());
            yes.fits.extend(condition.then.clone());
            let mut no = known.and_not(condition.test.clone());
            no.fits.extend(condition.or_else.clone());
            return Some(vec![yes, no]);
        }
        let chooses = ["anyOf", "oneOf", "not", "if"];
        let types: Vec<Types> = Types::EACH
            .into_iter()
            .filter(|one| one.is_within(flat.types))
            .collect();
        let is_choice = chooses.iter().any(|keyword| goal.get(keyword).is_some());
        (is_choice && types.len() > 1)
            .then(|| types.into_iter().map(|one| known.of_types(one)).collect())
    }

    /// Tries a proof without telling why it fails.
    pub(crate) fn attempt(&mut self, proof: impl FnOnce(&mut Self) -> bool) -> bool {
        self.trials += 1;
        let answer = proof(self);
        self.trials -= 1;
        answer
    }

    /// Whether nobody wants to know why a proof fails.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.trials > 0
    }

    /// Tells why a proof fails. Always false.
    pub(crate) fn fail(&mut self, failure: Failure<'a>) -> bool {
        if self.is_quiet() {
            return false;
        }
        self.reports += 1;
        let is_told = self.failures.iter().any(|told| {
            told.code == failure.code && told.at == failure.at && told.path() == failure.path()
        });
        if !is_told && self.failures.len() < FAILURES_MAX {
            self.failures.push(failure);
        }
        false
    }

    /// Goes a step into the value.
    pub(crate) fn within<T>(
        &mut self,
        known: &Known<'a>,
        step: Step,
        inside: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.trail.push((known.clone(), step));
        let answer = inside(self);
        self.trail.pop();
        answer
    }

    /// The facts; none when no value is possible.
    pub(crate) fn facts(&mut self, known: &Known<'a>) -> Option<Flat<'a>> {
        let mut flat = self.flat(known);
        if flat.is_impossible {
            return None;
        }
        self.leave_out_values(&mut flat);
        self.trials += 1;
        self.narrow(known, &mut flat);
        let is_impossible = flat.types.is_none() || self.contradicts(known, &flat);
        self.trials -= 1;
        (!is_impossible).then_some(flat)
    }

    /// What is known, taken apart.
    pub(crate) fn flat(&mut self, known: &Known<'a>) -> Flat<'a> {
        let flat = Flat::of(known, self.integers);
        self.effort.work(flat.weight);
        flat
    }

    /// Whether a pattern matches a text; `None` when that cannot be told.
    pub(crate) fn matches(&mut self, pattern: &str, text: &str) -> Option<bool> {
        self.patterns.matches(pattern, text, &mut self.effort)
    }

    /// A string of these.
    pub(crate) fn word(&mut self, strings: &Strings) -> Word {
        self.patterns.word(strings, &mut self.effort)
    }

    /// Strings that it may not be are facts too.
    fn leave_out_values(&mut self, flat: &mut Flat<'a>) {
        for miss in &flat.misses {
            let Some(object) = miss.object() else {
                continue;
            };
            let one = object.get("const").filter(|_| object.len() == 1);
            let all = object.get("enum").filter(|_| object.len() == 1);
            let all = all.and_then(Value::as_array).into_iter().flatten();
            let texts = one.into_iter().chain(all).filter_map(Value::as_str);
            flat.strings.other_than.extend(texts.map(str::to_owned));
        }
    }

    /// Leaves out the types of which no value is left, by what is inside of a value.
    fn narrow(&mut self, known: &Known<'a>, flat: &mut Flat<'a>) {
        let strings = &flat.strings;
        let has_patterns = !strings.must.is_empty() || !strings.other_than.is_empty();
        if flat.types.meets(Types::STRING)
            && (has_patterns || !strings.must_not.is_empty())
            && self.patterns.word(strings, &mut self.effort) == Word::None
        {
            flat.types = flat.types.without(Types::STRING);
        }
        if flat.types.meets(Types::ARRAY) && !self.has_room_for_items(known, flat) {
            flat.types = flat.types.without(Types::ARRAY);
        }
        if flat.types.meets(Types::OBJECT) {
            let names: Vec<String> = flat.present.iter().cloned().collect();
            for name in names {
                let is_possible = match self.field(flat, &name) {
                    None => false,
                    Some(field) => !self.within(known, Step::Field(name), |study| {
                        study.is_impossible(&field)
                    }),
                };
                if !is_possible {
                    flat.types = flat.types.without(Types::OBJECT);
                    break;
                }
            }
        }
    }

    /// Whether what is known cannot all be so.
    fn contradicts(&mut self, known: &Known<'a>, flat: &Flat<'a>) -> bool {
        if let Some(values) = self.values_of(known, flat)
            && values.is_empty()
        {
            return true;
        }
        for miss in &flat.misses {
            let mut rest = known.of_types(flat.types);
            rest.misses.retain(|other| other.key() != miss.key());
            // What is not fitted may come from a `not` that is fitted: then it stays known, which a
            // proof does not mind.
            if self.prove(&rest, miss) {
                return true;
            }
        }
        let open: Vec<_> = flat
            .choices
            .iter()
            .filter(|branches| !branches.iter().any(|branch| known.has(branch)))
            .collect();
        open.iter().any(|branches| {
            branches
                .iter()
                .all(|branch| self.is_impossible(&known.and(branch.clone())))
        })
    }

    /// Every value of which this is known, where they are few enough to be listed.
    fn values_of(&mut self, known: &Known<'a>, flat: &Flat<'a>) -> Option<Vec<Value>> {
        let lists = flat.atoms.iter().filter_map(|node| {
            let one = node.get("const").map(std::slice::from_ref);
            one.or_else(|| node.get("enum")?.as_array().map(Vec::as_slice))
        });
        let listed = lists.min_by_key(|list| list.len());
        let values: Vec<Value> = match listed {
            Some(list) if list.len() > VALUES_MAX => return None,
            Some(list) => list.to_vec(),
            None if flat.types.is_within(Types::NULL.or(Types::BOOLEAN)) => {
                vec![Value::Null, Value::Bool(false), Value::Bool(true)]
            }
            None if flat.types.is_within(Types::INTEGER) && self.integers == Integers::ByValue => {
                let (first, last) = flat.integers()?;
                if last - first >= FINITE_MAX {
                    return None;
                }
                let numbers = (first..=last).map(super::number::of);
                numbers
                    .map(|n| n.map(Value::Number))
                    .collect::<Option<_>>()?
            }
            None => return None,
        };
        if self.have_twins(flat, &values) {
            return None;
        }
        let mut left = Vec::new();
        for value in values {
            if Types::of_value(&value).meets(flat.types) && self.is_so(known, &value)? {
                left.push(value);
            }
        }
        Some(left)
    }

    /// Whether `1` and `1.0` are equal, both may be written, and a schema tells them apart.
    fn have_twins(&self, flat: &Flat<'a>, values: &[Value]) -> bool {
        self.integers != Integers::ByValue
            && values.iter().any(|value| match value {
                Value::Number(_) => flat.types.meets(Types::FRACTION) && has_whole_number(value),
                value => has_whole_number(value),
            })
            && [self.writer, self.reader]
                .iter()
                .any(|schema| schema.root.to_string().contains("\"integer\""))
    }

    /// Whether all that is known is so of a value; `None` when that cannot be told.
    pub(crate) fn is_so(&mut self, known: &Known<'a>, value: &Value) -> Option<bool> {
        if let Value::Object(fields) = value {
            let has = |name: &String| fields.contains_key(name);
            if !known.present.iter().all(has) || known.absent.iter().any(has) {
                return Some(false);
            }
        }
        if let Value::String(text) = value {
            for (patterns, wanted) in [
                (&known.strings.must, true),
                (&known.strings.must_not, false),
            ] {
                for pattern in patterns {
                    if self.matches(pattern, text)? != wanted {
                        return Some(false);
                    }
                }
            }
            if known.strings.other_than.contains(text) {
                return Some(false);
            }
        }
        for node in &known.fits {
            if !self.fits(node, value)? {
                return Some(false);
            }
        }
        for node in &known.misses {
            if self.fits(node, value)? {
                return Some(false);
            }
        }
        Some(Types::of_value(value).meets(known.types))
    }

    /// Whether a value fits a subschema; `None` when that cannot be told.
    pub(crate) fn fits(&mut self, node: &Node<'a>, value: &Value) -> Option<bool> {
        if let Value::Bool(anything) = node.schema {
            return Some(*anything);
        }
        if !self.checkers.contains_key(&node.key()) {
            // Compiling goes over all that is referred to.
            let document = super::schema::alone(node)?;
            let is_given = self.effort.take(20) && self.effort.work(size(&document) * 8);
            if !is_given {
                return None;
            }
            let checker = super::schema::checker(&document);
            self.checkers
                .insert(node.key(), checker.map(|it| (it, size(&document))));
        }
        let (checker, schema_size) = self.checkers.get(&node.key())?.as_ref()?;
        // A value may be held against all of a schema, each of its parts against some of it.
        let amount = size(value).saturating_add(schema_size / 4);
        self.effort.work(amount).then(|| checker.is_valid(value))
    }
}

/// The references that lead to the same on both sides, all that is referred to from there included.
fn alike(writer: &Lowered, reader: &Lowered) -> HashSet<String> {
    let definitions = reader.root.get("$defs").and_then(Value::as_object);
    let mut alike = HashSet::new();
    let mut waiting = Vec::new();
    // Who refers to it: those are not alike either, once it is not.
    let mut referring: HashMap<&str, Vec<String>> = HashMap::new();
    for (number, definition) in definitions.into_iter().flatten() {
        let name = format!("#/$defs/{number}");
        if writer.target(&name) != Some(definition) {
            waiting.push(name);
            continue;
        }
        for to in references(definition) {
            referring.entry(to).or_default().push(name.clone());
        }
        alike.insert(name);
    }
    while let Some(name) = waiting.pop() {
        let others = referring.remove(name.as_str()).into_iter().flatten();
        waiting.extend(others.filter(|other| alike.remove(other)));
    }
    alike
}

/// Whether there is a number without fraction in a value.
fn has_whole_number(value: &Value) -> bool {
    match value {
        Value::Number(n) => super::number::whole(n).is_some(),
        Value::Array(items) => items.iter().any(has_whole_number),
        Value::Object(fields) => fields.values().any(has_whole_number),
        _ => false,
    }
}

/// Whether a schema refers to nothing but these.
fn refers_to(schema: &Value, names: &HashSet<String>) -> bool {
    match schema {
        Value::Object(object) => object.iter().all(|(keyword, value)| match value {
            Value::String(name) if keyword == "$ref" => names.contains(name),
            value => refers_to(value, names),
        }),
        Value::Array(items) => items.iter().all(|item| refers_to(item, names)),
        _ => true,
    }
}
