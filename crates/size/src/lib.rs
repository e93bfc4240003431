//! How much a design needs: partitions, workers, brokers, disk, network, memory, and how long a catch-up
//! takes.
//!
//! Every number comes with its formula, what went into it and where that stands. The workers of a consumer
//! are proposed by formula and proved by simulation; who asks brings the simulation along, and what is
//! known of brokers.

mod broker;
mod channel;
mod consumer;
pub mod facts;
mod figure;
mod formulas;
mod limits;
mod measured;
mod options;
mod proof;
mod report;
mod storage;
mod totals;
mod traffic;
mod verdict;
mod workers;

use serde::Serialize;
use tidegate_base::Name;
use tidegate_model::Design;
use tidegate_trace::recording::Recording;

pub use broker::BrokerSize;
pub use channel::Channel;
pub use consumer::{CatchUp, Consumer, Outcome, P99, Workers};
pub use facts::Broker;
pub use figure::{Figure, Input, Need, Source, Unit};
pub use limits::Limit;
pub use options::Options;
pub use proof::{Load, Question, Simulate, Trial};
pub use totals::Totals;
pub use verdict::{Change, Verdict};

use traffic::Traffic;

/// What a design needs. Its JSON is `tidegate/size/v1`; in seconds, bytes, events a second and shares.
#[derive(Clone, Debug, Serialize)]
pub struct Size {
    /// Always `tidegate/size/v1`.
    pub schema: &'static str,
    /// The design's name.
    pub system: Name,
    /// Whether the declared design suffices.
    pub verdict: Verdict,
    /// What to change when it does not.
    pub changes: Vec<Change>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Every event, in the order of the design.
    pub channels: Vec<Channel>,
    /// Every consumer, in the order of the design.
    pub consumers: Vec<Consumer>,
    /// Sums over them.
    pub totals: Totals,
    /// The broker that the design names, or those that fit it.
    pub brokers: Vec<BrokerSize>,
    /// What is assumed, each a sentence.
    pub assumptions: Vec<String>,
}

/// What `design` needs, of `brokers` and as `options` say.
///
/// `recording` says how arrivals burst, how keys are distributed and how handler times vary; `simulate`
/// proves numbers of workers. The result depends on nothing else than the arguments.
#[must_use]
pub fn size(
    design: &Design,
    recording: Option<&Recording>,
    brokers: &[Broker],
    options: &Options,
    simulate: &Simulate<'_>,
) -> Size {
    let traffic = Traffic::all(design, recording);
    let consumers: Vec<Consumer> = design
        .consumers()
        .map(|consumer| {
            let of = traffic.iter().find(|of| of.name == consumer.event_name);
            let recorded = recording
                .and_then(|recording| recording.streams.get(consumer.event_name))
                .map(|stream| &stream.consumer);
            let workers = of.map_or_else(
                || Err(format!("event `{}` is not declared", consumer.event_name)),
                |of| workers::workers(consumer, of, options, recorded, simulate),
            );
            let outcome = match workers {
                Ok(workers) => Outcome::Sized(Box::new(workers)),
                Err(reason) => Outcome::Unknown { reason },
            };
            Consumer {
                consumer: consumer.id(),
                outcome,
            }
        })
        .collect();
    let channels: Vec<Channel> = traffic
        .iter()
        .map(|of| channel::channel(of, &consumers, brokers, options))
        .collect();
    let totals = Totals::of(&channels, &consumers, options.outage.as_secs_f64());
    let demands = limits::Demands::of(&channels, &consumers);
    let brokers: Vec<BrokerSize> = brokers
        .iter()
        .map(|known| broker::broker(known, &totals, &demands, options))
        .collect();
    let judged = verdict::Judged::of(design, &channels, &consumers, &brokers, options);
    Size {
        schema: "tidegate/size/v1",
        system: design.system.value.clone(),
        verdict: judged.verdict(&consumers),
        changes: judged.changes,
        notes: judged.notes,
        assumptions: assumptions(recording, &channels),
        channels,
        consumers,
        totals,
        brokers,
    }
}

fn assumptions(recording: Option<&Recording>, channels: &[Channel]) -> Vec<String> {
    let mut assumptions = vec![
        "the peaks of all events come at the same time and last; at a peak arrivals are independent"
            .to_owned(),
        "`size` is what is stored and sent: no compression, no headers, no overhead of batches".to_owned(),
        format!(
            "disks are filled to {} at most",
            Unit::Share.text(options::FILL)
        ),
        "p99 is from arrival to the end of handling: the broker's own time and the network are not in it"
            .to_owned(),
        "a worker handles one delivery at a time; of plain clients in order one reads each partition".to_owned(),
        "nothing grows: what is planned for stands in `targets`".to_owned(),
    ];
    if recording.is_none() {
        assumptions.push(
            "no recording: handler times vary as without memory (log-normal, squared coefficient of \
             variation 1), 10,000 keys come equally often"
                .to_owned(),
        );
    } else if channels.iter().any(|channel| channel.hottest_key.is_none()) {
        assumptions.push(
            "where no key came five times in the recording, 10,000 keys come equally often"
                .to_owned(),
        );
    }
    assumptions
}
