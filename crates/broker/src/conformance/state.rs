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
        // Nothing has begun: it only adds.
        (StateChange::Finish(numbers(&[6])), vec![5, 6]),
        (StateChange::Begin(numbers(&[10])), vec![5, 6, 10]),
        (StateChange::Append(numbers(&[11])), vec![5, 6, 10, 11]),
        (StateChange::Finish(numbers(&[12])), vec![10, 11, 12]),
        (StateChange::Finish(numbers(&[13])), vec![10, 11, 12, 13]),
        // The last one that has begun counts.
        (StateChange::Begin(numbers(&[20])), vec![10, 11, 12, 13, 20]),
        (
            StateChange::Begin(numbers(&[30])),
            vec![10, 11, 12, 13, 20, 30],
        ),
        (StateChange::Finish(numbers(&[31])), vec![30, 31]),
        // What begins before a replacement is gone with it.
        (StateChange::Begin(numbers(&[40])), vec![30, 31, 40]),
        (StateChange::Replace(numbers(&[50])), vec![50]),
        (StateChange::Append(numbers(&[51])), vec![50, 51]),
        (StateChange::Finish(numbers(&[52])), vec![50, 51, 52]),
        (StateChange::Begin(vec![]), vec![50, 51, 52]),
        (StateChange::Finish(vec![]), vec![]),
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
