//! Fair shares: of a dependency's places and of the process's.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_base::Timestamp;
use tidegate_delivery::{Command, ConsumerConfig, Input, Obstacle, Outcome, Ticket};

use crate::rig::{Rig, consumer, dependency, done, id, system};

fn needing(number: usize, concurrency: u32, needs: &[&str]) -> ConsumerConfig {
    ConsumerConfig {
        needs: needs.iter().map(|need| need.parse().unwrap()).collect(),
        ..consumer(number, concurrency)
    }
}

fn in_flight(rig: &Rig, consumers: usize) -> Vec<u32> {
    (0..consumers)
        .map(|number| rig.status(number).in_flight)
        .collect()
}

/// Consumers that need one dependency, all with a backlog without end.
fn crowd(consumers: usize, places: u32, time: Duration) -> Rig {
    let all = (0..consumers).map(|number| needing(number, 64, &["api"]));
    let config = system(all.collect(), vec![dependency("api", Some(places))]);
    let mut rig = Rig::new(config, done(time));
    for number in 0..consumers {
        rig.publish(number, 1_000_000);
    }
    rig
}

#[test]
fn a_million_deliveries_do_not_starve_ten() {
    let time = Duration::from_millis(100);
    let config = system(
        vec![needing(0, 64, &["api"]), needing(1, 64, &["api"])],
        vec![dependency("api", Some(8))],
    );
    let mut rig = Rig::new(config, done(time));
    rig.publish(0, 1_000_000);
    assert_eq!(
        in_flight(&rig, 2),
        [8, 0],
        "alone it has what there is: no place is kept for others"
    );
    rig.pass(Duration::from_millis(350));
    rig.publish(1, 10);
    let name = "api".parse().unwrap();
    assert_eq!(rig.status(1).obstacle, Some(Obstacle::Dependency(name)));
    rig.pass(time);
    assert!(
        rig.status(1).in_flight >= 4,
        "half, as soon as places are free"
    );
    rig.pass(time * 3);
    assert_eq!(rig.status(1).backlog, 0, "all ten are done");
    assert_eq!(
        in_flight(&rig, 2),
        [8, 0],
        "its share goes back to the other"
    );
}

#[test]
fn one_place_goes_round() {
    let mut rig = crowd(5, 1, Duration::from_millis(10));
    for round in 1..200_usize {
        rig.pass(Duration::from_millis(10));
        let starts: Vec<usize> = (0..5).map(|number| rig.starts_of(number)).collect();
        let (least, most) = (starts.iter().min().unwrap(), starts.iter().max().unwrap());
        assert!(most - least <= 1, "round {round}: {starts:?}");
    }
}

#[test]
fn one_that_needs_less_than_its_share_leaves_the_rest_to_the_others() {
    let config = system(
        vec![
            needing(0, 2, &["api"]),
            needing(1, 64, &["api"]),
            needing(2, 64, &["api"]),
        ],
        vec![dependency("api", Some(20))],
    );
    let mut chance = 1_u64;
    let handler = Box::new(move |_: &Ticket, _| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (
            Duration::from_millis(5 + (chance >> 33) % 10),
            Outcome::Done,
        )
    });
    let mut rig = Rig::new(config, handler);
    (0..3).for_each(|number| rig.publish(number, 1_000_000));
    rig.pass(Duration::from_secs(1));
    assert_eq!(in_flight(&rig, 3), [2, 9, 9]);
}

/// Two dependencies and the whole process: each limit holds, and what one cannot use another does.
#[test]
fn the_process_is_shared_by_consumers_of_different_needs() {
    let mut config = system(
        vec![
            needing(0, 64, &["a"]),
            needing(1, 64, &["a", "b"]),
            needing(2, 64, &["b"]),
            needing(3, 64, &[]),
        ],
        vec![dependency("a", Some(4)), dependency("b", Some(6))],
    );
    config.in_flight = Some(20);
    let mut rig = Rig::new(config, done(Duration::from_millis(10)));
    (0..4).for_each(|number| rig.publish(number, 1_000_000));
    rig.pass(Duration::from_secs(1));
    // Max-min: `a` gives 2 and 2; `b` what is left, 4; the process the rest, 12.
    assert_eq!(in_flight(&rig, 4), [2, 2, 4, 12]);
    assert_eq!(rig.status(3).obstacle, Some(Obstacle::Share));
    assert_eq!(rig.machine.places(&"a".parse().unwrap()), Some((4, 4)));
}

/// What is withdrawn before it is sent gives its place to the next.
#[test]
fn a_start_that_is_withdrawn_gives_its_place_to_the_next() {
    let mut rig = crowd(2, 1, Duration::from_millis(10));
    rig.hold_commits = true;
    rig.pass(Duration::from_millis(10));
    assert_eq!(in_flight(&rig, 2).iter().sum::<u32>(), 1);
    let starting = usize::from(rig.status(1).in_flight == 1);
    rig.step(Input::Command {
        token: 1,
        command: Command::Pause {
            consumer: id(starting),
            reason: "a test".to_owned(),
        },
    });
    rig.release_commits();
    assert_eq!(rig.status(starting).in_flight, 0);
    assert_eq!(rig.status(1 - starting).in_flight, 1);
}

