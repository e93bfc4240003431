//! A size as text: for people, for programs, for documents.

mod human;
mod markdown;
mod table;

use serde_json::Value;

use crate::consumer::{Outcome, Workers};
use crate::figure::{Figure, Need, Unit};
use crate::report::table::Table;
use crate::verdict::Verdict;
use crate::{BrokerSize, Channel, Load, P99, Size};

const EVENTS: [&str; 10] = [
    "event",
    "rate",
    "peak",
    "size",
    "consumers",
    "ingest",
    "at peak",
    "kept",
    "partitions",
    "by",
];
const WORKERS: [&str; 13] = [
    "consumer",
    "peak",
    "handler",
    "declared",
    "needed",
    "by",
    "load",
    "wanted",
    "formula",
    "simulated",
    "one fewer",
    "in flight",
    "catch-up",
];
const BROKERS: [&str; 9] = [
    "broker",
    "needed",
    "by",
    "cores",
    "in, each",
    "out, each",
    "disk, all",
    "disk, each",
    "memory, each",
];

impl Size {
    /// The size as JSON, `tidegate/size/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What came out, in one sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let system = &self.system;
        match (self.verdict, self.changes.len()) {
            (Verdict::Sufficient, _) => format!("{system}: the declared design suffices"),
            (Verdict::Unknown, _) => {
                format!("{system}: what can be told suffices; not everything can be told")
            }
            (Verdict::Insufficient, 1) => {
                format!("{system}: the declared design does not suffice: 1 thing to change")
            }
            (Verdict::Insufficient, count) => {
                format!("{system}: the declared design does not suffice: {count} things to change")
            }
        }
    }

    fn events(&self) -> Table {
        let rows = self.channels.iter().map(event_row);
        Table::new(&EVENTS, rows.collect())
    }

    fn workers(&self) -> Table {
        let rows = self.sized().map(|(id, workers)| worker_row(id, workers));
        Table::new(&WORKERS, rows.collect())
    }

    fn brokers(&self) -> Table {
        Table::new(&BROKERS, self.brokers.iter().map(broker_row).collect())
    }

    fn sized(&self) -> impl Iterator<Item = (String, &Workers)> {
        self.consumers
            .iter()
            .filter_map(|consumer| match &consumer.outcome {
                Outcome::Sized(workers) => Some((consumer.consumer.to_string(), workers.as_ref())),
                Outcome::Unknown { .. } => None,
            })
    }

    /// How each number came to be: what it is of, and lines.
    fn derivations(&self) -> Vec<(String, Vec<String>)> {
        let channels = self.channels.iter().map(|channel| {
            let mut lines = need_lines("partitions", &channel.partitions);
            let figures = [
                &channel.ingest_at_peak,
                &channel.kept,
                &channel.fullest_partition,
            ];
            lines.extend(figures.into_iter().flatten().map(figure_line));
            (channel.event.to_string(), lines)
        });
        let consumers = self.sized().map(|(id, workers)| {
            let mut lines = need_lines("workers", &workers.needed);
            lines.extend(workers.p99.iter().filter_map(p99_line));
            lines.extend(workers.key_load.iter().map(figure_line));
            lines.push(figure_line(&workers.in_flight));
            lines.extend(workers.catch_up.usual.iter().map(figure_line));
            lines.push(figure_line(&workers.catch_up.backlog));
            (id, lines)
        });
        let brokers = self.brokers.iter().map(|broker| {
            let mut lines = Vec::new();
            if let Some(needed) = &broker.needed {
                lines.extend(need_lines(broker.counts.unwrap_or("brokers"), needed));
            }
            lines.extend(
                broker
                    .cores
                    .iter()
                    .flat_map(|cores| need_lines("cores", cores)),
            );
            let figures = [
                &broker.network_in,
                &broker.network_out,
                &broker.disk,
                &broker.disk_each,
                &broker.memory_each,
            ];
            lines.extend(figures.into_iter().flatten().map(figure_line));
            lines.extend(broker.limits.iter().map(|limit| limit.sentence.clone()));
            (broker.name.clone(), lines)
        });
        channels.chain(consumers).chain(brokers).collect()
    }

    /// What is not known, each a sentence.
    fn unknown(&self) -> Vec<String> {
        let needs = self.sized().flat_map(|(id, workers)| {
            let unknown = workers.needed.unknown.iter();
            unknown.map(move |reason| format!("{id}: {reason}"))
        });
        // Said once for all events that it holds for.
        let mut partitions: Vec<(&str, Vec<&str>)> = Vec::new();
        for channel in &self.channels {
            for reason in &channel.partitions.unknown {
                let event = channel.event.as_str();
                match partitions.iter_mut().find(|(said, _)| said == reason) {
                    Some((_, events)) => events.push(event),
                    None => partitions.push((reason, vec![event])),
                }
            }
        }
        let partitions = partitions
            .into_iter()
            .map(|(reason, events)| format!("partitions of {}: {reason}", events.join(", ")));
        let brokers = self.brokers.iter().flat_map(|broker| {
            let unknown = broker.unknown.iter();
            unknown.map(|reason| format!("{}: {reason}", broker.name))
        });
        let left_out = self.totals.left_out.iter().cloned();
        left_out
            .chain(needs)
            .chain(partitions)
            .chain(brokers)
            .collect()
    }

    /// The facts that are older than their table allows, each a sentence.
    fn old_facts(&self) -> Vec<String> {
        let mut old = Vec::new();
        for broker in &self.brokers {
            let needs = [&broker.needed, &broker.cores].into_iter().flatten();
            let terms = needs.flat_map(|need| &need.terms);
            for input in terms.flat_map(|term| &term.inputs) {
                if let crate::Source::Fact(fact) = &input.source
                    && fact.is_old
                {
                    old.push(format!(
                        "{}: `{}` is of {}: look again",
                        broker.name, fact.source, fact.as_of
                    ));
                }
            }
        }
        old.dedup();
        old
    }
}

