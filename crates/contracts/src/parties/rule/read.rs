//! From the text of a rule to an expression, or to everything that is wrong with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::Program;
use tidegate_base::limit::{RULE_BYTES_MAX, RULE_NODES_MAX};

use super::check::Check;
use super::{Expression, Problem, ProblemKind};
use crate::parties::shape::Shape;

/// Deepest nesting of brackets: the parser takes stack for each.
const BRACKETS_MAX: usize = 48;
/// Deepest nesting of loops.
const LOOPS_MAX: u32 = 2;

/// Reads a rule.
pub(super) fn read(text: &str, shape: Option<&Shape>) -> Result<Expression, Vec<Problem>> {
    limits(text).map_err(|problem| vec![problem])?;
    let program = parse(text)?;
    let mut check = Check::new(shape, &program);
    check.whole(program.expression());
    let mut problems = check.problems;
    if check.nodes > RULE_NODES_MAX {
        problems.push(too_much(&format!(
            "it has more than {RULE_NODES_MAX} parts"
        )));
    }
    if check.loops > LOOPS_MAX {
        problems.push(too_much("its loops are more than two deep in each other"));
    }
    if !problems.is_empty() {
        problems.truncate(super::check::PROBLEMS_MAX);
        return Err(problems);
    }
    Ok(Expression {
        text: text.to_owned(),
        patterns: check.patterns,
        nodes: check.nodes,
        loops: check.loops,
        program,
    })
}

fn too_much(message: &str) -> Problem {
    Problem {
        kind: ProblemKind::Text,
        at: None,
        message: message.to_owned(),
        hint: Some("write several rules in place of one".to_owned()),
    }
}

fn limits(text: &str) -> Result<(), Problem> {
    if text.len() > RULE_BYTES_MAX {
        let message = format!("it has {} bytes; the most is {RULE_BYTES_MAX}", text.len());
        return Err(too_much(&message));
    }
    // Brackets within texts count too: that errs on the safe side.
    let (mut depth, mut deepest, mut signs) = (0_usize, 0_usize, 0_usize);
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '?' => signs += 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > BRACKETS_MAX || signs > RULE_NODES_MAX {
        return Err(too_much("it is nested too deep"));
    }
    Ok(())
}

fn parse(text: &str) -> Result<Program, Vec<Problem>> {
    let parsed = catch_unwind(AssertUnwindSafe(|| Program::compile(text)));
    let errors = match parsed {
        Ok(Ok(program)) => return Ok(program),
        Ok(Err(errors)) => errors.errors,
        Err(_) => Vec::new(),
    };
    let mut problems: Vec<Problem> = errors.iter().map(|error| syntax(text, error)).collect();
    if problems.is_empty() {
        problems.push(Problem {
            kind: ProblemKind::Text,
            at: None,
            message: "it is not an expression in CEL".to_owned(),
            hint: None,
        });
    }
    problems.truncate(1);
    Err(problems)
}

fn syntax(text: &str, error: &cel::ParseError) -> Problem {
    let line = usize::try_from(error.pos.0).unwrap_or(1).max(1);
    let column = usize::try_from(error.pos.1).unwrap_or(1).max(1);
    let before: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(|line| line.chars().count())
        .sum();
    // The parser lists what it would take; that is long and helps nobody.
    let message = error.msg.split(" expecting ").next().unwrap_or_default();
    let message = message
        .trim_start_matches("Syntax error: ")
        .replace('\n', " ");
    let message: String = message.chars().take(120).collect();
    let is_assignment = text.contains('=') && !text.contains("==") && !text.contains("!=");
    let hint = match () {
        () if is_assignment && !text.contains(['<', '>']) => "compare with `==`",
        () if text.contains(" and ") || text.contains(" or ") => "write `&&` and `||`",
        () => "write an expression in CEL that is true or false, such as `event.total >= 0.0`",
    };
    Problem {
        kind: ProblemKind::Text,
        at: Some(before + column - 1),
        message: format!("it is not CEL: {message}"),
        hint: Some(hint.to_owned()),
    }
}
