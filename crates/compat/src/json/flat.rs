//! What is known of a value, taken apart into facts.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use serde_json::{Number, Value};
use tidegate_schema::Types;

use super::known::{Count, Known, Node, types_named};
use super::number;
use super::pattern::Strings;
use super::reserved::Spoken;

/// The end of a range.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) limit: Number,
    /// Whether the limit itself is outside.
    pub(crate) is_open: bool,
}

/// Keywords that count.
const COUNTS: [&str; 6] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];

/// A condition: if, then, else.
#[derive(Clone, Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) test: Node<'a>,
    pub(crate) then: Option<Node<'a>>,
    pub(crate) or_else: Option<Node<'a>>,
}

/// The facts. Each is sure; that one is absent means nothing.
#[derive(Clone, Debug)]
pub(crate) struct Flat<'a> {
    /// Schemas that the value fits, by their own keywords alone.
    pub(crate) atoms: Vec<Node<'a>>,
    /// It fits one of each of these.
    pub(crate) choices: Vec<Vec<Node<'a>>>,
    pub(crate) conditions: Vec<Condition<'a>>,
    /// It fits none of these; what facts could be made of is not among them.
    pub(crate) misses: Vec<Node<'a>>,
    pub(crate) types: Types,
    pub(crate) low: Option<Bound>,
    pub(crate) high: Option<Bound>,
    pub(crate) strings: Strings,
    pub(crate) items: Count,
    pub(crate) fields: Count,
    pub(crate) present: BTreeSet<String>,
    pub(crate) absent: BTreeSet<String>,
    /// Fields, and what they do not fit.
    pub(crate) field_misses: Vec<(&'a str, Node<'a>)>,
    /// As in [`Known`].
    pub(crate) spoken: Option<Rc<Spoken<'a>>>,
    /// No value is left.
    pub(crate) is_impossible: bool,
    /// How much was looked at.
    pub(crate) weight: usize,
}

/// How `integer` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integers {
    /// `1.0` is one.
    ByValue,
    /// `1.0` is none: draft 4 on both sides.
    AsWritten,
    /// It is none for the reader alone.
    AsWrittenByReader,
}

impl<'a> Flat<'a> {
    /// Takes apart what is known.
    pub(crate) fn of(known: &Known<'a>, integers: Integers) -> Self {
        let mut flat = Self {
            atoms: Vec::new(),
            choices: Vec::new(),
            conditions: Vec::new(),
            misses: Vec::new(),
            types: known.types,
            low: None,
            high: None,
            strings: known.strings.clone(),
            items: known.items,
            fields: known.fields,
            present: known.present.clone(),
            absent: known.absent.clone(),
            field_misses: Vec::new(),
            spoken: known.spoken.clone(),
            is_impossible: false,
            weight: 1,
        };
        let mut seen = HashSet::new();
        let mut fits = known.fits.clone();
        let mut misses = known.misses.clone();
        loop {
            flat.take_fits(std::mem::take(&mut fits), &mut misses, &mut seen, integers);
            let mut open = Vec::new();
            let mut has_changed = false;
            while let Some(miss) = misses.pop() {
                flat.weight += 4;
                match flat.take_miss(&miss, integers) {
                    Taken::Whole => has_changed = true,
                    Taken::Misses(more) => misses.extend(more),
                    Taken::Fits(node) => fits.push(node),
                    Taken::Not => open.push(miss),
                }
            }
            flat.dependent(&mut fits, &seen);
            if fits.is_empty() && !has_changed {
                flat.misses = open;
                break;
            }
            misses = open;
        }
        flat.narrow(integers);
        flat
    }

    fn take_fits(
        &mut self,
        mut waiting: Vec<Node<'a>>,
        misses: &mut Vec<Node<'a>>,
        seen: &mut HashSet<usize>,
        integers: Integers,
    ) {
        while let Some(node) = waiting.pop() {
            if node.schema == &Value::Bool(false) {
                self.is_impossible = true;
            }
            if node.object().is_none() || !seen.insert(node.key()) {
                continue;
            }
            waiting.extend(node.referred());
            waiting.extend(node.list("allOf"));
            for keyword in ["anyOf", "oneOf"] {
                let branches = node.list(keyword);
                self.weight += branches.len();
                if !branches.is_empty() {
                    self.choices.push(branches);
                }
            }
            misses.extend(node.one("not"));
            if let Some(test) = node.one("if") {
                self.conditions.push(Condition {
                    test,
                    then: node.one("then"),
                    or_else: node.one("else"),
                });
            }
            self.facts(&node, integers);
            self.atoms.push(node);
        }
    }

