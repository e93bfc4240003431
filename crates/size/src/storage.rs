//! The disk and memory of a broker.

use crate::broker::{Shape, Sizing, fact_input};
use crate::facts::Capacity;
use crate::figure::{Figure, Input, Need, Unit};
use crate::options::Options;
use crate::totals::sum_of;

impl Sizing<'_> {
    pub(crate) fn disk(&self) -> Option<Figure> {
        let fill = Options::fill_input();
        let (amount, formula) = match self.shape {
            Shape::Managed | Shape::Memory => return None,
            Shape::Queue => (
                &self.totals.waiting_bytes,
                "what waits after an outage of all consumers × replicas / fill: a queue keeps nothing that is handled",
            ),
            Shape::Log | Shape::Database => (&self.totals.kept, "kept × replicas / fill"),
            Shape::Single => (&self.totals.kept, "kept / fill"),
        };
        let amount = amount.as_ref()?;
        let value = amount.value * self.copies / fill.value;
        let mut inputs = vec![Input::computed(amount.name, amount.value, Unit::Bytes)];
        if self.shape != Shape::Single {
            inputs.push(self.options.replicas_input());
        }
        inputs.push(fill);
        Some(Figure::new("disk", (value, Unit::Bytes), formula, inputs))
    }

    /// A share of `all`. With as many brokers as copies the copies of a lost one have nowhere to go.
    pub(crate) fn each(&self, all: &Figure, count: u64) -> Figure {
        let over = self.left(count).max(self.copies);
        Figure::new(
            "disk of each",
            (all.value / over, Unit::Bytes),
            "disk / the more of brokers that are left and replicas",
            vec![
                Input::computed("disk", all.value, Unit::Bytes),
                Input::computed("brokers", over, Unit::Count),
            ],
        )
    }

    pub(crate) fn memory_each(
        &self,
        count: u64,
        cores: Option<&Need>,
        unknown: &mut Vec<String>,
    ) -> Option<Figure> {
        let over = self.left(count).max(self.copies);
        let totals = self.totals;
        let figure = |value, formula, inputs| {
            Some(Figure::new("memory", (value, Unit::Bytes), formula, inputs))
        };
        let brokers = Input::computed("brokers", over, Unit::Count);
        match self.shape {
            Shape::Managed => None,
            Shape::Single | Shape::Database => {
                unknown.push("memory: nothing is known of it".to_owned());
                None
            }
            Shape::Memory => {
                let factor = fact_input("factor", self.fact(Capacity::MemoryFactor)?, Unit::Count);
                let kept = Input::computed("kept", totals.kept.as_ref()?.value, Unit::Bytes);
                let value = kept.value * factor.value;
                figure(
                    value,
                    "kept × factor: memory keeps everything, and each copy has all",
                    vec![kept, factor],
                )
            }
            Shape::Queue => {
                let least = fact_input("least", self.fact(Capacity::MemoryPerNode)?, Unit::Bytes);
                let one = fact_input(
                    "one message",
                    self.fact(Capacity::MemoryPerMessage)?,
                    Unit::Bytes,
                );
                let waiting =
                    Input::computed("waiting", sum_of(totals.waiting.as_ref()), Unit::Count);
                let value = least.value + waiting.value * one.value * self.copies / over;
                let formula = "least + what waits after an outage of all consumers × one message × replicas / brokers";
                figure(
                    value,
                    formula,
                    vec![least, waiting, one, self.options.replicas_input(), brokers],
                )
            }
            Shape::Log => self.memory_of_log(count, cores, over, unknown),
        }
    }

    /// By core and partition where facts are; otherwise what catch-ups read.
    fn memory_of_log(
        &self,
        count: u64,
        cores: Option<&Need>,
        over: f64,
        unknown: &mut Vec<String>,
    ) -> Option<Figure> {
        let figure = |value, formula, inputs| {
            Some(Figure::new("memory", (value, Unit::Bytes), formula, inputs))
        };
        let core = self.fact(Capacity::MemoryPerCore);
        let part = self.fact(Capacity::MemoryPerPartition);
        if let (Some(core), Some(part), Some(cores)) = (core, part, cores) {
            let each = (cores.count as f64 / self.left(count)).ceil();
            let replicas = self.totals.partitions as f64 * self.copies / self.left(count);
            let value = (core.amount * each).max(part.amount * replicas);
            let inputs = vec![
                fact_input("one core", core, Unit::Bytes),
                Input::computed("cores", each, Unit::Count),
                fact_input("one replica", part, Unit::Bytes),
                Input::computed("replicas", replicas, Unit::Count),
            ];
            let formula = "the more of cores × one core and replicas × one replica of a partition";
            return figure(value, formula, inputs);
        }
        unknown.push(
            "memory beside that for reading what was missed: nothing is known of it".to_owned(),
        );
        let missed = Input::computed(
            "missed",
            self.totals.missed_bytes.as_ref()?.value,
            Unit::Bytes,
        );
        let value = missed.value * self.copies / over;
        let formula =
            "what arrives in an outage × replicas / brokers: catch-ups then read from memory";
        let brokers = Input::computed("brokers", over, Unit::Count);
        figure(
            value,
            formula,
            vec![missed, self.options.replicas_input(), brokers],
        )
    }
}
