//! A rule held against what the schema declares: unknown names and fields, comparisons that can never
//! be true, a result that is neither true nor false.

mod times;

use cel::common::ast::{CallExpr, Expr, SelectExpr};
use cel::common::ast::{ComprehensionExpr, EntryExpr, LiteralValue, operators};
use cel::{IdedExpr, Program};
use regex::{Regex, RegexBuilder};
use tidegate_model::closest;
use tidegate_schema::Types;

use super::function::{FUNCTIONS, MACROS, missing};
use super::{Problem, ProblemKind};
use crate::parties::shape::{Found, Id, Shape};

/// Most problems of one rule that are told.
pub(super) const PROBLEMS_MAX: usize = 8;
/// Largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256 << 10;
/// The names of types that a rule may compare `type(x)` with.
const TYPE_NAMES: &[&str] = &[
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "list",
    "map",
    "null_type",
    "type",
];

/// What is known of the value of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Nothing.
    Untold,
    /// It is at this place of the event.
    Place(Id),
    /// The attributes of the envelope.
    Attributes,
    /// It has one of these types.
    Of(Types),
    /// It is a point in time.
    Moment,
    /// It is a length of time.
    Span,
}

pub(super) struct Check<'a> {
    shape: Option<&'a Shape>,
    program: &'a Program,
    scope: Vec<(String, What)>,
    deep: u32,
    pub(super) problems: Vec<Problem>,
    pub(super) patterns: Vec<(String, Regex)>,
    pub(super) nodes: usize,
    pub(super) loops: u32,
}

impl<'a> Check<'a> {
    pub(super) fn new(shape: Option<&'a Shape>, program: &'a Program) -> Self {
        Self {
            shape,
            program,
            scope: Vec::new(),
            deep: 0,
            problems: Vec::new(),
            patterns: Vec::new(),
            nodes: 0,
            loops: 0,
        }
    }

    /// The whole rule, which is true or false.
    pub(super) fn whole(&mut self, expression: &IdedExpr) {
        let what = self.part(expression);
        if self.types(what).and(Types::BOOLEAN).is_none() {
            let message = format!("it is {}, which is neither true nor false", self.told(what));
            let hint = "compare it with something, such as `event.total >= 0.0`";
            self.problem(
                ProblemKind::Types,
                expression.id,
                message,
                Some(hint.to_owned()),
            );
        }
    }

