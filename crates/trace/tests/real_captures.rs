//! Every real capture is read as what it is, or refused with a reason.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_trace::{Format, Traces, read};

fn folder() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn load(path: &str) -> Option<Traces> {
    let bytes = fs::read(folder()?.join(path)).unwrap();
    Some(read(path, &bytes).unwrap())
}

/// Spans, traces, services, links, orphans.
fn counts(traces: &Traces) -> (usize, usize, usize, usize, usize) {
    let services: BTreeSet<_> = traces.spans().map(|span| &span.service).collect();
    (
        traces.spans().count(),
        traces.traces.len(),
        services.len(),
        traces.spans().map(|span| span.links.len()).sum(),
        traces.completeness().orphans,
    )
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files)
        } else {
            files.push(path)
        }
    }
    files.sort();
}

#[test]
fn every_file_is_read_or_refused_with_a_reason() {
    let Some(folder) = folder() else { return };
    let mut files = Vec::new();
    walk(&folder, &mut files);
    let mut lines = Vec::new();
    for file in files {
        let name = file.strip_prefix(&folder).unwrap().to_str().unwrap();
        let line = match read(name, &fs::read(&file).unwrap()) {
            Ok(traces) => format!("{name}: {} {:?}", traces.format, counts(&traces)),
            Err(error) => error.to_string(),
        };
        lines.push(line);
    }
    insta::assert_snapshot!(lines.join("\n"), @r##"
    crisp/LICENSE: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "                        "; export the traces in one of these formats, uncompressed
    crisp/test_cases/1.json: Jaeger JSON (1, 1, 1, 0, 0)
    crisp/test_cases/10.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/11.json: Jaeger JSON (2, 1, 2, 0, 0)
    crisp/test_cases/12.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/13.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/14.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/15.json: Jaeger JSON (7, 1, 7, 0, 0)
    crisp/test_cases/16.json: Jaeger JSON (7, 1, 7, 0, 0)
    crisp/test_cases/17.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/18.json: Jaeger JSON (9, 1, 9, 0, 0)
    crisp/test_cases/19.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/2.json: Jaeger JSON (2, 1, 2, 0, 0)
    crisp/test_cases/20.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/21.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/22.json: Jaeger JSON (4, 1, 2, 0, 0)
    crisp/test_cases/23.json: Jaeger JSON (9, 1, 3, 0, 0)
    crisp/test_cases/24.json: Jaeger JSON (9, 1, 3, 0, 0)
    crisp/test_cases/25.json: Jaeger JSON (9, 1, 3, 0, 0)
    crisp/test_cases/3.json: Jaeger JSON (2, 1, 2, 0, 0)
    crisp/test_cases/4.json: Jaeger JSON (3, 1, 3, 0, 0)
    crisp/test_cases/5.json: Jaeger JSON (4, 1, 2, 0, 0)
    crisp/test_cases/6.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/7.json: Jaeger JSON (3, 1, 3, 0, 0)
    crisp/test_cases/8.json: Jaeger JSON (3, 1, 3, 0, 0)
    crisp/test_cases/9.json: Jaeger JSON (4, 1, 4, 0, 0)
    crisp/test_cases/err_pattern1/err1.json: Jaeger JSON (2, 1, 2, 0, 0)
    crisp/test_cases/err_pattern1/err2.json: Jaeger JSON (2, 1, 2, 0, 0)
    crisp/test_cases/err_pattern2/err1.json: Jaeger JSON (2, 1, 2, 0, 0)
    crisp/test_cases/err_pattern2/err2.json: Jaeger JSON (2, 1, 2, 0, 0)
    crisp/test_cases/err_pattern3/err1.json: Jaeger JSON (3, 1, 3, 0, 0)
    crisp/test_cases/err_pattern3/err2.json: Jaeger JSON (3, 1, 3, 0, 0)
    crisp/test_cases/err_pattern4/err1.json: Jaeger JSON (3, 1, 3, 0, 0)
    crisp/test_cases/err_pattern4/err2.json: Jaeger JSON (3, 1, 3, 0, 0)
    crisp_oracle/CRISP_LICENSE: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "                        "; export the traces in one of these formats, uncompressed
    crisp_oracle/crisp_test_cases.crisp.jsonl: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "{\"traceID\":\"A\",\"rootServ"; export the traces in one of these formats, uncompressed
    crisp_oracle/traceweaver__hotel_load25.crisp.jsonl: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "{\"traceID\":\"00202d6c6c17"; export the traces in one of these formats, uncompressed
    crisp_oracle/traceweaver__nodejs_fileio_0.crisp.jsonl: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "{\"traceID\":\"100541ef1108"; export the traces in one of these formats, uncompressed
    jaeger_fixtures/default.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/dur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/example_trace.json: OTLP JSON (5, 1, 3, 0, 0)
    jaeger_fixtures/link_attributes_trace.json: OTLP JSON (1, 1, 1, 3, 0)
    jaeger_fixtures/log_tags_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/max_dur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multi_index_trace.json: OTLP JSON (2, 1, 1, 0, 0)
    jaeger_fixtures/multi_spot_tags_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multiple1_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multiple2_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multiple3_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multispottag_dur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multispottag_maxdur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multispottag_opname_dur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multispottag_opname_maxdur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/multispottag_opname_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/opname_dur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/opname_maxdur_trace.json: OTLP JSON (2, 1, 1, 0, 0)
    jaeger_fixtures/opname_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/otel_traces_01.json: OTLP JSON (1, 1, 1, 2, 1)
    jaeger_fixtures/process_tags_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/scope_attributes_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/scope_name_version_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/span_tags_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_dur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_escaped_operator_trace_1.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_escaped_operator_trace_2.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_maxdur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_opname_dur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_opname_maxdur_trace.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_opname_trace.json: OTLP JSON (1, 1, 1, 3, 0)
    jaeger_fixtures/tags_wildcard_regex_1.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/tags_wildcard_regex_2.json: OTLP JSON (1, 1, 1, 0, 0)
    jaeger_fixtures/trace_invalid_json.json:1:80: not valid Jaeger JSON: invalid value: string "invalid", expected a whole number that is not negative; correct it there, or export it again
    jaeger_fixtures/trace_success.json: Jaeger JSON (2, 1, 2, 0, 1)
    jaeger_fixtures/trace_wrong_format.json:1:76: not valid Jaeger JSON: missing field `startTime`; correct it there, or export it again
    kiali_bookinfo/responseTrace.tempo.json: OTLP JSON (8, 1, 5, 0, 0)
    online_boutique/LICENSE: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "MIT License\n\nCopyright ("; export the traces in one of these formats, uncompressed
    online_boutique/nezha_online_boutique_fault_shipping_delay.otlp.json: OTLP JSON (6735, 150, 10, 0, 0)
    online_boutique/nezha_online_boutique_normal.otlp.json: OTLP JSON (7069, 150, 10, 0, 0)
    online_boutique/online_boutique_dependency.csv: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "Source,Target,Weight\nche"; export the traces in one of these formats, uncompressed
    otel_demo/LICENSE: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "                        "; export the traces in one of these formats, uncompressed
    otel_demo/otel_demo_capture_all_signals.otlp.jsonl: OTLP JSON (547, 141, 8, 53, 1)
    otel_demo/otel_demo_traces.otlp.pb: OTLP protobuf (547, 141, 8, 53, 1)
    otel_demo/otel_demo_traces_only.otlp.jsonl: OTLP JSON (547, 141, 8, 53, 1)
    traceweaver/LICENSE.md: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "                        "; export the traces in one of these formats, uncompressed
    traceweaver/hotel_load150.jaeger.json: Jaeger JSON (3300, 300, 6, 0, 0)
    traceweaver/hotel_load25.jaeger.json: Jaeger JSON (3300, 300, 6, 0, 0)
    traceweaver/nodejs_fileio_0.jaeger.json: Jaeger JSON (900, 150, 6, 0, 0)
    traceweaver/nodejs_fileio_1.jaeger.json: Jaeger JSON (900, 150, 6, 0, 0)
    train_ticket/LICENSE: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "MIT License\n\nCopyright ("; export the traces in one of these formats, uncompressed
    train_ticket/nezha_train_ticket_normal.jaeger.json: Jaeger JSON (4595, 62, 28, 0, 0)
    train_ticket/nezha_train_ticket_normal.otlp.json: OTLP JSON (4595, 62, 28, 0, 0)
    zipkin_lens/README.md: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with "# Test json\nFor testing "; export the traces in one of these formats, uncompressed
    zipkin_lens/ascend.json: Zipkin v2 JSON (8, 1, 3, 0, 0)
    zipkin_lens/bench_zipkin2-chinese.json: Zipkin v2 JSON (1, 1, 1, 0, 1)
    zipkin_lens/bench_zipkin2-client.json: Zipkin v2 JSON (1, 1, 1, 0, 1)
    zipkin_lens/envoy.json: Zipkin v2 JSON (1, 1, 1, 0, 0)
    zipkin_lens/messaging-kafka.json: Zipkin v2 JSON (28, 1, 2, 0, 0)
    zipkin_lens/messaging.json: Zipkin v2 JSON (4, 1, 2, 0, 0)
    zipkin_lens/messaging2.json: Zipkin v2 JSON (11, 1, 4, 0, 6)
    zipkin_lens/simple-db-p6.json: Zipkin v2 JSON (5, 1, 1, 0, 0)
    zipkin_lens/skew.json: Zipkin v2 JSON (4, 1, 2, 0, 0)
    zipkin_lens/smartthings-mobile-web-install.json: Zipkin v2 JSON (953, 1, 16, 0, 0)
    zipkin_lens/smartthings-oauth-authorization.json: Zipkin v2 JSON (171, 1, 8, 0, 0)
    zipkin_lens/yelp.json: Zipkin v2 JSON (16, 1, 6, 0, 0)
    "##);
}
