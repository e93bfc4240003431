//! Values of which something is known: small ones, and those at the edges.
//!
//! What is made here are candidates. Most of them fit what they were made for, and none is shown
//! before both schemas have judged it.

use serde_json::{Map, Number, Value};
use tidegate_schema::Types;

use super::failure::Step;
use super::flat::{Flat, Integers};
use super::keywords::first_multiples;
use super::known::{Known, Node};
use super::number;
use super::pattern::{Strings, Word};
use super::study::Study;

/// Deepest nesting of a value that is made.
const DEPTH_MAX: usize = 20;
/// Deepest nesting at which what may be left out is put in.
const OPTIONAL_DEPTH_MAX: usize = 3;
/// Most values of one subschema.
const VALUES_MAX: usize = 32;
/// Most fields of an object of which each alone is put in.
const FIELDS_MAX: usize = 24;
/// Most items of an array that is made.
const ITEMS_MAX: u64 = 512;

/// Values and names that stand in the schemas: what one side treats apart is among them.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    numbers: Vec<Number>,
    strings: Vec<String>,
    lengths: Vec<u64>,
    names: Vec<String>,
    values: Vec<Value>,
}

/// Most entries of each list of a pool.
const POOL_MAX: usize = 48;

impl Pool {
    pub(crate) fn of(schemas: [&Value; 2]) -> Self {
        let mut pool = Self::default();
        for schema in schemas {
            pool.take(schema);
        }
        pool
    }

    fn take(&mut self, schema: &Value) {
        match schema {
            Value::Object(object) => {
                for (keyword, value) in object {
                    self.take_keyword(keyword, value);
                    if !matches!(keyword.as_str(), "enum" | "const" | "default") {
                        self.take(value);
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|one| self.take(one)),
            _ => {}
        }
    }

    fn take_keyword(&mut self, keyword: &str, value: &Value) {
        match (keyword, value) {
            ("const", value) => self.take_value(value),
            ("enum", Value::Array(values)) => values.iter().for_each(|v| self.take_value(v)),
            ("required", Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                names.for_each(|name| push(&mut self.names, name.to_owned()));
            }
            ("properties", Value::Object(fields)) => {
                fields
                    .keys()
                    .for_each(|name| push(&mut self.names, name.clone()));
            }
            (
                "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
                | "maxProperties" | "minContains" | "maxContains",
                Value::Number(n),
            ) => {
                if let Some(n) = n.as_u64() {
                    push(&mut self.lengths, n);
                }
            }
            (_, Value::Number(n)) => push(&mut self.numbers, n.clone()),
            _ => {}
        }
    }

    fn take_value(&mut self, value: &Value) {
        match value {
            Value::Number(n) => push(&mut self.numbers, n.clone()),
            Value::String(text) => push(&mut self.strings, text.clone()),
            _ => push(&mut self.values, value.clone()),
        }
    }
}

fn push<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if list.len() < POOL_MAX && !list.contains(&one) {
        list.push(one);
    }
}

impl<'a> Study<'a, '_> {
    /// Values of which this is known, the plainest first.
    pub(crate) fn samples(&mut self, known: &Known<'a>, depth: usize) -> Vec<Value> {
        let mut found = Vec::new();
        if depth > DEPTH_MAX || !self.effort.take(1) {
            return found;
        }
        let flat = self.flat(known);
        if flat.is_impossible {
            return found;
        }
        let choices = flat.choices.iter();
        let mut open = choices.filter(|branches| !branches.iter().any(|one| known.has(one)));
        if let Some(branches) = open.next() {
            for branch in branches {
                let case = self.samples(&known.and(branch.clone()), depth + 1);
                let few = VALUES_MAX / branches.len().clamp(1, 4);
                extend(&mut found, case.into_iter().take(few.max(4)));
            }
            return found;
        }
        if let Some(condition) = flat.conditions.iter().find(|c| !known.has(&c.test)) {
            let mut yes = known.and(condition.test.clone());
            yes.fits.extend(condition.then.clone());
            let mut no = known.and_not(condition.test.clone());
            no.fits.extend(condition.or_else.clone());
            for case in [yes, no] {
                let values = self.samples(&case, depth + 1);
                extend(&mut found, values.into_iter().take(VALUES_MAX / 2));
            }
            return found;
        }
        if let Some(mut listed) = listed(&flat) {
            if self.integers != Integers::ByValue {
                let twins = listed.iter().filter_map(|value| match value {
                    Value::Number(n) => Number::from_f64(n.as_f64()?).map(Value::Number),
                    _ => None,
                });
                let twins: Vec<Value> = twins.collect();
                listed.extend(twins);
            }
            listed.retain(|value| {
                let may_be_number = value.is_number() && flat.types.meets(Types::NUMBER);
                may_be_number || Types::of_value(value).meets(flat.types)
            });
            extend(&mut found, listed.into_iter().take(VALUES_MAX));
            return found;
        }
        let is_anything = flat.atoms.is_empty() && flat.misses.is_empty();
        if is_anything && known.types == Types::ALL {
            let mut plain = anything();
            plain.extend(self.pool.strings.iter().cloned().map(Value::String));
            let numbers = self.pool.numbers.iter().flat_map(around);
            plain.extend(numbers.take(VALUES_MAX / 2).map(Value::Number));
            plain.extend(self.pool.values.iter().cloned());
            return plain.into_iter().take(VALUES_MAX).collect();
        }
        for one in [
            Types::OBJECT,
            Types::STRING,
            Types::INTEGER,
            Types::FRACTION,
            Types::BOOLEAN,
            Types::NULL,
            Types::ARRAY,
        ] {
            if one.is_within(flat.types) {
                let values = self.samples_of(&flat, (one, depth));
                let few = if flat.types == one { VALUES_MAX } else { 10 };
                extend(&mut found, values.into_iter().take(few));
            }
        }
        found
    }

