//! The fields that a rule reads.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};

/// The paths of the fields of `event` that are read; of lists that are gone through, the list.
pub(crate) fn of(rule: &IdedExpr) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut waiting = vec![rule];
    while let Some(part) = waiting.pop() {
        if let Some(path) = path(part) {
            if !path.is_empty() && !found.contains(&path) {
                found.push(path);
            }
            continue;
        }
        match &part.expr {
            Expr::Call(call) => {
                waiting.extend(call.target.as_deref());
                waiting.extend(&call.args);
            }
            Expr::Select(select) => waiting.push(&select.operand),
            Expr::List(list) => waiting.extend(&list.elements),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        waiting.extend([&entry.key, &entry.value]);
                    }
                }
            }
            Expr::Comprehension(of) => {
                waiting.extend([&of.iter_range, &of.accu_init, &of.loop_step, &of.result]);
            }
            Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }
    found.sort();
    found
}

/// The names from `event` to a part that is one of its fields.
fn path(part: &IdedExpr) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut at = part;
    loop {
        match &at.expr {
            Expr::Ident(name) if name == "event" => {
                names.reverse();
                return Some(names);
            }
            Expr::Select(select) => {
                names.push(select.field.clone());
                at = &select.operand;
            }
            Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
                [of, index] => {
                    match &index.expr {
                        Expr::Literal(LiteralValue::String(name)) => {
                            names.push(name.inner().to_owned())
                        }
                        Expr::Literal(LiteralValue::Int(index)) => {
                            names.push(index.inner().to_string());
                        }
                        _ => return None,
                    }
                    at = of;
                }
                _ => return None,
            },
            _ => return None,
        }
    }
}
