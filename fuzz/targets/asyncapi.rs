//! An AsyncAPI document with a file beside it, or RabbitMQ's definitions: findings, and a design
//! that is one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_asyncapi::{Bundle, files_referred_to, import, rabbitmq, validate};
use tidegate_base::Name;
use tidegate_fuzz::parts;
use tidegate_model::Source;

fuzz_target!(|data: &[u8]| {
    let Some(parts) = parts(data) else { return };
    let source = |(name, text): (&str, &&str)| Source {
        name: name.into(),
        text: (*text).to_owned(),
    };
    let names = ["a.yaml", "b.yaml", "c.yaml"];
    let files: Vec<Source> = names.into_iter().zip(&parts).map(source).collect();
    let Some((first, others)) = files.split_first() else {
        return;
    };
    let _ = files_referred_to(first);
    let bundle = Bundle::read(std::slice::from_ref(first), others);
    let _ = validate(&bundle);
    let _ = import(&bundle, None);
    let _ = import(&Bundle::read(&files, &[]), None);
    let system: Name = "fuzzed".parse().expect("it is a name");
    let _ = rabbitmq::import(first, &system);
});
