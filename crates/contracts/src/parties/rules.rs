//! The rules of an event, ready to judge what comes in.

use serde_json::{Map, Value};
use thiserror::Error;
use tidegate_base::Envelope;
use tidegate_model::design::Event;

use super::payload::shape_of;
use super::rule::{Expression, Judgement};
use super::shape::Shape;

/// The rules of an event.
#[derive(Debug)]
pub struct Rules {
    shape: Shape,
    rules: Vec<(Expression, Option<String>)>,
}

/// A rule that an event breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// The rule.
    pub rule: String,
    /// Why it is a rule, as the design says.
    pub because: Option<String>,
    /// What went wrong; `None` when the rule is just false.
    pub error: Option<String>,
}

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("rule `{rule}`: {reason}")]
pub struct RulesError {
    /// The rule.
    pub rule: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Rules {
    /// The rules of an event; `None` when it has none.
    ///
    /// # Errors
    ///
    /// The first rule that cannot be read.
    pub fn of(event: &Event) -> Result<Option<Self>, RulesError> {
        if event.rules.is_empty() {
            return Ok(None);
        }
        let shape = event.schema.as_ref().and_then(shape_of);
        let mut rules = Vec::with_capacity(event.rules.len());
        for rule in &event.rules {
            let text = &rule.expression.value;
            let expression =
                Expression::read(text, shape.as_ref()).map_err(|problems| RulesError {
                    rule: text.clone(),
                    reason: problems
                        .into_iter()
                        .next()
                        .map(|first| first.message)
                        .unwrap_or_default(),
                })?;
            rules.push((expression, rule.because.clone()));
        }
        Ok(Some(Self {
            shape: shape.unwrap_or_else(|| Shape::of(&Value::Bool(true), false)),
            rules,
        }))
    }

    /// The first rule that an event breaks; its payload is given as JSON.
    #[must_use]
    pub fn broken_by(&self, envelope: &Envelope, payload: &Value) -> Option<BrokenRule> {
        let attributes = attributes(envelope);
        self.rules.iter().find_map(|(rule, because)| {
            let error = match rule.judge(&self.shape, payload, &attributes) {
                Judgement::Holds => return None,
                Judgement::Broken => None,
                Judgement::Failed(why) => Some(why),
            };
            Some(BrokenRule {
                rule: rule.text().to_owned(),
                because: because.clone(),
                error,
            })
        })
    }
}

/// The attributes of an envelope as a rule reads them.
fn attributes(envelope: &Envelope) -> Map<String, Value> {
    let attributes = envelope.attributes();
    let attributes = attributes.map(|(name, value)| (name.to_owned(), Value::from(value)));
    attributes.collect()
}
