//! Which events a process is drafted with: one for what always comes next, and one for each way that is
//! decided between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use indexmap::IndexMap;
use tidegate_base::Name;

use super::found::{Arrived, Candidate, ProcessDiscovery};
use super::naming;

/// Most candidates of a draft.
const CANDIDATES_MAX: usize = 50;
/// What comes next in nine of ten always does: the others are cut off by the ends of the log.
const ALWAYS: (usize, usize) = (9, 10);

/// One event with those that it starts.
pub(super) struct Drafted<'a> {
    pub(super) event: Name,
    pub(super) publisher: Name,
    /// What was done; `None` for the arrival of a case.
    pub(super) after: Option<&'a str>,
    /// What is next, where that is decided from case to case.
    pub(super) decided: Option<&'a str>,
    pub(super) key: String,
    /// Each consumer with its candidate; never empty.
    pub(super) consumers: Vec<Consumer<'a>>,
    /// Every time that it would have been published, with the work of one of its consumers.
    pub(super) published: Vec<&'a Arrived>,
}

type Consumer<'a> = (Name, &'a Candidate);
/// The ends of work that a consumer hears of: when, and of which case.
type Heard<'a> = BTreeSet<(Duration, &'a str)>;

/// What one service hands over to others.
struct Source<'a> {
    after: Option<&'a str>,
    publisher: Name,
    consumers: Vec<Consumer<'a>>,
}

/// The events of the feasible candidates. A consumer of an event gets all of them: so what is done in
/// some cases only has an event of its own, with what is always done beside it.
pub(super) fn drafted(discovery: &ProcessDiscovery) -> Vec<Drafted<'_>> {
    let mut events: IndexMap<Name, Drafted<'_>> = IndexMap::new();
    for source in sources(discovery) {
        let done = naming::event(source.after.unwrap_or("case arrived"));
        let times = times(discovery, &source);
        let is_always =
            |one: &Candidate| one.count.saturating_mul(ALWAYS.1) >= times.saturating_mul(ALWAYS.0);
        let (always, sometimes): (Vec<_>, Vec<_>) = source
            .consumers
            .iter()
            .cloned()
            .partition(|(_, candidate)| is_always(candidate));
        let mut groups: Vec<(Option<&str>, Vec<Consumer<'_>>)> = vec![(None, always)];
        for group in ways(sometimes) {
            let first = group.first().and_then(|(_, one)| one.activities.first());
            groups.push((first.map(String::as_str), group));
        }
        for (decided, consumers) in groups {
            let Some((_, first)) = consumers.first() else {
                continue;
            };
            let names = match decided {
                None => vec![done.clone()],
                Some(next) => naming::decisions(next, &done),
            };
            let mut names = names.iter().filter_map(|name| Name::new(name).ok());
            let Some(event) = names.find(|name| !events.contains_key(name)) else {
                continue;
            };
            let drafted = Drafted {
                event: event.clone(),
                publisher: source.publisher.clone(),
                after: source.after,
                decided,
                key: naming::key(&first.key),
                published: published(&consumers),
                consumers,
            };
            events.insert(event, drafted);
        }
    }
    events.into_values().collect()
}

/// Who hands over to whom, in the order of the candidates.
fn sources(discovery: &ProcessDiscovery) -> Vec<Source<'_>> {
    let mut sources: IndexMap<Name, Source<'_>> = IndexMap::new();
    let feasible = discovery
        .candidates
        .iter()
        .filter(|one| one.class.is_feasible());
    for candidate in feasible.take(CANDIDATES_MAX) {
        let after = candidate.after.as_deref();
        let publisher = after.map_or_else(|| Name::new("intake").ok(), naming::service);
        let consumer = candidate
            .activities
            .first()
            .and_then(|one| naming::service(one));
        let (Some(publisher), Some(consumer)) = (publisher, consumer) else {
            continue;
        };
        let source = sources.entry(publisher.clone()).or_insert_with(|| Source {
            after,
            publisher: publisher.clone(),
            consumers: Vec::new(),
        });
        // Two activities whose names differ in signs only make one service.
        let is_new = !source.consumers.iter().any(|(known, _)| *known == consumer);
        if is_new && source.after.is_some() == after.is_some() && consumer != publisher {
            source.consumers.push((consumer, candidate));
        }
    }
    sources.into_values().collect()
}

/// How often what was done was done.
fn times(discovery: &ProcessDiscovery, source: &Source<'_>) -> usize {
    if source.after.is_none() {
        return discovery.cases;
    }
    let done = discovery.activities.iter();
    done.filter(|one| naming::service(&one.name).as_ref() == Some(&source.publisher))
        .map(|one| one.count)
        .sum()
}

/// The consumers in the ways that are decided between: those of one way hear of the same ends of work.
fn ways(consumers: Vec<Consumer<'_>>) -> Vec<Vec<Consumer<'_>>> {
    let mut ways: Vec<(Heard<'_>, Vec<Consumer<'_>>)> = Vec::new();
    for consumer in consumers {
        let arrived = consumer.1.arrivals.iter();
        let own: Heard<'_> = arrived.map(|one| (one.offset, one.case.as_str())).collect();
        let same = ways.iter_mut().find(|(others, _)| {
            let both = own.intersection(others).count();
            both * ALWAYS.1 >= own.len().max(others.len()) * ALWAYS.0
        });
        match same {
            Some((_, way)) => way.push(consumer),
            None => ways.push((own, vec![consumer])),
        }
    }
    ways.into_iter().map(|(_, way)| way).collect()
}

/// When the event would have been published: in each case as often as the consumer with most of them
/// has it.
fn published<'a>(consumers: &[Consumer<'a>]) -> Vec<&'a Arrived> {
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for (_, candidate) in consumers {
        let mut own: BTreeMap<&str, usize> = BTreeMap::new();
        for arrived in &candidate.arrivals {
            let own = own.entry(&arrived.case).or_default();
            *own += 1;
            let most = most.entry(&arrived.case).or_default();
            if *own > *most {
                *most = *own;
                all.push(arrived);
            }
        }
    }
    all
}
