//! Tables: columns named and guessed, units, dates, and Alibaba's two rows a call.

#![cfg(test)]

use std::io::{self, Read as _};

use tidegate_trace::{Columns, Format, Ingest, ReadError, Span, SpanKind, Status, Traces, read};

fn with(columns: &str, text: &str) -> Result<Traces, ReadError> {
    let mut ingest = Ingest::new().with_columns(columns.parse().unwrap());
    ingest.read("table", text.as_bytes())?;
    Ok(ingest.into_captures()?.remove(0).1)
}

fn only(traces: &Traces) -> &Span {
    assert_eq!(traces.spans().count(), 1);
    traces.spans().next().unwrap()
}

#[test]
fn columns_are_taken_as_they_are_named() {
    let columns = "trace=T,span=S,parent=P,service=Who,operation=What,start=At:ms,duration=Took:us,status=Code,kind=K,host=H";
    let text = "Who;What;T;S;P;At;Took;Code;K;H;other\nshop;GET /;t1;b;a;1800000000000.25;1500;503;client;h1;x\n";
    let traces = with(columns, text).unwrap();
    assert_eq!(traces.format, Format::Csv);
    let span = only(&traces);
    assert_eq!(
        (span.service.as_ref(), span.operation.as_ref()),
        ("shop", "GET /")
    );
    assert_eq!(span.start.nanos(), 1_800_000_000_000_250_000);
    assert_eq!(span.duration().as_nanos(), 1_500_000);
    assert_eq!(
        (span.kind, span.http_status()),
        (SpanKind::Client, Some(503))
    );
    assert!(span.parent.as_ref().is_some_and(|parent| *parent == *"a"));
    assert_eq!(span.host.as_deref(), Some("h1"));
    assert!(span.failed());
}

#[test]
fn usual_headers_need_no_names() {
    // Nezha's tables of spans.
    let text = "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration\n\
                t1,s1,root,cart-0,hipstershop.CartService/AddItem,1661271650000000000,1661271650000005000,5000\n";
    let traces = read("nezha.csv", text.as_bytes()).unwrap();
    let span = only(&traces);
    assert_eq!(
        (span.service.as_ref(), span.start.nanos()),
        ("cart-0", 1_661_271_650_000_000_000)
    );
    // The duration's unit is that of the start.
    assert_eq!(span.duration().as_nanos(), 5_000);
    let text = "trace\tid\tname\tstart\tend\tstatus\nt\ts\tx\t2026-01-31T23:59:59.5Z\t2026-02-01T01:00:00+01:00\tOK\n";
    let traces = read("dates.tsv", text.as_bytes()).unwrap();
    let span = only(&traces);
    assert_eq!(span.duration().as_millis(), 500);
    assert_eq!(
        (span.status, span.service.as_ref()),
        (Status::Ok, "unknown")
    );
}

