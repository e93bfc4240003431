//! How long the validation and the import of a document with 1,000 channels take, as multiples of
//! only reading its YAML in the same run. Prints times; asserts none, as machines differ.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_asyncapi::{Bundle, import, validate};
use tidegate_model::Source;

/// The allocator of the `tidegate` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHANNELS: usize = 1_000;
const ROUNDS: usize = 11;

/// Each channel has two messages that a `const` tells apart, an example, and two operations.
fn document() -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "asyncapi: 3.0.0\ninfo: {title: large, version: 1.0.0}\nservers: {main: {host: kafka, \
         protocol: kafka}}\nchannels:\n",
    );
    for n in 0..CHANNELS {
        write!(
            text,
            "  c{n}:\n    address: shop.{{region}}.c{n}\n    parameters: {{region: {{enum: [eu, us]}}}}\n    \
             messages:\n      placed: {{$ref: '#/components/messages/m{n}'}}\n      cancelled:\n        payload:\n          \
             type: object\n          required: [kind]\n          properties: {{kind: {{const: cancelled}}, id: \
             {{type: string}}}}\n    bindings: {{kafka: {{partitions: 6, bindingVersion: 0.5.0}}}}\n",
        )?;
    }
    text.push_str("operations:\n");
    for n in 0..CHANNELS {
        write!(
            text,
            "  send{n}: {{action: send, channel: {{$ref: '#/channels/c{n}'}}}}\n  receive{n}:\n    action: \
             receive\n    channel: {{$ref: '#/channels/c{n}'}}\n    messages: [{{$ref: \
             '#/channels/c{n}/messages/placed'}}]\n    x-retry: {{maxAttempts: 5, backoff: {{type: \
             exponential, initial: PT1S}}}}\n",
        )?;
    }
    text.push_str("components:\n  messages:\n");
    for n in 0..CHANNELS {
        write!(
            text,
            "    m{n}:\n      correlationId: {{location: '$message.header#/id'}}\n      headers: {{type: \
             object, properties: {{id: {{type: string}}}}}}\n      payload:\n        type: object\n        required: \
             [kind, id{n}]\n        properties: {{kind: {{const: placed}}, id{n}: {{type: string}}, total: {{type: \
             integer, minimum: 0}}, lines: {{type: array, items: {{$ref: '#/components/schemas/line'}}}}}}\n      \
             examples: [{{payload: {{kind: placed, id{n}: a, total: 3}}}}]\n",
        )?;
    }
    text.push_str("  schemas:\n    line: {type: object, properties: {sku: {type: string}}}\n");
    Ok(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time of the machine"
)]
fn now() -> Instant {
    Instant::now()
}

/// The median time of `work`.
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "a benchmark is its output")]
fn main() -> Result<(), std::fmt::Error> {
    let text = document()?;
    let bytes = text.len();
    let sources = [Source {
        name: Arc::from("large.yaml"),
        text,
    }];
    let read = median(|| {
        black_box(Bundle::read(&sources, &[]));
    });
    let bundle = Bundle::read(&sources, &[]);
    let findings = validate(&bundle).len();
    let validation = median(|| {
        black_box(validate(&bundle));
    });
    let importing = median(|| {
        black_box(import(&bundle, None));
    });
    println!("{CHANNELS} channels, {bytes} bytes, {findings} findings; medians of {ROUNDS}");
    println!("read the YAML  {read:>10.2?}   1.0");
    for (name, time) in [("validate", validation), ("import", importing)] {
        let ratio = time.as_secs_f64() / read.as_secs_f64();
        println!("{name:<14} {time:>10.2?}  {ratio:>4.1}");
    }
    Ok(())
}
