//! Which attributes are kept, and texts that are stored once.

use std::collections::HashSet;
use std::sync::Arc;

use tidegate_base::limit::SPAN_ATTRIBUTE_BYTES_MAX;

/// Whether discovery reads the attribute; all others are dropped while reading.
pub(crate) fn is_kept(key: &str) -> bool {
    matches!(
        key,
        "http.method"
            | "http.request.method"
            | "http.route"
            | "http.target"
            | "http.path"
            | "http.url"
            | "http.uri.client"
            | "url.path"
            | "url.full"
            | "http.status_code"
            | "http.response.status_code"
            | "http.response.body.size"
            | "http.response_content_length"
            | "http.request.body.size"
            | "http.request_content_length"
            | "response_size"
            | "request_size"
            | "rpc.system"
            | "rpc.service"
            | "rpc.method"
            | "rpc.grpc.status_code"
            | "db.system"
            | "db.system.name"
            | "db.operation"
            | "db.operation.name"
            | "db.collection.name"
            | "db.statement"
            | "db.query.text"
            | "sql.query"
            | "messaging.system"
            | "messaging.destination.name"
            | "messaging.destination"
            | "messaging.operation"
            | "messaging.operation.type"
            | "messaging.message.body.size"
            | "peer.service"
            | "server.address"
            | "net.peer.name"
            | "error.type"
    )
}

/// Texts that repeat, each stored once.
#[derive(Debug, Default)]
pub(crate) struct Texts(HashSet<Arc<str>>);

impl Texts {
    pub(crate) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        self.0.insert(Arc::clone(&new));
        new
    }

    /// The start of `text`, at most [`SPAN_ATTRIBUTE_BYTES_MAX`] bytes, cut between characters.
    pub(crate) fn share_cut(&mut self, text: &str) -> Arc<str> {
        let end = text.floor_char_boundary(SPAN_ATTRIBUTE_BYTES_MAX);
        self.share(text.get(..end).unwrap_or_default())
    }
}
