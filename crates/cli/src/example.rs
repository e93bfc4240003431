//! The checkout example, embedded: the demo needs no files.

use std::sync::Arc;

use tidegate_model::{SchemaPath, Source};

const DESIGN: &str = include_str!("../../../examples/checkout/design.yaml");
pub(crate) const SCENARIO: &str = include_str!("../../../examples/checkout/scenario.yaml");
pub(crate) const RECORDING: &str = include_str!("../../../examples/checkout/recording.jsonl");

const SCHEMAS: &[(&str, &str)] = &[
    (
        "schemas/order-placed.json",
        include_str!("../../../examples/checkout/schemas/order-placed.json"),
    ),
    (
        "schemas/payment-taken.json",
        include_str!("../../../examples/checkout/schemas/payment-taken.json"),
    ),
    (
        "schemas/order-shipped.json",
        include_str!("../../../examples/checkout/schemas/order-shipped.json"),
    ),
    (
        "schemas/product-viewed.json",
        include_str!("../../../examples/checkout/schemas/product-viewed.json"),
    ),
];

pub(crate) const INTRODUCTION: &str = "\
A web shop's checkout on the embedded log: orders are placed, billing charges the card through
payments-api, shipping sends the parcel, email tells the customer. The traffic was recorded; stand-in
services take the recorded time. In the next minute and a half something is slipped in, and something fails.
";

pub(crate) fn sources() -> Vec<Source> {
    vec![Source {
        name: Arc::from("design.yaml"),
        text: DESIGN.to_owned(),
    }]
}

/// The text of a schema that the design names.
pub(crate) fn schema(path: &SchemaPath) -> Result<String, String> {
    let found = SCHEMAS.iter().find(|(name, _)| *name == path.written);
    found
        .map(|(_, text)| (*text).to_owned())
        .ok_or_else(|| "it is not embedded".to_owned())
}
