//! Values that are a little less than another one, made one at a time.

use serde_json::Value;

/// The value without its part of this number, or with a shorter text there; `None` behind the last.
/// What takes away most comes first: whole fields and items from the outside in.
pub(super) fn cut(value: &Value, number: usize) -> Option<Value> {
    let mut places = Vec::new();
    let mut level = vec![Vec::new()];
    // Breadth first, until the one that is asked for is known.
    while !level.is_empty() && places.len() <= number {
        let mut below = Vec::new();
        for way in level {
            let Some(at) = follow(value, &way) else {
                continue;
            };
            match at {
                Value::Object(_) | Value::Array(_) => {
                    for index in 0..length(at) {
                        let mut inside: Vec<usize> = way.clone();
                        inside.push(index);
                        places.push((inside.clone(), Cut::Away));
                        below.push(inside);
                    }
                }
                Value::String(text) if text.chars().nth(1).is_some() => {
                    places.push((way.clone(), Cut::Half));
                    places.push((way, Cut::Last));
                }
                _ => {}
            }
        }
        level = below;
    }
    let (way, cut) = places.get(number)?;
    let mut smaller = value.clone();
    apply(&mut smaller, way, *cut)?;
    Some(smaller)
}

#[derive(Clone, Copy)]
enum Cut {
    Away,
    Half,
    Last,
}

fn length(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    }
}

fn follow<'v>(value: &'v Value, way: &[usize]) -> Option<&'v Value> {
    way.iter().try_fold(value, |at, index| match at {
        Value::Object(fields) => fields.values().nth(*index),
        Value::Array(items) => items.get(*index),
        _ => None,
    })
}

fn apply(value: &mut Value, way: &[usize], cut: Cut) -> Option<()> {
    let (last, above) = match (way.split_last(), cut) {
        (Some((last, above)), Cut::Away) => (Some(*last), above),
        _ => (None, way),
    };
    let place = above.iter().try_fold(value, |at, index| match at {
        Value::Object(fields) => fields.values_mut().nth(*index),
        Value::Array(items) => items.get_mut(*index),
        _ => None,
    })?;
    match (place, last) {
        (Value::Object(fields), Some(index)) => {
            let name = fields.keys().nth(index)?.clone();
            fields.shift_remove(&name)?;
        }
        (Value::Array(items), Some(index)) if index < items.len() => {
            items.remove(index);
        }
        (Value::String(text), None) => {
            let count = text.chars().count();
            let left = match cut {
                Cut::Half => count / 2,
                Cut::Away | Cut::Last => count.checked_sub(1)?,
            };
            *text = text.chars().take(left).collect();
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_part_is_cut_once_the_outer_ones_first() {
        let value = json!({"a": [1, {"b": "cde"}]});
        let all: Vec<Value> = (0..).map_while(|number| cut(&value, number)).collect();
        assert_eq!(
            all,
            [
                json!({}),
                json!({"a": [{"b": "cde"}]}),
                json!({"a": [1]}),
                json!({"a": [1, {}]}),
                json!({"a": [1, {"b": "c"}]}),
                json!({"a": [1, {"b": "cd"}]}),
            ]
        );
        assert_eq!(cut(&json!("a"), 0), None);
    }
}
