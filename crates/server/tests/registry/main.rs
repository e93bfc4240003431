//! The schema registry over HTTP: every route and refusal, payloads that name their schemas, and the
//! clients that others have written.

#[cfg(test)]
mod api;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod payloads;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod support;
