//! What became slower or faster between two captures, and where the time is spent.
//!
//! A request may be slow in a span that only waits for another service; so the time of the critical path
//! in each span itself is compared, and it is said whether that span asks somebody.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::contrast::{Blocks, contrasts};
use crate::discovery::{Class, Discovery, Exclusive};
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
    /// Calls that are in one of them only, and those that requests wait for in one of them only: most waiting first.
    pub turned: Vec<Turned>,
}

/// A call that requests wait for in one of two captures.
#[derive(Clone, Debug, PartialEq)]
pub struct Turned {
    /// Who asks.
    pub caller: String,
    /// Who answers.
    pub callee: String,
    /// What is asked.
    pub operation: String,
    /// What became of it.
    pub turn: Turn,
    /// How long a trace's requests wait for it in the capture in which they do, in seconds.
    pub waited: f64,
}

/// What became of a call between two captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is not made any more.
    Gone,
    /// It was not made before.
    New,
    /// It is made, and requests do not wait for it any more.
    LeftBehind,
    /// It was made, and requests did not wait for it before.
    WaitedFor,
}

impl Turn {
    /// As programs read it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Gone => "GONE",
            Self::New => "NEW",
            Self::LeftBehind => "LEFT_BEHIND",
            Self::WaitedFor => "WAITED_FOR",
        }
    }

    /// Whether it is in the later capture that requests wait for it.
    #[must_use]
    pub fn is_later(self) -> bool {
        matches!(self, Self::New | Self::WaitedFor)
    }
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
        turned: turned(before, after),
    }
}

fn each(own: &Exclusive) -> f64 {
    own.time.as_secs_f64() / number(own.count.max(1))
}

/// How a capture makes a call: how often, how often requests wait for it, and how long.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    count: usize,
    on_path: usize,
    seconds: f64,
}

/// The fewest calls of each side of which it is said that requests wait for them, or do not.
const MADE_MIN: usize = 10;

type Names<'a> = (&'a str, &'a str, &'a str);

fn made(discovery: &Discovery) -> BTreeMap<Names<'_>, Made> {
    let mut all: BTreeMap<Names<'_>, Made> = BTreeMap::new();
    for call in &discovery.calls {
        let name = (&*call.caller, &*call.callee, &*call.callee_operation);
        let made = all.entry(name).or_default();
        made.count += call.count;
        // Of a message its publishing is waited for, and not what it leads to.
        if call.class != Class::AlreadyAsync {
            made.on_path += call.on_path.hits;
        }
        made.seconds += call.critical.as_secs_f64() / number(discovery.traces.max(1));
    }
    all
}

/// What is made, or waited for, in one of them only.
fn turned(before: &Discovery, after: &Discovery) -> Vec<Turned> {
    let (old, new) = (made(before), made(after));
    let nearly_all = |made: &Made| made.count >= MADE_MIN && made.on_path * 2 >= made.count;
    let hardly_any = |made: &Made| made.count >= MADE_MIN && made.on_path * 10 <= made.count;
    let names: BTreeSet<Names<'_>> = old.keys().chain(new.keys()).copied().collect();
    let mut turned: Vec<Turned> = names
        .into_iter()
        .filter_map(|name| {
            let (turn, waited) = match (old.get(&name), new.get(&name)) {
                (Some(old), None) => (Turn::Gone, old.seconds),
                (None, Some(new)) => (Turn::New, new.seconds),
                (Some(old), Some(new)) if nearly_all(old) && hardly_any(new) => {
                    (Turn::LeftBehind, old.seconds)
                }
                (Some(old), Some(new)) if hardly_any(old) && nearly_all(new) => {
                    (Turn::WaitedFor, new.seconds)
                }
                _ => return None,
            };
            let (caller, callee, operation) = name;
            Some(Turned {
                caller: caller.to_owned(),
                callee: callee.to_owned(),
                operation: operation.to_owned(),
                turn,
                waited,
            })
        })
        .collect();
    turned.sort_by(|a, b| b.waited.total_cmp(&a.waited));
    turned
}
