//! Rules on data, in the Common Expression Language.
//!
//! A rule is read once, held against what the schema declares, and then asked of events. Every step is
//! bounded: the length and depth of the text, its nodes, and what it may take to judge one event.

mod check;
mod fields;
mod function;
mod read;
mod value;

pub(crate) mod schema;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use cel::{Context, Env, Program};
use regex::Regex;
use serde_json::{Map, Value};
use tidegate_base::limit::RULE_STEPS_MAX;

use super::shape::Shape;

/// The standard functions of CEL, once for all rules.
static ENVIRONMENT: LazyLock<std::sync::Arc<Env>> =
    LazyLock::new(|| std::sync::Arc::new(Env::stdlib()));

/// What is wrong with the text of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What kind of thing it is.
    pub(crate) kind: ProblemKind,
    /// Where, as a character of the text, counted from 0.
    pub(crate) at: Option<usize>,
    /// What is wrong, in a sentence without a full stop.
    pub(crate) message: String,
    /// The next step.
    pub(crate) hint: Option<String>,
}

/// The kinds of problems of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// It is not CEL, or takes too much.
    Text,
    /// It reads what the schema does not declare.
    Field,
    /// It compares or yields what it cannot.
    Types,
}

/// A rule ready to judge events.
pub(crate) struct Expression {
    text: String,
    program: Program,
    /// The patterns that it matches texts with, compiled.
    patterns: Vec<(String, Regex)>,
    nodes: usize,
    /// How deep its loops are in each other.
    loops: u32,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expression")
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

/// The paths of the fields that a rule reads.
pub(crate) fn fields_read(rule: &Expression) -> Vec<Vec<String>> {
    fields::of(rule.root())
}

/// What a rule says of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It holds.
    Holds,
    /// It does not.
    Broken,
    /// It cannot be told, which counts as broken.
    Failed(String),
}

impl Judgement {
    /// Whether the rule holds.
    pub(crate) fn holds(&self) -> bool {
        *self == Self::Holds
    }
}

impl Expression {
    /// Reads a rule, and holds it against the shape of the event where there is one.
    pub(crate) fn read(text: &str, shape: Option<&Shape>) -> Result<Self, Vec<Problem>> {
        read::read(text, shape)
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The expression as read.
    pub(crate) fn root(&self) -> &cel::IdedExpr {
        self.program.expression()
    }

    /// Whether two rules are the same but for their layout.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        schema::is_same(self.root(), other.root())
    }

    /// What the rule says of an event with these attributes.
    pub(crate) fn judge(
        &self,
        shape: &Shape,
        event: &Value,
        attributes: &Map<String, Value>,
    ) -> Judgement {
        if self.steps(event) > RULE_STEPS_MAX {
            let why = "the event is too large for the loops of the rule";
            return Judgement::Failed(why.to_owned());
        }
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.add_variable_from_value("event", value::of(event, shape));
        context.add_variable_from_value("attributes", value::of_attributes(attributes));
        let prepared = function::add_matches(&mut context, &self.patterns);
        // The library is not ours: a panic of its is no reason to stop the process.
        let run = AssertUnwindSafe(|| self.program.execute(&context));
        match (prepared, catch_unwind(run)) {
            (true, Ok(Ok(cel::Value::Bool(true)))) => Judgement::Holds,
            (true, Ok(Ok(cel::Value::Bool(false)))) => Judgement::Broken,
            (true, Ok(Ok(_))) => Judgement::Failed("it is neither true nor false".to_owned()),
            (true, Ok(Err(error))) => Judgement::Failed(function::plainly(&error)),
            (false, _) | (_, Err(_)) => Judgement::Failed("it cannot be worked out".to_owned()),
        }
    }

    /// How much work an event may be, at most.
    fn steps(&self, event: &Value) -> u64 {
        let (longest, text) = value::sizes(event);
        let each = longest.max(self.nodes as u64);
        let loops = each.saturating_pow(self.loops);
        let nodes = self.nodes as u64;
        nodes.saturating_mul(loops).saturating_mul(1 + text / 256)
    }
}
