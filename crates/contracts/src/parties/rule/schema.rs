//! Rules as JSON Schemas, as far as schemas can say them: what fits the schema keeps the rule, so that a
//! rule can be proved of all that a producer may send.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};
use serde_json::{Map, Value, json};

/// Deepest nesting of parts that is translated.
const DEPTH_MAX: usize = 64;

/// A schema of events that keep the rule; `None` when no schema is known that says it.
pub(crate) fn of(rule: &IdedExpr) -> Option<Value> {
    let translate = Translate {
        root: "event",
        is_exact: false,
    };
    translate.holds(rule, 0)
}

/// A schema of just those events that keep the rule; `None` when no schema is known that says it.
pub(crate) fn exactly(rule: &IdedExpr) -> Option<Value> {
    let translate = Translate {
        root: "event",
        is_exact: true,
    };
    translate.holds(rule, 0)
}

/// A rule, or a part of one, about a value that is called by a name.
#[derive(Clone, Copy)]
struct Translate<'a> {
    root: &'a str,
    /// Whether the schema must say no less than the rule either.
    is_exact: bool,
}

impl Translate<'_> {
    /// A schema of values of which the part is true.
    fn holds(self, part: &IdedExpr, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        match &part.expr {
            Expr::Literal(LiteralValue::Boolean(flag)) => Some(Value::Bool(*flag.inner())),
            Expr::Select(select) if select.test => {
                let mut path = self.path(&select.operand)?;
                path.push(select.field.clone());
                Some(inside(&path, json!({})))
            }
            // A field that is true.
            Expr::Select(_) => Some(inside(&self.path(part)?, json!({"const": true}))),
            Expr::Call(call) => self.call(call, depth),
            Expr::Comprehension(of) => self.all(of, depth),
            _ => None,
        }
    }

    /// A schema of values of which the part is false, and not an error.
    fn fails(self, part: &IdedExpr, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        match &part.expr {
            Expr::Literal(LiteralValue::Boolean(flag)) => Some(Value::Bool(!*flag.inner())),
            Expr::Select(select) if select.test => {
                let path = self.path(&select.operand)?;
                let lacks = json!({"type": "object", "not": {"required": [select.field]}});
                Some(inside(&path, lacks))
            }
            Expr::Select(_) => Some(inside(&self.path(part)?, json!({"const": false}))),
            Expr::Call(call) => {
                let arguments = call.args.as_slice();
                match (call.func_name.as_str(), arguments) {
                    (operators::LOGICAL_NOT, [inner]) => self.holds(inner, depth + 1),
                    (operators::LOGICAL_AND, [one, other]) => {
                        self.any(self.fails(one, depth + 1), self.fails(other, depth + 1))
                    }
                    (operators::LOGICAL_OR, [one, other]) => {
                        all(self.fails(one, depth + 1), self.fails(other, depth + 1))
                    }
                    (operator, [one, other]) => self.compare(negated(operator)?, one, other),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn call(self, call: &CallExpr, depth: usize) -> Option<Value> {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            (operators::LOGICAL_AND, None, [one, other]) => {
                all(self.holds(one, depth + 1), self.holds(other, depth + 1))
            }
            (operators::LOGICAL_OR, None, [one, other]) => {
                self.any(self.holds(one, depth + 1), self.holds(other, depth + 1))
            }
            (operators::LOGICAL_NOT, None, [inner]) => self.fails(inner, depth + 1),
            (operators::IN, None, [one, list]) => {
                let Expr::List(list) = &list.expr else {
                    return None;
                };
                let values: Option<Vec<Value>> = list.elements.iter().map(literal).collect();
                Some(inside(&self.path(one)?, json!({"enum": values?})))
            }
            ("startsWith", Some(of), [text]) => {
                let text = literal(text)?;
                let pattern = format!("^{}", escaped(text.as_str()?)?);
                Some(inside(
                    &self.path(of)?,
                    json!({"type": "string", "pattern": pattern}),
                ))
            }
            ("matches", Some(of), [pattern]) => {
                let pattern = literal(pattern)?;
                let pattern = pattern.as_str().filter(|text| is_plain(text))?;
                Some(inside(
                    &self.path(of)?,
                    json!({"type": "string", "pattern": pattern}),
                ))
            }
            (operator, None, [one, other]) => self.compare(operator, one, other),
            _ => None,
        }
    }

    /// `path OP literal`, the other way about, or the same of `size(path)`.
    fn compare(self, operator: &str, one: &IdedExpr, other: &IdedExpr) -> Option<Value> {
        let (operator, place, value) = match (literal(one), literal(other)) {
            (None, Some(value)) => (operator, one, value),
            (Some(value), None) => (turned(operator)?, other, value),
            _ => return None,
        };
        if let Some(of) = sized(place) {
            return self.compare_size(operator, of, &value);
        }
        let path = self.path(place)?;
        let bound = |keyword: &str| {
            // A number beside a text is an error of the rule, and so is the text beside a number.
            let number = value
                .is_number()
                .then(|| json!({"type": "number", keyword: value}))?;
            Some(inside(&path, number))
        };
        match operator {
            operators::EQUALS => Some(inside(&path, json!({"const": value}))),
            operators::NOT_EQUALS => Some(inside(&path, json!({"not": {"const": value}}))),
            operators::LESS => bound("exclusiveMaximum"),
            operators::LESS_EQUALS => bound("maximum"),
            operators::GREATER => bound("exclusiveMinimum"),
            operators::GREATER_EQUALS => bound("minimum"),
            _ => None,
        }
    }

    fn compare_size(self, operator: &str, of: &IdedExpr, value: &Value) -> Option<Value> {
        let path = self.path(of)?;
        let size = value.as_i64()?;
        let (least, most) = match operator {
            operators::EQUALS => (Some(size), Some(size)),
            operators::LESS => (None, Some(size.checked_sub(1)?)),
            operators::LESS_EQUALS => (None, Some(size)),
            operators::GREATER => (Some(size.checked_add(1)?), None),
            operators::GREATER_EQUALS => (Some(size), None),
            operators::NOT_EQUALS if size == 0 => (Some(1), None),
            _ => return None,
        };
        if most.is_some_and(|most| most < 0) {
            return Some(Value::Bool(false));
        }
        let kinds = [
            ("string", "minLength", "maxLength"),
            ("array", "minItems", "maxItems"),
            ("object", "minProperties", "maxProperties"),
        ];
        let kinds = kinds.map(|(kind, minimum, maximum)| {
            let mut schema = Map::from_iter([("type".to_owned(), json!(kind))]);
            if let Some(least) = least {
                schema.insert(minimum.to_owned(), json!(least.max(0)));
            }
            if let Some(most) = most {
                schema.insert(maximum.to_owned(), json!(most));
            }
            Value::Object(schema)
        });
        Some(inside(&path, json!({"anyOf": kinds})))
    }

    /// `list.all(item, part)`: every item keeps the part.
    fn all(self, of: &ComprehensionExpr, depth: usize) -> Option<Value> {
        let is_all = matches!(
            &of.accu_init.expr,
            Expr::Literal(LiteralValue::Boolean(start)) if *start.inner()
        );
        let Expr::Call(step) = &of.loop_step.expr else {
            return None;
        };
        // A map has keys for items.
        if self.is_exact
            || !is_all
            || of.iter_var2.is_some()
            || step.func_name != operators::LOGICAL_AND
        {
            return None;
        }
        let [_, part] = step.args.as_slice() else {
            return None;
        };
        let of_item = Translate {
            root: &of.iter_var,
            ..self
        };
        let item = of_item.holds(part, depth + 1)?;
        let path = self.path(&of.iter_range)?;
        Some(inside(&path, json!({"type": "array", "items": item})))
    }

    /// Either: of the two, the one that is known is enough for a proof.
    fn any(self, one: Option<Value>, other: Option<Value>) -> Option<Value> {
        match (one, other) {
            (Some(one), Some(other)) => Some(json!({"anyOf": [one, other]})),
            (one, other) => one.or(other).filter(|_| !self.is_exact),
        }
    }

    /// The names that lead from the root to a part.
    fn path(self, part: &IdedExpr) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut at = part;
        loop {
            match &at.expr {
                Expr::Ident(name) if name == self.root => {
                    names.reverse();
                    return Some(names);
                }
                Expr::Select(select) if !select.test => {
                    names.push(select.field.clone());
                    at = &select.operand;
                }
                Expr::Call(call) if call.func_name == operators::INDEX => {
                    let [of, name] = call.args.as_slice() else {
                        return None;
                    };
                    names.push(literal(name)?.as_str()?.to_owned());
                    at = of;
                }
                _ => return None,
            }
        }
    }
}

/// The value at a path fits a schema; all on the way are objects, and there.
pub(crate) fn inside(path: &[String], schema: Value) -> Value {
    path.iter().rev().fold(schema, |schema, name| {
        json!({
            "type": "object",
            "required": [name],
            "properties": Map::from_iter([(name.clone(), schema)]),
        })
    })
}

fn all(one: Option<Value>, other: Option<Value>) -> Option<Value> {
    Some(json!({"allOf": [one?, other?]}))
}

fn sized(part: &IdedExpr) -> Option<&IdedExpr> {
    let Expr::Call(call) = &part.expr else {
        return None;
    };
    match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
        ("size", Some(of), []) => Some(of),
        ("size", None, [of]) => Some(of),
        _ => None,
    }
}

