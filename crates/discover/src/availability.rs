//! How available an endpoint is by what it depends on, and what is left when it does not wait for one.
//!
//! A request that fails is put down to the calls in it that failed without a failing call below them:
//! so each dependency counts once, however many callers are between it and the user.
//!
//! Source: B. Treynor et al., "The Calculus of Service Availability", ACM Queue 15 (2017): a service
//! is available as often as all that it needs are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use tidegate_trace::Trace;

use crate::calls::{self, Found};
use crate::discovery::Call;
use crate::interval::number;
use crate::judge::Path;
use crate::observe::Observation;
use crate::replay::WhatIf;
use crate::statistics::Proportion;
use crate::told::Told;

/// One endpoint: how often its requests go well, and what that depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Availability {
    /// The service.
    pub service: String,
    /// What is asked of it.
    pub operation: String,
    /// Requests that failed, of all.
    pub failures: Proportion,
    /// Requests that failed, of those in which no call failed.
    pub own: Proportion,
    /// What it depends on: those that most failures are put down to first.
    pub dependencies: Vec<Dependency>,
    /// The product of its own availability and that of every dependency.
    pub serial: f64,
}

/// What an endpoint depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// The service.
    pub service: String,
    /// What is asked of it.
    pub operation: String,
    /// Requests in which it is called, of all.
    pub called: Proportion,
    /// Requests in which it is where a failure begins, of those in which it is called.
    pub failures: Proportion,
    /// Requests that failed with it, of those.
    pub passed_on: Proportion,
    /// How often requests do not fail by it, beyond the endpoint's own failures, with the 95 % interval.
    pub availability: (f64, f64, f64),
    /// How available the endpoint would be if it did not wait for it: event and change are stored
    /// together, so that no broker is between. Published directly, this is to be multiplied with
    /// the broker's availability.
    pub without: f64,
    /// Whether the call is a candidate.
    pub is_candidate: bool,
}

/// Which calls of a trace failed without a failing call below them.
pub(crate) struct Origins(BTreeSet<usize>);

impl Origins {
    pub(crate) fn of(trace: &Trace, told: &[Told], all: &[Found]) -> Self {
        let failing = all
            .iter()
            .filter(|found| calls::has_failed(trace, told, **found));
        let failing: Vec<usize> = failing.map(|found| found.call).collect();
        let mut origins: BTreeSet<usize> = failing.iter().copied().collect();
        // Above a span that was passed once, all is done.
        let mut passed = vec![false; trace.spans().len()];
        for call in failing {
            let mut above = trace.parent(call);
            while let Some(span) = above
                && let Some(known) = passed.get_mut(span)
                && !std::mem::replace(known, true)
            {
                origins.remove(&span);
                above = trace.parent(span);
            }
        }
        Self(origins)
    }

    pub(crate) fn has(&self, call: usize) -> bool {
        self.0.contains(&call)
    }
}

/// What is counted of one dependency of one endpoint: requests by their numbers.
#[derive(Default)]
struct Counted {
    called: Vec<u32>,
    began: Vec<u32>,
    is_candidate: bool,
}

/// The availability of every endpoint with a dependency, the one with most failures first.
pub(crate) fn of(
    what_if: &WhatIf<'_>,
    observations: &IndexMap<Path, Vec<Observation>>,
    calls: &[Call],
) -> Vec<Availability> {
    let candidates: HashSet<(&str, &str, &str, &str)> = calls
        .iter()
        .filter(|call| call.class.is_feasible())
        .map(|call| {
            (
                call.caller.as_str(),
                call.caller_operation.as_str(),
                call.callee.as_str(),
                call.callee_operation.as_str(),
            )
        })
        .collect();
    let mut by_endpoint: Endpoints<'_> = HashMap::new();
    for (path, seen) in observations {
        let name = (path.2.as_str(), path.3.as_str());
        let is_candidate = candidates.contains(&(&path.0, &path.1, &path.2, &path.3));
        let mut last: Option<(usize, Counted)> = None;
        for observation in seen {
            // What nobody waits for is no dependency.
            if observation.is_message || observation.marks.is_left_behind {
                continue;
            }
            let Some(endpoint) = what_if.endpoint_of_request(observation.request) else {
                continue;
            };
            if last.as_ref().is_none_or(|(last, _)| *last != endpoint)
                && let Some((last, counted)) = last.replace((endpoint, Counted::default()))
            {
                add(&mut by_endpoint, (last, name), counted);
            }
            if let Some((_, counted)) = &mut last {
                counted.is_candidate |= is_candidate;
                counted.called.push(observation.request);
                if observation.marks.is_origin {
                    counted.began.push(observation.request);
                }
            }
        }
        if let Some((last, counted)) = last {
            add(&mut by_endpoint, (last, name), counted);
        }
    }
    for counted in by_endpoint.values_mut().flat_map(BTreeMap::values_mut) {
        for requests in [&mut counted.called, &mut counted.began] {
            requests.sort_unstable();
            requests.dedup();
        }
    }
    let mut all: Vec<Availability> = by_endpoint
        .into_iter()
        .map(|(endpoint, counted)| availability(what_if, endpoint, counted))
        .collect();
    all.sort_by(|a, b| {
        let key = |one: &Availability| (one.service.clone(), one.operation.clone());
        (b.failures.hits, b.failures.total)
            .cmp(&(a.failures.hits, a.failures.total))
            .then_with(|| key(a).cmp(&key(b)))
    });
    all
}

