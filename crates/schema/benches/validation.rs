//! What a validation costs beside the bare library in the same run, for events of 256 bytes and 1 KiB. Prints
//! times and their ratio, of which the limit is 1.10; asserts none, as machines differ.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_schema::Compiled;

/// Validations between two looks at the clock.
const BATCH: u32 = 2_000;
/// Batches of each, by turns: what disturbs the machine disturbs both.
const ROUNDS: usize = 201;

fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["orderId", "customerId", "total", "currency", "lines"],
        "properties": {
            "orderId": {"type": "string", "minLength": 1},
            "customerId": {"type": "string", "minLength": 1},
            "total": {"type": "number", "minimum": 0.01, "maximum": 100_000},
            "currency": {"type": "string", "minLength": 3, "maxLength": 3},
            "note": {"type": "string", "maxLength": 400},
            "lines": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"$ref": "#/$defs/line"}}
        },
        "$defs": {"line": {
            "type": "object",
            "required": ["productId", "quantity"],
            "properties": {
                "productId": {"type": "string"},
                "quantity": {"type": "integer", "minimum": 1, "maximum": 10}
            }
        }}
    })
}

/// An order of about so many bytes.
fn event(bytes: usize) -> Value {
    let mut event = json!({
        "orderId": "7e2d9c52-7a0b-4b33-9c5d", "customerId": "customer-000042", "total": 129.95,
        "currency": "EUR", "note": "", "lines": []
    });
    while event.to_string().len() + 44 < bytes {
        if let Some(lines) = event.get_mut("lines").and_then(Value::as_array_mut) {
            lines.push(json!({"productId": "OLJCESPC7Z", "quantity": 3}));
        }
    }
    event
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time of the machine"
)]
fn timed(mut work: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    let mut fits = true;
    for _ in 0..BATCH {
        fits &= black_box(work());
    }
    assert!(fits, "the event fits its schema");
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default() / BATCH
}

#[expect(clippy::print_stdout, reason = "a benchmark is its output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schema = schema();
    let bare = jsonschema::options()
        .offline()
        .should_validate_formats(false)
        .build(&schema)?;
    let ours = Compiled::json_schema(&schema.to_string())?;
    println!("bytes   bare          ours          events/s   ratio (limit 1.10)");
    for bytes in [256, 1_024] {
        let event = event(bytes);
        let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare_times.push(timed(|| bare.is_valid(black_box(&event))));
            our_times.push(timed(|| ours.validate(black_box(&event)).is_empty()));
        }
        let (bare, ours) = (median(bare_times), median(our_times));
        println!(
            "{:>5}   {bare:<11.2?}   {ours:<11.2?}   {:>8.0}   {:.2}",
            event.to_string().len(),
            1.0 / ours.as_secs_f64(),
            ours.as_secs_f64() / bare.as_secs_f64()
        );
    }
    Ok(())
}