    fn facts(&mut self, node: &Node<'a>, integers: Integers) {
        if let Some(named) = node.get("type") {
            let mut types = types_named(named);
            let by_value = types.meets(Types::INTEGER) && !types.meets(Types::FRACTION);
            if by_value && integers == Integers::AsWrittenByReader {
                types = types.or(Types::FRACTION);
            }
            self.types = self.types.and(types);
        }
        if let Some(value) = node.get("const") {
            self.types = self.types.and(types_of(value, integers));
        }
        self.weight += 4 + node.object().map_or(0, serde_json::Map::len);
        if let Some(Value::Array(values)) = node.get("enum") {
            self.weight += values.len();
            let types = values
                .iter()
                .map(|value| types_of(value, integers))
                .fold(Types::NONE, Types::or);
            self.types = self.types.and(types);
        }
        for (keyword, is_open) in [("minimum", false), ("exclusiveMinimum", true)] {
            if let Some(limit) = node.number(keyword) {
                self.from(limit, is_open);
            }
        }
        for (keyword, is_open) in [("maximum", false), ("exclusiveMaximum", true)] {
            if let Some(limit) = node.number(keyword) {
                self.up_to(limit, is_open);
            }
        }
        for keyword in COUNTS {
            if let Some(count) = node.count(keyword) {
                self.take_count(keyword, count);
            }
        }
        if let Some(pattern) = node.get("pattern").and_then(Value::as_str) {
            self.strings.must.insert(pattern.to_owned());
        }
        self.present.extend(required(node));
    }

    fn from(&mut self, limit: &Number, is_open: bool) {
        let is_tighter = match &self.low {
            None => true,
            Some(known) => match number::compare(limit, &known.limit) {
                Ordering::Greater => true,
                Ordering::Equal => is_open,
                Ordering::Less => false,
            },
        };
        if is_tighter {
            self.low = Some(Bound {
                limit: limit.clone(),
                is_open,
            });
        }
    }

    fn up_to(&mut self, limit: &Number, is_open: bool) {
        let is_tighter = match &self.high {
            None => true,
            Some(known) => match number::compare(limit, &known.limit) {
                Ordering::Less => true,
                Ordering::Equal => is_open,
                Ordering::Greater => false,
            },
        };
        if is_tighter {
            self.high = Some(Bound {
                limit: limit.clone(),
                is_open,
            });
        }
    }

