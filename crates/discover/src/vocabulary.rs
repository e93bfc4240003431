//! What the words of an operation say: verbs that ask, verbs that change, words of side work.

use crate::operation::split_words;

/// What the first word of an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// An answer: get, list, check, convert, login.
    Answer,
    /// A change: send, create, place.
    Change,
    /// Neither is sure.
    Other,
}

/// What the operation's first word asks for.
pub(crate) fn verb(words: &[String]) -> Verb {
    const ANSWER: [&str; 30] = [
        "get",
        "list",
        "find",
        "search",
        "check",
        "validate",
        "query",
        "fetch",
        "read",
        "lookup",
        "resolve",
        "count",
        "convert",
        "calculate",
        "compute",
        "quote",
        "load",
        "show",
        "view",
        "login",
        "auth",
        "authenticate",
        "authorize",
        "verify",
        "is",
        "has",
        "exists",
        "describe",
        "browse",
        "retrieve",
    ];
    const CHANGE: [&str; 39] = [
        "send", "create", "add", "update", "delete", "remove", "put", "set", "save", "insert",
        "empty", "clear", "place", "ship", "charge", "cancel", "register", "submit", "process",
        "record", "write", "append", "upload", "book", "reserve", "pay", "refund", "publish",
        "notify", "email", "mail", "upsert", "track", "log", "audit", "index", "store", "modify",
        "release",
    ];
    match words.first().map(String::as_str) {
        Some(word) if ANSWER.contains(&word) => Verb::Answer,
        Some(word) if CHANGE.contains(&word) => Verb::Change,
        _ => Verb::Other,
    }
}

/// The first word of side work, such as `email`, in the operation or else in the service's name.
pub(crate) fn side_work(operation_words: &[String], service: &str) -> Option<String> {
    const WORDS: [&str; 34] = [
        "notify",
        "notification",
        "notifications",
        "email",
        "mail",
        "sms",
        "push",
        "ship",
        "shipping",
        "shipment",
        "audit",
        "log",
        "index",
        "analytics",
        "webhook",
        "invoice",
        "receipt",
        "thumbnail",
        "sync",
        "replicate",
        "track",
        "tracking",
        "metrics",
        "archive",
        "export",
        "print",
        "remind",
        "reminder",
        "newsletter",
        "feed",
        "timeline",
        "confirmation",
        "survey",
        "badge",
    ];
    let service_words: Vec<String> = split_words(service)
        .into_iter()
        .map(|word| {
            match word
                .strip_suffix("service")
                .or_else(|| word.strip_suffix("svc"))
            {
                Some(stem) if !stem.is_empty() => stem.to_owned(),
                _ => word,
            }
        })
        .collect();
    operation_words
        .iter()
        .chain(&service_words)
        .find(|word| WORDS.contains(&word.as_str()))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_vocabulary() {
        assert_eq!(verb(&split_words("GetProduct")), Verb::Answer);
        assert_eq!(verb(&split_words("PlaceOrder")), Verb::Change);
        assert_eq!(verb(&split_words("Nearby")), Verb::Other);
        assert_eq!(side_work(&split_words("Charge"), "paymentservice"), None);
        assert_eq!(side_work(&split_words("login"), "auth"), None);
        assert_eq!(
            side_work(&split_words("Render"), "emailservice"),
            Some("email".to_owned())
        );
    }
}
