//! Changes that are accepted, and acceptances that are of no use.

use std::sync::Arc;

use tidegate_contracts::past::{Acceptances, Kind, accept, is_of_acceptances};
use tidegate_model::{Severity, Source};

use crate::designs::{SHOP, changes, edited};

fn read(text: &str) -> Acceptances {
    Acceptances::read(&Source {
        name: Arc::from("accepted.yaml"),
        text: text.to_owned(),
    })
}

const ONE: &str = "accepted:\n  - code: E1010\n    path: events.OrderPlaced.key\n    because: Nobody is live yet.\n    \
                   until: 2026-12-31\n";

fn key_changed() -> Vec<tidegate_contracts::past::Change> {
    changes(SHOP, &edited(SHOP, "key: /orderId", "key: /total"))
}

#[test]
fn an_accepted_change_fails_nothing_until_its_last_day_has_passed() {
    let file = read(ONE);
    assert_eq!(file.findings, []);
    for day in ["2026-11-28", "2026-12-31"] {
        let mut found = key_changed();
        assert_eq!(accept(&mut found, &file.list, day), []);
        assert_eq!(
            (found[0].kind, found[0].finding.severity),
            (Kind::Breaking, Severity::Note)
        );
        assert!(
            found[0]
                .finding
                .message
                .ends_with("; accepted until 2026-12-31: Nobody is live yet.")
        );
        let (place, _) = found[0].finding.related.last().unwrap();
        assert_eq!((&*place.file, place.line), ("accepted.yaml", 2));
    }
    let mut found = key_changed();
    let said = accept(&mut found, &file.list, "2027-01-01");
    assert_eq!(
        said.iter()
            .map(|finding| finding.code.0)
            .collect::<Vec<_>>(),
        ["E1052"]
    );
    assert_eq!(found, key_changed());
}

#[test]
fn an_acceptance_of_nothing_is_said_to_be_stale() {
    let file = read(ONE);
    let said = accept(&mut [], &file.list, "2026-11-28");
    assert_eq!(
        (said[0].code.0, said[0].severity, said[0].place.line),
        ("E1051", Severity::Warning, 2)
    );
    // Twice is once too often.
    let twice = format!("{ONE}{}", ONE.strip_prefix("accepted:\n").unwrap());
    let said = accept(&mut key_changed(), &read(&twice).list, "2026-11-28");
    assert_eq!(
        said.iter()
            .map(|finding| (finding.code.0, finding.place.line))
            .collect::<Vec<_>>(),
        [("E1051", 6)]
    );
    // Another path is another change.
    let other = ONE.replace("OrderPlaced.key", "OrderPlaced");
    let mut found = key_changed();
    let said = accept(&mut found, &read(&other).list, "2026-11-28");
    assert_eq!((said[0].code.0, found), ("E1051", key_changed()));
}

#[test]
fn what_cannot_be_used_is_said_with_its_line() {
    let cases = [
        ("accepted: 3", "cannot be read"),
        ("- nothing", "cannot be read"),
        ("accepted: []\nmore: 1", "cannot be read"),
        ("accepted: [", "cannot be read"),
        (
            &ONE.replace("    until: 2026-12-31\n", ""),
            "cannot be read",
        ),
        (
            &ONE.replace("E1010", "E1100"),
            "no change has the code `E1100`",
        ),
        (
            &ONE.replace("E1010", "E1059"),
            "no change that can be accepted",
        ),
        (
            &ONE.replace("E1010", "E1052"),
            "no change that can be accepted",
        ),
        (
            &ONE.replace("Nobody is live yet.", "' '"),
            "`because` is empty",
        ),
        (
            &ONE.replace("2026-12-31", "2026-02-29"),
            "`until` is `2026-02-29`",
        ),
        (&ONE.replace("2026-12-31", "soon"), "`until` is `soon`"),
        (
            &ONE.replace("2026-12-31", "2026-1-1"),
            "`until` is `2026-1-1`",
        ),
    ];
    for (text, expected) in cases {
        let file = read(text);
        assert_eq!(file.list, [], "{text}");
        let [finding] = file.findings.as_slice() else {
            panic!("{text}: {:?}", file.findings)
        };
        assert_eq!(
            (finding.code.0, finding.severity),
            ("E1053", Severity::Error)
        );
        assert!(
            finding.message.contains(expected),
            "{text}: {}",
            finding.message
        );
        assert!(finding.place.line >= 1 && finding.hint.is_some());
    }
    assert_eq!(read(&ONE.replace("2026-12-31", "2028-02-29")).findings, []);
}

#[test]
fn a_file_of_acceptances_is_told_by_its_only_key() {
    for text in [
        ONE,
        "# Until spring.\n---\naccepted: []\n",
        "{accepted: [1]}",
        "accepted:\n",
    ] {
        assert!(is_of_acceptances(text), "{text}");
    }
    for text in [
        SHOP,
        "",
        "accepted",
        "accepted: [",
        "tidegate: 1\naccepted: []\n",
        "events: {accepted: {summary: It was.}}\n",
        "- accepted: []\n",
    ] {
        assert!(!is_of_acceptances(text), "{text}");
    }
}
