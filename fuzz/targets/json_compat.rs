//! Two JSON Schemas: an answer within the budget, and no event that breaks nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_compat::json::{
    Draft, Named, OpenContent, Policy, Schema, compare, compare_as_confluent,
};
use tidegate_fuzz::{Patience, let_panics_be_caught, parts};

fuzz_target!(
    // The library's canonical form may panic; that is caught where it is asked.
    init: let_panics_be_caught(),
    |data: &[u8]| {
        let Some(parts) = parts(data) else { return };
        let [old, new, ..] = parts.as_slice() else { return };
        let drafts = Draft::ALL;
        let draft = drafts[data.len() % drafts.len()];
        let read = |text| Schema::read(Named { name: "schema", text }, &[], draft);
        let (Ok(writer), Ok(reader)) = (read(old), read(new)) else { return };
        let open = match data.len() % 4 {
            0 => OpenContent::Reserved,
            _ => OpenContent::Exact,
        };
        let patience = Patience::default();
        for reason in compare(&writer, &reader, open, &|| patience.go_on()) {
            if let Some(witness) = reason.witness {
                assert!(writer.validate(&witness.event).is_empty(), "the writer cannot write {}", witness.event);
                assert!(!reader.validate(&witness.event).is_empty(), "the reader reads {}", witness.event);
            }
        }
        patience.check();
        let patience = Patience::default();
        let _ = compare_as_confluent(&writer, &reader, Policy::Strict, &|| patience.go_on());
        patience.check();
    }
);
