//! The last fifteen minutes, second by second: what the console's charts start from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use serde_json::{Value, json};
use tidegate_runtime::view::{ConsumerView, SystemView, TotalsView};

/// Most samples kept: fifteen minutes at one a second.
const SAMPLES_MAX: usize = 900;

/// A bounded window of samples, shared by all viewers.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<VecDeque<Arc<SystemView>>>>);

impl History {
    /// Adds a sample; the oldest goes when the window is full.
    pub(crate) fn push(&self, view: Arc<SystemView>) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(view);
    }

    /// The window, column by column.
    pub(crate) fn to_json(&self) -> Value {
        let samples: Vec<Arc<SystemView>> = {
            let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            samples.iter().cloned().collect()
        };
        let times: Vec<u64> = samples.iter().map(|view| view.time_ms).collect();
        json!({
            "schema": "tidegate/history/v1",
            "step_seconds": 1,
            "times_ms": times,
            "totals": totals(&samples),
            "consumers": consumers(&samples),
        })
    }
}

fn totals(samples: &[Arc<SystemView>]) -> Value {
    let column = |value: fn(&TotalsView) -> f64| -> Vec<f64> {
        samples.iter().map(|view| value(&view.totals)).collect()
    };
    json!({
        "in_per_second": column(|t| t.in_per_second),
        "out_per_second": column(|t| t.out_per_second),
        "retries_per_second": column(|t| t.retries_per_second),
        "backlog": column(|t| count(t.backlog)),
        "dead_letters": column(|t| count(t.dead_letters)),
    })
}

fn consumers(samples: &[Arc<SystemView>]) -> IndexMap<String, Value> {
    let Some(last) = samples.last() else {
        return IndexMap::new();
    };
    let column = |index: usize, value: fn(&ConsumerView) -> f64| -> Vec<f64> {
        samples
            .iter()
            .map(|view| view.consumers.get(index).map_or(0.0, value))
            .collect()
    };
    // The consumers of a running design never change, so the index is the identity.
    let history = |index: usize| {
        json!({
            "lag_seconds": column(index, |c| c.lag_seconds),
            "in_per_second": column(index, |c| c.in_per_second),
            "out_per_second": column(index, |c| c.out_per_second),
            "backlog": column(index, |c| count(c.backlog)),
        })
    };
    last.consumers
        .iter()
        .enumerate()
        .map(|(i, c)| (c.id.to_string(), history(i)))
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a chart shows at most a few digits"
)]
pub(crate) fn count(value: u64) -> f64 {
    value as f64
}