    fn problem(&mut self, kind: ProblemKind, id: u64, message: String, hint: Option<String>) {
        let at = self.program.source_info().offset_for(id);
        let problem = Problem {
            kind,
            at: at.map(|(start, _)| start as usize),
            message,
            hint,
        };
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn types(&self, what: What) -> Types {
        match what {
            What::Untold => Types::ALL,
            What::Of(types) => types,
            What::Attributes => Types::OBJECT,
            // No value of JSON is a time.
            What::Moment | What::Span => Types::NONE,
            What::Place(id) => self.shape.map_or(Types::ALL, |shape| shape.node(id).types),
        }
    }

    fn part(&mut self, part: &IdedExpr) -> What {
        self.nodes += 1;
        match &part.expr {
            Expr::Literal(literal) => What::Of(of_literal(literal)),
            Expr::Ident(name) => self.name(part.id, name),
            Expr::Select(select) => self.select(part.id, select),
            Expr::Call(call) => self.call(part.id, call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                list.elements.iter().for_each(|one| {
                    self.part(one);
                });
                What::Of(Types::ARRAY)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.part(&entry.key);
                        self.part(&entry.value);
                    }
                }
                What::Of(Types::OBJECT)
            }
            Expr::Struct(_) => {
                let message = "messages cannot be made in a rule".to_owned();
                self.problem(ProblemKind::Text, part.id, message, None);
                What::Untold
            }
            Expr::Unspecified => What::Untold,
        }
    }

    fn name(&mut self, id: u64, name: &str) -> What {
        if let Some((_, what)) = self.scope.iter().rev().find(|(known, _)| known == name) {
            return *what;
        }
        match name {
            "event" => match self.shape {
                Some(shape) => What::Place(shape.root()),
                None => What::Untold,
            },
            "attributes" => What::Attributes,
            name if TYPE_NAMES.contains(&name) => What::Untold,
            name => {
                let known = self.scope.iter().map(|(name, _)| name.as_str());
                let known: Vec<&str> = known.chain(["event", "attributes"]).collect();
                let is_field = self
                    .shape
                    .is_some_and(|shape| matches!(shape.step(shape.root(), name), Found::Node(..)));
                let hint = match closest(name, known) {
                    _ if is_field => format!("write `event.{name}`"),
                    Some(close) => format!("did you mean `{close}`?"),
                    None => "a rule reads `event`, the payload, and `attributes`".to_owned(),
                };
                let message = format!("`{name}` is not a name that a rule knows");
                self.problem(ProblemKind::Field, id, message, Some(hint));
                What::Untold
            }
        }
    }

    fn select(&mut self, id: u64, select: &SelectExpr) -> What {
        let operand = self.part(&select.operand);
        let value = self.field(id, operand, &select.field, &select.operand);
        if select.test {
            return What::Of(Types::BOOLEAN);
        }
        value
    }

    /// A field of a value.
    fn field(&mut self, id: u64, of: What, name: &str, operand: &IdedExpr) -> What {
        let types = self.types(of);
        if types.and(Types::OBJECT).is_none() && !types.is_none() {
            let message = format!(
                "`{}` is {}, which has no `{name}`",
                spelled(operand),
                words(types)
            );
            self.problem(ProblemKind::Field, id, message, None);
            return What::Untold;
        }
        let (What::Place(place), Some(shape)) = (of, self.shape) else {
            return What::Untold;
        };
        match shape.step(place, name) {
            Found::Node(next, _) => What::Place(next),
            Found::Untold => What::Untold,
            Found::Undeclared { name, known } => {
                let close = closest(&name, known.iter().copied());
                let hint = match close {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("add `{name}` to the schema, or read one of its fields"),
                };
                let whole = format!("{}.{name}", spelled(operand));
                let message = format!("`{whole}` is not declared in the schema");
                self.problem(ProblemKind::Field, id, message, Some(hint));
                What::Untold
            }
        }
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> What {
        let target = call.target.as_deref().map(|target| self.part(target));
        let arguments: Vec<What> = call.args.iter().map(|one| self.part(one)).collect();
        let name = call.func_name.as_str();
        if let Some(what) = self.of_times(id, call, target, &arguments) {
            return what;
        }
        self.divisor(id, call);
        match name {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => {
                for (argument, what) in call.args.iter().zip(&arguments) {
                    self.is_boolean(argument, *what);
                }
                What::Of(Types::BOOLEAN)
            }
            operators::EQUALS | operators::NOT_EQUALS => {
                self.comparable(id, &arguments, call);
                What::Of(Types::BOOLEAN)
            }
            operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS => {
                self.comparable(id, &arguments, call);
                What::Of(Types::BOOLEAN)
            }
            operators::IN | operators::NOT_STRICTLY_FALSE => What::Of(Types::BOOLEAN),
            operators::INDEX => self.index(id, call, &arguments),
            operators::CONDITIONAL => match arguments.as_slice() {
                [_, yes, no] => What::Of(self.types(*yes).or(self.types(*no))),
                _ => What::Untold,
            },
            operators::MULTIPLY | operators::DIVIDE | operators::SUBSTRACT => {
                self.numbers(id, name, &arguments)
            }
            operators::MODULO => {
                if arguments.iter().any(|what| is_double(self.types(*what))) {
                    let message = "`%` takes whole numbers alone".to_owned();
                    self.problem(ProblemKind::Types, id, message, None);
                }
                What::Of(Types::INTEGER)
            }
            operators::NEGATE => arguments.first().copied().unwrap_or(What::Untold),
            operators::ADD => self.sum(id, &arguments),
            _ => self.function(id, call, target),
        }
    }

    /// A whole number that is divided by a written zero fails, whatever the event.
    fn divisor(&mut self, id: u64, call: &CallExpr) {
        let sign = match call.func_name.as_str() {
            operators::DIVIDE => "/",
            operators::MODULO => "%",
            _ => return,
        };
        let is_zero = match call.args.last().map(|argument| &argument.expr) {
            Some(Expr::Literal(LiteralValue::Int(number))) => *number.inner() == 0,
            Some(Expr::Literal(LiteralValue::UInt(number))) => *number.inner() == 0,
            _ => false,
        };
        if is_zero {
            let message = format!("`{sign}` divides by zero, which fails for every event");
            let hint = "divide by something else, or remove this part of the rule";
            self.problem(ProblemKind::Types, id, message, Some(hint.to_owned()));
        }
    }

    fn function(&mut self, id: u64, call: &CallExpr, target: Option<What>) -> What {
        let name = call.func_name.as_str();
        if !FUNCTIONS.contains(&name) {
            let known = FUNCTIONS.iter().chain(MACROS).copied();
            let hint = match (missing(name), closest(name, known)) {
                (Some(hint), _) => hint.to_owned(),
                (None, Some(close)) => format!("did you mean `{close}`?"),
                (None, None) => format!("there are {}", FUNCTIONS.join(", ")),
            };
            let message = format!("there is no function `{name}`");
            self.problem(ProblemKind::Text, id, message, Some(hint));
            return What::Untold;
        }
        if name == "matches" {
            self.pattern(id, call);
        }
        let is_of_text = matches!(name, "contains" | "startsWith" | "endsWith" | "matches");
        let of = self.types(target.unwrap_or(What::Untold));
        if is_of_text && of.and(Types::STRING).is_none() {
            let message = format!("`{name}` is asked of {}, not of a text", words(of));
            self.problem(ProblemKind::Types, id, message, None);
        }
        match name {
            "size" | "int" | "uint" => What::Of(Types::INTEGER),
            "double" => What::Of(Types::FRACTION),
            "string" | "bytes" => What::Of(Types::STRING),
            "contains" | "startsWith" | "endsWith" | "matches" | "bool" => What::Of(Types::BOOLEAN),
            _ => What::Untold,
        }
    }

    /// Patterns are compiled once, so they are written in the rule.
    fn pattern(&mut self, id: u64, call: &CallExpr) {
        let written = match call.args.last().map(|argument| &argument.expr) {
            Some(Expr::Literal(LiteralValue::String(text))) => text.inner().to_owned(),
            _ => {
                let message = "`matches` takes its pattern as a text in the rule".to_owned();
                self.problem(ProblemKind::Text, id, message, None);
                return;
            }
        };
        if self.patterns.iter().any(|(known, _)| *known == written) {
            return;
        }
        let compiled = RegexBuilder::new(&written)
            .size_limit(PATTERN_BYTES_MAX)
            .build();
        match compiled {
            Ok(regex) => self.patterns.push((written, regex)),
            Err(error) => {
                let error = error.to_string();
                let why = error
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                let message = format!("`{written}` is not a pattern: {why}");
                self.problem(ProblemKind::Text, id, message, None);
            }
        }
    }

    fn index(&mut self, id: u64, call: &CallExpr, arguments: &[What]) -> What {
        let (Some(of), [operand, at]) = (arguments.first(), call.args.as_slice()) else {
            return What::Untold;
        };
        if let Expr::Literal(LiteralValue::String(name)) = &at.expr {
            return self.field(id, *of, name.inner(), operand);
        }
        let (What::Place(place), Some(shape)) = (of, self.shape) else {
            return What::Untold;
        };
        shape.node(*place).items.map_or(What::Untold, What::Place)
    }

    fn comprehension(&mut self, of: &ComprehensionExpr) -> What {
        let range = self.part(&of.iter_range);
        if is_sum(&of.iter_range) {
            let message = "a list that is made with `+` cannot be gone through".to_owned();
            self.problem(ProblemKind::Text, of.iter_range.id, message, None);
        }
        let types = self.types(range);
        let is_many = !types.and(Types::ARRAY.or(Types::OBJECT)).is_none();
        if !is_many && !types.is_none() {
            let message = format!(
                "`{}` is {}, not a list",
                spelled(&of.iter_range),
                words(types)
            );
            self.problem(ProblemKind::Types, of.iter_range.id, message, None);
        }
        let only_list = types.is_within(Types::ARRAY);
        let item = match (range, self.shape) {
            (What::Place(place), Some(shape)) if only_list => {
                shape.node(place).items.map_or(What::Untold, What::Place)
            }
            _ => What::Untold,
        };
        self.deep += 1;
        self.loops = self.loops.max(self.deep);
        let depth = self.scope.len();
        let start = self.part(&of.accu_init);
        self.scope.push((of.iter_var.clone(), item));
        if let Some(second) = &of.iter_var2 {
            self.scope.push((second.clone(), What::Untold));
        }
        self.scope.push((of.accu_var.clone(), What::Untold));
        self.part(&of.loop_cond);
        self.part(&of.loop_step);
        self.part(&of.result);
        self.scope.truncate(depth);
        self.deep -= 1;
        match start {
            What::Of(types) if types == Types::BOOLEAN => start,
            What::Of(types) if types == Types::INTEGER => What::Of(Types::BOOLEAN),
            other => other,
        }
    }

    fn is_boolean(&mut self, part: &IdedExpr, what: What) {
        let types = self.types(what);
        if types.and(Types::BOOLEAN).is_none() && !types.is_none() {
            let message = format!(
                "`{}` is {}, which is neither true nor false",
                spelled(part),
                words(types)
            );
            self.problem(ProblemKind::Types, part.id, message, None);
        }
    }

    fn comparable(&mut self, id: u64, arguments: &[What], call: &CallExpr) {
        let ([one, other], [left, right]) = (arguments, call.args.as_slice()) else {
            return;
        };
        let (one, other) = (self.types(*one), self.types(*other));
        if one.is_none() || other.is_none() || !family(one).and(family(other)).is_none() {
            return;
        }
        let message = format!(
            "`{}` is {} and `{}` is {}: they are never comparable",
            spelled(left),
            words(one),
            spelled(right),
            words(other)
        );
        self.problem(ProblemKind::Types, id, message, None);
    }

    /// CEL does not mix whole numbers with others in arithmetic.
    fn numbers(&mut self, id: u64, name: &str, arguments: &[What]) -> What {
        let types: Vec<Types> = arguments.iter().map(|what| self.types(*what)).collect();
        let [one, other] = types.as_slice() else {
            return What::Untold;
        };
        let is_whole = |types: &Types| *types == Types::INTEGER;
        match (is_whole(one), is_whole(other)) {
            (true, true) => What::Of(Types::INTEGER),
            (true, false) if is_double(*other) => self.mixed(id, name),
            (false, true) if is_double(*one) => self.mixed(id, name),
            _ if is_double(*one) || is_double(*other) => What::Of(Types::FRACTION),
            _ => What::Untold,
        }
    }

    fn mixed(&mut self, id: u64, name: &str) -> What {
        let sign = name.trim_matches('_');
        let message = format!("`{sign}` takes no whole number beside another number");
        let hint = "write `double(…)` around the whole one, or `2.0` for `2`";
        self.problem(ProblemKind::Types, id, message, Some(hint.to_owned()));
        What::Untold
    }

    /// A sum of numbers, texts or lists.
    fn sum(&mut self, id: u64, arguments: &[What]) -> What {
        let types: Vec<Types> = arguments.iter().map(|what| self.types(*what)).collect();
        match types.as_slice() {
            [Types::STRING, Types::STRING] => What::Of(Types::STRING),
            [Types::ARRAY, Types::ARRAY] => What::Of(Types::ARRAY),
            _ => self.numbers(id, operators::ADD, arguments),
        }
    }
}

