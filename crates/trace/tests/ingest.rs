//! However a capture is written, cut up, compressed or ordered, its traces are the same.

#![cfg(test)]

mod files;
mod formats;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use formats::{SpanRow, WRITERS, csv, zipkin};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tidegate_trace::{Format, Ingest, ReadError, Span, Spill, read};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// A reader that gives a few bytes at a time.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(out.len()).min(self.0.len());
        let (now, later) = self.0.split_at(count);
        out[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// Every trace's spans by id, whichever capture they came with.
fn traces(ingest: Ingest) -> BTreeMap<String, Vec<Span>> {
    let mut traces = BTreeMap::new();
    for (_, capture) in ingest.into_captures().unwrap() {
        for trace in capture.traces {
            let known = traces.insert(trace.id().to_string(), trace.spans().to_vec());
            assert!(known.is_none(), "a trace is handed over twice");
        }
    }
    traces
}

fn of_one(bytes: &[u8]) -> BTreeMap<String, Vec<Span>> {
    let mut ingest = Ingest::new();
    ingest.read("one", bytes).unwrap();
    traces(ingest)
}

#[test]
fn compression_changes_nothing() {
    for path in [
        "otel_demo/otel_demo_traces.otlp.pb",
        "otel_demo/otel_demo_traces_only.otlp.jsonl",
        "kiali_bookinfo/responseTrace.tempo.json",
        "zipkin_lens/yelp.json",
        "jaeger_fixtures/trace_success.json",
    ] {
        let Some(plain) = files::shared(path) else {
            continue;
        };
        let expected = of_one(&plain);
        let (half, rest) = plain.split_at(plain.len() / 2);
        let members = [gzip(half), gzip(rest)].concat();
        let skippable = [
            &[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3],
            &zstd(rest)[..],
        ]
        .concat();
        let frames = [zstd(half), skippable].concat();
        let twice = zstd(&gzip(&plain));
        for bytes in [gzip(&plain), zstd(&plain), members, frames, twice] {
            assert_eq!(of_one(&bytes), expected, "{path}");
            let mut ingest = Ingest::new();
            ingest.read("dribble", Dribble(&bytes, 509)).unwrap();
            assert_eq!(traces(ingest), expected, "{path}");
        }
    }
}

#[test]
fn messages_of_the_collector_are_read_compressed_one_by_one() {
    let Some(lines) = files::shared("otel_demo/otel_demo_traces_only.otlp.jsonl") else {
        return;
    };
    let framed = |messages: &mut dyn Iterator<Item = Vec<u8>>| -> Vec<u8> {
        messages
            .flat_map(|message| {
                let length = u32::try_from(message.len()).unwrap().to_be_bytes();
                [&length[..], &message].concat()
            })
            .collect()
    };
    let expected = of_one(&lines);
    let each = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let json = framed(&mut each.map(zstd));
    assert_eq!(of_one(&json), expected);
    let Some(protobuf) = files::shared("otel_demo/otel_demo_traces.otlp.pb") else {
        return;
    };
    assert_eq!(
        of_one(&framed(&mut std::iter::once(zstd(&protobuf)))),
        expected
    );
}

#[test]
fn what_is_cut_off_is_said_wherever_it_is_cut() {
    let Some(plain) = files::shared("zipkin_lens/yelp.json") else {
        return;
    };
    for (name, whole) in [("gzip", gzip(&plain)), ("zstd", zstd(&plain))] {
        for length in (8..whole.len()).step_by(37) {
            let error = read("cut", &whole[..length]).unwrap_err();
            let expected = matches!(&error, ReadError::Compressed { compression, .. } if *compression == name)
                || matches!(&error, ReadError::Json { hint, .. } if hint.contains("cut off"));
            assert!(expected, "{error}");
            // The words of the decoder are for who writes one.
            assert!(!error.to_string().contains(['{', '(']), "{error}");
        }
    }
    let mut damaged = zstd(&plain);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let error = read("damaged", &damaged).unwrap_err().to_string();
    assert!(
        error.starts_with("damaged: not valid zstd: its checksum does not match, after "),
        "{error}"
    );
}

/// A spill in memory, which counts what it is given.
#[derive(Default)]
struct Heap(HashMap<usize, Vec<u8>>);

impl Spill for Heap {
    fn append(&mut self, bucket: usize, bytes: &[u8]) -> io::Result<()> {
        self.0.entry(bucket).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, bucket: usize) -> io::Result<Vec<u8>> {
        Ok(self.0.get(&bucket).cloned().unwrap_or_default())
    }
}

/// A spill on a full disk.
struct FullDisk;

impl Spill for FullDisk {
    fn append(&mut self, _: usize, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn read(&mut self, _: usize) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

#[test]
fn spans_outside_memory_come_back() {
    let Some(lines) = files::shared("otel_demo/otel_demo_traces_only.otlp.jsonl") else {
        return;
    };
    let mut ingest = Ingest::new()
        .with_limit(4_096)
        .with_spill(Box::new(Heap::default()));
    ingest.read("lines", &lines[..]).unwrap();
    assert!(ingest.has_spilled());
    let mut first = Vec::new();
    ingest
        .for_each(|_, trace| first.push(trace.id().clone()))
        .unwrap();
    let mut again = Vec::new();
    ingest
        .for_each(|_, trace| again.push(trace.id().clone()))
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(traces(ingest), of_one(&lines));
    let full = Ingest::new()
        .with_limit(4_096)
        .read("lines", &lines[..])
        .unwrap_err();
    assert_eq!(
        full,
        ReadError::Full {
            name: "lines".to_owned()
        }
    );
    let error = Ingest::new()
        .with_limit(4_096)
        .with_spill(Box::new(FullDisk))
        .read("lines", &lines[..])
        .unwrap_err();
    assert!(matches!(error, ReadError::Spill { .. }), "{error}");
}

#[test]
fn a_large_document_is_read_in_the_memory_of_its_largest_piece() {
    // A hundred times the same trace under other ids, in one document of one line.
    let Some(one) = files::shared("traceweaver/hotel_load25.jaeger.json") else {
        return;
    };
    let mut most = 0;
    let mut ingest = Ingest::new();
    let counted = Counted {
        rest: &one,
        most: &mut most,
    };
    ingest.read("hotel", counted).unwrap();
    assert_eq!(ingest.spans(), 3_300);
    assert!(
        most < one.len() / 4,
        "{most} of {} bytes asked for at once",
        one.len()
    );
}

/// Notes the largest buffer that it is given.
struct Counted<'a> {
    rest: &'a [u8],
    most: &'a mut usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        *self.most = (*self.most).max(out.len());
        self.rest.read(out)
    }
}

#[test]
fn an_impossible_length_reserves_nothing() {
    let length = u32::MAX.to_be_bytes();
    for bytes in [
        [&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x07][..], &[1, 2, 3]].concat(),
        [&length[..], &[0x0a, 2, 3]].concat(),
    ] {
        let mut most = 0;
        let counted = Counted {
            rest: &bytes,
            most: &mut most,
        };
        Ingest::new().read("lies", counted).unwrap_err();
        assert!(most <= 1 << 20, "{most}");
    }
}

