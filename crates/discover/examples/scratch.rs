//! scratch
use tidegate_discover::{process::{analyse, report, Options}, Paint, ReportFormat};
fn main() {
    for f in std::env::args().skip(1) {
        let bytes = std::fs::read(&f).unwrap();
        let log = tidegate_trace::process::read_log(&f, &bytes, &Default::default()).unwrap();
        let t = std::time::Instant::now();
        let d = analyse(&[log], &Options::default());
        println!("{}", report(&d, ReportFormat::Human, Paint::Plain));
        println!("took {:?}", t.elapsed());
    }
}
