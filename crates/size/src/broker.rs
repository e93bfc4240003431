//! What one broker needs: how many machines, their disk, network and memory, and its limits.

use serde::Serialize;

use crate::facts::{Broker, Capacity, Fact};
use crate::figure::{Figure, Input, Need, Source, Unit};
use crate::formulas::{enough, synced_rate};
use crate::limits::{Demands, Limit, limit, limits};
use crate::options::Options;
use crate::totals::{Totals, sum_of};

/// What a design needs of one broker.
#[derive(Clone, Debug, Serialize)]
pub struct BrokerSize {
    /// Its id in the table of facts.
    pub option: String,
    /// Its name.
    pub name: String,
    /// Whether the design names it.
    pub is_named: bool,
    /// What `needed` counts: `brokers`, `machines`, `machine` or `throughput units`; absent where somebody else
    /// runs it and sells no units.
    pub counts: Option<&'static str>,
    /// How many are needed so that one can be lost.
    pub needed: Option<Need>,
    /// Cores of all brokers, where facts are by core.
    pub cores: Option<Need>,
    /// Bytes a second that each broker gets, with one lost: from producers and as copies.
    pub network_in: Option<Figure>,
    /// Bytes a second that each broker sends, with one lost: to consumers and as copies.
    pub network_out: Option<Figure>,
    /// Disk of all brokers.
    pub disk: Option<Figure>,
    /// Disk of each, with one lost and its copies made again where there is room.
    pub disk_each: Option<Figure>,
    /// Memory of each, of what is known.
    pub memory_each: Option<Figure>,
    /// Limits for one key, one consumer, one machine.
    pub limits: Vec<Limit>,
    /// What is not known, each a sentence.
    pub unknown: Vec<String>,
}

/// How a broker keeps events, which decides the formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As long as retention says, on the disks of several brokers.
    Log,
    /// Until they are handled, in a queue for each consumer.
    Queue,
    /// As long as retention says, in memory.
    Memory,
    /// In the tables of one machine that writes, and copies of it.
    Database,
    /// On one machine.
    Single,
    /// Somebody else runs it.
    Managed,
}

impl Shape {
    fn of(broker: &Broker) -> Self {
        let knows = |capacity| broker.fact(capacity).is_some();
        match broker.option.as_str() {
            "embedded" => Self::Single,
            _ if broker.is_managed => Self::Managed,
            _ if knows(Capacity::MemoryFactor) => Self::Memory,
            _ if knows(Capacity::MemoryPerMessage) => Self::Queue,
            _ if knows(Capacity::DeliveriesPerNode) => Self::Database,
            _ => Self::Log,
        }
    }
}

/// One broker held against the totals.
pub(crate) struct Sizing<'a> {
    broker: &'a Broker,
    pub(crate) shape: Shape,
    pub(crate) totals: &'a Totals,
    pub(crate) options: &'a Options,
    /// How many copies of everything there are.
    pub(crate) copies: f64,
}

pub(crate) fn broker(
    broker: &Broker,
    totals: &Totals,
    demands: &Demands,
    options: &Options,
) -> BrokerSize {
    let shape = Shape::of(broker);
    let copies = match shape {
        Shape::Single | Shape::Managed => 1.0,
        _ => f64::from(options.replicas.max(1)),
    };
    let sizing = Sizing {
        broker,
        shape,
        totals,
        options,
        copies,
    };
    let mut unknown = Vec::new();
    let needed = sizing.needed(&mut unknown);
    let count = needed.as_ref().map_or(1, |need| need.count);
    let cores = sizing.cores(&mut unknown);
    let (known, all) = (totals.events_with_bytes, totals.events);
    if known < all && shape != Shape::Managed {
        unknown.push(match known {
            0 => "disk, network and memory: no event has a known size and rate".to_owned(),
            _ => format!(
                "the bytes of {} of {all} events: disk, network and memory are those of the others",
                all - known
            ),
        });
    }
    let mut limits = limits(broker, demands, totals, options);
    let units = broker.fact(Capacity::UnitsMax);
    limits.extend(units.map(|most| {
        let who = "everything at the peak".to_owned();
        limit(most, Unit::Count, Some((count as f64, who)))
    }));
    let is_spread = !matches!(shape, Shape::Managed | Shape::Single | Shape::Database);
    let disk = sizing.disk();
    let disk_each = disk
        .as_ref()
        .filter(|_| is_spread)
        .map(|all| sizing.each(all, count));
    let memory_each = sizing.memory_each(count, cores.as_ref(), &mut unknown);
    BrokerSize {
        option: broker.option.clone(),
        name: broker.name.clone(),
        is_named: broker.is_named,
        counts: match shape {
            Shape::Managed => needed.as_ref().map(|_| "throughput units"),
            Shape::Single => Some("machine"),
            Shape::Database => Some("machines"),
            _ => Some("brokers"),
        },
        network_in: is_spread.then(|| sizing.network_in(count)).filter(is_known),
        network_out: is_spread
            .then(|| sizing.network_out(count))
            .filter(is_known),
        needed,
        cores,
        disk,
        disk_each,
        memory_each,
        limits,
        unknown,
    }
}

