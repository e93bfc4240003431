//! Every pair of a writer's and a reader's type that meet in some datum, each once, breadth first:
//! so the first datum that gets there is a short one, and a recursive schema has an end.

use std::collections::HashSet;

use tidegate_schema::avro::{Avro, NodeId};

use super::rules::{self, Next};
use crate::profile::Profile;

/// Most pairs of types that are compared.
const PAIRS_MAX: usize = 100_000;
/// Deepest search among branches that could all stand for a type.
const SEARCH_DEPTH_MAX: usize = 3;

/// A writer's and a reader's schema.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) writer: &'a Avro,
    pub(crate) reader: &'a Avro,
}

/// How a datum leads from one type of the writer to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It does not: only the reader goes on.
    Stay,
    /// Into the field with this number.
    Field(usize),
    /// Into an item.
    Item,
    /// Into the value of an entry.
    Value,
    /// Into the branch with this number.
    Branch(usize),
}

/// Which values break.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Break {
    /// Every one of the type.
    Any,
    /// The symbol with this number.
    Symbol(usize),
    /// Bytes that are no text.
    NotText,
    /// A number that the reader's type has not.
    Large,
}

/// A place where the types differ.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    pub(crate) fix: Option<String>,
    pub(crate) writer_pointer: String,
    pub(crate) reader_pointer: String,
    /// `None` for what breaks nothing.
    pub(crate) breaks: Option<Break>,
    /// The steps that lead from the root to the type, each with the type that it leaves.
    pub(crate) steps: Vec<(NodeId, Step)>,
    /// The writer's type.
    pub(crate) at: NodeId,
}

/// What a walk found.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) found: Vec<Found>,
    /// Whether there were too many pairs, or the caller said to stop.
    pub(crate) stopped: bool,
}

struct Visit {
    parent: Option<(usize, Step)>,
    writer: NodeId,
    reader: NodeId,
}

/// Compares from the roots on, as long as the caller says to go on.
pub(crate) fn walk(pair: &Pair<'_>, profile: Profile, keep_going: &dyn Fn() -> bool) -> Walked {
    let roots = (pair.writer.root(), pair.reader.root());
    walk_from((pair, keep_going), profile, roots, 0)
}

/// Pairs of types between two questions to the caller.
const ASK_EVERY: usize = 32;

fn walk_from(
    (pair, keep_going): (&Pair<'_>, &dyn Fn() -> bool),
    profile: Profile,
    start: (NodeId, NodeId),
    depth: usize,
) -> Walked {
    let mut visits = vec![Visit {
        parent: None,
        writer: start.0,
        reader: start.1,
    }];
    let mut seen = HashSet::from([start]);
    let mut walked = Walked {
        found: Vec::new(),
        stopped: false,
    };
    let mut at = 0;
    while let Some(Visit { writer, reader, .. }) = visits.get(at) {
        let (writer, reader) = (*writer, *reader);
        if at % ASK_EVERY == 0 && !keep_going() {
            walked.stopped = true;
            return walked;
        }
        let choose = |candidates: Vec<NodeId>| {
            choose((pair, keep_going), profile, writer, candidates, depth)
        };
        let outcome = rules::compare(pair, profile, writer, reader, &choose);
        for next in outcome {
            match next {
                Next::Down(step, writer, reader) => {
                    if !seen.insert((writer, reader)) {
                        continue;
                    }
                    if visits.len() >= PAIRS_MAX {
                        walked.stopped = true;
                        return walked;
                    }
                    visits.push(Visit {
                        parent: Some((at, step)),
                        writer,
                        reader,
                    });
                }
                Next::Found(found) => {
                    let steps = steps(&visits, at);
                    walked.found.push(Found { steps, ..*found });
                }
            }
        }
        at += 1;
    }
    walked
}

fn steps(visits: &[Visit], from: usize) -> Vec<(NodeId, Step)> {
    let mut steps = Vec::new();
    let mut at = from;
    while let Some((parent, step)) = visits.get(at).and_then(|visit| visit.parent) {
        if let Some(visit) = visits.get(parent) {
            steps.push((visit.writer, step));
        }
        at = parent;
    }
    steps.reverse();
    steps
}

/// The branch that a reader takes. A registry's checker takes any that reads everything.
fn choose(
    (pair, keep_going): (&Pair<'_>, &dyn Fn() -> bool),
    profile: Profile,
    writer: NodeId,
    candidates: Vec<NodeId>,
    depth: usize,
) -> Option<NodeId> {
    let first = candidates.first().copied();
    if profile == Profile::Exact || candidates.len() < 2 || depth >= SEARCH_DEPTH_MAX {
        return first;
    }
    let reads = |branch: &NodeId| {
        let walked = walk_from((pair, keep_going), profile, (writer, *branch), depth + 1);
        !walked.stopped && walked.found.iter().all(|found| found.breaks.is_none())
    };
    candidates
        .iter()
        .copied()
        .find(|branch| reads(branch))
        .or(first)
}
