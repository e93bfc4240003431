//! Traces as data: spans read from OTLP, Jaeger and Zipkin by content, and recordings made from them.
