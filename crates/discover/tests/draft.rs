//! Drafts are designs that the reader accepts, and recordings that read back.
#![cfg(test)]

mod captures;

use captures::{all, folder};
use tidegate_base::Name;
use tidegate_discover::{Discovery, Draft, discover, draft};
use tidegate_model::{Design, SchemaPath, Severity, Source};
use tidegate_trace::{read, recording};

fn load(path: &str) -> Option<Discovery> {
    let bytes = std::fs::read(folder()?.join(path)).unwrap();
    Some(discover(&[(path.to_owned(), read(path, &bytes).unwrap())]))
}

fn file<'a>(draft: &'a Draft, path: &str) -> &'a str {
    draft
        .files
        .iter()
        .find(|(name, _)| name == path)
        .map(|(_, text)| text.as_str())
        .unwrap()
}

/// Reads the drafted design; panics on any finding that is not a note.
fn design(draft: &Draft, name: &str) -> Design {
    let source = Source {
        name: "design.yaml".into(),
        text: file(draft, "design.yaml").to_owned(),
    };
    let reading = tidegate_model::read(&[source], &|path: &SchemaPath| {
        let found = draft.files.iter().find(|(name, _)| *name == path.path());
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| "absent".to_owned())
    });
    let bad: Vec<_> = reading
        .findings
        .iter()
        .filter(|f| f.severity != Severity::Note)
        .collect();
    assert!(
        bad.is_empty(),
        "{name}: {bad:#?}\n{}",
        file(draft, "design.yaml")
    );
    reading.design.unwrap()
}

fn names(design: &Design) -> (Vec<&str>, Vec<&str>) {
    (
        design.events.keys().map(Name::as_str).collect(),
        design.services.keys().map(Name::as_str).collect(),
    )
}

#[test]
fn every_capture_drafts_a_design_that_reads_and_a_recording_that_reads_back() {
    for (name, traces) in all() {
        let discovery = discover(&[(name.clone(), traces)]);
        let draft = draft(&discovery, Name::new("draft").unwrap());
        let design = design(&draft, &name);
        let text = file(&draft, "recording.jsonl");
        let back = recording::read("recording.jsonl", text.as_bytes()).unwrap();
        assert_eq!(back, draft.recording, "{name}");
        assert!(back.streams.keys().eq(design.events.keys()), "{name}");
        for (event, stream) in &back.streams {
            assert!(!stream.arrivals.is_empty(), "{name} {event}");
            assert!(
                design
                    .publishers(event)
                    .any(|publisher| *publisher == stream.publisher)
            );
            assert!(
                design.services[&stream.consumer]
                    .consumes
                    .contains_key(event)
            );
        }
    }
}

#[test]
fn the_boutique_drafts_its_side_work() {
    let Some(discovery) = load("online_boutique/nezha_online_boutique_normal.otlp.json") else {
        return;
    };
    let draft = draft(&discovery, Name::new("boutique").unwrap());
    let design = design(&draft, "boutique");
    insta::assert_snapshot!(names(&design).0.join(" "), @r##"OrderConfirmationRequested AddItemRequested"##);
    insta::assert_snapshot!("boutique_design", file(&draft, "design.yaml"));
    insta::assert_snapshot!(file(&draft, "schemas/order-confirmation-requested.json"), @r##"
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "OrderConfirmationRequested",
      "description": "checkoutservice asks emailservice for /hipstershop.EmailService/SendOrderConfirmation. Its spans hold no payload: add the fields that the handler reads.",
      "type": "object",
      "required": [
        "id"
      ],
      "properties": {
        "id": {
          "type": "string",
          "minLength": 1,
          "description": "What the event is about; events with the same id keep their order."
        }
      }
    }
    "##);
}

#[test]
fn the_hotel_reads_only_so_its_draft_is_for_exploring() {
    let Some(discovery) = load("traceweaver/hotel_load25.jaeger.json") else {
        return;
    };
    let draft = draft(&discovery, Name::new("hotel").unwrap());
    let design = design(&draft, "hotel");
    let (events, services) = names(&design);
    insta::assert_snapshot!(events.join(" "), @r##"SearchNearbyRequested CheckAvailabilityRequested GetRatesRequested GetProfilesRequested GeoNearbyRequested"##);
    insta::assert_snapshot!(services.join(" "), @r##"frontend geo profile rate reservation search"##);
    assert!(file(&draft, "design.yaml").contains("FOR EXPLORING ONLY"));
    insta::assert_snapshot!(file(&draft, "README.md"), @r##"
    # hotel: a draft from traces

    Measured from 300 traces with 3300 spans of 6 services, over 2.3m.

    **For exploring only.** By the evidence, no call of these traces can become an event: the
    callers need the answers. The calls that cost the most time are drawn all the same, to
    try out what messaging would do with such traffic.

    | event | from | to | calls | mean handling | waiting on the critical path |
    |---|---|---|---:|---:|---:|
    | SearchNearbyRequested | frontend | search | 300 | 7.5ms | 3.03s |
    | CheckAvailabilityRequested | frontend | reservation | 300 | 6.18ms | 2.58s |
    | GetRatesRequested | search | rate | 300 | 2.53ms | 1.34s |
    | GetProfilesRequested | frontend | profile | 300 | 1.17ms | 939.98ms |
    | GeoNearbyRequested | search | geo | 300 | 517.3us | 737.99ms |

    The time saved is predicted: every trace is replayed as if nobody waited for the call.

    ## What is measured and what is not

    - Measured: rates, peaks, handler times, failures, who calls whom.
    - Derived: concurrency (busy half the time at the peak), timeouts (five times the longest
      usual handling).
    - Scaled: `recording.jsonl`, as traces were sampled, a kept call stands for 3.33: it is repeated as often, spread over the time.
    - Not known: payloads. The schemas hold an `id` only; add the fields that handlers read.
    - Placeholders: owners are `team-` and the service's name.

    ## Next

    ```sh
    tidegate check design.yaml
    tidegate simulate design.yaml
    tidegate run design.yaml --traffic recorded
    ```
    "##);
}
