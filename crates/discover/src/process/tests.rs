//! The parts of the analysis against what can be computed by hand, and what holds of every log.

use std::time::Duration;

use proptest::prelude::*;
use tidegate_base::Timestamp;
use tidegate_trace::process::{Case, EventLog, Instance, LogFormat, Recorded};

use super::found::{Bottleneck, Cause};
use super::path::{begin, critical, end, sooner};
use super::study::Study;
use super::timeline::Timeline;
use super::{CandidateClass, Options, analyse};

const MINUTE: Duration = Duration::from_secs(60);

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_millis(1_740_960_000_000) + MINUTE * u32::try_from(minutes).unwrap()
}

/// An activity, its resource, its start and its end in minutes.
type Row = (usize, Option<usize>, u64, u64);

fn log(cases: &[Vec<Row>]) -> EventLog {
    let cases: Vec<Case> = cases
        .iter()
        .enumerate()
        .map(|(id, rows)| {
            let mut instances: Vec<Instance> = rows
                .iter()
                .map(|(activity, resource, start, end)| Instance {
                    activity: *activity,
                    resource: *resource,
                    enabled: None,
                    start: Some(at(*start)),
                    end: at(*end),
                })
                .collect();
            instances.sort_by_key(|one| (one.begin(), one.end, one.activity));
            Case {
                id: id.to_string(),
                instances,
            }
        })
        .collect();
    EventLog {
        name: "log".to_owned(),
        format: LogFormat::Csv,
        zone: 0,
        recorded: Recorded {
            instances: cases.iter().map(|case| case.instances.len()).sum(),
            ..Recorded::default()
        },
        activities: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(),
        resources: ["x", "y", "z"].map(str::to_owned).to_vec(),
        cases,
        notes: Vec::new(),
        objects: None,
    }
}

/// Thirty cases of `a`, then `b` and `c` side by side, then `d`, which waits for both.
fn forked() -> EventLog {
    let cases: Vec<Vec<Row>> = (0..30)
        .map(|n| {
            let t = n * 1_000;
            // Who ends first differs: both orders are seen.
            let (b, c) = if n % 2 == 0 { (30, 50) } else { (50, 30) };
            vec![
                (0, Some(0), t, t + 10),
                (1, Some(1), t + 12, t + b),
                (2, Some(2), t + 11, t + c),
                (3, Some(0), t + 60, t + 70),
            ]
        })
        .collect();
    log(&cases)
}

#[test]
fn what_is_side_by_side_enables_nothing_in_its_other_branch() {
    let discovery = analyse(&[forked()], &Options::default());
    let pairs: Vec<(&str, &str)> = discovery
        .concurrent
        .iter()
        .map(|pair| (pair.first.as_str(), pair.second.as_str()))
        .collect();
    assert_eq!(pairs, [("b", "c")]);
    let waits: Vec<(String, u64)> = discovery
        .arcs
        .iter()
        .filter(|arc| arc.from.is_some())
        .map(|arc| {
            let name = format!("{}{}", arc.from.clone().unwrap(), arc.to);
            (name, arc.total.as_secs() / 60)
        })
        .collect();
    // `d` waits ten minutes for the later of the two, each time.
    let expected = [("bd", 150), ("cd", 150), ("ab", 60), ("ac", 30)];
    let expected: Vec<(String, u64)> = expected
        .map(|(name, time)| (name.to_owned(), time))
        .to_vec();
    assert_eq!(waits, expected);
    let slack = |name: &str| {
        let found = discovery.activities.iter().find(|one| one.name == name);
        found.unwrap().slack.hits
    };
    // The branch that ends first could end later, in half of the cases each.
    assert_eq!(
        (slack("a"), slack("b"), slack("c"), slack("d")),
        (0, 15, 15, 0)
    );
}

#[test]
fn a_branch_that_begins_after_the_other_has_ended_still_waits_for_what_forked_them() {
    let cases: Vec<Vec<Row>> = (0..30)
        .map(|n| {
            let t = n * 1_000;
            // Side by side in most cases; in every fifth `c` begins ten minutes after `b` ended.
            let c = if n % 5 == 0 { 40 } else { 15 };
            vec![
                (0, Some(0), t, t + 10),
                (1, Some(1), t + 10, t + 30),
                (2, Some(2), t + c, t + 50),
                (3, Some(0), t + 50, t + 60),
            ]
        })
        .collect();
    let discovery = analyse(&[log(&cases)], &Options::default());
    let arc = |from: &str, to: &str| {
        let found = discovery
            .arcs
            .iter()
            .find(|arc| arc.from.as_deref() == Some(from) && arc.to == to);
        found.map(|arc| (arc.count, arc.total.as_secs() / 60))
    };
    assert_eq!(arc("b", "c"), None);
    assert_eq!(arc("a", "c"), Some((30, 24 * 5 + 6 * 30)));
}

