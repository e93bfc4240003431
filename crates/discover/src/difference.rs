//! What became slower or faster between two captures, and where the time is spent.
//!
//! A request may be slow in a span that only waits for another service; so the time of the critical path
//! in each span itself is compared, and it is said whether that span asks somebody.

use indexmap::IndexMap;

use crate::contrast::{Blocks, contrasts};
use crate::discovery::{Discovery, Exclusive};
use crate::interval::{Estimate, number};
use crate::verdict::Verdict;

/// Two captures compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Requests of both.
    pub traces: (usize, usize),
    /// How long the caller of a trace waits on average in both, in seconds: messages are not waited for.
    pub request: (f64, f64),
    /// By how much that is longer, in seconds.
    pub longer: Estimate,
    /// What changed: what chance does not explain first, then most time of all requests.
    pub changes: Vec<Changed>,
    /// Calls that are in one of them only: caller, callee and operation; and whether it is the later.
    pub only: Vec<(String, String, String, bool)>,
}

/// One operation whose own time on the critical path changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The service that spends the time.
    pub service: String,
    /// What it does.
    pub operation: String,
    /// Whom it asks meanwhile.
    pub asks: Option<String>,
    /// How often it ran in both.
    pub count: (usize, usize),
    /// Its own time on the critical path each time, in seconds, in both.
    pub each: (f64, f64),
    /// By how much that is longer, in seconds; the intervals of all changes hold together.
    pub longer: Estimate,
    /// By how much all requests of the later capture are longer for it, in seconds.
    pub total: f64,
}

impl Changed {
    /// Whether chance explains it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        verdict(self.longer)
    }
}

impl Difference {
    /// Whether chance explains that requests take longer or less long.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        verdict(self.longer)
    }
}

fn verdict(longer: Estimate) -> Verdict {
    match longer.interval() {
        Some((_, high)) if high < 0.0 => Verdict::Less,
        Some((low, _)) if low > 0.0 => Verdict::More,
        Some(_) => Verdict::NoDifference,
        None => Verdict::Unknown,
    }
}

/// Compares two discoveries.
#[must_use]
pub fn difference(before: &Discovery, after: &Discovery) -> Difference {
    type Key<'a> = (&'a str, &'a str, Option<&'a str>);
    let mut pairs: IndexMap<Key<'_>, (Option<&Exclusive>, Option<&Exclusive>)> = IndexMap::new();
    fn key(own: &Exclusive) -> (&str, &str, Option<&str>) {
        (&own.service, &own.operation, own.callee.as_deref())
    }
    for own in &before.exclusive {
        pairs.entry(key(own)).or_default().0 = Some(own);
    }
    for own in &after.exclusive {
        pairs.entry(key(own)).or_default().1 = Some(own);
    }
    let pairs: Vec<(Key<'_>, (&Exclusive, &Exclusive))> = pairs
        .into_iter()
        .filter_map(|(key, (old, new))| Some((key, (old?, new?))))
        .collect();
    let blocks: Vec<(&Blocks, &Blocks)> = pairs
        .iter()
        .map(|(_, (old, new))| (&old.blocks, &new.blocks))
        .collect();
    let longer = contrasts(&blocks);
    let mut changes: Vec<Changed> = pairs
        .into_iter()
        .zip(longer)
        .map(|(((service, operation, asks), (old, new)), longer)| {
            let (was, is) = (each(old), each(new));
            Changed {
                service: service.to_owned(),
                operation: operation.to_owned(),
                asks: asks.map(str::to_owned),
                count: (old.count, new.count),
                each: (was, is),
                longer,
                total: (is - was) * number(new.count),
            }
        })
        .collect();
    changes.sort_by(|a, b| {
        let names = |c: &Changed| (c.service.clone(), c.operation.clone(), c.asks.clone());
        let is_noise = |c: &Changed| !matches!(c.verdict(), Verdict::Less | Verdict::More);
        let sizes = b.total.abs().total_cmp(&a.total.abs());
        let sizes = is_noise(a).cmp(&is_noise(b)).then(sizes);
        sizes.then_with(|| names(a).cmp(&names(b)))
    });
    Difference {
        traces: (before.traces, after.traces),
        request: (before.requests.mean(), after.requests.mean()),
        longer: contrasts(&[(&before.requests, &after.requests)])
            .pop()
            .unwrap_or(Estimate::NotEstimable { n: 0, needed: 0 }),
        changes,
        only: only(before, after),
    }
}

fn each(own: &Exclusive) -> f64 {
    own.time.as_secs_f64() / number(own.count.max(1))
}

fn only(before: &Discovery, after: &Discovery) -> Vec<(String, String, String, bool)> {
    let calls = |discovery: &Discovery| -> Vec<(String, String, String)> {
        let calls = discovery.calls.iter();
        let mut names: Vec<_> = calls
            .map(|call| {
                (
                    call.caller.clone(),
                    call.callee.clone(),
                    call.callee_operation.clone(),
                )
            })
            .collect();
        names.sort();
        names.dedup();
        names
    };
    let (old, new) = (calls(before), calls(after));
    let gone = old.iter().filter(|call| !new.contains(call));
    let come = new.iter().filter(|call| !old.contains(call));
    let gone = gone.map(|(a, b, c)| (a.clone(), b.clone(), c.clone(), false));
    let come = come.map(|(a, b, c)| (a.clone(), b.clone(), c.clone(), true));
    gone.chain(come).collect()
}
