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

/// Words of what only tells somebody something.
const NOTICES: [&str; 20] = [
    "notify",
    "notification",
    "notifications",
    "email",
    "mail",
    "sms",
    "push",
    "audit",
    "log",
    "analytics",
    "webhook",
    "receipt",
    "metrics",
    "remind",
    "reminder",
    "newsletter",
    "confirmation",
    "survey",
    "badge",
    "telemetry",
];

/// Words of other side work.
const SIDE_WORK: [&str; 15] = [
    "ship",
    "shipping",
    "shipment",
    "index",
    "invoice",
    "thumbnail",
    "sync",
    "replicate",
    "track",
    "tracking",
    "archive",
    "export",
    "print",
    "feed",
    "timeline",
];

/// Words of what decides whether the request can go on.
const DECISIONS: [&str; 14] = [
    "charge",
    "pay",
    "payment",
    "payments",
    "authorise",
    "authorize",
    "reserve",
    "reservation",
    "book",
    "withdraw",
    "debit",
    "credit",
    "refund",
    "drawback",
];

/// The first word of side work, such as `email`, in the operation or else in the service's name.
pub(crate) fn side_work(operation_words: &[String], service: &str) -> Option<String> {
    find(operation_words, service, |word| {
        NOTICES.contains(&word) || SIDE_WORK.contains(&word)
    })
}

/// The first word that says that somebody is only told something.
pub(crate) fn notice(operation_words: &[String], service: &str) -> Option<String> {
    find(operation_words, service, |word| NOTICES.contains(&word))
}

/// The first word that says that something is decided, unless somebody is only told of it.
pub(crate) fn decision(operation_words: &[String], service: &str) -> Option<String> {
    if notice(operation_words, service).is_some() {
        return None;
    }
    find(operation_words, service, |word| DECISIONS.contains(&word))
}

fn find(operation_words: &[String], service: &str, is: impl Fn(&str) -> bool) -> Option<String> {
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
        .find(|word| is(word))
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
        assert_eq!(
            decision(&split_words("Charge"), "billing"),
            Some("charge".to_owned())
        );
        assert_eq!(decision(&split_words("SendReceipt"), "paymentmail"), None);
        assert_eq!(side_work(&split_words("login"), "auth"), None);
        assert_eq!(
            side_work(&split_words("Render"), "emailservice"),
            Some("email".to_owned())
        );
    }
}
