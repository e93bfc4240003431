//! What an operation's name, method and statement say about it.

use tidegate_trace::operation::is_method;
pub(crate) use tidegate_trace::operation::{is_identifier, method_attribute, method_in, name};

/// The words of the last telling part of an operation, in lower case:
/// `/shop.EmailService/SendOrderConfirmation` gives send, order, confirmation.
pub(crate) fn words(operation: &str) -> Vec<String> {
    let without_method = match operation.split_once(' ') {
        Some((first, rest)) if is_method(first) => rest,
        _ => operation,
    };
    let telling = |part: &&str| {
        let version = part
            .strip_prefix('v')
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        !part.is_empty() && !part.starts_with(['{', '*', ':']) && !version && *part != "api"
    };
    let last = without_method
        .split('/')
        .rfind(telling)
        .unwrap_or(without_method);
    let method = last
        .rsplit('.')
        .find(|part| !part.is_empty())
        .unwrap_or(last);
    split_words(method)
}

/// Splits `sendOrderURL_v2` into send, order, url, v2.
pub(crate) fn split_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            previous = ' ';
            continue;
        }
        let next_is_lower = letters.peek().is_some_and(|next| next.is_lowercase());
        let starts = !previous.is_alphanumeric()
            || (letter.is_uppercase() && (previous.is_lowercase() || previous.is_numeric()))
            || (letter.is_uppercase() && previous.is_uppercase() && next_is_lower);
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
        previous = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_words() {
        let words = |text| words(text).join(" ");
        assert_eq!(
            words("/hipstershop.EmailService/SendOrderConfirmation"),
            "send order confirmation"
        );
        assert_eq!(words("POST /api/v1/orderservice/order/{orderId}"), "order");
        assert_eq!(
            words("/api/v1/travelservice/trips/left_tickets"),
            "left tickets"
        );
        assert_eq!(words("getHTTPStatus2Code"), "get http status2 code");
        assert_eq!(words("ingress"), "ingress");
        assert_eq!(words("/*"), "");
        assert_eq!(words(""), "");
    }
}
