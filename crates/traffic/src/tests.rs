//! Plans and stories against the checkout example.

use std::time::Duration;

use serde_json::json;
use tidegate_base::{ConsumerId, Name};
use tidegate_model::{Design, Source, read};
use tidegate_trace::recording;

use crate::{Answer, Emitted, Plan, PlanError, Scenario, Stage};

macro_rules! example {
    ($file:literal) => {
        include_str!(concat!("../../../examples/checkout/", $file))
    };
}

fn checkout() -> Design {
    let source = Source {
        name: "design.yaml".into(),
        text: example!("design.yaml").to_owned(),
    };
    let schema = |path: &tidegate_model::SchemaPath| match path.written.as_str() {
        "schemas/order-placed.json" => Ok(example!("schemas/order-placed.json").to_owned()),
        "schemas/payment-taken.json" => Ok(example!("schemas/payment-taken.json").to_owned()),
        "schemas/order-shipped.json" => Ok(example!("schemas/order-shipped.json").to_owned()),
        _ => Ok(example!("schemas/product-viewed.json").to_owned()),
    };
    read(&[source], &schema).design.unwrap()
}

fn recorded() -> recording::Recording {
    recording::read("recording.jsonl", example!("recording.jsonl").as_bytes()).unwrap()
}

#[test]
fn a_recording_is_played_in_order_again_and_again() {
    let recording = recorded();
    let plan = Plan::recorded(&checkout(), &recording, 10.0, 1).unwrap();
    let events: Vec<&str> = plan.streams.iter().map(|s| s.event.as_str()).collect();
    assert_eq!(
        events,
        ["ProductViewed", "OrderPlaced"],
        "what handlers emit is theirs"
    );
    let round = recording
        .streams
        .iter()
        .take(2)
        .map(|(_, stream)| stream.arrivals.len())
        .sum();
    let twice: Vec<_> = plan.schedule().take(2 * round).collect();
    assert!(twice.is_sorted_by_key(|planned| planned.arrival.at));
    let (first, second) = twice.split_at(round);
    for (a, b) in first.iter().zip(second) {
        let apart = b.arrival.at - a.arrival.at;
        // Dividing by the speed rounds to whole nanoseconds.
        assert!(apart.abs_diff(recording.duration / 10) <= Duration::from_nanos(1));
        assert_ne!(a.arrival.key, b.arrival.key, "an order is placed once");
    }
}

#[test]
fn synthetic_traffic_has_the_target_rates() {
    let design = checkout();
    let plan = Plan::synthetic(&design, 2.0, Emitted::ByPlan, 1).unwrap();
    assert_eq!(plan.streams.len(), 4);
    let minute = Duration::from_mins(1);
    let count = plan
        .schedule()
        .take_while(|planned| planned.arrival.at < minute)
        .count();
    let expected = plan.rate() * 60.0;
    // Four standard deviations of a Poisson count.
    assert!(
        (count as f64 - expected).abs() < 4.0 * expected.sqrt(),
        "{count} of {expected}"
    );
    let handlers = Plan::synthetic(&design, 2.0, Emitted::ByHandlers, 1).unwrap();
    assert_eq!(handlers.streams.len(), 2);
}

#[test]
fn a_recording_of_another_design_is_refused() {
    let mut recording = recorded();
    let stream = recording.streams.shift_remove("OrderPlaced").unwrap();
    recording
        .streams
        .insert(Name::new("OrderCancelled").unwrap(), stream);
    let error = Plan::recorded(&checkout(), &recording, 1.0, 1).unwrap_err();
    assert!(matches!(error, PlanError::UnknownEvent { .. }), "{error}");
}

#[test]
fn a_wrong_scene_is_named() {
    let cases = [
        (
            "scenario: 2\nscenes: []",
            "scenario version 2 is not supported; 1 is",
        ),
        (
            "scenario: 1\nscenes: [{at: soon}]",
            "scene 1: `soon` is not a duration",
        ),
        (
            "scenario: 1\nscenes: [{at: 1s, fault: {dependency: x, answer: 503}}]",
            "scene 1: dependency `x` is not in the design",
        ),
        (
            "scenario: 1\nscenes: [{at: 1s}, {at: 1s, fault: {answer: 200}}]",
            "scene 2: answer 200 is neither an HTTP status from 300 to 599 nor `silence`",
        ),
    ];
    for (text, message) in cases {
        let error = Scenario::read(text, &checkout()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert!(Scenario::read("scenario: [", &checkout()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_fault_holds_for_whom_and_as_long_as_the_story_says() {
    let scenario = Scenario::read(example!("scenario.yaml"), &checkout()).unwrap();
    let stage = Stage::begin(scenario, 1);
    let billing: ConsumerId = "billing/OrderPlaced".parse().unwrap();
    let needs = [Name::new("payments-api").unwrap()];
    let (euro, krona) = (json!({"currency": "EUR"}), json!({"currency": "SEK"}));
    let answer = |needs: &[Name], data| {
        stage
            .fault(&billing, needs, data, 7)
            .map(|fault| fault.answer)
    };
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(answer(&needs, &euro), None);
    assert_eq!(answer(&needs, &krona), Some(Answer::Status(422)));
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(answer(&needs, &euro), Some(Answer::Status(503)));
    assert_eq!(answer(&[], &euro), None, "who needs it not does not fail");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(answer(&needs, &krona), None, "the story is over");
}
