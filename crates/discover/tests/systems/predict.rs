//! What predictors say of a random system, beside what is true.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use tidegate_discover::critical_path::critical_paths;
use tidegate_discover::{Discovery, Options, Order, Saving, discover_with};
use tidegate_trace::{SpanKind, Traces};

use super::capture::{Faults, capture};
use super::{Ran, System, World};

/// The predictors, in the order of the table.
pub(crate) const PREDICTORS: [&str; 4] = [
    "A0 subtract the span's duration (dashboards)",
    "A1 subtract its critical-path time",
    "A2 replay, order of each trace alone",
    "A3 replay, order learned over all traces",
];

/// How the measuring is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) traces: u64,
    /// Requests that the true mean of all requests is taken from, for coverage; 0 to leave it out.
    pub(crate) population: u64,
}

/// One prediction, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prediction {
    pub(crate) mean: f64,
    pub(crate) p99_after: Option<f64>,
    pub(crate) interval: Option<(f64, f64)>,
    pub(crate) p99_interval: Option<(f64, f64)>,
    /// Requests that the change makes a difference to.
    pub(crate) affected: usize,
}

/// One call of one system.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) system: u64,
    pub(crate) operation: usize,
    /// What requests take on average.
    pub(crate) root: f64,
    /// What is truly saved on average: of the captured requests, and of all.
    pub(crate) mean: f64,
    pub(crate) population_mean: f64,
    /// The 99th percentile if nobody waited for the call, and what is truly saved of it of all.
    pub(crate) p99_after: f64,
    pub(crate) population_p99_saved: f64,
    /// By predictor; `None` where it makes none.
    pub(crate) predictions: [Option<Prediction>; 4],
}

/// Measures every call of one random system.
pub(crate) fn cases(seed: u64, setting: &Setting) -> Vec<Case> {
    let system = System::random(seed, setting.world, 22);
    let runs: Vec<Vec<Ran>> = (0..setting.traces).map(|id| system.run(id, None)).collect();
    let traces = capture(&runs, setting.faults);
    let each = found(&traces, Order::EachTrace);
    let learned = found(&traces, Order::Learned);
    let critical = critical(&traces);
    let root = |runs: &[Vec<Ran>]| -> Vec<i64> { runs.iter().map(|run| run[0].end).collect() };
    let before = root(&runs);
    let all_before = OnceCell::new();
    let truth = |operation: usize| {
        let before = all_before.get_or_init(|| population(&system, None, setting));
        saved(before, &population(&system, Some(operation), setting))
    };
    let mut cases = Vec::new();
    for operation in 1..system.programs.len() {
        let called = |run: &Vec<Ran>| -> i64 {
            let calls = run
                .iter()
                .filter(|span| span.is_client && span.operation == operation);
            calls.map(|span| span.end - span.start).sum()
        };
        let durations: Vec<i64> = runs.iter().map(called).collect();
        if durations.iter().filter(|took| **took > 0).count() * 20 < runs.len() {
            continue;
        }
        let after: Vec<i64> = (0..setting.traces)
            .map(|id| system.run(id, Some(operation))[0].end)
            .collect();
        let (population_mean, population_p99_saved) = once(
            (seed, setting.world as u8, operation, setting.population),
            || truth(operation),
        );
        let less = |taken: &dyn Fn(usize) -> i64| {
            let after: Vec<i64> = (0..before.len()).map(|at| before[at] - taken(at)).collect();
            Some(Prediction {
                mean: mean(&before) - mean(&after),
                p99_after: Some(p99(&after)),
                ..Prediction::default()
            })
        };
        let critical_of = |at: usize| *critical.get(&(at, operation)).unwrap_or(&0);
        cases.push(Case {
            system: seed,
            operation,
            root: mean(&before),
            mean: mean(&before) - mean(&after),
            population_mean,
            p99_after: p99(&after),
            population_p99_saved,
            predictions: [
                less(&|at| durations[at]),
                less(&critical_of),
                replayed(&each, operation, p99(&before)),
                replayed(&learned, operation, p99(&before)),
            ],
        });
    }
    cases
}

/// The capture, discovered; an event costs nothing here, as in the counterfactual.
pub(crate) fn found(traces: &Traces, order: Order) -> Discovery {
    let options = Options {
        order,
        publish: std::time::Duration::ZERO,
        ..Options::default()
    };
    discover_with(&[("made.json".to_owned(), traces.clone())], &options)
}

