//! The keywords of the reader, one by one: what must be known for each to hold.

use std::cmp::Ordering;

use serde_json::{Number, Value};
use tidegate_schema::Types;

use super::failure::Failure;
use super::flat::{Flat, about};
use super::known::{Known, Node, types_named};
use super::number::{self, far};
use super::pattern::Word;
use super::study::Study;

/// Most values that a reason lists.
const SHOWN_MAX: usize = 5;

/// A reason in words.
pub(crate) struct Why {
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    pub(crate) fix: Option<String>,
    pub(crate) hints: Vec<Value>,
}

impl Why {
    pub(crate) fn new(code: &'static str, reason: String) -> Self {
        Self {
            code,
            reason,
            fix: None,
            hints: Vec::new(),
        }
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    pub(crate) fn hints(mut self, hints: impl IntoIterator<Item = Value>) -> Self {
        self.hints.extend(hints);
        self
    }
}

impl<'a> Study<'a, '_> {
    /// Says why a keyword of the goal may not hold for the value that is gone to. Always false.
    pub(crate) fn refuse(
        &mut self,
        known: &Known<'a>,
        (goal, keyword): (&Node<'a>, &str),
        why: impl FnOnce(&str) -> Why,
    ) -> bool {
        if self.is_quiet() {
            return false;
        }
        let mut failure = Failure {
            code: "",
            at: match keyword {
                "" => goal.of.written(&goal.pointer),
                keyword => goal.written(keyword),
            },
            reason: String::new(),
            fix: None,
            trail: self.trail.clone(),
            known: known.clone(),
            goal: goal.clone(),
            hints: Vec::new(),
        };
        let why = why(&failure.subject());
        (failure.code, failure.reason) = (why.code, why.reason);
        (failure.fix, failure.hints) = (why.fix, why.hints);
        self.fail(failure)
    }

    /// Every value that is possible, held against the goal itself.
    pub(crate) fn prove_each(
        &mut self,
        known: &Known<'a>,
        goal: &Node<'a>,
        values: Vec<Value>,
    ) -> bool {
        let mut refused = Vec::new();
        for value in values {
            if self.fits(goal, &value) != Some(true) {
                refused.push(value);
                if self.is_quiet() || self.effort.is_spent() {
                    break;
                }
            }
        }
        if refused.is_empty() {
            return true;
        }
        let code = match goal.get("enum").or_else(|| goal.get("const")) {
            Some(_) => "enum-narrowed",
            None if goal.get("type").is_some() => "type-narrowed",
            None => "value-refused",
        };
        let keyword = ["enum", "const", "type"]
            .into_iter()
            .find(|keyword| goal.get(keyword).is_some())
            .unwrap_or_default();
        self.refuse(known, (goal, keyword), |subject| {
            let shown: Vec<String> = refused.iter().take(SHOWN_MAX).map(short).collect();
            let more = match refused.len().saturating_sub(SHOWN_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let shown = shown.join(", ");
            Why::new(
                code,
                format!("{subject} may be {shown}{more}, which the reader refuses"),
            )
            .fix(format!("go on allowing {shown} in the reader"))
            .hints(refused)
        })
    }

    /// Whether each keyword of the goal holds.
    pub(crate) fn prove_keywords(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let Some(object) = goal.object() else {
            return match goal.schema {
                Value::Bool(false) => self.refuse(known, (goal, ""), |subject| {
                    Why::new(
                        "never-allowed",
                        format!("the reader allows no value of {subject}"),
                    )
                }),
                _ => true,
            };
        };
        let mut all = true;
        let (mut did_items, mut did_fields) = (false, false);
        for keyword in object.keys() {
            if about(keyword).is_some_and(|types| !flat.types.meets(types)) {
                continue;
            }
            all &= match keyword.as_str() {
                "prefixItems" | "items" if did_items => continue,
                "properties"
                | "patternProperties"
                | "additionalProperties"
                | "unevaluatedProperties"
                    if did_fields =>
                {
                    continue;
                }
                "prefixItems" | "items" => {
                    did_items = true;
                    self.prove_items(known, flat, goal)
                }
                "properties"
                | "patternProperties"
                | "additionalProperties"
                | "unevaluatedProperties" => {
                    did_fields = true;
                    self.prove_fields(known, flat, goal)
                }
                keyword => self.prove_keyword(known, flat, (goal, keyword)),
            };
            if !all && self.is_quiet() {
                return false;
            }
        }
        all
    }

    fn prove_keyword(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (goal, keyword): (&Node<'a>, &str),
    ) -> bool {
        match keyword {
            "default" => true,
            "$ref" => match goal.referred() {
                Some(to) => self.prove(known, &to),
                None => false,
            },
            "type" => self.prove_type(known, flat, goal),
            "enum" | "const" => self.refuse(known, (goal, keyword), |subject| {
                Why::new(
                    "enum-narrowed",
                    format!("{subject} may be more than the values that the reader lists"),
                )
                .fix("list every value that the writer may send, or take the list away")
            }),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                self.prove_bound(known, flat, (goal, keyword))
            }
            "multipleOf" => self.prove_multiple(known, flat, goal),
            "minLength" | "maxLength" | "pattern" => self.prove_text(known, flat, (goal, keyword)),
            "contentMediaType" | "contentEncoding" => {
                let same = |node: &Node<'_>| node.get(keyword) == goal.get(keyword);
                flat.atoms.iter().any(same) || self.not_understood(known, (goal, keyword))
            }
            "minItems" | "maxItems" | "uniqueItems" => {
                self.prove_length(known, flat, (goal, keyword))
            }
            "contains" => self.prove_contains(known, flat, goal),
            "minContains" | "maxContains" => true,
            "unevaluatedItems" => self.prove_unevaluated_items(known, flat, goal),
            "required" => self.prove_required(known, flat, goal),
            "minProperties" | "maxProperties" => self.prove_size(known, flat, (goal, keyword)),
            "propertyNames" => self.prove_names(known, flat, goal),
            "dependentRequired" => self.prove_dependent_required(known, flat, goal),
            "dependentSchemas" => self.prove_dependent_schemas(known, flat, goal),
            "allOf" => {
                let mut all = true;
                for part in goal.list("allOf") {
                    all &= self.prove(known, &part);
                }
                all
            }
            "anyOf" => self.prove_any(known, flat, goal),
            "oneOf" => self.prove_one(known, flat, goal),
            "not" => self.prove_not(known, goal),
            "if" => self.prove_condition(known, goal),
            "then" | "else" => true,
            _ => self.not_understood(known, (goal, keyword)),
        }
    }

    /// Says that a keyword is beyond what is decided here.
    pub(crate) fn not_understood(&mut self, known: &Known<'a>, at: (&Node<'a>, &str)) -> bool {
        self.refuse(known, at, |subject| {
            Why::new(
                "not-understood",
                format!(
                    "what `{}` says of {subject} is not the same on both sides",
                    at.1
                ),
            )
        })
    }

    fn prove_type(&mut self, known: &Known<'a>, flat: &Flat<'a>, goal: &Node<'a>) -> bool {
        let allowed = goal.get("type").map_or(Types::ALL, types_named);
        let beyond = flat.types.without(allowed);
        if beyond.is_none() {
            return true;
        }
        self.refuse(&known.of_types(beyond), (goal, "type"), |subject| {
            Why::new(
                "type-narrowed",
                format!(
                    "{subject} may be of type {}, and the reader takes {} alone",
                    beyond.words(),
                    allowed.words()
                ),
            )
            .fix(format!("go on taking {} in the reader", beyond.words()))
        })
    }

    fn prove_bound(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (goal, keyword): (&Node<'a>, &str),
    ) -> bool {
        let Some(limit) = goal.number(keyword) else {
            return false;
        };
        let is_low = keyword.ends_with("inimum");
        let is_open = keyword.starts_with("exclusive");
        let side = |order: Ordering| if is_low { order } else { order.reverse() };
        let bound = if is_low { &flat.low } else { &flat.high };
        let holds =
            bound
                .as_ref()
                .is_some_and(|bound| match side(number::compare(&bound.limit, limit)) {
                    Ordering::Greater => true,
                    Ordering::Equal => bound.is_open || !is_open,
                    Ordering::Less => false,
                });
        // Of integers, the first one inside of the range counts.
        let holds = holds
            || flat.types.and(Types::NUMBER).is_within(Types::INTEGER)
                && first_integer(flat, is_low).is_some_and(|first| {
                    match side(number::compare(&first, limit)) {
                        Ordering::Greater => true,
                        Ordering::Equal => !is_open,
                        Ordering::Less => false,
                    }
                });
        if holds {
            return true;
        }
        let known = known.of_types(flat.types.and(Types::NUMBER));
        self.refuse(&known, (goal, keyword), |subject| {
            let than = if is_low { "less" } else { "more" };
            Why::new(
                if is_low {
                    "minimum-raised"
                } else {
                    "maximum-lowered"
                },
                format!("{subject} may be {than} than the reader's `{keyword}` of {limit} allows"),
            )
            .fix(format!(
                "go on taking in the reader what the writer may send: loosen `{keyword}`"
            ))
            .hints(beyond(limit, is_low))
        })
    }

    fn prove_multiple(&mut self, known: &Known<'a>, flat: &Flat<'a>, goal: &Node<'a>) -> bool {
        let Some(by) = goal.number("multipleOf") else {
            return false;
        };
        let one = Number::from(1);
        let are_integers = flat.types.and(Types::NUMBER).is_within(Types::INTEGER);
        if flat.multiples().any(|known| number::divides(by, known))
            || are_integers && number::divides(by, &one)
        {
            return true;
        }
        let known = known.of_types(flat.types.and(Types::NUMBER));
        let hints: Vec<Value> = flat.multiples().flat_map(first_multiples).collect();
        self.refuse(&known, (goal, "multipleOf"), |subject| {
            Why::new(
                "multiple-narrowed",
                format!("{subject} may be no multiple of {by}"),
            )
            .fix("go on taking every multiple that the writer may send")
            .hints(hints)
        })
    }

    fn prove_text(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (goal, keyword): (&Node<'a>, &str),
    ) -> bool {
        let count = goal.count(keyword);
        let holds = match keyword {
            "minLength" => count.is_some_and(|least| flat.strings.least >= least),
            "maxLength" => flat.strings.most.zip(count).is_some_and(|(a, b)| a <= b),
            _ => goal
                .get("pattern")
                .and_then(Value::as_str)
                .is_some_and(|pattern| flat.strings.must.contains(pattern)),
        };
        if holds || count == Some(0) && keyword == "minLength" {
            return true;
        }
        let mut refused = flat.strings.clone();
        match (keyword, count) {
            ("minLength", Some(least)) => {
                let most = least.saturating_sub(1);
                refused.most = Some(refused.most.map_or(most, |known| known.min(most)));
            }
            ("maxLength", Some(most)) => refused.least = refused.least.max(most.saturating_add(1)),
            _ => {
                let pattern = goal.get("pattern").and_then(Value::as_str);
                refused.must_not.extend(pattern.map(str::to_owned));
            }
        }
        let word = match self.word(&refused) {
            Word::None => return true,
            Word::Is(word) => Some(Value::String(word)),
            Word::Unknown => None,
        };
        let known = known.of_types(Types::STRING);
        self.refuse(&known, (goal, keyword), |subject| {
            let (code, says) = match keyword {
                "minLength" => ("min-length-raised", "may be shorter than the reader allows"),
                "maxLength" => ("max-length-lowered", "may be longer than the reader allows"),
                _ => (
                    "pattern-narrowed",
                    "may be text that the reader's pattern does not match",
                ),
            };
            Why::new(code, format!("{subject} {says}"))
                .fix(format!("loosen `{keyword}` in the reader"))
                .hints(word)
        })
    }
}

/// The first integer of the range from its low end, or from its high one.
fn first_integer(flat: &Flat<'_>, is_low: bool) -> Option<Number> {
    let bound = if is_low { &flat.low } else { &flat.high };
    let bound = bound.as_ref()?;
    let step = if is_low { 1 } else { -1 };
    let first = match number::whole(&bound.limit) {
        Some(n) if bound.is_open => n + step,
        Some(n) => n,
        None => {
            let float = bound.limit.as_f64()?;
            let rounded = if is_low { float.ceil() } else { float.floor() };
            number::whole(&Number::from_f64(rounded)?)?
        }
    };
    number::of(first)
}

/// Numbers on the far side of a limit, and the limit itself.
fn beyond(limit: &Number, is_low: bool) -> Vec<Value> {
    let sign = if is_low { -1 } else { 1 };
    let mut found = vec![Value::Number(limit.clone())];
    // Where integers end, the next float may be far away.
    found.extend(far(limit).into_iter().map(Value::Number));
    if let Some(n) = number::whole(limit) {
        let steps = [1, 2, 10, 1_000].into_iter();
        let near = steps.filter_map(|by| number::of(n.saturating_add(by * sign)));
        found.extend(near.map(Value::Number));
    }
    if let Some(n) = limit.as_f64() {
        let sign = f64::from(i32::try_from(sign).unwrap_or(1));
        for by in [0.5, 0.001, 1.0] {
            found.extend(Number::from_f64(n + by * sign).map(Value::Number));
        }
    }
    found
}

/// The first multiples of a number, on both sides of zero.
pub(crate) fn first_multiples(by: &Number) -> Vec<Value> {
    let times = [1_i32, 2, 3, 5, 7, -1];
    match number::whole(by) {
        Some(n) => times
            .iter()
            .filter_map(|t| number::of(n.checked_mul(i128::from(*t))?))
            .map(Value::Number)
            .collect(),
        None => times
            .iter()
            .filter_map(|t| Number::from_f64(by.as_f64()? * f64::from(*t)))
            .map(Value::Number)
            .collect(),
    }
}

/// A value as text that is not too long.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 {
        return text;
    }
    let start: String = text.chars().take(59).collect();
    format!("{start}…")
}