    /// One value of which this is known.
    fn sample(&mut self, known: &Known<'a>, depth: usize) -> Option<Value> {
        let samples = self.samples(known, depth.max(OPTIONAL_DEPTH_MAX));
        samples.into_iter().next()
    }

    fn samples_of(&mut self, flat: &Flat<'a>, (of, depth): (Types, usize)) -> Vec<Value> {
        match of {
            Types::NULL => vec![Value::Null],
            Types::BOOLEAN => vec![Value::Bool(true), Value::Bool(false)],
            Types::INTEGER | Types::FRACTION => self.numbers(flat, of),
            Types::STRING => self.texts(flat),
            Types::ARRAY => self.arrays(flat, depth),
            _ => self.objects(flat, depth),
        }
    }

    fn numbers(&mut self, flat: &Flat<'a>, of: Types) -> Vec<Value> {
        let mut tried: Vec<Number> = Vec::new();
        let plain = [0, 1, -1, 2, 100].into_iter().map(Number::from);
        let halves = [0.5, -0.5, 1.5].into_iter().filter_map(Number::from_f64);
        let bounds = [&flat.low, &flat.high].into_iter().flatten();
        let ends: Vec<&Number> = bounds.map(|bound| &bound.limit).collect();
        for by in flat.multiples() {
            tried.extend(first_multiples(by).into_iter().filter_map(number_of));
            tried.extend(ends.iter().filter_map(|end| nearest_multiple(end, by)));
        }
        let in_schemas = self.pool.numbers.clone();
        for end in ends.into_iter().chain(&in_schemas) {
            tried.extend(around(end));
        }
        if let (Some(low), Some(high)) = (&flat.low, &flat.high) {
            let middle = low.limit.as_f64().zip(high.limit.as_f64());
            tried.extend(middle.and_then(|(a, b)| Number::from_f64(a.midpoint(b))));
        }
        tried.extend(plain.chain(halves));
        // Where `1.0` is no integer, each of them has such a twin.
        if of == Types::FRACTION && self.integers != Integers::ByValue {
            let twins = tried.iter().filter_map(|n| Number::from_f64(n.as_f64()?));
            let twins: Vec<Number> = twins.collect();
            let twins = twins.into_iter().filter(|n| is_in_range(flat, n));
            return twins.take(VALUES_MAX).map(Value::Number).collect();
        }
        let mut found = Vec::new();
        for n in tried {
            let value = Value::Number(n.clone());
            if Types::of_value(&value).meets(of) && is_in_range(flat, &n) {
                extend(&mut found, [value]);
            }
        }
        found
    }

