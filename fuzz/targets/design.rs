//! A design of one or two files: findings, whatever it says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::parts;
use tidegate_model::{Source, read};

fuzz_target!(|data: &[u8]| {
    let Some(parts) = parts(data) else { return };
    let files: Vec<Source> = ["a.yaml", "b.yaml"]
        .into_iter()
        .zip(&parts)
        .map(|(name, text)| Source {
            name: name.into(),
            text: (*text).to_owned(),
        })
        .collect();
    let schema = parts.get(2).copied().unwrap_or("{}");
    let reading = read(&files, &|_| Ok(schema.to_owned()));
    assert!(
        reading.design.is_some() || !reading.findings.is_empty(),
        "no design, and no word why"
    );
});