    /// What follows from not fitting a schema, where that can be said in facts.
    fn take_miss(&mut self, miss: &Node<'a>, integers: Integers) -> Taken<'a> {
        let Some(object) = miss.object() else {
            self.is_impossible |= miss.schema == &Value::Bool(true);
            return Taken::Whole;
        };
        let of_type = object.get("type").map_or(Types::ALL, types_named);
        // Of what has the type, the rest must fail.
        let has_type = self.types.is_within(of_type);
        let mut keywords = object.keys().map(String::as_str).filter(|keyword| {
            let holds = *keyword == "type" && has_type || self.holds(miss, keyword);
            *keyword != "default" && !holds
        });
        let (first, second, third) = (keywords.next(), keywords.next(), keywords.next());
        match (first, second, third) {
            (None, ..) => {
                self.is_impossible = true;
                Taken::Whole
            }
            (Some(keyword), None, _) => self.take_failed(miss, keyword, integers),
            (Some("properties"), Some("required"), None)
            | (Some("required"), Some("properties"), None) => self.take_failed_field(miss),
            _ => Taken::Not,
        }
    }

    /// Whether a keyword that is no more than a bound holds by the facts.
    fn holds(&self, node: &Node<'a>, keyword: &str) -> bool {
        let Some(count) = node.count(keyword) else {
            return false;
        };
        let most = |known: Option<u64>| known.is_some_and(|known| known <= count);
        match keyword {
            "minLength" => self.strings.least >= count,
            "maxLength" => most(self.strings.most),
            "minItems" => self.items.least >= count,
            "maxItems" => most(self.items.most),
            "minProperties" => self.fields.least >= count,
            "maxProperties" => most(self.fields.most),
            _ => false,
        }
    }

    /// One field that must be there and fit: it is absent, or does not fit.
    fn take_failed_field(&mut self, miss: &Node<'a>) -> Taken<'a> {
        let names = miss.names("properties");
        let [name] = names.as_slice() else {
            return Taken::Not;
        };
        if required(miss).as_slice() != [(*name).to_owned()] {
            return Taken::Not;
        }
        self.types = self.types.and(Types::OBJECT);
        let schema = miss.named("properties", name);
        self.field_misses
            .extend(schema.map(|schema| (*name, schema)));
        Taken::Whole
    }

    /// What follows from failing one keyword.
    fn take_failed(&mut self, miss: &Node<'a>, keyword: &str, integers: Integers) -> Taken<'a> {
        match keyword {
            "$ref" => {
                return miss
                    .referred()
                    .map_or(Taken::Not, |to| Taken::Misses(vec![to]));
            }
            "anyOf" => return Taken::Misses(miss.list("anyOf")),
            "not" => return miss.one("not").map_or(Taken::Not, Taken::Fits),
            "allOf" if miss.list("allOf").len() == 1 => return Taken::Misses(miss.list("allOf")),
            "type" => {
                let mut types = miss.get("type").map_or(Types::NONE, types_named);
                let by_value = types.meets(Types::INTEGER) && !types.meets(Types::FRACTION);
                if by_value && integers != Integers::ByValue {
                    types = types.without(Types::INTEGER);
                }
                self.types = self.types.without(types);
                return Taken::Whole;
            }
            _ => {}
        }
        match about(keyword) {
            Some(types) => self.types = self.types.and(types),
            None => return Taken::Not,
        }
        self.take_bound(miss, keyword);
        match keyword {
            "pattern" => {
                let pattern = miss.get("pattern").and_then(Value::as_str);
                self.strings.must_not.extend(pattern.map(str::to_owned));
                Taken::Whole
            }
            "required" => match required(miss).as_slice() {
                [] => {
                    self.is_impossible = true;
                    Taken::Whole
                }
                [one] => {
                    self.absent.insert(one.clone());
                    Taken::Whole
                }
                _ => Taken::Not,
            },
            "properties" => match miss.names("properties").as_slice() {
                [name] => {
                    self.present.insert((*name).to_owned());
                    let schema = miss.named("properties", name);
                    self.field_misses
                        .extend(schema.map(|schema| (*name, schema)));
                    Taken::Whole
                }
                _ => Taken::Not,
            },
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "minLength"
            | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                Taken::Whole
            }
            _ => Taken::Not,
        }
    }

    /// Failing a bound is being on its other side.
    fn take_bound(&mut self, miss: &Node<'a>, keyword: &str) {
        if let Some(limit) = miss.number(keyword) {
            match keyword {
                "minimum" => self.up_to(limit, true),
                "exclusiveMinimum" => self.up_to(limit, false),
                "maximum" => self.from(limit, true),
                "exclusiveMaximum" => self.from(limit, false),
                _ => {}
            }
        }
        let Some(count) = miss.count(keyword).filter(|_| COUNTS.contains(&keyword)) else {
            return;
        };
        if keyword.starts_with("max") {
            self.take_count(&keyword.replacen("max", "min", 1), count.saturating_add(1));
        } else {
            match count.checked_sub(1) {
                Some(below) => self.take_count(&keyword.replacen("min", "max", 1), below),
                None => self.is_impossible = true,
            }
        }
    }

    fn take_count(&mut self, keyword: &str, count: u64) {
        let known = match keyword {
            "minItems" | "maxItems" => &mut self.items,
            "minProperties" | "maxProperties" => &mut self.fields,
            _ => {
                let mut length = Count {
                    least: self.strings.least,
                    most: self.strings.most,
                };
                match keyword {
                    "minLength" => length.at_least(count),
                    _ => length.at_most(count),
                }
                (self.strings.least, self.strings.most) = (length.least, length.most);
                return;
            }
        };
        match keyword.starts_with("min") {
            true => known.at_least(count),
            false => known.at_most(count),
        }
    }

    /// Schemas that a field brings with it, when that field is sure to be there.
    fn dependent(&mut self, fits: &mut Vec<Node<'a>>, seen: &HashSet<usize>) {
        if !self.types.is_within(Types::OBJECT) {
            return;
        }
        for node in &self.atoms {
            for name in node.names("dependentSchemas") {
                if self.present.contains(name)
                    && let Some(schema) = node.named("dependentSchemas", name)
                    && !seen.contains(&schema.key())
                {
                    match schema.schema {
                        Value::Bool(false) => self.is_impossible = true,
                        Value::Bool(true) => {}
                        _ => fits.push(schema),
                    }
                }
            }
            if let Some(Value::Object(all)) = node.get("dependentRequired") {
                for (name, wanted) in all {
                    if self.present.contains(name) {
                        let wanted = wanted.as_array().into_iter().flatten();
                        let names = wanted.filter_map(Value::as_str).map(str::to_owned);
                        self.present.extend(names);
                    }
                }
            }
        }
    }

    /// Leaves out the types of which no value is left.
    fn narrow(&mut self, integers: Integers) {
        if let (Some(low), Some(high)) = (&self.low, &self.high) {
            match number::compare(&low.limit, &high.limit) {
                Ordering::Greater => self.types = self.types.without(Types::NUMBER),
                Ordering::Equal if low.is_open || high.is_open => {
                    self.types = self.types.without(Types::NUMBER);
                }
                Ordering::Equal if integers == Integers::ByValue => {
                    let other = match number::whole(&low.limit) {
                        Some(_) => Types::FRACTION,
                        None => Types::INTEGER,
                    };
                    self.types = self.types.without(other);
                }
                Ordering::Equal | Ordering::Less => {}
            }
        }
        let one = Number::from(1);
        if integers == Integers::ByValue && self.multiples().any(|by| number::divides(&one, by)) {
            self.types = self.types.without(Types::FRACTION);
        }
        if self.types.meets(Types::INTEGER) && self.integers().is_some_and(|(low, high)| low > high)
        {
            self.types = self.types.without(Types::INTEGER);
        }
        if self
            .strings
            .most
            .is_some_and(|most| most < self.strings.least)
        {
            self.types = self.types.without(Types::STRING);
        }
        if self.items.is_impossible() {
            self.types = self.types.without(Types::ARRAY);
        }
        let mut fields = self.fields;
        fields.at_least(u64::try_from(self.present.len()).unwrap_or(u64::MAX));
        if fields.is_impossible() || self.present.iter().any(|name| self.absent.contains(name)) {
            self.types = self.types.without(Types::OBJECT);
        }
        self.is_impossible |= self.types.is_none();
    }

    /// The numbers that it is a multiple of.
    pub(crate) fn multiples(&self) -> impl Iterator<Item = &'a Number> + '_ {
        self.atoms
            .iter()
            .filter_map(|node| node.number("multipleOf"))
    }

    /// The first and the last integer of the range, where it has both ends.
    pub(crate) fn integers(&self) -> Option<(i128, i128)> {
        let (low, high) = (self.low.as_ref()?, self.high.as_ref()?);
        let first = match number::whole(&low.limit) {
            Some(n) => n + i128::from(low.is_open),
            None => above(&low.limit)?,
        };
        let last = match number::whole(&high.limit) {
            Some(n) => n - i128::from(high.is_open),
            None => above(&high.limit)? - 1,
        };
        Some((first, last))
    }
}

/// The first integer above a number that is none.
fn above(number: &Number) -> Option<i128> {
    let ceil = Number::from_f64(number.as_f64()?.ceil())?;
    number::whole(&ceil)
}

/// The types of the values that are equal to this one: where `1.0` is no integer, `1` has a twin.
fn types_of(value: &Value, integers: Integers) -> Types {
    match Types::of_value(value) {
        Types::INTEGER if integers != Integers::ByValue => Types::NUMBER,
        types => types,
    }
}

/// The names that `required` lists.
pub(crate) fn required(node: &Node<'_>) -> Vec<String> {
    let names = node.get("required").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

/// The types of values that a keyword can refuse, where those are not all.
pub(crate) fn about(keyword: &str) -> Option<Types> {
    Some(match keyword {
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            Types::NUMBER
        }
        "minLength" | "maxLength" | "pattern" | "contentMediaType" | "contentEncoding" => {
            Types::STRING
        }
        "minItems" | "maxItems" | "uniqueItems" | "items" | "prefixItems" | "contains"
        | "unevaluatedItems" => Types::ARRAY,
        "minProperties"
        | "maxProperties"
        | "required"
        | "properties"
        | "patternProperties"
        | "additionalProperties"
        | "propertyNames"
        | "dependentRequired"
        | "dependentSchemas"
        | "unevaluatedProperties" => Types::OBJECT,
        _ => return None,
    })
}

/// What became of a schema that is not fitted.
enum Taken<'a> {
    /// It is all in the facts.
    Whole,
    /// Not fitting it is fitting none of these.
    Misses(Vec<Node<'a>>),
    /// Not fitting it is fitting this.
    Fits(Node<'a>),
    /// It stays as it is.
    Not,
}
