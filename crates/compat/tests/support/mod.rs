//! Cases of others, golden tables and what the tests of one format share with those of another.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "every test takes what it needs, and code of tests may stop where it is wrong"
)]

pub(crate) mod avro_maker;
pub(crate) mod proto_maker;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::Value;
use tidegate_compat::protobuf::Version;
use tidegate_compat::{Answer, Direction, Verdict, Witness, avro, protobuf};
use tidegate_schema::avro::Avro;
use tidegate_schema::protobuf::{Protobuf, Sources};

/// Where the data of others is.
pub(crate) const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/compat");

/// The cases of a source; `None`, said aloud, when they are absent.
pub(crate) fn cases(source: &str) -> Option<Vec<Value>> {
    let path = Path::new(DATA).join(format!("cases/{source}.jsonl"));
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: {} is absent", path.display());
        return None;
    };
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

/// Compares with a golden file; `TIDEGATE_WRITE_GOLDEN=1` writes it.
pub(crate) fn assert_golden(name: &str, found: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/agreement")
        .join(name);
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, found, "{} differs", path.display());
}

/// How often a source and ours say the same.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) agree: usize,
    pub(crate) disproved: usize,
    pub(crate) not_proved: usize,
    pub(crate) open: usize,
    /// One of the schemas is none.
    pub(crate) refused: usize,
}

impl Tally {
    pub(crate) fn table(tallies: &BTreeMap<(String, &str, &str), Self>) -> String {
        let mut table = format!(
            "{:<20} {:<9} {:<14} {:>5} {:>9} {:>10} {:>5} {:>7}\n",
            "source", "mode", "profile", "agree", "disproved", "not proved", "open", "refused"
        );
        for ((source, mode, profile), tally) in tallies {
            writeln!(
                table,
                "{source:<20} {mode:<9} {profile:<14} {:>5} {:>9} {:>10} {:>5} {:>7}",
                tally.agree, tally.disproved, tally.not_proved, tally.open, tally.refused
            )
            .unwrap();
        }
        table
    }
}

/// Whether the bytes of a witness are the writer's and the reader does not read them, asked anew.
pub(crate) fn no_one_reads(old: &str, new: &str, verdict: &Verdict, witness: &Witness) -> bool {
    let (old, new) = (Avro::parse(old).unwrap(), Avro::parse(new).unwrap());
    let finding = verdict
        .findings
        .iter()
        .find(|finding| finding.witness.as_ref() == Some(witness))
        .unwrap();
    assert_eq!(finding.answer, Answer::Incompatible);
    let (writer, reader) = match finding.direction {
        Direction::Backward => (&old, &new),
        Direction::Forward => (&new, &old),
    };
    let bytes = witness.bytes.as_ref().unwrap();
    let datum = writer
        .decode(bytes)
        .expect("the writer reads its own event");
    assert_eq!(writer.to_json(&datum), witness.event);
    avro::read(writer, reader, &datum).is_err()
}

/// Chance from a seed, so that a failure can be had again.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap() % end.max(1)
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Whether a schema has a datum at all: found anew, without the code that is tested.
pub(crate) fn has_a_datum(schema: &Avro) -> bool {
    use tidegate_schema::avro::Kind;
    let mut has = vec![false; schema.len()];
    for _ in 0..=schema.len() {
        for id in schema.ids() {
            has[id.index()] = match &schema.node(id).kind {
                Kind::Union(branches) => branches.iter().any(|id| has[id.index()]),
                Kind::Record { fields, .. } => fields.iter().all(|f| has[f.node.index()]),
                Kind::Enum { symbols, .. } => !symbols.is_empty(),
                _ => true,
            };
        }
    }
    has[schema.root().index()]
}

/// Whether a reader of Protobuf makes something else of the bytes of a witness, asked anew.
pub(crate) fn is_shown(
    old: &Version<'_>,
    new: &Version<'_>,
    verdict: &Verdict,
    witness: &Witness,
) -> bool {
    let compile = |version: &Version<'_>| Protobuf::compile(version.files, version.root).unwrap();
    let (old, new) = (compile(old), compile(new));
    let finding = verdict
        .findings
        .iter()
        .find(|finding| finding.witness.as_ref() == Some(witness))
        .unwrap();
    assert_eq!(finding.answer, Answer::Incompatible);
    let (writer, reader) = match finding.direction {
        Direction::Backward => (&old, &new),
        Direction::Forward => (&new, &old),
    };
    let bytes = witness.bytes.as_ref().unwrap();
    // The witness does not say of which message it is: one that reads its own bytes back and is
    // there on both sides.
    writer.messages().into_iter().any(|message| {
        let Ok(written) = DynamicMessage::decode(message.clone(), bytes.as_slice()) else {
            return false;
        };
        let same = written.encode_to_vec() == *bytes
            && serde_json::to_value(&written).unwrap() == witness.event;
        let tail = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let other = reader
            .messages()
            .into_iter()
            .find(|other| tail(other.full_name()) == tail(message.full_name()));
        same && other.is_some_and(|other| !protobuf::difference(&written, &other).is_empty())
    })
}

/// A version of one file.
pub(crate) fn one_file(text: &Value) -> Sources {
    Sources::from([("schema.proto".to_owned(), text.as_str().unwrap().to_owned())])
}

/// The files of a tree by their names, as an import has them.
pub(crate) fn tree(path: &str) -> Sources {
    let root = Path::new(DATA).join(path);
    let mut found = Sources::new();
    // A module of Buf may have its files below a root.
    let below = root.join("root");
    let root = if below.is_dir() { below } else { root };
    let mut waiting = vec![root.clone()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "proto")
            {
                let name = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// How often a rule is broken in every file, as Buf and as ours have it.
pub(crate) fn counts(
    case: &Value,
    rule: &str,
    json: bool,
    both: (&Protobuf, &Protobuf),
) -> [BTreeMap<String, usize>; 2] {
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for annotation in case["annotations"].as_array().unwrap() {
        if annotation["rule"] == rule {
            let file = annotation["file"].as_str().unwrap_or_default().to_owned();
            *expected.entry(file).or_default() += 1;
        }
    }
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for broken in protobuf::broken(both.0, both.1, json) {
        if broken.code.to_uppercase().replace('-', "_") == rule {
            *found.entry(broken.file).or_default() += 1;
        }
    }
    [expected, found]
}

/// Checks one seed after the other until a million instances were tried, and says how many of what and in which time.
#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is shown, and decides nothing"
)]
pub(crate) fn a_million(what: &str, check: impl Fn(u64) -> u64) {
    let start = std::time::Instant::now();
    let first = std::env::var("TIDEGATE_SEED").map_or(0, |seed| seed.parse().unwrap());
    let (mut instances, mut seed) = (0, first);
    while instances < 1_000_000 {
        let before = instances / 100_000;
        instances += check(seed);
        seed += 1;
        if instances / 100_000 > before {
            println!("{instances} {what} of {} pairs", seed - first);
        }
    }
    println!(
        "{instances} {what} of {} pairs of schemas from seed {first} on in {:?}",
        seed - first,
        start.elapsed()
    );
}