#[test]
fn a_case_ends_sooner_by_what_its_other_branch_leaves() {
    let mut log = forked();
    let case = |id: &str, rows: &[Row]| {
        let mut case = self::log(&[rows.to_vec()]).cases.remove(0);
        id.clone_into(&mut case.id);
        case
    };
    let late = 100_000;
    let of = |minutes: u64| late + minutes;
    let row = |activity, from, to| (activity, Some(activity % 3), of(from), of(to));
    // `b` waits for twenty minutes; `c` goes on until five minutes after it could have ended.
    log.cases.push(case(
        "side by side",
        &[
            row(0, 0, 10),
            row(1, 30, 50),
            row(2, 12, 35),
            row(3, 60, 70),
        ],
    ));
    // `c` begins after `b` has ended, and yet does not wait for it.
    log.cases.push(case(
        "one by one",
        &[
            row(0, 0, 10),
            row(1, 30, 40),
            row(2, 45, 50),
            row(3, 60, 70),
        ],
    ));
    let timeline = Timeline::new(&[&log]);
    let options = Options::default();
    let study = Study::new(&timeline, None, &options);
    let gain = |id: &str, activity: usize| {
        let place = timeline.ids.iter().position(|known| known == id).unwrap();
        let (first, works) = timeline.each().nth(place).unwrap();
        let less: Vec<Duration> = works
            .iter()
            .enumerate()
            .map(|(place, work)| match work.activity == activity {
                true => study.waited(first + place),
                false => Duration::ZERO,
            })
            .collect();
        sooner(works, &study.order, &less).as_secs() / 60
    };
    assert_eq!(gain("side by side", 1), 15);
    assert_eq!(gain("side by side", 2), 0);
    assert_eq!(gain("side by side", 3), 10);
    assert_eq!(gain("one by one", 1), 0);
    assert_eq!(gain("one by one", 2), 10);
}

#[test]
fn a_stream_beside_the_case_is_found_and_a_visible_end_makes_more_of_them() {
    let cases: Vec<Vec<Row>> = (0..40)
        .map(|n| {
            let t = n * 1_000;
            vec![
                (0, Some(0), t, t + 10),
                (1, Some(1), t + 10, t + 20),
                (2, Some(2), t + 10 + n % 3, t + 25 + n % 5),
                (3, Some(1), t + 40, t + 90),
                (4, Some(2), t + 95, t + 99),
            ]
        })
        .collect();
    let found = |end: Option<&str>| {
        let options = Options {
            visible_end: end.map(str::to_owned),
        };
        let discovery = analyse(&[log(&cases)], &options);
        let streams: Vec<(String, Vec<String>)> = discovery
            .candidates
            .into_iter()
            .filter(|one| {
                matches!(
                    one.class,
                    CandidateClass::OwnStream | CandidateClass::JoinNeeded
                )
            })
            .map(|one| (one.class.code().to_owned(), one.activities))
            .collect();
        streams
    };
    let side = ("OWN_STREAM".to_owned(), vec!["b".to_owned()]);
    assert_eq!(found(None), std::slice::from_ref(&side));
    let late = ("OWN_STREAM".to_owned(), vec!["e".to_owned()]);
    assert_eq!(found(Some("d")), [late, side]);
}

#[test]
fn waiting_without_a_queue_is_no_bottleneck() {
    // `b` always waits an hour, whatever is waiting; its resource is free.
    let steady: Vec<Vec<Row>> = (0..60)
        .map(|n| {
            vec![
                (0, Some(0), n * 7, n * 7 + 1),
                (1, Some(1), n * 7 + 61, n * 7 + 63),
            ]
        })
        .collect();
    // `b` takes ten minutes, and cases come in bunches of five.
    let mut free = 0;
    let queued: Vec<Vec<Row>> = (0..60)
        .map(|n| {
            let t = n / 5 * 70 + n % 5;
            free = (t + 1).max(free);
            free += 10;
            vec![(0, Some(0), t, t + 1), (1, Some(1), free - 10, free)]
        })
        .collect();
    let verdict = |cases: &[Vec<Row>]| {
        let discovery = analyse(&[log(cases)], &Options::default());
        let found = discovery.activities.into_iter().find(|one| one.name == "b");
        found.unwrap().bottleneck
    };
    // `b` waits for its resource, which is busy with `c`: as long as that takes, with or without
    // another `b` in the queue.
    let busy: Vec<Vec<Row>> = (0..60)
        .flat_map(|n| {
            let (t, long) = (n * 200, 20 + n * 37 % 60);
            [
                vec![(2, Some(1), t, t + long)],
                vec![(0, Some(0), t, t + 1), (1, Some(1), t + long, t + long + 1)],
                vec![
                    (0, Some(0), t + 1, t + 2),
                    (1, Some(1), t + long + 1, t + long + 2),
                ],
            ]
        })
        .collect();
    assert!(matches!(verdict(&busy), Bottleneck::No { .. }));
    assert!(!matches!(verdict(&steady), Bottleneck::Yes { .. }));
    assert!(matches!(verdict(&queued), Bottleneck::Yes { .. }));
}

