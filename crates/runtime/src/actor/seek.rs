//! Seek: a place in a channel becomes a sequence, and a sequence a replay or a skip.

use std::sync::Arc;

use futures_util::future::FutureExt;
use tidegate_base::{ConsumerId, Name};
use tidegate_broker::{Broker, ReadError};
use tidegate_delivery::{Command, SeekPlan};
use tidegate_model::design::Replay;
use tokio::sync::oneshot;

use super::Actor;
use super::hear::Event;
use super::operate::Answer;
use crate::operate::OperateError;
use crate::seek::{SeekAction, SeekReport, SeekRequest, SeekTo};
use crate::view::Mode;

type Reply = oneshot::Sender<Result<SeekReport, OperateError>>;

/// A request with its places as sequences.
pub(super) struct Placed {
    request: SeekRequest,
    places: Result<(u64, Option<u64>), ReadError>,
    reply: Reply,
}

impl Actor {
    pub(super) fn seek(&mut self, request: SeekRequest, reply: Reply) {
        let broker = Arc::clone(&self.parts.broker);
        let work = async move {
            let places = places(&*broker, &request).await;
            Event::Placed(Placed {
                request,
                places,
                reply,
            })
        };
        self.work.push(work.boxed());
    }

    pub(super) fn placed(&mut self, placed: Placed) {
        let Placed {
            request,
            places,
            reply,
        } = placed;
        let consumer = &request.consumer;
        let places = places.map_err(|error| not_now(consumer, &error.to_string()));
        let decided = places.and_then(|(to, until)| self.decide(&request, to, until));
        let (report, command) = match decided {
            Ok(decided) => decided,
            Err(error) => {
                let _left = reply.send(Err(error));
                return;
            }
        };
        match command {
            Some(command) if !request.dry_run => {
                self.command(command, Answer::Seek(report, reply));
                // What runs again is needed from now on.
                self.keep();
                self.show_soon = true;
            }
            _ => {
                let _left = reply.send(Ok(report));
            }
        }
    }

    /// What a request comes to, and the command for it.
    fn decide(
        &self,
        request: &SeekRequest,
        to: u64,
        until: Option<u64>,
    ) -> Result<(SeekReport, Option<Command>), OperateError> {
        let SeekRequest {
            consumer, dry_run, ..
        } = request;
        if self.parts.publisher.mode() == Mode::Stopped {
            return Err(OperateError::Stopped);
        }
        let status = self.parts.machine.status(consumer, self.now());
        let Some(status) = status else {
            return Err(unknown(consumer));
        };
        let (head, tail) = (
            self.parts.broker.head(&consumer.event),
            *self.parts.broker.tail(&consumer.event).borrow(),
        );
        // Nothing is finished at the end or beyond it: what is sent there skips what is not, wherever that is.
        let replays = until.is_some() || (to <= status.position && to < tail);
        let (from, end) = match (replays, until) {
            (false, _) => (status.position.min(tail), to.min(tail)),
            (true, Some(until)) if until < to => {
                let reason = format!("{until} is before {to}");
                return Err(not_now(consumer, &reason));
            }
            (true, until) => {
                let end = until.unwrap_or(tail).min(tail);
                (to.max(head).min(end), end)
            }
        };
        let plan = self.plan(request, replays, from, end)?;
        // What waits behind dead letters, and what is for later, lies before where the channel is read.
        let first = plan.ranges.first().map(|(first, _)| *first);
        let from = first
            .filter(|_| !replays)
            .map_or(from, |first| first.min(from));
        let (action, command) = match (plan.deliveries, replays) {
            (0, _) => (SeekAction::None, None),
            (_, true) => (SeekAction::Replay, Some(replay(request, from, end))),
            (_, false) => (SeekAction::Skip, Some(skip(request, end))),
        };
        let report = SeekReport {
            consumer: consumer.clone(),
            action,
            from,
            until: end,
            deliveries: plan.deliveries,
            generation: Some(plan.generation).filter(|_| action == SeekAction::Replay),
            dry_run: *dry_run,
            note: note(request, [to, until.unwrap_or(to)], [head, tail], replays),
        };
        Ok((report, command))
    }

    fn plan(
        &self,
        request: &SeekRequest,
        replays: bool,
        from: u64,
        end: u64,
    ) -> Result<SeekPlan, OperateError> {
        let consumer = &request.consumer;
        let machine = &self.parts.machine;
        let plan = if replays {
            if let Some(error) = self.refuses_replay(consumer) {
                return Err(error);
            }
            machine.replay_plan(consumer, from, Some(end))
        } else {
            machine.skip_plan(consumer, end)
        };
        let plan = plan.map_err(|refusal| not_now(consumer, &refusal.to_string()))?;
        let loses = !replays && plan.deliveries > 0;
        if loses && !request.dry_run && !request.confirmed {
            return Err(OperateError::Unconfirmed {
                deliveries: plan.deliveries,
            });
        }
        Ok(plan)
    }

    /// Why what a consumer has finished may not run again.
    pub(super) fn refuses_replay(&self, consumer: &ConsumerId) -> Option<OperateError> {
        let mut consumers = self.parts.design.consumers();
        let Some(design) = consumers.find(|known| known.id() == *consumer) else {
            return Some(unknown(consumer));
        };
        (design.consume.replay == Replay::Refused).then(|| OperateError::ReplayRefused {
            consumer: consumer.clone(),
        })
    }
}

fn replay(request: &SeekRequest, from: u64, until: u64) -> Command {
    Command::Replay {
        consumer: request.consumer.clone(),
        from,
        until: Some(until),
        reason: request.reason.clone(),
    }
}

fn skip(request: &SeekRequest, until: u64) -> Command {
    Command::Skip {
        consumer: request.consumer.clone(),
        until,
        reason: request.reason.clone(),
    }
}

/// What the operator should know: a place that the channel does not have.
fn note(
    request: &SeekRequest,
    [to, until]: [u64; 2],
    [head, tail]: [u64; 2],
    replays: bool,
) -> Option<String> {
    // Such as a time before the first event, or after the last one.
    let is_named = |place| matches!(place, SeekTo::Sequence(_));
    if replays && to < head {
        return Some(format!(
            "the channel begins at sequence {head}: what was before it is gone"
        ));
    }
    let beyond = (is_named(request.to) && to > tail)
        || (request.until.is_some_and(is_named) && until > tail);
    beyond.then(|| {
        format!("the channel ends before sequence {tail}: what is published later is not touched")
    })
}

fn unknown(consumer: &ConsumerId) -> OperateError {
    OperateError::UnknownConsumer {
        consumer: consumer.clone(),
    }
}

fn not_now(consumer: &ConsumerId, reason: &str) -> OperateError {
    OperateError::Seek {
        consumer: consumer.clone(),
        reason: reason.to_owned(),
    }
}

async fn places(
    broker: &dyn Broker,
    request: &SeekRequest,
) -> Result<(u64, Option<u64>), ReadError> {
    let channel = &request.consumer.event;
    let to = place(broker, channel, request.to).await?;
    let until = match request.until {
        Some(until) => Some(place(broker, channel, until).await?),
        None => None,
    };
    Ok((to, until))
}

async fn place(broker: &dyn Broker, channel: &Name, to: SeekTo) -> Result<u64, ReadError> {
    Ok(match to {
        SeekTo::Earliest => 0,
        SeekTo::Latest => *broker.tail(channel).borrow(),
        SeekTo::Sequence(sequence) => sequence,
        SeekTo::Time(time) => broker.sequence_at(channel, time).await?,
    })
}
