//! The shape of a JSON document, found without reading more of it than needed.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::Format;
use crate::json::Scalar;

/// What the first telling key of a document gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Otlp,
    JaegerAnswer,
    JaegerTraces,
    JaegerSpans,
    ZipkinSpans,
}

impl Shape {
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Otlp => Format::OtlpJson,
            Self::JaegerAnswer | Self::JaegerTraces | Self::JaegerSpans => Format::JaegerJson,
            Self::ZipkinSpans => Format::ZipkinJson,
        }
    }

    /// The shape of the first document of `text`. `Ok(None)` when it is JSON without a telling key.
    ///
    /// # Errors
    ///
    /// When the text stops being JSON before a telling key.
    pub(crate) fn of(text: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        let mut shape = None;
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        match (Peek(&mut shape).deserialize(&mut deserializer), shape) {
            // Finding a key ends the reading with an error, which says nothing.
            (_, Some(shape)) => Ok(Some(shape)),
            (Ok(()), None) => Ok(None),
            (Err(error), None) => Err(error),
        }
    }
}

struct Peek<'a>(&'a mut Option<Shape>);

impl<'de> DeserializeSeed<'de> for Peek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Peek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Peek(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<Scalar<'_>>()? {
            *self.0 = telling(key.text().unwrap_or_default());
            if self.0.is_some() {
                return Err(A::Error::custom("found"));
            }
            entries.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

fn telling(key: &str) -> Option<Shape> {
    match key {
        "resourceSpans" | "resource_spans" | "batches" | "resourceMetrics" | "resource_metrics"
        | "resourceLogs" | "resource_logs" | "trace" | "result" => Some(Shape::Otlp),
        "data" => Some(Shape::JaegerAnswer),
        "spans" | "processes" => Some(Shape::JaegerTraces),
        "spanID" | "operationName" => Some(Shape::JaegerSpans),
        "traceId" | "localEndpoint" => Some(Shape::ZipkinSpans),
        _ => None,
    }
}
