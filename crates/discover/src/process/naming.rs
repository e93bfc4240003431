//! Names of a design from the names of activities: events say what happened.

use tidegate_base::Name;

use crate::operation::split_words;

/// Longest name that is made, in letters.
const LETTERS_MAX: usize = 100;

/// Verbs whose past is not made with `-ed`.
const IRREGULAR: [(&str, &str); 30] = [
    ("send", "sent"),
    ("make", "made"),
    ("pay", "paid"),
    ("take", "taken"),
    ("write", "written"),
    ("give", "given"),
    ("get", "received"),
    ("do", "done"),
    ("build", "built"),
    ("choose", "chosen"),
    ("find", "found"),
    ("hold", "held"),
    ("keep", "kept"),
    ("put", "put"),
    ("set", "set"),
    ("read", "read"),
    ("sell", "sold"),
    ("buy", "bought"),
    ("bring", "brought"),
    ("tell", "told"),
    ("draw", "drawn"),
    ("begin", "begun"),
    ("withdraw", "withdrawn"),
    ("quote", "quoted"),
    ("ship", "shipped"),
    ("plan", "planned"),
    ("submit", "submitted"),
    ("permit", "permitted"),
    ("cancel", "cancelled"),
    ("refer", "referred"),
];

/// Verbs whose past is.
const REGULAR: [&str; 62] = [
    "accept",
    "activate",
    "add",
    "adjust",
    "advise",
    "analyse",
    "analyze",
    "apply",
    "appraise",
    "approve",
    "archive",
    "ask",
    "assess",
    "assign",
    "assemble",
    "authorise",
    "authorize",
    "bill",
    "book",
    "calculate",
    "call",
    "check",
    "clear",
    "close",
    "collect",
    "compare",
    "complete",
    "confirm",
    "contact",
    "create",
    "decide",
    "deliver",
    "design",
    "determine",
    "discuss",
    "dispatch",
    "enter",
    "evaluate",
    "examine",
    "file",
    "fix",
    "handle",
    "initiate",
    "inspect",
    "inform",
    "invoice",
    "issue",
    "load",
    "notify",
    "open",
    "order",
    "pack",
    "pick",
    "place",
    "prepare",
    "process",
    "receive",
    "register",
    "reject",
    "release",
    "review",
    "validate",
];

/// More of them: those of repair and service.
const MORE: [&str; 24] = [
    "amend",
    "choose",
    "deactivate",
    "decline",
    "document",
    "estimate",
    "forward",
    "grant",
    "maintain",
    "negotiate",
    "print",
    "produce",
    "publish",
    "reassess",
    "record",
    "refund",
    "repair",
    "request",
    "resolve",
    "return",
    "schedule",
    "settle",
    "test",
    "update",
];

/// The event that says that an activity is complete: `Register claim` gives `ClaimRegistered`.
pub(super) fn event(activity: &str) -> String {
    let words = words(activity);
    let named = match words.split_first() {
        None => "WorkCompleted".to_owned(),
        Some((_, [.., last])) if is_past(last) => joined(&words),
        Some((verb, rest)) => match past(verb) {
            Some(past) if rest.is_empty() => format!("Case{}", capitalized(&past)),
            Some(past) => format!("{}{}", joined(rest), capitalized(&past)),
            None if is_past(verb) => format!("Case{}", capitalized(verb)),
            None => format!("{}Completed", joined(&words)),
        },
    };
    let named: String = named.chars().take(LETTERS_MAX).collect();
    if named.starts_with(|first: char| first.is_ascii_alphabetic()) {
        named
    } else {
        format!("Step{named}").chars().take(LETTERS_MAX).collect()
    }
}