fn need_lines(name: &str, need: &Need) -> Vec<String> {
    let terms = need.terms.iter().map(|term| {
        let mark = if term.name == need.binds {
            ", binds"
        } else {
            ""
        };
        format!("{name} by {}{mark}: {}", term.name, term.text())
    });
    terms.collect()
}

fn figure_line(figure: &Figure) -> String {
    format!("{}: {}", figure.name, figure.text())
}

/// What the formula and the simulation say, side by side.
fn p99_line(p99: &P99) -> Option<String> {
    let under = match p99.simulated_under? {
        Load::Peak => "at the peak",
        Load::Recorded => "as recorded",
    };
    Some(format!(
        "p99: {} simulated {under}, {} by formula, {} of handling alone; {} wanted, {} with the declared workers",
        seconds(p99.simulated_seconds),
        seconds(p99.formula_seconds),
        seconds(Some(p99.handling_seconds)),
        seconds(Some(p99.wanted.value)),
        seconds(p99.declared_seconds),
    ))
}

fn of(figure: Option<&Figure>) -> String {
    figure.map_or("-".to_owned(), |figure| figure.unit.text(figure.value))
}

fn seconds(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| Unit::Seconds.text(value))
}

fn event_row(channel: &Channel) -> Vec<String> {
    let input = |input: &Option<crate::Input>| {
        let input = input.as_ref();
        input.map_or("-".to_owned(), |input| input.unit.text(input.value))
    };
    vec![
        channel.event.to_string(),
        input(&channel.rate),
        input(&channel.peak),
        input(&channel.size),
        channel.consumers.to_string(),
        of(channel.ingest.as_ref()),
        of(channel.ingest_at_peak.as_ref()),
        of(channel.kept.as_ref()),
        channel.partitions.count.to_string(),
        channel.partitions.binds.to_owned(),
    ]
}

fn worker_row(id: String, workers: &Workers) -> Vec<String> {
    let p99 = workers.p99.as_ref();
    let simulated = p99.and_then(|p99| {
        let value = Unit::Seconds.text(p99.simulated_seconds?);
        let width = p99.plus_minus_seconds;
        let width = width.map(|width| format!("±{}", Unit::Seconds.text(width)));
        Some(format!("{value}{}", width.unwrap_or_default()))
    });
    vec![
        id,
        workers.peak.unit.text(workers.peak.value),
        workers.handler_time.unit.text(workers.handler_time.value),
        workers.concurrency.unit.text(workers.concurrency.value),
        match workers.out_of_reach {
            Some(_) => "out of reach".to_owned(),
            None => workers.needed.count.to_string(),
        },
        workers.needed.binds.to_owned(),
        of(Some(&workers.load_at_peak)),
        seconds(p99.map(|p99| p99.wanted.value)),
        seconds(p99.and_then(|p99| p99.formula_seconds)),
        simulated.unwrap_or_else(|| "-".to_owned()),
        seconds(p99.and_then(|p99| p99.one_fewer_seconds)),
        of(Some(&workers.in_flight)),
        workers.catch_up.usual.as_ref().map_or_else(
            || "never".to_owned(),
            |figure| figure.unit.text(figure.value),
        ),
    ]
}

fn broker_row(broker: &BrokerSize) -> Vec<String> {
    let needed = broker.needed.as_ref();
    let counts = broker.counts.unwrap_or_default();
    let name = match broker.is_named {
        true => format!("{} (named)", broker.name),
        false => broker.name.clone(),
    };
    vec![
        name,
        needed.map_or("as a service".to_owned(), |need| {
            format!("{} {counts}", need.count)
        }),
        needed.map_or("-".to_owned(), |need| need.binds.to_owned()),
        broker
            .cores
            .as_ref()
            .map_or("-".to_owned(), |need| need.count.to_string()),
        of(broker.network_in.as_ref()),
        of(broker.network_out.as_ref()),
        of(broker.disk.as_ref()),
        of(broker.disk_each.as_ref()),
        of(broker.memory_each.as_ref()),
    ]
}
