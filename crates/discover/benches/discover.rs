//! How fast captures are discovered, from spans to the ranking, beside reading the same bytes.
//!
//! `cargo bench -p tidegate-discover`. The ratio is reading and discovering over reading alone.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first mistake"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use tidegate_discover::{Paint, ReportFormat, discover, report};
use tidegate_trace::read;

/// Repetitions of each measurement, of which the fastest counts: the others were disturbed.
const REPETITIONS: usize = 7;

const FILES: [&str; 4] = [
    "online_boutique/nezha_online_boutique_normal.otlp.json",
    "train_ticket/nezha_train_ticket_normal.otlp.json",
    "otel_demo/otel_demo_traces_only.otlp.jsonl",
    "traceweaver/hotel_load25.jaeger.json",
];

fn main() {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let Some(folder) = above.find(|above| above.join("shared/data/traces").is_dir()) else {
        println!("skipped: shared/data/traces is absent");
        return;
    };
    println!(
        "{:<56} {:>7} {:>10} {:>10} {:>12} {:>6}",
        "capture", "spans", "read ms", "rank ms", "spans/s", "ratio"
    );
    for file in FILES {
        let bytes = fs::read(folder.join("shared/data/traces").join(file)).unwrap();
        let traces = read(file, &bytes).unwrap();
        let spans = traces.spans().count();
        let reading = fastest(|| _ = black_box(read(file, &bytes).unwrap()));
        let captures = [(file.to_owned(), traces)];
        let ranking = fastest(|| {
            let discovery = discover(&captures);
            _ = black_box(report(&discovery, ReportFormat::Json, Paint::Plain));
        });
        let all = (reading + ranking).as_secs_f64();
        println!(
            "{file:<56} {spans:>7} {:>10.2} {:>10.2} {:>12.0} {:>6.2}",
            reading.as_secs_f64() * 1e3,
            ranking.as_secs_f64() * 1e3,
            f64::from(u32::try_from(spans).unwrap()) / all,
            all / reading.as_secs_f64()
        );
    }
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}
