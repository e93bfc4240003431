//! The state: additions and replacements.

use std::sync::Arc;

use super::Outcome;
use super::scene::{commit, expect, number, state_numbers};
use crate::{Batch, Broker, StateChange};

pub(super) async fn changes(broker: Arc<dyn Broker>) -> Outcome {
    let numbers = |numbers: &[u64]| numbers.iter().map(|at| number(*at)).collect();
    let steps = [
        (StateChange::NONE, vec![]),
        (StateChange::Append(numbers(&[1, 2])), vec![1, 2]),
        (StateChange::Append(numbers(&[3])), vec![1, 2, 3]),
        (StateChange::Replace(numbers(&[9, 8])), vec![9, 8]),
        (StateChange::NONE, vec![9, 8]),
        (StateChange::Append(numbers(&[7])), vec![9, 8, 7]),
        (StateChange::Replace(vec![]), vec![]),
        (StateChange::Append(numbers(&[5])), vec![5]),
    ];
    for (state, expected) in steps {
        let what = format!("the state after {state:?}");
        commit(
            &*broker,
            Batch {
                appends: Vec::new(),
                state,
            },
        )
        .await?;
        expect(&what, &state_numbers(&*broker).await?, &expected)?;
    }
    Ok(())
}