/// How long requests take that were not captured, with an operation detached or none.
fn population(system: &System, detached: Option<usize>, setting: &Setting) -> Vec<i64> {
    let ids = 1_000_000..1_000_000 + setting.population;
    ids.map(|id| system.run(id, detached)[0].end).collect()
}

/// System, world, operation, and requests.
type Asked = (u64, u8, usize, u64);

/// What is true of all requests: the same whatever the capture does to them, so it is asked for once.
fn once(key: Asked, truth: impl FnOnce() -> (f64, f64)) -> (f64, f64) {
    static KNOWN: Mutex<BTreeMap<Asked, (f64, f64)>> = Mutex::new(BTreeMap::new());
    let known = KNOWN.lock().unwrap().get(&key).copied();
    known.unwrap_or_else(|| {
        let truth = truth();
        KNOWN.lock().unwrap().insert(key, truth);
        truth
    })
}

/// What is saved on average, and of the 99th percentile; zero of none.
fn saved(before: &[i64], after: &[i64]) -> (f64, f64) {
    if before.is_empty() {
        return (0.0, 0.0);
    }
    (mean(before) - mean(after), p99(before) - p99(after))
}

/// What is said of requests of operation 0; nothing where predictions are withheld, and that nothing
/// is saved where the call is not on their way.
fn replayed(discovery: &Discovery, operation: usize, p99_before: f64) -> Option<Prediction> {
    if discovery.completeness.withheld.is_some() {
        return None;
    }
    let name = format!("call-{operation}");
    let call = discovery
        .calls
        .iter()
        .filter(|call| call.callee_operation == name)
        .max_by_key(|call| call.count)?;
    let savings = call.savings.iter();
    let of_users = savings.filter(|saving| saving.operation == "call-0");
    let Some(saving): Option<&Saving> = of_users.max_by_key(|saving| saving.requests) else {
        return Some(Prediction {
            p99_after: Some(p99_before),
            ..Prediction::default()
        });
    };
    // Of hardly any complete request nothing is predicted; where hardly any changes, nothing is saved.
    if saving.requests < 10 {
        return None;
    }
    Some(Prediction {
        mean: saving.mean.value().unwrap_or_default(),
        p99_after: saving.p99.value().map(|saved| p99_before - saved),
        interval: saving.mean.interval(),
        p99_interval: saving.p99.interval(),
        affected: saving.affected,
    })
}

/// The critical-path time of calls and what is below them, by request and operation.
fn critical(traces: &Traces) -> HashMap<(usize, usize), i64> {
    let mut times = HashMap::new();
    for trace in &traces.traces {
        let request = usize::from_str_radix(trace.id(), 16).unwrap() - 1;
        let paths = critical_paths(trace);
        let Some(path) = paths.iter().find(|path| {
            trace
                .span(path.entry)
                .is_some_and(|span| &*span.operation == "call-0")
        }) else {
            continue;
        };
        for part in &path.segments {
            let mut span = Some(part.span);
            while let Some(index) = span {
                let own = trace.span(index).unwrap();
                if own.kind == SpanKind::Client {
                    let operation = own.operation.trim_start_matches("call-").parse().unwrap();
                    let length = part.end - part.start;
                    *times.entry((request, operation)).or_insert(0) += length;
                }
                span = trace.parent(index);
            }
        }
    }
    times
}

pub(crate) fn mean(values: &[i64]) -> f64 {
    values.iter().map(|value| *value as f64).sum::<f64>() / values.len() as f64
}

pub(crate) fn p99(values: &[i64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (values.len() as f64 * 0.99).ceil() as usize;
    sorted[rank.clamp(1, values.len()) - 1] as f64
}

/// One row of the table: errors in percent of what requests take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    pub(crate) calls: usize,
    pub(crate) withheld: usize,
    /// Of the mean: the average error, its 95th percentile, and the bias.
    pub(crate) error: f64,
    pub(crate) error_p95: f64,
    pub(crate) bias: f64,
    /// Of the 99th percentile.
    pub(crate) p99_error: f64,
    /// Agreement with the true ranking, and what is lost by its first pick.
    pub(crate) tau: f64,
    pub(crate) regret: f64,
    /// How often the printed interval held the mean of all requests, and the same of the 99th
    /// percentile; `None` where no interval is printed.
    pub(crate) coverage: Option<f64>,
    pub(crate) p99_coverage: Option<f64>,
    /// The median of half the width of the interval of the mean.
    pub(crate) half_width: Option<f64>,
}