    fn texts(&mut self, flat: &Flat<'a>) -> Vec<Value> {
        let mut found = Vec::new();
        let mut strings = flat.strings.clone();
        let plain = strings.must.is_empty() && strings.must_not.is_empty();
        if plain {
            let length = usize::try_from(strings.least.clamp(1, 4_096)).unwrap_or(1);
            let most = strings.most.unwrap_or(u64::MAX);
            for letter in ["a", "1", "é"] {
                if u64::try_from(length).is_ok_and(|length| length <= most) {
                    extend(&mut found, [Value::String(letter.repeat(length))]);
                }
            }
        } else if let Word::Is(word) = self.word(&strings) {
            extend(&mut found, [Value::String(word)]);
        }
        for text in self.pool.strings.clone() {
            if self.is_text(&strings, &text) {
                extend(&mut found, [Value::String(text)]);
            }
        }
        let mut lengths = self.pool.lengths.clone();
        lengths.extend([strings.least, 0, 1]);
        lengths.extend(strings.most);
        let near = lengths
            .iter()
            .flat_map(|n| [*n, n.saturating_add(1), n.saturating_sub(1)]);
        for length in near.collect::<std::collections::BTreeSet<_>>() {
            let is_out = length < strings.least || strings.most.is_some_and(|most| length > most);
            if is_out || length > 4_096 {
                continue;
            }
            if plain {
                let length = usize::try_from(length).unwrap_or(0);
                extend(&mut found, [Value::String("a".repeat(length))]);
                continue;
            }
            let (least, most) = (strings.least, strings.most);
            (strings.least, strings.most) = (length, Some(length));
            if let Word::Is(word) = self.word(&strings) {
                extend(&mut found, [Value::String(word)]);
            }
            (strings.least, strings.most) = (least, most);
        }
        found
    }

    fn is_text(&mut self, strings: &Strings, text: &str) -> bool {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        let mut must = strings.must.iter().map(|pattern| (pattern, true));
        let mut must_not = strings.must_not.iter().map(|pattern| (pattern, false));
        length >= strings.least
            && strings.most.is_none_or(|most| length <= most)
            && !strings.other_than.contains(text)
            && must.all(|(p, wanted)| self.matches(p, text) == Some(wanted))
            && must_not.all(|(p, wanted)| self.matches(p, text) == Some(wanted))
    }