/// Nothing known is not nothing.
fn is_known(figure: &Figure) -> bool {
    figure.value > 0.0
}

pub(crate) fn fact_input(name: &'static str, fact: &Fact, unit: Unit) -> Input {
    Input::new(
        name,
        fact.amount,
        unit,
        Source::Fact(Box::new(fact.clone())),
    )
}

impl Sizing<'_> {
    pub(crate) fn fact(&self, capacity: Capacity) -> Option<&Fact> {
        self.broker.fact(capacity)
    }

    /// Brokers over which the load is spread when one is lost.
    pub(crate) fn left(&self, count: u64) -> f64 {
        let spare = if self.copies > 1.0 { 1 } else { 0 };
        (count.saturating_sub(spare).max(1)) as f64
    }

    /// The brokers that do `amount` when each does `capacity`, and one more that may be lost.
    fn term(
        &self,
        name: &'static str,
        amount: Input,
        capacity: Input,
        formula: &'static str,
        busy: bool,
    ) -> Figure {
        let spare = if self.copies > 1.0 { 1.0 } else { 0.0 };
        let utilisation = if busy {
            self.options.utilisation()
        } else {
            1.0
        };
        let share = amount.value / (capacity.value * utilisation);
        let mut inputs = vec![amount, capacity];
        if busy {
            inputs.push(self.options.utilisation_input());
        }
        Figure::new(
            name,
            (enough(share) as f64 + spare, Unit::Count),
            formula,
            inputs,
        )
    }

    fn needed(&self, unknown: &mut Vec<String>) -> Option<Need> {
        let copies = self.options.replicas_input();
        let replicas = Figure::new(
            "replicas",
            (self.copies, Unit::Count),
            "a broker for each copy",
            vec![copies],
        );
        match self.shape {
            Shape::Managed => self.units(),
            Shape::Single => {
                unknown.push(
                    "what it takes in on your machine: `tidegate bench` measures it".to_owned(),
                );
                unknown.push("it does not outlive the loss of its machine".to_owned());
                let formula = "one machine, one disk";
                let one = Figure::new("machine", (1.0, Unit::Count), formula, Vec::new());
                Some(Need::of(vec![one], Vec::new()))
            }
            Shape::Database | Shape::Memory => {
                unknown.push(
                    "how writes are spread over machines: one machine writes, the others have copies"
                        .to_owned(),
                );
                Some(Need::of(vec![replicas], Vec::new()))
            }
            Shape::Log | Shape::Queue => {
                let mut terms = vec![replicas];
                terms.extend(self.by_facts());
                terms.extend(self.by_network(unknown));
                terms.extend(self.by_disk(unknown));
                if self.copies < 2.0 {
                    unknown.push("with one copy no broker can be lost".to_owned());
                }
                Some(Need::of(terms, Vec::new()))
            }
        }
    }

    /// Terms from what is known of the broker.
    fn by_facts(&self) -> Vec<Figure> {
        let totals = self.totals;
        let copied = |figure: &Option<Figure>, unit| {
            Input::computed("with copies", sum_of(figure.as_ref()) * self.copies, unit)
        };
        let mut terms = Vec::new();
        if let Some(fact) = self.fact(Capacity::BytesPerNode) {
            terms.push(self.term(
                "ingest",
                Input::computed(
                    "ingest",
                    sum_of(totals.ingest.as_ref()),
                    Unit::BytesPerSecond,
                ),
                fact_input("one broker", fact, Unit::BytesPerSecond),
                "ingest at the peak / (one broker × utilisation), and one more",
                true,
            ));
        }
        if let Some(fact) = self.fact(Capacity::RatePerNode) {
            terms.push(self.term(
                "rate",
                copied(&totals.rate, Unit::PerSecond),
                fact_input("one broker", fact, Unit::PerSecond),
                "events at the peak × replicas / (one broker × utilisation), and one more",
                true,
            ));
        }
        terms.extend(self.by_fsync());
        if let Some(fact) = self.fact(Capacity::PartitionsPerNode) {
            let replicas = totals.partitions as f64 * self.copies;
            terms.push(self.term(
                "partitions",
                Input::computed("partitions × replicas", replicas, Unit::Count),
                fact_input("one broker", fact, Unit::Count),
                "partitions × replicas / partitions of one broker, and one more",
                false,
            ));
        }
        if let Some(fact) = self.fact(Capacity::AssetsPerNode) {
            let assets = (totals.events + totals.consumers) as f64 * self.copies;
            terms.push(self.term(
                "assets",
                Input::computed("(events + consumers) × replicas", assets, Unit::Count),
                fact_input("one broker", fact, Unit::Count),
                "(events + consumers) × replicas / those of one broker, and one more",
                false,
            ));
        }
        terms
    }

    /// A queue syncs each message before it confirms: one log for all queues of a broker.
    fn by_fsync(&self) -> Option<Figure> {
        let batch = self.fact(Capacity::MessagesPerSync)?;
        let message = self.fact(Capacity::MessageTime)?;
        let sync = match self.options.sync_time {
            Some(given) => {
                let source = Source::Option { name: "--fsync" };
                Input::new("fsync", given.as_secs_f64(), Unit::Seconds, source)
            }
            None => fact_input("fsync", self.fact(Capacity::SyncTime)?, Unit::Seconds),
        };
        let rate = synced_rate(sync.value, batch.amount, message.amount);
        let amount = sum_of(self.totals.deliveries.as_ref()) * self.copies;
        let mut term = self.term(
            "fsync",
            Input::computed("deliveries × replicas", amount, Unit::PerSecond),
            Input::computed("1 / (fsync / batch + message)", rate, Unit::PerSecond),
            "deliveries at the peak × replicas / (1 / (fsync / batch + message) × utilisation), and one more",
            true,
        );
        term.inputs.push(sync);
        term.inputs.push(fact_input("batch", batch, Unit::Count));
        term.inputs
            .push(fact_input("message", message, Unit::Seconds));
        Some(term)
    }

    /// Bytes a second into all brokers, copies included.
    fn written(&self) -> f64 {
        let once = match self.shape {
            // Each consumer's queue has its own copy of the event.
            Shape::Queue => sum_of(self.totals.reading.as_ref()),
            _ => sum_of(self.totals.ingest.as_ref()),
        };
        once * self.copies
    }

    /// Bytes a second out of all brokers: to consumers, and to those that keep copies.
    fn sent(&self) -> f64 {
        let copied = self.written() * (1.0 - 1.0 / self.copies);
        sum_of(self.totals.reading.as_ref()) + copied
    }

    fn by_network(&self, unknown: &mut Vec<String>) -> Option<Figure> {
        let Some(network) = self.options.network.filter(|network| *network > 0.0) else {
            unknown.push(
                "brokers by network: what the network of one carries is not known; give `--network`".to_owned(),
            );
            return None;
        };
        let source = Source::Option { name: "--network" };
        let most = self.written().max(self.sent());
        Some(self.term(
            "network",
            Input::computed("traffic", most, Unit::BytesPerSecond),
            Input::new("one broker", network, Unit::BytesPerSecond, source),
            "the more of what is written with copies and what is read and copied / (one broker × \
             utilisation), and one more",
            true,
        ))
    }

    fn by_disk(&self, unknown: &mut Vec<String>) -> Option<Figure> {
        let Some(disk) = self.options.disk.filter(|disk| *disk > 0.0) else {
            unknown.push(
                "brokers by disk writes: what the disk of one writes is not known; give `--disk`"
                    .to_owned(),
            );
            return None;
        };
        let source = Source::Option { name: "--disk" };
        Some(self.term(
            "disk writes",
            Input::computed("ingest × replicas", self.written(), Unit::BytesPerSecond),
            Input::new("one broker", disk, Unit::BytesPerSecond, source),
            "ingest at the peak × replicas / (one broker × utilisation), and one more",
            true,
        ))
    }

    /// Units of capacity of a service that sells them.
    fn units(&self) -> Option<Need> {
        let totals = self.totals;
        let term = |name, capacity, amount: f64, unit, formula| {
            let one = fact_input("one unit", self.fact(capacity)?, unit);
            let value = amount / (one.value * self.options.utilisation());
            let amount = Input::computed(name, amount, unit);
            let inputs = vec![amount, one, self.options.utilisation_input()];
            Some(Figure::new(name, (value, Unit::Count), formula, inputs))
        };
        use Capacity as C;
        use Unit::{BytesPerSecond, PerSecond};
        let into = "at the peak / (one unit × utilisation)";
        let terms: Vec<Figure> = [
            term(
                "rate",
                C::RatePerUnit,
                sum_of(totals.rate.as_ref()),
                PerSecond,
                into,
            ),
            term(
                "ingest",
                C::BytesPerUnit,
                sum_of(totals.ingest.as_ref()),
                BytesPerSecond,
                into,
            ),
            term(
                "deliveries",
                C::DeliveriesPerUnit,
                sum_of(totals.deliveries.as_ref()),
                PerSecond,
                into,
            ),
            term(
                "reading",
                C::BytesOutPerUnit,
                sum_of(totals.reading.as_ref()),
                BytesPerSecond,
                into,
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!terms.is_empty()).then(|| Need::of(terms, Vec::new()))
    }

    fn cores(&self, unknown: &mut Vec<String>) -> Option<Need> {
        let bytes = self.fact(Capacity::BytesPerCore)?;
        let partitions = self.fact(Capacity::PartitionsPerCore)?;
        let replicas = self.totals.partitions as f64 * self.copies;
        let utilisation = self.options.utilisation_input();
        unknown.push(
            "cores are of all brokers: with one lost the others must have as many".to_owned(),
        );
        let by_bytes = Figure::new(
            "bytes",
            (
                self.written() / (bytes.amount * utilisation.value),
                Unit::Count,
            ),
            "ingest at the peak × replicas / (one core × utilisation)",
            vec![
                Input::computed("ingest × replicas", self.written(), Unit::BytesPerSecond),
                fact_input("one core", bytes, Unit::BytesPerSecond),
                utilisation,
            ],
        );
        let by_partitions = Figure::new(
            "partitions",
            (replicas / partitions.amount, Unit::Count),
            "partitions × replicas / those of one core",
            vec![
                Input::computed("partitions × replicas", replicas, Unit::Count),
                fact_input("one core", partitions, Unit::Count),
            ],
        );
        Some(Need::of(vec![by_bytes, by_partitions], Vec::new()))
    }

    fn network_in(&self, count: u64) -> Figure {
        let left = self.left(count);
        Figure::new(
            "network in",
            (self.written() / left, Unit::BytesPerSecond),
            "ingest at the peak × replicas / brokers that are left",
            vec![
                Input::computed("ingest × replicas", self.written(), Unit::BytesPerSecond),
                Input::computed("brokers left", left, Unit::Count),
            ],
        )
    }

    fn network_out(&self, count: u64) -> Figure {
        let left = self.left(count);
        Figure::new(
            "network out",
            (self.sent() / left, Unit::BytesPerSecond),
            "what consumers read and copies for other brokers, at the peak / brokers that are left",
            vec![
                Input::computed("sent", self.sent(), Unit::BytesPerSecond),
                Input::computed("brokers left", left, Unit::Count),
            ],
        )
    }
}
