use std::path::Path;
use tidegate_discover::*;
#[test]
fn peek() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    for file in std::env::args().skip(1).filter(|a| a.contains('/')) {
        let bytes = std::fs::read(folder.join(&file)).unwrap();
        let t = tidegate_trace::read(&file, &bytes).unwrap();
        let d = discover(&[(file.clone(), t)]);
        println!(
            "== {file} window {:?} traces {} waiting {:?}",
            d.window, d.traces, d.waiting
        );
        for c in &d.calls {
            println!(
                "{:18} n{:4} cp {:9.1}ms {:4.1}% {} [{}] -> {} [{}]  {:?}",
                c.class.code(),
                c.count,
                c.critical.as_secs_f64() * 1e3,
                c.critical_share * 100.0,
                c.caller,
                c.caller_operation,
                c.callee,
                c.callee_operation,
                c.class
            );
            if c.class.is_feasible() {
                for e in &c.evidence {
                    println!("      {:?} {:?} {}", e.weight, e.signal, e.claim);
                }
            }
        }
    }
}
