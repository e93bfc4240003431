//! What is printed.

use hdrhistogram::Histogram;

use crate::load::{Load, PAYLOAD_BYTES};
use crate::took::Took;

/// At least as much of the bare client's rate is to be left.
const AIM: f64 = 0.9;
const SIDES: [&str; 2] = ["bare client", "Tidegate"];

/// The rounds of a load on a broker.
pub(crate) struct Report {
    broker: &'static str,
    load: Load,
    rounds: Vec<[Took; 2]>,
}

impl Report {
    pub(crate) fn new(broker: &'static str, what: &str, load: Load) -> Self {
        let (events, producers) = (load.events(), load.producers);
        println!(
            "{broker}, {what}: {events} events of {PAYLOAD_BYTES} B from {producers} producers in batches of {}",
            load.batch
        );
        Self {
            broker,
            load,
            rounds: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, took: [Took; 2]) {
        self.rounds.push(took);
    }

    pub(crate) fn print(&self) {
        println!(
            "               events/s      confirmed p50      p99   handled p50      p99   processor time of an event"
        );
        for (side, name) in SIDES.iter().enumerate() {
            let of = |value: fn(&Took) -> f64| median(self.all(side, value)).1;
            let millis = |histogram: fn(&Took) -> &Histogram<u64>, quantile: f64| {
                let values = self.rounds.iter().filter_map(|round| round.get(side));
                let values = values.map(|took| {
                    let micros = histogram(took).value_at_quantile(quantile);
                    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1_000.0
                });
                median(values.collect()).1
            };
            println!(
                "  {name:<12} {:>8.0}  {:>13.2} ms {:>8.2} ms {:>8.2} ms {:>8.2} ms   {:.1} µs + {:.1} µs of the server",
                of(|took| took.rate),
                millis(|took| &took.confirmed, 0.5),
                millis(|took| &took.confirmed, 0.99),
                millis(|took| &took.handled, 0.5),
                millis(|took| &took.handled, 0.99),
                of(|took| took.client),
                of(|took| took.server),
            );
        }
        if self.load.every.is_none() {
            self.judge();
        }
        println!();
    }

    fn all(&self, side: usize, value: fn(&Took) -> f64) -> Vec<f64> {
        let sides = self.rounds.iter().filter_map(|round| round.get(side));
        sides.map(value).collect()
    }

    fn judge(&self) {
        let ratios = self
            .rounds
            .iter()
            .map(|[bare, whole]| whole.rate / bare.rate);
        let (least, ratio, most) = median(ratios.collect());
        let met = match ratio >= AIM {
            true => "met",
            false => "not met",
        };
        println!(
            "  {}: ratio of events/s {ratio:.3} (rounds: {least:.3} to {most:.3}); the limit is {AIM}: {met}",
            self.broker
        );
    }
}

/// The least, the median and the most.
fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let at = |place: Option<&f64>| place.copied().unwrap_or_default();
    (
        at(values.first()),
        at(values.get(values.len() / 2)),
        at(values.last()),
    )
}
