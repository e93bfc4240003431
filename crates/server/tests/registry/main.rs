//! The schema registry over HTTP: every route and refusal, payloads that name their schemas, and the
//! clients that others have written.

mod api;
mod clients;
mod payloads;
mod rules;
mod support;
