//! Times in rules: points in time and lengths of it, which no value of JSON is. Texts become either by
//! `timestamp(…)` and `duration(…)`.

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::{Context, IdedExpr, Program, Value};

use super::{Check, What, spelled, words};
use crate::parties::rule::{ENVIRONMENT, ProblemKind};
use tidegate_schema::Types;

impl Check<'_> {
    /// What a call is that makes a time or has one beside it; `None`: there is no time in it.
    pub(super) fn of_times(
        &mut self,
        id: u64,
        call: &CallExpr,
        target: Option<What>,
        arguments: &[What],
    ) -> Option<What> {
        let name = call.func_name.as_str();
        if matches!(name, "timestamp" | "duration") {
            return Some(self.time(id, call, arguments));
        }
        if is_part_of_time(name) {
            return Some(self.part_of_time(id, call, target));
        }
        if !target.iter().chain(arguments).any(|what| is_time(*what)) {
            return None;
        }
        Some(match (name, arguments) {
            (operators::EQUALS | operators::NOT_EQUALS, [one, other])
            | (operators::LESS | operators::LESS_EQUALS, [one, other])
            | (operators::GREATER | operators::GREATER_EQUALS, [one, other]) => {
                self.same_times(id, call, *one, *other);
                What::Of(Types::BOOLEAN)
            }
            (operators::ADD | operators::SUBSTRACT, [one, other]) => {
                self.sum_of_times(id, name, *one, *other)
            }
            (operators::CONDITIONAL, [_, yes, no]) if yes == no => *yes,
            (operators::CONDITIONAL | "type" | "dyn", _) => What::Untold,
            (operators::IN | operators::NOT_STRICTLY_FALSE, _) => What::Of(Types::BOOLEAN),
            ("int", [What::Moment]) => What::Of(Types::INTEGER),
            ("string", _) => What::Of(Types::STRING),
            _ => {
                let name = name.trim_matches('_');
                let what = target.into_iter().chain(arguments.iter().copied());
                let what = what.into_iter().find(|what| is_time(*what));
                let told = self.told(what.unwrap_or(What::Moment));
                let message = format!("`{name}` takes no {}", told.trim_start_matches("a "));
                self.problem(ProblemKind::Types, id, message, None);
                What::Untold
            }
        })
    }

    /// What a part is, in words.
    pub(super) fn told(&self, what: What) -> String {
        match what {
            What::Moment => "a time".to_owned(),
            What::Span => "a duration".to_owned(),
            other => words(self.types(other)),
        }
    }

    /// `timestamp(x)` or `duration(x)`.
    fn time(&mut self, id: u64, call: &CallExpr, arguments: &[What]) -> What {
        let name = call.func_name.as_str();
        let (made, sample, texts) = match name {
            "timestamp" => (
                What::Moment,
                "2026-01-31T12:00:00Z",
                Types::STRING.or(Types::INTEGER),
            ),
            _ => (What::Span, "1h30m", Types::STRING),
        };
        let ([argument], [written]) = (arguments, call.args.as_slice()) else {
            let message = format!("`{name}` takes one text");
            let hint = format!("write `{name}('{sample}')`");
            self.problem(ProblemKind::Text, id, message, Some(hint));
            return made;
        };
        if let Expr::Literal(LiteralValue::String(text)) = &written.expr {
            if !is_read_by(&format!("{name}(text)"), text.inner()) {
                let kind = self.told(made);
                let message = format!("`{}` is no {}", text.inner(), kind.trim_start_matches("a "));
                let hint = format!("write it as `{name}('{sample}')`");
                self.problem(ProblemKind::Text, written.id, message, Some(hint));
            }
            return made;
        }
        let is_taken = match *argument {
            What::Moment | What::Span => *argument == made,
            other => self.types(other).meets(texts) || self.types(other).is_none(),
        };
        if !is_taken {
            let message = format!(
                "`{name}` is asked of `{}`, which is {}",
                spelled(written),
                self.told(*argument)
            );
            self.problem(ProblemKind::Types, id, message, None);
        }
        made
    }

    /// `x.getHours()` and what else a time has.
    fn part_of_time(&mut self, id: u64, call: &CallExpr, target: Option<What>) -> What {
        let is_time = matches!(target, Some(What::Moment | What::Untold));
        if !is_time {
            let (name, of) = (call.func_name.as_str(), call.target.as_deref());
            let told = self.told(target.unwrap_or(What::Untold));
            let message = format!("`{name}` is asked of {told}, not of a time");
            let hint = of.map(|of| format!("write `timestamp({}).{name}()`", spelled(of)));
            let hint =
                hint.filter(|_| target.is_some_and(|of| self.types(of).meets(Types::STRING)));
            self.problem(ProblemKind::Types, id, message, hint);
        }
        if let [zone] = call.args.as_slice()
            && let Expr::Literal(LiteralValue::String(text)) = &zone.expr
            && !is_read_by("timestamp(0).getHours(text)", text.inner())
        {
            let message = format!("there is no time zone `{}`", text.inner());
            let hint = "write it as `Europe/Berlin` or `+02:00`".to_owned();
            self.problem(ProblemKind::Text, zone.id, message, Some(hint));
        }
        What::Of(Types::INTEGER)
    }

    /// Only times compare with times, and durations with durations.
    fn same_times(&mut self, id: u64, call: &CallExpr, one: What, other: What) {
        let is_null = |what: What| what == What::Of(Types::ALL);
        if one == other || [one, other].contains(&What::Untold) || is_null(one) || is_null(other) {
            return;
        }
        let [left, right] = call.args.as_slice() else {
            return;
        };
        let message = format!(
            "`{}` is {} and `{}` is {}: they are never comparable",
            spelled(left),
            self.told(one),
            spelled(right),
            self.told(other)
        );
        let hint = match (is_time(one), is_time(other)) {
            (true, false) => self.wrapped(one, other, right),
            (false, true) => self.wrapped(other, one, left),
            _ => None,
        };
        self.problem(ProblemKind::Types, id, message, hint);
    }

    /// What to write around a text that stands beside a time.
    fn wrapped(&self, beside: What, what: What, part: &IdedExpr) -> Option<String> {
        let function = match beside {
            What::Moment => "timestamp",
            _ => "duration",
        };
        let is_text = self.types(what).meets(Types::STRING);
        is_text.then(|| format!("write `{function}({})`", spelled(part)))
    }

    fn sum_of_times(&mut self, id: u64, name: &str, one: What, other: What) -> What {
        let is_sum = name == operators::ADD;
        match (one, other) {
            (What::Moment, What::Span) => What::Moment,
            (What::Span, What::Moment) if is_sum => What::Moment,
            (What::Span, What::Span) => What::Span,
            (What::Moment, What::Moment) if !is_sum => What::Span,
            (What::Untold, _) | (_, What::Untold) => What::Untold,
            _ => {
                let sign = name.trim_matches('_');
                let (one, other) = (self.told(one), self.told(other));
                let message = format!("`{sign}` does not take {one} and {other}");
                let hint =
                    "a duration is added, such as `duration('24h')`, and two times are subtracted";
                self.problem(ProblemKind::Types, id, message, Some(hint.to_owned()));
                What::Untold
            }
        }
    }
}

fn is_time(what: What) -> bool {
    matches!(what, What::Moment | What::Span)
}

fn is_part_of_time(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ];
    PARTS.contains(&name)
}

/// Whether `text` is what the expression takes it for: asked of the library that will read those of events.
fn is_read_by(expression: &str, text: &str) -> bool {
    let Ok(program) = Program::compile(expression) else {
        return false;
    };
    let mut context = Context::with_env(ENVIRONMENT.clone());
    context.add_variable_from_value("text", Value::from(text));
    program.execute(&context).is_ok()
}