#[test]
fn the_process_going_down_leaves_no_place_taken() {
    let mut rig = crowd(3, 4, Duration::from_millis(10));
    for _ in 0..20 {
        rig.pass(Duration::from_millis(37));
        rig.crash();
    }
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.machine.places(&"api".parse().unwrap()), Some((4, 4)));
    assert_eq!(in_flight(&rig, 3).iter().sum::<u32>(), 4);
}

/// What one consumer is: its concurrency, its needs by bits, its events, how long they take.
type Shape = (u32, usize, u64, u64);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// With the same needs and all backlogged, each has its share of the places, more or less one, and
    /// has started its share of the attempts, more or less one for each round.
    #[test]
    fn each_of_many_gets_its_share(consumers in 2_usize..9, places in 1_u32..40, rounds in 2_u32..40) {
        let time = Duration::from_millis(10);
        let mut rig = crowd(consumers, places, time);
        // The first consumer came first and took what there was; from then on it is one among equals.
        rig.pass(time * 3 * (consumers as u32));
        let before: Vec<usize> = (0..consumers).map(|number| rig.starts_of(number)).collect();
        for _ in 0..rounds {
            rig.pass(time * consumers as u32);
            let shares = in_flight(&rig, consumers);
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", shares);
            prop_assert_eq!(shares.iter().sum::<u32>(), places.min(64 * consumers as u32));
        }
        let starts: Vec<usize> = (0..consumers).map(|number| rig.starts_of(number) - before[number]).collect();
        let due = (places * rounds) as usize;
        prop_assert!(starts.iter().all(|count| count.abs_diff(due) <= consumers), "{:?}, due {}", starts, due);
    }

    /// Whatever consumers share and however long things take: no limit is exceeded, no place is empty that
    /// somebody waits for, nobody waits longer than the others of its kind, and all is done in the end.
    #[test]
    fn places_are_never_wasted_nor_exceeded(
        shapes in prop::collection::vec((1_u32..8, 0_usize..8, 1_u64..80, 1_u64..60), 1..9),
        most in prop::array::uniform3(1_u32..6),
        process in prop::option::of(1_u32..12),
    ) {
        let names = ["a", "b", "c"];
        let consumers = shapes.iter().enumerate().map(|(number, (concurrency, needs, ..)): (usize, &Shape)| {
            let needs: Vec<&str> = (0..3).filter(|bit| needs >> bit & 1 == 1).map(|bit| names[bit]).collect();
            needing(number, *concurrency, &needs)
        });
        let dependencies = names.iter().zip(most).map(|(name, most)| dependency(name, Some(most)));
        let mut config = system(consumers.collect(), dependencies.collect());
        config.in_flight = process;
        let times: Vec<u64> = shapes.iter().map(|shape| shape.3).collect();
        let mut rig = Rig::new(config, Box::new(move |ticket: &Ticket, _| {
            let number: usize = ticket.consumer.service.as_str().trim_start_matches("service-").parse().unwrap();
            (Duration::from_millis(1 + (ticket.run * 7919) % times[number]), Outcome::Done)
        }));
        for (number, shape) in shapes.iter().enumerate() {
            rig.publish(number, shape.2);
        }
        let end = rig.now + Duration::from_hours(1);
        loop {
            let flying = in_flight(&rig, shapes.len());
            let total: u32 = flying.iter().sum();
            prop_assert!(process.is_none_or(|most| total <= most));
            let mut full: BTreeSet<tidegate_base::BreakerName> = BTreeSet::new();
            for (bit, (name, most)) in names.iter().zip(most).enumerate() {
                let needing = shapes.iter().zip(&flying).filter(|(shape, _)| shape.1 >> bit & 1 == 1);
                let taken: u32 = needing.map(|(_, count)| count).sum();
                prop_assert_eq!(rig.machine.places(&name.parse().unwrap()), Some((taken, most)));
                prop_assert!(taken <= most);
                // One that waits for a place of another kind keeps a place, at most one.
                let elsewhere = (0..shapes.len()).filter(|number| {
                    let waits = rig.status(*number).obstacle;
                    let needs = shapes[*number].1 >> bit & 1 == 1;
                    let later = match &waits {
                        Some(Obstacle::Dependency(other)) => other.to_string().as_str() > *name,
                        other => *other == Some(Obstacle::Share),
                    };
                    needs && later
                });
                if taken + elsewhere.count() as u32 >= most {
                    full.insert(name.parse().unwrap());
                }
            }
            for (number, _) in shapes.iter().enumerate() {
                let status = rig.status(number);
                match status.obstacle {
                    Some(Obstacle::Dependency(name)) => prop_assert!(full.contains(&name), "{} has places", name),
                    Some(Obstacle::Share) => prop_assert_eq!(Some(total), process),
                    Some(Obstacle::Concurrency) => prop_assert_eq!(status.in_flight, shapes[number].0),
                    Some(other) => prop_assert!(false, "{:?}", other),
                    None => prop_assert_eq!(status.runnable, 0, "it could run and does not"),
                }
            }
            if !rig.happen(end) {
                break;
            }
        }
        for number in 0..shapes.len() {
            prop_assert_eq!(rig.status(number).backlog, 0);
        }
        let last: Option<Timestamp> = rig.starts.last().map(|(at, ..)| *at);
        prop_assert!(last.is_some());
    }
}