/// By endpoint, and by the service and the operation that it depends on.
type Endpoints<'a> = HashMap<usize, BTreeMap<(&'a str, &'a str), Counted>>;

fn add<'a>(
    all: &mut Endpoints<'a>,
    (endpoint, name): (usize, (&'a str, &'a str)),
    mut counted: Counted,
) {
    let known = all.entry(endpoint).or_default().entry(name).or_default();
    known.called.append(&mut counted.called);
    known.began.append(&mut counted.began);
    known.is_candidate |= counted.is_candidate;
}

fn availability(
    what_if: &WhatIf<'_>,
    endpoint: usize,
    counted: BTreeMap<(&str, &str), Counted>,
) -> Availability {
    let (service, operation, requests, first) = what_if.entries(endpoint);
    let failed: HashSet<u32, RandomState> = requests
        .iter()
        .enumerate()
        .filter(|(_, request)| what_if.failed(**request))
        .filter_map(|(index, _)| u32::try_from(first + index).ok())
        .collect();
    let total = requests.len();
    let of_all = |hits: usize| Proportion { hits, total };
    let mut beginnings: HashMap<u32, usize, RandomState> = HashMap::default();
    for request in counted.values().flat_map(|counted| &counted.began) {
        *beginnings.entry(*request).or_default() += 1;
    }
    let alone = beginnings.iter().filter(|(_, calls)| **calls == 1);
    let alone = alone.map(|(request, _)| *request).collect();
    let own_failures = failed.iter().filter(|one| !beginnings.contains_key(one));
    // Only where no call fails is the endpoint alone: an ignored call that fails often would hide its own failures.
    let own = Proportion {
        hits: own_failures.count(),
        total: total - beginnings.len(),
    };
    let around = Around { own, alone, total };
    let mut dependencies: Vec<Dependency> = counted
        .into_iter()
        .map(|(name, counted)| dependency(name, &counted, &failed, &around))
        .collect();
    dependencies.sort_by(|a, b| {
        let lost = |one: &Dependency| one.passed_on.hits;
        lost(b)
            .cmp(&lost(a))
            .then_with(|| (&a.service, &a.operation).cmp(&(&b.service, &b.operation)))
    });
    let each: Vec<f64> = dependencies.iter().map(|one| one.availability.0).collect();
    let product = |left_out: Option<usize>| {
        let all = each.iter().enumerate();
        let others = all.filter(|(index, _)| Some(*index) != left_out);
        (1.0 - own.share()) * others.map(|(_, one)| one).product::<f64>()
    };
    let serial = product(None);
    for (index, one) in dependencies.iter_mut().enumerate() {
        one.without = product(Some(index));
    }
    Availability {
        service: service.to_owned(),
        operation: operation.to_owned(),
        failures: of_all(failed.len()),
        own,
        dependencies,
        serial,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count of requests"
)]
fn rounded(count: f64) -> usize {
    count.round() as usize
}

/// What is known of an endpoint beside one of its dependencies.
struct Around {
    /// Failures in which no call failed.
    own: Proportion,
    /// Requests in which exactly one call failed by itself.
    alone: HashSet<u32, RandomState>,
    /// All requests.
    total: usize,
}

/// The fewest requests in which a call failed alone that tell what it does.
const ALONE_MIN: usize = 5;

/// What requests depend on, of which some failed. What it makes fail is told from what fails beside it: with it and
/// without any, as independent causes add up.
fn dependency(
    (service, operation): (&str, &str),
    counted: &Counted,
    failed: &HashSet<u32, RandomState>,
    around: &Around,
) -> Dependency {
    let total = around.total;
    let began = counted.began.iter();
    let passed_on = began.filter(|one| failed.contains(one)).count();
    let of_all = |hits: usize| Proportion { hits, total };
    let failing = Proportion {
        hits: passed_on,
        total: counted.began.len(),
    };
    // Where another call failed too, nobody can tell which of them it was; so those count in which it was alone.
    let alone = counted
        .began
        .iter()
        .filter(|one| around.alone.contains(one));
    let mut told = Proportion::default();
    for request in alone {
        told.count(failed.contains(request).into());
    }
    if told.total < ALONE_MIN {
        told = failing;
    }
    let without = around.own.share();
    let by_it = match told.share() > without {
        true => (told.share() - without) / (1.0 - without),
        false => 0.0,
    };
    let lost = of_all(rounded(by_it * number(counted.began.len())));
    let (low, high) = lost.interval().unwrap_or((0.0, 1.0));
    Dependency {
        service: service.to_owned(),
        operation: operation.to_owned(),
        called: of_all(counted.called.len()),
        failures: Proportion {
            hits: counted.began.len(),
            total: counted.called.len(),
        },
        passed_on: failing,
        availability: (1.0 - lost.share(), 1.0 - high, 1.0 - low),
        without: 0.0,
        is_candidate: counted.is_candidate,
    }
}

impl Availability {
    /// Requests that fail, of a million, by the product.
    #[must_use]
    pub fn failures_per_million(&self) -> f64 {
        1e6 * (1.0 - self.serial)
    }

    /// How often requests go well, as they were seen.
    #[must_use]
    pub fn observed(&self) -> f64 {
        1.0 - number(self.failures.hits) / number(self.failures.total.max(1))
    }
}
