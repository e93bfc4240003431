//! Rules: what is wrong with a document beyond its structure.

mod addresses;
mod ambiguous;
mod bindings;
mod examples;
mod expressions;
mod names;
mod operations;
mod policies;
pub(crate) mod references;
mod sample;
mod schemas;
mod security;
mod servers;
mod unused;

use crate::application::Application;
use crate::findings::Findings;

/// Runs every rule over an application.
pub(crate) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    servers::check(application, findings);
    security::check(application, findings);
    addresses::check(application, findings);
    names::check(application, findings);
    operations::check(application, findings);
    expressions::check(application, findings);
    let schemas = schemas::Schemas::of(application);
    schemas::check(application, &schemas, findings);
    examples::check(application, &schemas, findings);
    ambiguous::check(application, &schemas, findings);
    bindings::check(application, findings);
    unused::check(application, findings);
    policies::check(application, findings);
}
