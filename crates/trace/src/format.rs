//! The formats that are read.

use std::fmt;

/// What a capture was written in, as found in its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenTelemetry protocol, JSON encoding: one document, or one a line.
    OtlpJson,
    /// OpenTelemetry protocol, protobuf encoding: plain, concatenated or length-delimited.
    OtlpProtobuf,
    /// Jaeger's JSON: an API answer, one trace, or spans as its storage keeps them.
    JaegerJson,
    /// Zipkin v2 JSON: a span, an array of spans, or an array of arrays.
    ZipkinJson,
    /// A table with one span a row, its columns named by the caller or by their usual names.
    Csv,
    /// Alibaba's table of calls (cluster-trace-microservices).
    AlibabaCsv,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OtlpJson => "OTLP JSON",
            Self::OtlpProtobuf => "OTLP protobuf",
            Self::JaegerJson => "Jaeger JSON",
            Self::ZipkinJson => "Zipkin v2 JSON",
            Self::Csv => "CSV",
            Self::AlibabaCsv => "Alibaba CSV",
        })
    }
}
