//! Drafts are designs that the reader accepts, and recordings that read back.

#[cfg(test)]
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
    insta::assert_snapshot!(names(&design).0.join(" "), @r##"PlaceOrderRequested EmptyCartRequested OrderConfirmationRequested ShipOrderRequested AddItemRequested PaymentChargeRequested"##);
    insta::assert_snapshot!(file(&draft, "design.yaml"), @r##"
    # A draft from traces: every number was measured, every name can be changed.
    # online_boutique/nezha_online_boutique_normal.otlp.json: OTLP JSON, 150 traces, 7069 spans
    # Observed for 59.81s.

    tidegate: 1
    system: boutique

    events:
      PlaceOrderRequested:
        # ASYNC_202_POLL during hipstershop.Frontend/Recv.: 8 calls
        #   against: the caller does more after it in 8 of 8; it may read the answer
        #   for: `place` in `hipstershop.CheckoutService/PlaceOrder` is a change, by its name
        #   traces: 46ad9584536c490099f2b5a420ae3cd4 331b74dde519d6c7b172e13aa4cd474b 47165f8fca97e88cd99fecef8ae63682
        #   takes away at most 2.38s of waiting (6.7% of all), by critical path; no replay yet
        summary: "frontend asked checkoutservice for hipstershop.CheckoutService/PlaceOrder."
        owner: team-frontend
        schema: schemas/place-order-requested.json
        key: /id
        retention: 7d
        targets:                  # measured; add p99 as the business expects it
          rate: 0.13/s
          peak: 1/s

      EmptyCartRequested:
        # ASYNC_202_POLL during hipstershop.CheckoutService/PlaceOrder: 8 calls
        #   against: the caller does more after it in 8 of 8; it may read the answer
        #   for: `empty` in `hipstershop.CartService/EmptyCart` is a change, by its name
        #   traces: 331b74dde519d6c7b172e13aa4cd474b 46ad9584536c490099f2b5a420ae3cd4 32a303250e1925e3356866a0b0f783e6
        #   takes away at most 113.47ms of waiting (0.3% of all), by critical path; no replay yet
        summary: "checkoutservice asked cartservice for hipstershop.CartService/EmptyCart."
        owner: team-checkoutservice
        schema: schemas/empty-cart-requested.json
        key: /id
        retention: 7d
        targets:                  # measured; add p99 as the business expects it
          rate: 0.13/s
          peak: 1/s

      OrderConfirmationRequested:
        # FIRE_AND_FORGET during hipstershop.CheckoutService/PlaceOrder: 8 calls
        #   for: it is the last thing the caller does in 8 of 8
        #   for: `send` in `/hipstershop.EmailService/SendOrderConfirmation` is a change, by its name
        #   for: `confirmation` is a word of side work that users rarely wait for
        #   traces: 21ed0176c0d35a4fc80aa21dbf6cbf1d 1e6aa877d4582eb5909a2dee90d6f74e 3d080b62653792d5db7f064bf5fda2be
        #   takes away at most 90.63ms of waiting (0.3% of all), by critical path; no replay yet
        summary: "checkoutservice asked emailservice for /hipstershop.EmailService/SendOrderConfirmation."
        owner: team-checkoutservice
        schema: schemas/order-confirmation-requested.json
        key: /id
        retention: 7d
        targets:                  # measured; add p99 as the business expects it
          rate: 0.13/s
          peak: 1/s

      ShipOrderRequested:
        # ASYNC_202_POLL during hipstershop.CheckoutService/PlaceOrder: 8 calls
        #   against: the caller does more after it in 8 of 8; it may read the answer
        #   for: `ship` in `hipstershop.ShippingService/ShipOrder` is a change, by its name
        #   for: `ship` is a word of side work that users rarely wait for
        #   traces: 47165f8fca97e88cd99fecef8ae63682 1e6aa877d4582eb5909a2dee90d6f74e 21ed0176c0d35a4fc80aa21dbf6cbf1d
        #   takes away at most 80.44ms of waiting (0.2% of all), by critical path; no replay yet
        summary: "checkoutservice asked shippingservice for hipstershop.ShippingService/ShipOrder."
        owner: team-checkoutservice
        schema: schemas/ship-order-requested.json
        key: /id
        retention: 7d
        targets:                  # measured; add p99 as the business expects it
          rate: 0.13/s
          peak: 1/s

      AddItemRequested:
        # ASYNC_WITH_OUTBOX during hipstershop.Frontend/Recv.: 11 calls
        #   for: it is the last thing the caller does in 11 of 11
        #   for: `add` in `hipstershop.CartService/AddItem` is a change, by its name
        #   traces: 4999a61f6510c776a65f5de85241b3e9 265a10f9bf827cc8caf06359ffccc74c 308e3f9c1f338b24bc11945cf7f12997
        #   takes away at most 72.6ms of waiting (0.2% of all), by critical path; no replay yet
        summary: "frontend asked cartservice for hipstershop.CartService/AddItem."
        owner: team-frontend
        schema: schemas/add-item-requested.json
        key: /id
        retention: 7d
        targets:                  # measured; add p99 as the business expects it
          rate: 0.18/s
          peak: 1/s

      PaymentChargeRequested:
        # ASYNC_202_POLL during hipstershop.CheckoutService/PlaceOrder: 8 calls
        #   against: the caller does more after it in 8 of 8; it may read the answer
        #   for: `charge` in `grpc.hipstershop.PaymentService/Charge` is a change, by its name
        #   traces: 32a303250e1925e3356866a0b0f783e6 1e6aa877d4582eb5909a2dee90d6f74e 21ed0176c0d35a4fc80aa21dbf6cbf1d
        #   takes away at most 72.34ms of waiting (0.2% of all), by critical path; no replay yet
        summary: "checkoutservice asked paymentservice for grpc.hipstershop.PaymentService/Charge."
        owner: team-checkoutservice
        schema: schemas/payment-charge-requested.json
        key: /id
        retention: 7d
        targets:                  # measured; add p99 as the business expects it
          rate: 0.13/s
          peak: 1/s

    services:
      cartservice:
        owner: team-cartservice
        consumes:
          EmptyCartRequested:              # 0 of 8 calls failed
            requires: [id]
            deliver:
              concurrency: 2         # busy half the time at the peak
              timeout: 1s            # five times the longest usual handling, 2.15ms
              handler-time: 1.31ms   # median of 8
            guarantee: at-least-once
            retry: {backoff: exponential, initial: 200ms, max: 30s, attempts: 8, budget: 20%}
            dead-letter: {owner: team-cartservice, retention: 30d}
          AddItemRequested:              # 0 of 11 calls failed
            requires: [id]
            deliver:
              concurrency: 2         # busy half the time at the peak
              timeout: 1s            # five times the longest usual handling, 2.8ms
              handler-time: 1.75ms   # median of 11
            guarantee: at-least-once
            retry: {backoff: exponential, initial: 200ms, max: 30s, attempts: 8, budget: 20%}
            dead-letter: {owner: team-cartservice, retention: 30d}

      checkoutservice:
        owner: team-checkoutservice
        publishes: [EmptyCartRequested, OrderConfirmationRequested, ShipOrderRequested, PaymentChargeRequested]
        consumes:
          PlaceOrderRequested:              # 0 of 8 calls failed
            requires: [id]
            deliver:
              concurrency: 2         # busy half the time at the peak
              timeout: 6s            # five times the longest usual handling, 1.1s
              handler-time: 180.44ms   # median of 8
            guarantee: at-least-once
            retry: {backoff: exponential, initial: 200ms, max: 30s, attempts: 8, budget: 20%}
            dead-letter: {owner: team-checkoutservice, retention: 30d}

      emailservice:
        owner: team-emailservice
        consumes:
          OrderConfirmationRequested:              # 0 of 8 calls failed
            requires: [id]
            deliver:
              concurrency: 2         # busy half the time at the peak
              timeout: 1s            # five times the longest usual handling, 779.36us
              handler-time: 508.38us   # median of 8
            guarantee: at-least-once
            retry: {backoff: exponential, initial: 200ms, max: 30s, attempts: 8, budget: 20%}
            dead-letter: {owner: team-emailservice, retention: 30d}

      frontend:
        owner: team-frontend
        publishes: [PlaceOrderRequested, AddItemRequested]

      paymentservice:
        owner: team-paymentservice
        consumes:
          PaymentChargeRequested:              # 0 of 8 calls failed
            requires: [id]
            deliver:
              concurrency: 2         # busy half the time at the peak
              timeout: 1s            # five times the longest usual handling, 394.75us
              handler-time: 277.25us   # median of 8
            guarantee: at-least-once
            retry: {backoff: exponential, initial: 200ms, max: 30s, attempts: 8, budget: 20%}
            dead-letter: {owner: team-paymentservice, retention: 30d}

      shippingservice:
        owner: team-shippingservice
        consumes:
          ShipOrderRequested:              # 0 of 8 calls failed
            requires: [id]
            deliver:
              concurrency: 2         # busy half the time at the peak
              timeout: 1s            # five times the longest usual handling, 282.93us
              handler-time: 146.58us   # median of 8
            guarantee: at-least-once
            retry: {backoff: exponential, initial: 200ms, max: 30s, attempts: 8, budget: 20%}
            dead-letter: {owner: team-shippingservice, retention: 30d}

    # Also seen, with synchronous calls only: adservice, currencyservice, productcatalogservice, recommendationservice.
    "##);
    insta::assert_snapshot!(file(&draft, "schemas/order-confirmation-requested.json"), @r##"
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "OrderConfirmationRequested",
      "description": "checkoutservice asks emailservice for /hipstershop.EmailService/SendOrderConfirmation. Traces do not hold payloads: add the fields that the handler reads.",
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

    | event | from | to | calls | median handling | waiting taken away, at most |
    |---|---|---|---:|---:|---:|
    | SearchNearbyRequested | frontend | search | 300 | 7.2ms | 3.03s |
    | CheckAvailabilityRequested | frontend | reservation | 300 | 33us | 2.58s |
    | GetRatesRequested | search | rate | 300 | 23us | 1.34s |
    | GetProfilesRequested | frontend | profile | 300 | 519us | 939.98ms |
    | GeoNearbyRequested | search | geo | 300 | 449us | 737.99ms |

    The time taken away is an upper bound: the part of requests in which nothing but the call
    went on. Other work may fill it again.

    ## What is measured and what is not

    - Measured: rates, peaks, handler times, failures, who calls whom.
    - Derived: concurrency (busy half the time at the peak), timeouts (five times the longest
      usual handling).
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
