//! The rules, one file per idea. A rule reads the index and adds findings; it knows no other rule.

mod amplification;
mod breakers;
mod classes;
mod contract;
mod cycles;
mod dead_letters;
mod endpoints;
mod events;
mod flow;
mod guarantee;
mod handler;
mod messaging;
mod naming;
mod order;
mod ownership;
mod processes;
mod rate;
mod references;
mod retention;
mod retry;
mod schemas;
mod targets;
mod unused;

use crate::draft::Findings;
use crate::index::Index;

/// One rule, or a few of one idea.
pub(crate) type Rule = fn(&Index<'_>, &mut Findings);

/// Every rule. The order has no effect: findings are sorted.
pub(crate) const RULES: &[Rule] = &[
    references::rule,
    unused::rule,
    ownership::rule,
    events::rule,
    processes::rule,
    naming::rule,
    endpoints::rule,
    messaging::rule,
    cycles::rule,
    amplification::rule,
    retention::rule,
    guarantee::rule,
    order::rule,
    dead_letters::rule,
    handler::rule,
    retry::rule,
    classes::rule,
    breakers::rule,
    rate::rule,
    targets::rule,
    schemas::rule,
    contract::rule,
    flow::rule,
];
