//! The schema of a drafted event: what can be known of it, which is that it has an identity.

use serde_json::json;
use tidegate_base::Name;

use super::naming;
use super::proposal::Proposal;

/// Where the event's schema is, in the folder.
pub(super) fn path(event: &Name) -> String {
    format!("schemas/{}.json", naming::kebab(event))
}

/// An open object that requires `id`.
pub(super) fn json(proposal: &Proposal<'_>) -> String {
    let operation = proposal
        .calls
        .first()
        .map(|call| call.callee_operation.as_str());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": proposal.event.as_str(),
        "description": format!(
            "{} asks {} for {}. Traces do not hold payloads: add the fields that the handler reads.",
            proposal.publisher, proposal.consumer, operation.unwrap_or_default()
        ),
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {
                "type": "string",
                "minLength": 1,
                "description": "What the event is about; events with the same id keep their order.",
            },
        },
    });
    format!("{schema:#}\n")
}