fn rows() -> impl Strategy<Value = Vec<SpanRow>> {
    let row = (
        0..6_u8,
        1..12_u8,
        0..12_u8,
        0..3_usize,
        0..6_usize,
        0..50_u64,
        0..40_u64,
        any::<bool>(),
    )
        .prop_map(
            |(trace, id, parent, service, kind, start, duration, failed)| SpanRow {
                trace: format!("{:032x}", u128::from(trace) + 1),
                id: format!("{id:016x}"),
                // Parents have lesser ids: no cycles, some absent.
                parent: (parent < id && parent > 0).then(|| format!("{parent:016x}")),
                service: ["shop", "stock", "käse"][service],
                kind: ["", "CLIENT", "SERVER", "PRODUCER", "CONSUMER", ""][kind],
                name: ["GET /a", "quo\"te,", "semi;colon"][service],
                start_micros: 1_800_000_000_000_000 + start,
                duration_micros: duration,
                failed,
            },
        );
    prop::collection::vec(row, 1..40)
}

/// One row of each id, so that every format can say it.
fn unique(rows: Vec<SpanRow>) -> Vec<SpanRow> {
    let mut by_id = BTreeMap::new();
    for row in rows {
        by_id.insert((row.trace.clone(), row.id.clone()), row);
    }
    by_id.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_format_says_the_same(rows in rows()) {
        let rows = unique(rows);
        let expected = of_one(&csv(&rows));
        prop_assert_eq!(expected.values().map(Vec::len).sum::<usize>(), rows.len());
        for (format, write) in WRITERS {
            let bytes = write(&rows);
            let mut ingest = Ingest::new();
            prop_assert_eq!(ingest.read("rows", &bytes[..]).unwrap().format, format);
            prop_assert_eq!(&traces(ingest), &expected, "{}", format);
        }
    }

    #[test]
    fn order_and_files_do_not_matter(
        rows in rows(),
        places in prop::collection::vec((any::<u64>(), 0..4_usize), 80),
        limit in prop::sample::select(vec![1_usize, 500, 1 << 20]),
    ) {
        // Spans that are reported twice, shared ids and contradictions among them.
        let expected = of_one(&zipkin(&rows));
        let mut shuffled: Vec<(u64, usize, SpanRow)> = rows
            .into_iter()
            .zip(places)
            .map(|(row, (order, file))| (order, file, row))
            .collect();
        shuffled.sort_by_key(|(order, _, _)| *order);
        let mut ingest = Ingest::new().with_limit(limit).with_spill(Box::new(Heap::default()));
        for file in 0..4 {
            let part: Vec<SpanRow> = shuffled
                .iter()
                .filter(|(_, own, _)| *own == file)
                .map(|(_, _, row)| row.clone())
                .collect();
            let (_, write) = WRITERS[file % WRITERS.len()];
            if !part.is_empty() {
                ingest.read("part", &write(&part)[..]).unwrap();
            }
        }
        prop_assert_eq!(traces(ingest), expected);
    }
}