fn literal(part: &IdedExpr) -> Option<Value> {
    match &part.expr {
        Expr::Literal(literal) => Some(match literal {
            LiteralValue::Boolean(flag) => json!(*flag.inner()),
            LiteralValue::Int(number) => json!(*number.inner()),
            LiteralValue::UInt(number) => json!(*number.inner()),
            LiteralValue::Double(number) => {
                Value::Number(serde_json::Number::from_f64(*number.inner())?)
            }
            LiteralValue::String(text) => json!(text.inner()),
            LiteralValue::Null => Value::Null,
            LiteralValue::Bytes(_) => return None,
        }),
        // `-1` may be a call.
        Expr::Call(call) if call.func_name == operators::NEGATE => match call.args.as_slice() {
            [inner] => match literal(inner)? {
                Value::Number(number) => match number.as_i64() {
                    Some(whole) => Some(json!(whole.checked_neg()?)),
                    None => Some(json!(-number.as_f64()?)),
                },
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn turned(operator: &str) -> Option<&'static str> {
    Some(match operator {
        operators::EQUALS => operators::EQUALS,
        operators::NOT_EQUALS => operators::NOT_EQUALS,
        operators::LESS => operators::GREATER,
        operators::LESS_EQUALS => operators::GREATER_EQUALS,
        operators::GREATER => operators::LESS,
        operators::GREATER_EQUALS => operators::LESS_EQUALS,
        _ => return None,
    })
}

fn negated(operator: &str) -> Option<&'static str> {
    Some(match operator {
        operators::EQUALS => operators::NOT_EQUALS,
        operators::NOT_EQUALS => operators::EQUALS,
        operators::LESS => operators::GREATER_EQUALS,
        operators::LESS_EQUALS => operators::GREATER,
        operators::GREATER => operators::LESS_EQUALS,
        operators::GREATER_EQUALS => operators::LESS,
        _ => return None,
    })
}

/// A text as a pattern of itself.
fn escaped(text: &str) -> Option<String> {
    let mut pattern = String::new();
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '_' | ',' | ':' | '@' | '#' | '/' => {}
            '-' => {}
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => {
                pattern.push('\\');
            }
            _ => return None,
        }
        pattern.push(character);
    }
    Some(pattern)
}

/// Whether a pattern means the same in CEL and in JSON Schema.
fn is_plain(pattern: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _,:@#/-^$[]()*+{}|".contains(c);
    pattern.chars().all(is_plain) && !pattern.contains("[[") && !pattern.contains("(?")
}

/// Whether two expressions are the same but for where their parts stand.
pub(crate) fn is_same(one: &IdedExpr, other: &IdedExpr) -> bool {
    plain(one) == plain(other)
}

/// An expression without the numbers of its parts.
fn plain(of: &IdedExpr) -> IdedExpr {
    let mut copy = of.clone();
    forget(&mut copy);
    copy
}

fn forget(part: &mut IdedExpr) {
    use cel::common::ast::EntryExpr;
    part.id = 0;
    match &mut part.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| forget(target));
            call.args.iter_mut().for_each(forget);
        }
        Expr::Select(select) => forget(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(forget),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                entry.id = 0;
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    forget(&mut entry.key);
                    forget(&mut entry.value);
                }
            }
        }
        Expr::Comprehension(of) => {
            for part in [
                &mut of.iter_range,
                &mut of.accu_init,
                &mut of.loop_cond,
                &mut of.loop_step,
                &mut of.result,
            ] {
                forget(part);
            }
        }
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}
