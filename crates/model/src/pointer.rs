//! JSON pointers: where in a payload a key or a required field stands.
//!
//! Source: RFC 6901, "JavaScript Object Notation (JSON) Pointer".

use thiserror::Error;

/// Why a text is not a JSON pointer to a part of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PointerError {
    /// The text is empty, which means the whole payload.
    #[error("it is empty, which would mean the whole payload")]
    Whole,
    /// The text does not start with `/`.
    #[error("it does not start with `/`")]
    Start,
    /// A `~` is not followed by `0` or `1`.
    #[error("`~` is written `~0` and `/` within a name `~1`; another `~` is not allowed")]
    Escape,
}

/// The names that a JSON pointer leads through, unescaped: `/order/id` gives `order`, `id`.
///
/// # Errors
///
/// [`PointerError`] when `text` is not a JSON pointer, or leads to the whole payload.
pub fn pointer_segments(text: &str) -> Result<Vec<String>, PointerError> {
    let path = match text.strip_prefix('/') {
        Some(path) => path,
        None if text.is_empty() => return Err(PointerError::Whole),
        None => return Err(PointerError::Start),
    };
    path.split('/').map(unescape).collect()
}

/// The names that a required field leads through: a JSON pointer, or the name of a top-level field.
///
/// # Errors
///
/// [`PointerError`] when `text` is empty, or starts with `/` and is not a JSON pointer.
pub fn field_segments(text: &str) -> Result<Vec<String>, PointerError> {
    match pointer_segments(text) {
        Err(PointerError::Start) => Ok(vec![text.to_owned()]),
        other => other,
    }
}

fn unescape(segment: &str) -> Result<String, PointerError> {
    let mut parts = segment.split('~');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            _ => return Err(PointerError::Escape),
        };
        name.push(character);
        name.push_str(rest);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pointer_is_split_and_unescaped() {
        assert_eq!(
            pointer_segments("/order/id"),
            Ok(vec!["order".to_owned(), "id".to_owned()])
        );
        assert_eq!(
            pointer_segments("/a~1b/m~0n/"),
            Ok(vec!["a/b".into(), "m~n".into(), String::new()])
        );
        assert_eq!(pointer_segments("/~01"), Ok(vec!["~1".to_owned()]));
        assert_eq!(pointer_segments(""), Err(PointerError::Whole));
        assert_eq!(pointer_segments("orderId"), Err(PointerError::Start));
        assert_eq!(pointer_segments("/a~2"), Err(PointerError::Escape));
        assert_eq!(pointer_segments("/a~"), Err(PointerError::Escape));
        assert_eq!(field_segments("orderId"), Ok(vec!["orderId".to_owned()]));
        assert_eq!(field_segments("/a~"), Err(PointerError::Escape));
    }

    proptest! {
        #[test]
        fn a_pointer_leads_where_serde_json_leads(names in prop::collection::vec("[a~/01é]{0,4}", 1..4)) {
            let pointer: String =
                names.iter().map(|n| format!("/{}", n.replace('~', "~0").replace('/', "~1"))).collect();
            prop_assert_eq!(pointer_segments(&pointer).unwrap(), names.clone());
            let nested = names.iter().rev().fold(serde_json::json!(1), |value, name| serde_json::json!({name: value}));
            prop_assert_eq!(nested.pointer(&pointer), Some(&serde_json::json!(1)));
        }
    }
}
