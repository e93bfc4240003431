//! HTTP: ingest, push, pull, state, metrics, and the console's assets.