    fn arrays(&mut self, flat: &Flat<'a>, depth: usize) -> Vec<Value> {
        let mut found = Vec::new();
        let mut least = flat.items.least;
        let wanted = flat.atoms.iter().filter_map(|node| {
            let contained = node.one("contains")?;
            Some((contained, node.count("minContains").unwrap_or(1)))
        });
        let wanted: Vec<(Node<'a>, u64)> = wanted.collect();
        least = least.max(wanted.iter().map(|(_, count)| *count).sum());
        if least > ITEMS_MAX {
            return found;
        }
        let mut lengths = vec![least, least + 1, 0, 1, 2];
        lengths.extend(flat.items.most);
        let near = self.pool.lengths.iter();
        lengths.extend(near.flat_map(|n| [*n, n.saturating_add(1), n.saturating_sub(1)]));
        lengths.retain(|length| {
            *length <= ITEMS_MAX
                && *length >= least
                && flat.items.most.is_none_or(|most| *length <= most)
        });
        if depth >= OPTIONAL_DEPTH_MAX {
            lengths.truncate(1);
        }
        let mut tried = std::collections::BTreeSet::new();
        for length in lengths {
            if tried.insert(length)
                && let Some(array) = self.array(flat, (length, &wanted), depth)
            {
                extend(&mut found, [Value::Array(array)]);
            }
        }
        if depth < OPTIONAL_DEPTH_MAX {
            self.vary_items(flat, (&mut found, depth));
        }
        found
    }

    /// An array of so many items, no two of them equal as far as that is possible.
    fn array(
        &mut self,
        flat: &Flat<'a>,
        (length, wanted): (u64, &[(Node<'a>, u64)]),
        depth: usize,
    ) -> Option<Vec<Value>> {
        let mut contained = wanted
            .iter()
            .flat_map(|(node, count)| (0..*count).map(|_| node.clone()));
        let mut items: Vec<Value> = Vec::new();
        let mut alike: Option<Vec<Value>> = None;
        for position in 0..usize::try_from(length).ok()? {
            let mut item = self.item(flat, position);
            let extra = contained.next();
            let is_alike = extra.is_none() && position >= Self::positions(flat, None);
            item.fits.extend(extra);
            let values = match &alike {
                Some(values) if is_alike => values.clone(),
                _ => self.samples(&item, depth.max(OPTIONAL_DEPTH_MAX) + 1),
            };
            let new = values.iter().find(|value| !items.contains(value));
            items.push(new.or(values.first())?.clone());
            if is_alike {
                alike = Some(values);
            }
        }
        Some(items)
    }

    /// The first array again with each of its items, and one more, in every way.
    fn vary_items(&mut self, flat: &Flat<'a>, (found, depth): (&mut Vec<Value>, usize)) {
        for position in 0..=Self::positions(flat, None).min(4) {
            let item = self.item(flat, position);
            for value in self.samples(&item, depth + 1).into_iter().take(12) {
                let step = Step::Item(position);
                extend(found, self.embed(flat, (&step, value), depth));
            }
        }
        // Equal items.
        let doubled = found
            .iter()
            .filter_map(|value| match value.as_array()?.as_slice() {
                [one] => Some(Value::Array(vec![one.clone(), one.clone()])),
                _ => None,
            });
        let doubled: Vec<Value> = doubled.collect();
        extend(found, doubled.into_iter().take(4));
    }

    fn objects(&mut self, flat: &Flat<'a>, depth: usize) -> Vec<Value> {
        let mut found = Vec::new();
        let Some(base) = self.object(flat, depth) else {
            return found;
        };
        extend(&mut found, [Value::Object(base.clone())]);
        if depth >= OPTIONAL_DEPTH_MAX {
            return found;
        }
        let mut names: Vec<String> = Vec::new();
        for node in &flat.atoms {
            names.extend(node.names("properties").into_iter().map(str::to_owned));
        }
        let few = if depth == 0 { 12 } else { 4 };
        let in_schemas = self.pool.names.clone();
        names.extend(in_schemas);
        names.push("other".to_owned());
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let mut whole = base.clone();
        for name in names.into_iter().take(FIELDS_MAX) {
            let Some(field) = self.field(flat, &name) else {
                continue;
            };
            for value in self.samples(&field, depth + 1).into_iter().take(few) {
                whole.entry(name.clone()).or_insert_with(|| value.clone());
                let step = Step::Field(name.clone());
                extend(&mut found, self.embed(flat, (&step, value), depth));
            }
        }
        extend(&mut found, [Value::Object(whole)]);
        self.other_names(flat, (&mut found, depth));
        found
    }

    /// Objects with a field of each kind of name.
    fn other_names(&mut self, flat: &Flat<'a>, (found, depth): (&mut Vec<Value>, usize)) {
        let kinds = self.kinds(flat, None, &flat.present.clone());
        for kind in kinds.into_iter().flatten().take(8) {
            if let (Some(name), Some(field)) = (kind.example.clone(), self.field_of(flat, &kind)) {
                for value in self.samples(&field, depth + 1).into_iter().take(6) {
                    let step = Step::Field(name.clone());
                    extend(found, self.embed(flat, (&step, value), depth));
                }
            }
        }
    }

    /// The least object: the fields that must be there, and as many more as it takes.
    fn object(&mut self, flat: &Flat<'a>, depth: usize) -> Option<Map<String, Value>> {
        let mut object = Map::new();
        for name in &flat.present {
            let field = self.field(flat, name)?;
            let value = self.sample(&field, depth + 1)?;
            object.insert(name.clone(), value);
        }
        let least = usize::try_from(flat.fields.least).ok()?;
        let mut names: Vec<String> = Vec::new();
        for node in &flat.atoms {
            names.extend(node.names("properties").into_iter().map(str::to_owned));
        }
        names.extend(self.declared(flat, None));
        names.extend((1..=least.min(64)).map(|n| format!("f{n}")));
        let kinds = self.kinds(flat, None, &flat.present.clone());
        names.extend(kinds.into_iter().flatten().filter_map(|kind| kind.example));
        for name in names {
            if object.len() >= least {
                break;
            }
            if !object.contains_key(&name)
                && let Some(field) = self.field(flat, &name)
                && let Some(value) = self.sample(&field, depth + 1)
            {
                object.insert(name, value);
            }
        }
        Some(object)
    }

    /// The least value with another one at a step into it.
    pub(crate) fn embed(
        &mut self,
        flat: &Flat<'a>,
        (step, value): (&Step, Value),
        depth: usize,
    ) -> Option<Value> {
        match step {
            Step::Field(name) => {
                // Where the field has another value too, it keeps its place among the others.
                let object = self.object(flat, depth);
                let mut object = object.or_else(|| {
                    let mut without = flat.clone();
                    without.present.remove(name);
                    self.object(&without, depth)
                })?;
                object.insert(name.clone(), value);
                Some(Value::Object(object))
            }
            Step::Item(position) => {
                let least = flat.items.least.min(ITEMS_MAX);
                let length = least.max(u64::try_from(*position).ok()?.saturating_add(1));
                let mut items = self.array(flat, (length, &[]), depth)?;
                *items.get_mut(*position)? = value;
                Some(Value::Array(items))
            }
        }
    }
}

/// One plain value of each type.
fn anything() -> Vec<Value> {
    vec![
        Value::from("a"),
        Value::from(1),
        Value::from(0.5),
        Value::Bool(true),
        Value::Null,
        Value::Array(Vec::new()),
        Value::Object(Map::new()),
    ]
}

/// The values that a schema lists.
fn listed(flat: &Flat<'_>) -> Option<Vec<Value>> {
    let lists = flat.atoms.iter().filter_map(|node| {
        let one = node.get("const").map(std::slice::from_ref);
        one.or_else(|| node.get("enum")?.as_array().map(Vec::as_slice))
    });
    lists.min_by_key(|list| list.len()).map(<[Value]>::to_vec)
}

fn extend(found: &mut Vec<Value>, more: impl IntoIterator<Item = Value>) {
    for value in more {
        if found.len() < VALUES_MAX * 2 && !found.contains(&value) {
            found.push(value);
        }
    }
}

fn number_of(value: Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// A number and its neighbours.
fn around(n: &Number) -> Vec<Number> {
    let mut found = vec![n.clone()];
    found.extend(number::far(n));
    if let Some(whole) = number::whole(n) {
        found.extend(
            [1, -1]
                .into_iter()
                .filter_map(|by| number::of(whole.saturating_add(by))),
        );
    }
    if let Some(float) = n.as_f64() {
        let near = [0.5, -0.5, 0.001, -0.001].into_iter();
        found.extend(near.filter_map(|by| Number::from_f64(float + by)));
        let round = [
            float.ceil(),
            float.floor(),
            float.floor() - 1.0,
            float.ceil() + 1.0,
        ];
        let whole = round.into_iter().filter_map(Number::from_f64);
        found.extend(whole.filter_map(|n| number::of(number::whole(&n)?)));
    }
    found
}

/// Multiples on both sides of a number, the nearer ones first.
fn nearest_multiple(near: &Number, by: &Number) -> Option<Number> {
    if let (Some(near), Some(by)) = (number::whole(near), number::whole(by)) {
        if by == 0 {
            return None;
        }
        return number::of((near.div_euclid(by) + 1) * by);
    }
    let (near, by) = (near.as_f64()?, by.as_f64()?);
    Number::from_f64(((near / by).floor() + 1.0) * by)
}

fn is_in_range(flat: &Flat<'_>, n: &Number) -> bool {
    use std::cmp::Ordering;
    let above = flat
        .low
        .as_ref()
        .is_none_or(|low| match number::compare(n, &low.limit) {
            Ordering::Greater => true,
            Ordering::Equal => !low.is_open,
            Ordering::Less => false,
        });
    let below = flat
        .high
        .as_ref()
        .is_none_or(|high| match number::compare(n, &high.limit) {
            Ordering::Less => true,
            Ordering::Equal => !high.is_open,
            Ordering::Greater => false,
        });
    above && below
}