#[test]
fn without_resources_the_causes_are_not_told_and_it_is_said_why() {
    let cases: Vec<Vec<Row>> = (0..30)
        .map(|n| vec![(0, None, n, n + 1), (1, None, n + 9, n + 10)])
        .collect();
    let discovery = analyse(&[log(&cases)], &Options::default());
    assert!(discovery.causes.is_none());
    assert!(
        discovery
            .missing
            .iter()
            .any(|line| line.contains("who did the work, in 60 of 60"))
    );
    let classes: Vec<&str> = discovery
        .candidates
        .iter()
        .map(|one| one.class.code())
        .collect();
    assert_eq!(classes, ["UNKNOWN"]);
}

fn any_log() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let row = (
        0..4_usize,
        proptest::option::of(0..3_usize),
        0..400_u64,
        0..40_u64,
    )
        .prop_map(|(activity, resource, start, long)| (activity, resource, start, start + long));
    proptest::collection::vec(proptest::collection::vec(row, 1..8), 1..14)
}

proptest! {
    /// Works, waits and the lead of a critical path add up to the time of its case exactly.
    #[test]
    fn critical_paths_add_up(cases in any_log()) {
        let log = log(&cases);
        let timeline = Timeline::new(&[&log]);
        let options = Options::default();
        let study = Study::new(&timeline, None, &options);
        for (first, works) in timeline.each() {
            let path = critical(first, works, &study.enablings);
            let on_path: Duration = path
                .works
                .iter()
                .map(|index| {
                    let work = timeline.works[*index];
                    work.end.since(work.begin()) + study.waited(*index)
                })
                .sum();
            prop_assert_eq!(on_path + path.lead, end(works).since(begin(works)));
        }
    }

    /// The causes of every wait add up to it exactly.
    #[test]
    fn causes_add_up(cases in any_log()) {
        let log = log(&cases);
        let timeline = Timeline::new(&[&log]);
        let options = Options::default();
        let study = Study::new(&timeline, None, &options);
        for index in 0..timeline.works.len() {
            if let Some(waits) = study.waits(index) {
                prop_assert_eq!(waits.total(), study.waited(index));
            }
        }
        let discovery = analyse(&[log], &options);
        let all: Duration = discovery.arcs.iter().map(|arc| arc.total).sum();
        prop_assert_eq!(all, discovery.waiting);
        for arc in &discovery.arcs {
            if let Some(causes) = &arc.causes {
                prop_assert!(causes.total() <= arc.total);
                let parts: Duration = Cause::ALL.iter().map(|cause| causes.of(*cause)).sum();
                prop_assert_eq!(parts, causes.total());
            }
        }
    }

    /// Nothing removed changes nothing; what is removed never makes a case longer, and saves no
    /// more than it is.
    #[test]
    fn less_waiting_is_never_later(cases in any_log(), shares in proptest::collection::vec(0.0_f64..1.0, 8)) {
        let log = log(&cases);
        let timeline = Timeline::new(&[&log]);
        let options = Options::default();
        let study = Study::new(&timeline, None, &options);
        for (first, works) in timeline.each() {
            let none = vec![Duration::ZERO; works.len()];
            prop_assert_eq!(sooner(works, &study.order, &none), Duration::ZERO);
            let less: Vec<Duration> = (0..works.len())
                .map(|place| study.waited(first + place).mul_f64(shares[place % 8]))
                .collect();
            let gain = sooner(works, &study.order, &less);
            prop_assert!(gain <= less.iter().sum::<Duration>());
            prop_assert!(gain <= end(works).since(begin(works)));
        }
    }
}