/// Whether the value lies in the interval. What always saves the same has an interval without width, and the
/// mean of many is rounded: less than a nanosecond counts for nothing.
fn holds((low, high): (f64, f64), value: f64) -> bool {
    low - 1.0 <= value && value <= high + 1.0
}

/// The row of one predictor.
pub(crate) fn row(cases: &[Case], predictor: usize) -> Row {
    let with: Vec<(&Case, Prediction)> = cases
        .iter()
        .filter_map(|case| Some((case, case.predictions[predictor]?)))
        .collect();
    let share = |case: &Case, value: f64| 100.0 * value / case.root;
    let errors: Vec<f64> = with
        .iter()
        .map(|(case, prediction)| share(case, prediction.mean - case.mean))
        .collect();
    let p99s: Vec<f64> = with
        .iter()
        .filter_map(|(case, prediction)| {
            Some(share(case, prediction.p99_after? - case.p99_after).abs())
        })
        .collect();
    let mut sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let average = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let mut taus = Vec::new();
    let mut regrets = Vec::new();
    for system in with.chunk_by(|a, b| a.0.system == b.0.system) {
        taus.push(tau(system));
        let best = system.iter().map(|(case, _)| case.mean).fold(0.0, f64::max);
        let pick = system.iter().max_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
        regrets.extend(pick.map(|(case, _)| share(case, best - case.mean)));
    }
    let covered = |of: &dyn Fn(&Case, &Prediction) -> Option<bool>| {
        let held: Vec<bool> = with
            .iter()
            .filter_map(|(case, said)| of(case, said))
            .collect();
        let hits = held.iter().filter(|held| **held).count();
        (!held.is_empty()).then(|| hits as f64 / held.len() as f64)
    };
    let mut widths: Vec<f64> = with
        .iter()
        .filter_map(|(case, said)| {
            said.interval
                .map(|(low, high)| share(case, high - low) / 2.0)
        })
        .collect();
    widths.sort_by(f64::total_cmp);
    Row {
        calls: with.len(),
        withheld: cases.len() - with.len(),
        error: average(&sizes),
        error_p95: sizes
            .get(sizes.len() * 95 / 100)
            .copied()
            .unwrap_or_default(),
        bias: average(&errors),
        p99_error: average(&p99s),
        tau: average(&taus),
        regret: average(&regrets),
        coverage: covered(&|case, said| Some(holds(said.interval?, case.population_mean))),
        p99_coverage: covered(&|case, said| {
            Some(holds(said.p99_interval?, case.population_p99_saved))
        }),
        half_width: widths.get(widths.len() / 2).copied(),
    }
}

/// The calls of which the last predictor's interval does not hold what all requests save on average, each
/// as a line: whether the estimate or the sample is off, in percent of what a request takes.
pub(crate) fn misses(cases: &[Case]) -> Vec<String> {
    let line = |case: &Case| {
        let said = case.predictions[3]?;
        let (low, high) = said
            .interval
            .filter(|interval| !holds(*interval, case.population_mean))?;
        let share = |value: f64| 100.0 * value / case.root;
        Some(format!(
            "system {:>3} call-{:<3} truth {:>8.4} sample {:>8.4} estimate {:>8.4} in {:>8.4} to {:>8.4}, of {:>5} requests",
            case.system,
            case.operation,
            share(case.population_mean),
            share(case.mean),
            share(said.mean),
            share(low),
            share(high),
            said.affected,
        ))
    };
    cases.iter().filter_map(line).collect()
}

/// Kendall's tau of predicted and true savings; calls that truly save nothing are tied.
fn tau(cases: &[(&Case, Prediction)]) -> f64 {
    let (mut agree, mut pairs) = (0.0, 0.0);
    for (index, (case, said)) in cases.iter().enumerate() {
        for (other, other_said) in &cases[index + 1..] {
            let truth = case.mean - other.mean;
            let prediction = said.mean - other_said.mean;
            if truth.abs() < case.root * 1e-6 {
                continue;
            }
            pairs += 1.0;
            agree += if prediction == 0.0 {
                0.0
            } else {
                (truth * prediction).signum()
            };
        }
    }
    if pairs == 0.0 { 1.0 } else { agree / pairs }
}
