//! What holds for every pair of designs.

use std::sync::Arc;

use proptest::prelude::*;
use tidegate_contracts::past::{CODES, Change, FIELDS, Kind, compare};
use tidegate_model::{Design, SchemaPath, Source};

use crate::designs::{SHOP, options, reading};
use crate::seeds::SEEDS;

/// The shop with some of the seeded changes, as many as still find their place.
fn shop(picked: &[prop::sample::Index]) -> String {
    picked.iter().fold(SHOP.to_owned(), |text, index| {
        let (_, from, to, ..) = index.get(SEEDS);
        if text.matches(from).count() == 1 {
            text.replace(from, to)
        } else {
            text
        }
    })
}

fn shops() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12).prop_map(|picked| shop(&picked))
}

fn read(name: &str, text: &str) -> Design {
    reading(name, text).design.expect("a design")
}

/// What readers of a change rely on.
fn is_sound(change: &Change, old: &str, new: &str) -> Result<(), TestCaseError> {
    let finding = &change.finding;
    let info = CODES.iter().find(|info| info.code == finding.code);
    prop_assert!(info.is_some(), "{finding:?}");
    prop_assert!(
        !finding.message.is_empty() && !finding.message.ends_with('.'),
        "{finding:?}"
    );
    prop_assert_eq!(finding.severity, change.kind.severity());
    prop_assert!(
        finding.hint.is_some() || change.kind == Kind::Harmless,
        "{:?}",
        finding
    );
    prop_assert_eq!(&*change.anchor.file, new);
    prop_assert!(*finding.place.file == *new || *finding.place.file == *old);
    prop_assert_eq!(&*change.anchored().place.file, new);
    let section = finding.path.split('.').next();
    prop_assert!(
        FIELDS.iter().any(|field| Some(field.path) == section),
        "{}",
        finding.path
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_design_is_no_change_of_itself(text in shops()) {
        let design = read("design.yaml", &text);
        prop_assert_eq!(compare(&design, &[], &design, &options()), []);
    }

    #[test]
    fn every_change_is_sound_and_comes_in_order_and_again(old in shops(), new in shops()) {
        let (old, new) = (read("old.yaml", &old), read("new.yaml", &new));
        let changes = compare(&old, &[], &new, &options());
        prop_assert_eq!(&changes, &compare(&old, &[], &new, &options()));
        prop_assert!(changes.is_sorted_by_key(|change| (change.kind, change.anchor.clone())));
        for change in &changes {
            is_sound(change, "old.yaml", "new.yaml")?;
        }
        // Where something changed, something changes back.
        let back = compare(&new, &[], &old, &options());
        prop_assert_eq!(changes.is_empty(), back.is_empty());
    }

    /// Whatever a reader makes of broken designs, comparing them ends well.
    #[test]
    fn no_pair_of_broken_designs_panics(
        old in shops(), new in shops(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40), 0..4),
    ) {
        let mut texts = [old, new];
        for (at, length) in cuts {
            for text in &mut texts {
                let start = at.index(text.len());
                let end = (start + length).min(text.len());
                if text.is_char_boundary(start) && text.is_char_boundary(end) {
                    text.replace_range(start..end, "");
                }
            }
        }
        let [old, new] = texts.map(|text| reading("design.yaml", &text).design);
        if let (Some(old), Some(new)) = (old, new) {
            drop(compare(&old, &[], &new, &options()));
        }
    }
}

/// Every design at hand against every other one.
#[test]
fn designs_of_every_kind_are_compared_without_a_panic() {
    let mut designs = vec![read("shop.yaml", SHOP)];
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/checkout");
    let text = std::fs::read_to_string(format!("{examples}/design.yaml")).unwrap();
    let schema = |path: &SchemaPath| {
        std::fs::read_to_string(format!("{examples}/{}", path.path()))
            .map_err(|error| error.to_string())
    };
    let source = Source {
        name: Arc::from("design.yaml"),
        text,
    };
    designs.push(tidegate_model::read(&[source], &schema).design.unwrap());
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/findings");
    for entry in std::fs::read_dir(pages).unwrap() {
        let page = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for block in page.split("```yaml\n").skip(1) {
            let text = block.split("```").next().unwrap();
            designs.extend(reading("page.yaml", text).design);
        }
    }
    assert!(designs.len() > 80, "{}", designs.len());
    let mut found = 0;
    for (number, old) in designs.iter().enumerate() {
        assert_eq!(compare(old, &[], old, &options()), []);
        for new in designs.iter().skip(number % 7).step_by(7) {
            found += compare(old, &[], new, &options()).len();
        }
    }
    assert!(found > 1_000, "{found}");
}