/// Names of the event that says that an activity is next, where another could be, best first: `Cancel
/// order` gives `CancelOrderDecided`, and after `StockChecked` also `CancelOrderDecidedAfterStockChecked`.
pub(super) fn decisions(next: &str, after: &str) -> Vec<String> {
    let words = words(next);
    let named = if words.is_empty() {
        "WorkDecided".to_owned()
    } else {
        format!("{}Decided", joined(&words))
    };
    let named = if named.starts_with(|first: char| first.is_ascii_alphabetic()) {
        named
    } else {
        format!("Step{named}")
    };
    let long = format!("{named}After{after}");
    [named, long]
        .map(|name| name.chars().take(LETTERS_MAX).collect())
        .to_vec()
}

/// The service that does an activity: `Register claim` gives `register-claim`.
pub(super) fn service(activity: &str) -> Option<Name> {
    let name: String = words(activity)
        .join("-")
        .chars()
        .take(LETTERS_MAX)
        .collect();
    let name = name.trim_matches('-');
    Name::new(if name.is_empty() { "unnamed" } else { name }).ok()
}

/// The field that keeps events in order: `case` gives `caseId`.
pub(super) fn key(kind: &str) -> String {
    let words = words(kind);
    let mut name = String::new();
    for (place, word) in words.iter().enumerate() {
        if place == 0 {
            name.push_str(word);
        } else {
            name.push_str(&capitalized(word));
        }
    }
    let name: String = name.chars().take(LETTERS_MAX).collect();
    if name.is_empty() {
        "id".to_owned()
    } else {
        format!("{name}Id")
    }
}

fn words(text: &str) -> Vec<String> {
    split_words(text)
        .into_iter()
        .map(|word| {
            word.chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// The past participle of a verb that is known.
fn past(verb: &str) -> Option<String> {
    if let Some((_, past)) = IRREGULAR.iter().find(|(known, _)| *known == verb) {
        return Some((*past).to_owned());
    }
    if !REGULAR.contains(&verb) && !MORE.contains(&verb) {
        return None;
    }
    Some(if let Some(stem) = verb.strip_suffix('y') {
        // All `-y` verbs above have a consonant before it.
        format!("{stem}ied")
    } else if verb.ends_with('e') {
        format!("{verb}d")
    } else {
        format!("{verb}ed")
    })
}

/// Whether a word says already that something has happened.
fn is_past(word: &str) -> bool {
    word.len() > 3 && word.ends_with("ed") || IRREGULAR.iter().any(|(_, past)| *past == word)
}

fn joined(words: &[String]) -> String {
    words.iter().map(|word| capitalized(word)).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_say_what_happened() {
        for (activity, name) in [
            ("Register Claim", "ClaimRegistered"),
            (
                "Determine likelihood of the claim",
                "LikelihoodOfTheClaimDetermined",
            ),
            ("Send invoice", "InvoiceSent"),
            ("check", "CaseChecked"),
            ("Notify customer", "CustomerNotified"),
            ("Order placed", "OrderPlaced"),
            ("quality control", "QualityControlCompleted"),
            ("01_HOOFD_200", "Step01Hoofd200Completed"),
            ("", "WorkCompleted"),
            ("確認", "WorkCompleted"),
        ] {
            assert_eq!(event(activity), name, "{activity}");
        }
        assert_eq!(service("Register Claim"), Name::new("register-claim").ok());
        assert_eq!(
            decisions("Cancel order", "StockChecked"),
            ["CancelOrderDecided", "CancelOrderDecidedAfterStockChecked"]
        );
        assert_eq!(
            decisions("2nd check", "A").first().unwrap(),
            "Step2ndCheckDecided"
        );
        assert_eq!(key("case"), "caseId");
        assert_eq!(key("sales order"), "salesOrderId");
    }

    proptest! {
        #[test]
        fn every_text_gives_names(activity in ".{0,300}") {
            prop_assert!(Name::new(&event(&activity)).is_ok());
            prop_assert!(service(&activity).is_some());
            for name in decisions(&activity, &event(&activity)) {
                prop_assert!(Name::new(&name).is_ok());
            }
        }
    }
}
