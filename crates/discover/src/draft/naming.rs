//! Names for a design, from the names of a capture.

use tidegate_base::Name;

use crate::operation;

/// Longest name that is made, in letters; the limit of names leaves room for more.
const LETTERS_MAX: usize = 100;

/// A service's name with what names cannot have replaced by `-`.
pub(super) fn service(text: &str) -> Option<Name> {
    let mut name: String = text
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || ".-_".contains(letter) {
                letter
            } else {
                '-'
            }
        })
        .skip_while(|letter| !letter.is_ascii_alphanumeric())
        .take(LETTERS_MAX)
        .collect();
    if name.is_empty() {
        name.push_str("unnamed");
    }
    Name::new(&name).ok()
}

/// An event's name from the operation that it asks for: `SendOrderConfirmation` gives
/// `OrderConfirmationRequested`. One word alone gets the callee's in front.
pub(super) fn event(callee: &str, operation: &str) -> String {
    const ASKING: [&str; 13] = [
        "send", "request", "process", "do", "handle", "submit", "post", "trigger", "execute",
        "call", "perform", "start", "run",
    ];
    let mut words = operation::words(operation);
    if words.len() > 1
        && words
            .first()
            .is_some_and(|word| ASKING.contains(&word.as_str()))
    {
        words.remove(0);
    }
    if words.len() < 2 {
        let mut all = callee_words(callee);
        all.retain(|word| !words.contains(word));
        all.append(&mut words);
        words = all;
    }
    if words.last().is_some_and(|word| word == "requested") {
        words.pop();
    }
    let name: String = words.iter().map(|word| capitalized(word)).collect();
    let name: String = name.chars().take(LETTERS_MAX).collect();
    if name.is_empty() {
        "WorkRequested".to_owned()
    } else {
        format!("{name}Requested")
    }
}

fn callee_words(callee: &str) -> Vec<String> {
    let words = operation::split_words(callee).into_iter().map(|word| {
        let stem = word.strip_suffix("service").unwrap_or(&word);
        stem.to_owned()
    });
    words
        .filter(|word| !word.is_empty() && word != "svc")
        .collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars().filter(char::is_ascii_alphanumeric);
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// A name in lower-case words with hyphens: `OrderPlaced` gives `order-placed`.
pub(crate) fn kebab(name: &Name) -> String {
    operation::split_words(name.as_str()).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_are_named_after_what_is_asked() {
        assert_eq!(
            event("emailservice", "/shop.EmailService/SendOrderConfirmation"),
            "OrderConfirmationRequested"
        );
        assert_eq!(
            event("paymentservice", "grpc.shop.PaymentService/Charge"),
            "PaymentChargeRequested"
        );
        assert_eq!(event("cart", "shop.Cart/AddItem"), "AddItemRequested");
        assert_eq!(
            event("order-service", "POST /api/v1/order/{id}"),
            "OrderRequested"
        );
        assert_eq!(event("", ""), "WorkRequested");
        assert_eq!(event("日本", "送信"), "WorkRequested");
        assert_eq!(service("a b/c"), Name::new("a-b-c").ok());
        assert_eq!(service("--"), Name::new("unnamed").ok());
    }

    proptest! {
        #[test]
        fn every_text_gives_names(callee in ".{0,300}", operation in ".{0,300}") {
            prop_assert!(service(&callee).is_some());
            prop_assert!(Name::new(&event(&callee, &operation)).is_ok());
        }
    }
}