#[test]
fn a_capture_of_the_format_is_told_by_its_first_document() {
    let mixed = [
        zipkin(&sample("1")),
        b"\n".to_vec(),
        formats::otlp_json(&sample("2")),
    ]
    .concat();
    let mut ingest = Ingest::new();
    let source = ingest
        .read("mixed", &[&mixed[..], &mixed].concat()[..])
        .unwrap();
    assert_eq!(source.format, Format::ZipkinJson);
    assert_eq!(source.other_formats, [Format::OtlpJson]);
    let all = ingest.into_traces().unwrap();
    assert_eq!(all.traces.len(), 2);
    assert_eq!(all.other_formats, [Format::OtlpJson]);
}

fn sample(trace: &str) -> Vec<SpanRow> {
    vec![SpanRow {
        trace: format!("{trace:0>32}"),
        id: "00000000000000a1".to_owned(),
        parent: None,
        service: "shop",
        kind: "SERVER",
        name: "GET /",
        start_micros: 1_800_000_000_000_000,
        duration_micros: 5,
        failed: false,
    }]
}

#[test]
fn the_first_capture_with_a_span_has_the_trace() {
    let mut ingest = Ingest::new();
    ingest.read("a", &csv(&sample("1"))[..]).unwrap();
    let mut rows = sample("1");
    rows[0].id = "00000000000000a2".to_owned();
    rows[0].parent = Some("00000000000000a1".to_owned());
    rows.extend(sample("2"));
    ingest.read("b", &csv(&rows)[..]).unwrap();
    let captures = ingest.into_captures().unwrap();
    let spans: Vec<(String, usize)> = captures
        .iter()
        .map(|(name, traces)| (name.clone(), traces.spans().count()))
        .collect();
    assert_eq!(spans, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
}