#[test]
fn the_unit_of_a_start_is_that_of_our_days() {
    for (start, duration, nanos) in [
        ("1800000000", "0.5", 500_000_000),
        ("1800000000123", "7", 7_000_000),
        ("1800000000123456", "7", 7_000),
        ("1800000000123456789", "7", 7),
    ] {
        let text = format!("trace,span,service,start,duration\nt,s,x,{start},{duration}\n");
        let traces = read("units.csv", text.as_bytes()).unwrap();
        assert_eq!(only(&traces).duration().as_nanos(), nanos, "{start}");
        assert_eq!(only(&traces).start.nanos() / 1_000_000_000, 1_800_000_000);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let error = |columns: &str, text: &str| with(columns, text).unwrap_err().to_string();
    let parse = |text: &str| text.parse::<Columns>().unwrap_err();
    insta::assert_snapshot!(error("trace=nope", "a,b\n1,2\n"), @"table: there is no column `nope`; the columns are a, b");
    insta::assert_snapshot!(error("trace=a,span=b", "a,b\n1,2\n"), @"table: which column is the start? the columns are a, b; name it with `--columns start=HEADER`");
    insta::assert_snapshot!(error("trace=a,span=b,start=c:s,duration=d,service=e", "a,b,c,d,e\nt,s,1,2,x\nt,s,-1,2,x\n"), @"table:3: `-1` is no time that is not negative; correct the row, or the column's unit");
    insta::assert_snapshot!(error("trace=a,span=b,start=c,duration=d,service=e", "a,b,c,d,e\nt,s,2026-13-01T00:00:00Z,2,x\n"), @"table:2: `2026-13-01T00:00:00Z` is no date as in RFC 3339: 2026-01-31T23:59:59Z; correct the row, or the column's unit");
    let returns = "a,b,c,d,e\r\nt,s,1,2,x\r\n\r\nt,s,-1,2,x\r\n";
    insta::assert_snapshot!(error("trace=a,span=b,start=c:s,duration=d,service=e", returns), @"table:4: `-1` is no time that is not negative; correct the row, or the column's unit");
    let rows = "a,b,c,d,e\n,s,1,2,x\nt,,1,2,x\nt,s,,2,x\n";
    let skipped = with("trace=a,span=b,start=c,duration=d,service=e", rows)
        .unwrap()
        .skipped;
    assert_eq!(
        (
            skipped.without_trace_id,
            skipped.without_span_id,
            skipped.without_time
        ),
        (1, 1, 1)
    );
    assert!(parse("trace").starts_with("`trace` names no column: write `trace=HEADER,"));
    assert!(parse("tracing=x").starts_with("`tracing` is no field: "));
    assert!(parse("trace=x,trace=y").starts_with("`trace=y` names its field again: "));
    assert!(parse("start=:ms").starts_with("`:ms` names no column: "));
    // A table of something else is not taken for one of spans.
    let error = read("edges.csv", b"Source,Target,Weight\na,b,1\n").unwrap_err();
    assert!(matches!(error, ReadError::Unknown { .. }), "{error}");
}

#[test]
fn both_rows_of_an_alibaba_call_become_its_two_sides() {
    let text = ",traceid,timestamp,rpcid,um,rpctype,dm,interface,rt\n\
                0,0b1339,1000,0,USER,http,gate,/buy,9.0\n\
                1,0b1339,1000,0,USER,http,gate,/buy,-9.0\n\
                2,0b1339,1002,0.1,gate,rpc,stock,take,5.0\n\
                3,0b1339,1002,0.1,gate,rpc,stock,take,-4.0\n\
                4,0b1339,1003,0.1.1,stock,db,base,q,1.0\n\
                5,0b1339,1006,0.2,gate,mq,mail,send,0.0\n\
                6,0b1339,1007,0.2,gate,mq,mail,send,-3.0\n";
    let traces = read("CallGraph.csv", text.as_bytes()).unwrap();
    assert_eq!(traces.format, Format::AlibabaCsv);
    let trace = &traces.traces[0];
    let mut shown: Vec<String> = trace
        .spans()
        .iter()
        .enumerate()
        .map(|(index, span)| {
            let parent = trace.parent(index).and_then(|parent| trace.span(parent));
            let parent = parent.map(|span| span.id.to_string()).unwrap_or_default();
            format!(
                "{} under `{parent}`: {:?} of {}, {:?}",
                span.id,
                span.kind,
                span.service,
                span.duration()
            )
        })
        .collect();
    shown.sort();
    insta::assert_snapshot!(shown.join("\n"), @r"
    0 under ``: Client of USER, 9ms
    0.1 under `0/server`: Client of gate, 5ms
    0.1.1 under `0.1/server`: Client of stock, 1ms
    0.1/server under `0.1`: Server of stock, 4ms
    0.2 under `0/server`: Producer of gate, 0ns
    0.2/server under `0.2`: Consumer of mail, 3ms
    0/server under `0`: Server of gate, 9ms
    ");
    assert_eq!(trace.orphans().count(), 0);
}

#[test]
fn a_quote_that_is_never_closed_is_given_up() {
    let head = "trace,span,service,start,duration\nt,s,\"";
    let endless = head.as_bytes().chain(io::repeat(b'a'));
    let error = Ingest::new().read("endless.csv", endless).unwrap_err();
    assert!(matches!(error, ReadError::Large { .. }), "{error}");
}