/// Whether values of these types are numbers that are not taken for whole ones.
fn is_double(types: Types) -> bool {
    types == Types::FRACTION || types == Types::NUMBER
}

/// All numbers compare with each other, and anything with null.
fn family(types: Types) -> Types {
    let numbers = match types.and(Types::NUMBER).is_none() {
        true => Types::NONE,
        false => Types::NUMBER,
    };
    types.or(numbers)
}

fn of_literal(literal: &LiteralValue) -> Types {
    match literal {
        LiteralValue::Boolean(_) => Types::BOOLEAN,
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Types::INTEGER,
        LiteralValue::Double(_) => Types::FRACTION,
        LiteralValue::String(_) | LiteralValue::Bytes(_) => Types::STRING,
        // Anything may be compared with null.
        LiteralValue::Null => Types::ALL,
    }
}

fn is_sum(expression: &IdedExpr) -> bool {
    matches!(&expression.expr, Expr::Call(call) if call.func_name == operators::ADD)
}

/// A part as it is written, where it is a name with fields.
fn spelled(expression: &IdedExpr) -> String {
    match &expression.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => format!("{}.{}", spelled(&select.operand), select.field),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.first() {
            Some(of) => format!("{}[…]", spelled(of)),
            None => "…".to_owned(),
        },
        Expr::Call(call) if matches!(call.func_name.as_str(), "timestamp" | "duration") => {
            let of = call.args.first().map_or_else(String::new, spelled);
            format!("{}({of})", call.func_name)
        }
        Expr::Literal(LiteralValue::String(text)) => format!("'{}'", text.inner()),
        Expr::Literal(LiteralValue::Int(number)) => number.inner().to_string(),
        Expr::Literal(LiteralValue::Double(number)) => format!("{:?}", number.inner()),
        Expr::Literal(LiteralValue::Boolean(flag)) => flag.inner().to_string(),
        _ => "…".to_owned(),
    }
}

/// Types in words, with their articles.
fn words(types: Types) -> String {
    let known = [
        (Types::NUMBER, "a number"),
        (Types::STRING, "a text"),
        (Types::BOOLEAN, "true or false"),
        (Types::ARRAY, "a list"),
        (Types::OBJECT, "an object"),
        (Types::NULL, "null"),
    ];
    let words = known.iter().filter(|(of, _)| !types.and(*of).is_none());
    let words: Vec<&str> = words.map(|(_, word)| *word).collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(" or ")
    }
}
