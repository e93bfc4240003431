//! Any damage to any segments: what was not touched is read, nothing is invented, nothing is thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tidegate_log::Record;
use tidegate_log::inspect::Step;

use super::{change, dumped, files, log, repaired, segments};

#[derive(Clone, Debug)]
enum Damage {
    Flip(u8),
    Zero(usize),
    Fill(usize),
    CutOut(usize),
    Truncate,
    Remove,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (1..=255_u8).prop_map(Damage::Flip),
        2 => (1..900_usize).prop_map(Damage::Zero),
        2 => (1..900_usize).prop_map(Damage::Fill),
        2 => (1..900_usize).prop_map(Damage::CutOut),
        1 => Just(Damage::Truncate),
        1 => Just(Damage::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_damage_is_repaired(
        batches in 1..45_usize,
        damages in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), damage()), 1..4,
        ),
    ) {
        let directory = log(batches);
        let before = dumped(directory.path());
        let names: Vec<PathBuf> = segments(directory.path());
        let originals: BTreeMap<PathBuf, Vec<u8>> =
            names.iter().map(|name| (name.clone(), fs::read(name).unwrap())).collect();
        for (file, at, damage) in &damages {
            let file = &names[file.index(names.len())];
            // A log without its last segment cannot know that there was one.
            let is_last = file == names.last().unwrap();
            if !file.exists() {
                continue;
            }
            if let Damage::Remove = damage {
                if !is_last {
                    fs::remove_file(file).unwrap();
                }
                continue;
            }
            change(file, |bytes| {
                if bytes.is_empty() {
                    return;
                }
                let at = at.index(bytes.len());
                let end = |count: &usize| (at + count).min(bytes.len());
                match damage {
                    Damage::Flip(with) => bytes[at] ^= with,
                    Damage::Zero(count) => { let end = end(count); bytes[at..end].fill(0) }
                    Damage::Fill(count) => { let end = end(count); bytes[at..end].fill(0xA5) }
                    Damage::CutOut(count) => { let end = end(count); drop(bytes.drain(at..end)) }
                    Damage::Truncate => bytes.truncate(at),
                    Damage::Remove => {}
                }
            });
        }
        let (done, read) = repaired(directory.path());
        let known: BTreeMap<(String, u64), &Record> = before
            .iter()
            .map(|(channel, sequence, _, _, record)| ((channel.clone(), *sequence), record))
            .collect();
        for (place, record) in &read {
            prop_assert_eq!(known.get(place), Some(&record), "invented");
        }
        // What was not touched is read, but for a segment that cannot be read at all, and a torn tail.
        let aside: BTreeSet<&str> = done.steps.iter().filter_map(|step| match step {
            Step::Aside { segment, .. } => Some(segment.as_str()),
            _ => None,
        }).collect();
        let now = files(directory.path());
        for (channel, sequence, segment, byte, record) in &before {
            let original = &originals[&directory.path().join(segment)];
            let byte = usize::try_from(*byte).unwrap();
            let length = u32::from_le_bytes(original[byte + 4..byte + 8].try_into().unwrap()) as usize;
            let bytes = &original[byte..byte + 8 + length];
            let holds = |file: &Vec<u8>| file.windows(bytes.len()).any(|window| window == bytes);
            let kept = now.iter().filter(|(name, _)| {
                name.starts_with(segment.as_str()) && !aside.contains(segment.as_str())
            });
            let untouched = kept.map(|(_, file)| file).any(holds);
            let in_tail = done.report.torn.as_ref().is_some_and(|torn| {
                torn.segment == *segment && byte as u64 >= torn.byte.saturating_sub(900)
            });
            if untouched && !in_tail {
                let place = (channel.clone(), *sequence);
                prop_assert_eq!(read.get(&place), Some(record), "dropped");
            }
        }
    }
}
