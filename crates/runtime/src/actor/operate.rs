//! Operators: what they command, and the answer once it is durable.

use std::collections::BTreeMap;

use tidegate_base::ConsumerId;
use tidegate_delivery::{Command, Input, Machine};
use tokio::sync::oneshot;

use super::Actor;
use super::edits::EditedReply;
use super::jobs::{BegunReply, TurnedReply};
use super::select::{LettersReply, UNKNOWN};
use crate::dead_letter::{LettersReport, LettersSelection};
use crate::edit::Edited;
use crate::operate::OperateError;
use crate::redrive::JobBegun;
use crate::seek::SeekReport;
use crate::view::Mode;

/// Who waits for a command.
#[derive(Debug)]
pub(super) enum Answer {
    Operate(oneshot::Sender<Result<(), OperateError>>),
    Letters(LettersReport, LettersReply),
    Seek(
        SeekReport,
        oneshot::Sender<Result<SeekReport, OperateError>>,
    ),
    Begun(u64, Vec<(String, String)>, BegunReply),
    Turned(u64, TurnedReply),
    Edited(Edited, EditedReply),
    /// The last of several commands answers for all: they are carried out in their order.
    Nobody,
}

/// Commands that are not durable yet, by token.
#[derive(Debug, Default)]
pub(super) struct Commands {
    last: u64,
    waiting: BTreeMap<u64, Answer>,
}

impl Commands {
    fn add(&mut self, answer: Answer) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, answer);
        self.last
    }

    /// Nothing more becomes durable: whoever waits learns that the system has stopped.
    pub(super) fn give_up(&mut self) {
        self.waiting.clear();
    }
}

impl Actor {
    pub(super) fn operate(
        &mut self,
        command: Command,
        reply: oneshot::Sender<Result<(), OperateError>>,
    ) {
        if let Some(error) = self.refusal(&command) {
            let _left = reply.send(Err(error));
            return;
        }
        self.command(command, Answer::Operate(reply));
        self.show_soon = true;
    }

    fn refusal(&self, command: &Command) -> Option<OperateError> {
        if self.parts.publisher.mode() == Mode::Stopped {
            return Some(OperateError::Stopped);
        }
        match command {
            Command::OpenBreaker { breaker, .. } | Command::ResetBreaker { breaker } => {
                let known = self.parts.machine.breaker(breaker, self.now()).is_some();
                (!known).then(|| OperateError::UnknownBreaker {
                    breaker: breaker.clone(),
                })
            }
            Command::Pause { consumer, .. }
            | Command::Resume { consumer }
            | Command::Discard { consumer, .. }
            | Command::Restore { consumer, .. }
            | Command::Edit { consumer, .. }
            | Command::Skip { consumer, .. } => {
                let known = self.targets.contains_key(consumer);
                (!known).then(|| OperateError::UnknownConsumer {
                    consumer: consumer.clone(),
                })
            }
            Command::Replay { consumer, .. } => self.refuses_replay(consumer),
            // What they are about is said by the machine.
            Command::StartJob { .. } | Command::TurnJob { .. } => None,
        }
    }

    pub(super) fn discard(
        &mut self,
        selection: LettersSelection,
        reason: &str,
        reply: LettersReply,
    ) {
        let may = |machine: &Machine, consumer: &ConsumerId, sequence| {
            let found = machine.dead_letter(consumer, sequence);
            found.map(drop).ok_or_else(|| UNKNOWN.to_owned())
        };
        let Some((sorted, reply)) = self.sorted(selection, may, reply) else {
            return;
        };
        let command = |(consumer, sequences)| Command::Discard {
            consumer,
            sequences,
            reason: reason.to_owned(),
        };
        let commands = sorted.accepted.into_iter().map(command);
        self.command_all(commands.collect(), sorted.report, reply);
    }

    pub(super) fn restore(&mut self, ids: Vec<String>, reply: LettersReply) {
        let may = |machine: &Machine, consumer: &ConsumerId, sequence| {
            let may = machine.may_restore(consumer, sequence);
            may.map_err(|refusal| refusal.to_string())
        };
        let ids = LettersSelection::Ids(ids);
        let Some((sorted, reply)) = self.sorted(ids, may, reply) else {
            return;
        };
        let command = |(consumer, sequences)| Command::Restore {
            consumer,
            sequences,
        };
        let commands = sorted.accepted.into_iter().map(command);
        self.command_all(commands.collect(), sorted.report, reply);
    }

    fn command_all(
        &mut self,
        mut commands: Vec<Command>,
        report: LettersReport,
        reply: LettersReply,
    ) {
        let Some(last) = commands.pop() else {
            let _left = reply.send(Ok(report));
            return;
        };
        for command in commands {
            self.command(command, Answer::Nobody);
        }
        self.command(last, Answer::Letters(report, reply));
    }

    pub(super) fn command(&mut self, command: Command, answer: Answer) {
        log(&command);
        let token = self.operators.add(answer);
        self.tell(Input::Command { token, command });
    }

    /// A command is carried out, durably.
    pub(super) fn obeyed(&mut self, token: u64) {
        match self.operators.waiting.remove(&token) {
            Some(Answer::Operate(reply)) => {
                let _left = reply.send(Ok(()));
            }
            Some(Answer::Letters(report, reply)) => {
                let _left = reply.send(Ok(report));
            }
            Some(Answer::Seek(report, reply)) => {
                self.free_hand(&report.consumer);
                let _left = reply.send(Ok(report));
            }
            Some(Answer::Begun(job, refused, reply)) => {
                if let Some(job) = self.job(job) {
                    let _left = reply.send(Ok(JobBegun { job, refused }));
                }
            }
            Some(Answer::Turned(job, reply)) => {
                if let Some(job) = self.job(job) {
                    let _left = reply.send(Ok(job));
                }
            }
            Some(Answer::Edited(edited, reply)) => {
                let _left = reply.send(Ok(edited));
            }
            Some(Answer::Nobody) | None => {}
        }
    }
}

/// Says what is commanded, without payloads and without thousands of letters.
fn log(command: &Command) {
    match command {
        Command::Edit {
            consumer,
            sequence,
            version,
            ..
        } => tracing::info!(%consumer, sequence, version, "an operator edits a dead letter"),
        Command::StartJob { plan } => {
            let letters: usize = plan.letters.values().map(|letters| letters.len()).sum();
            tracing::info!(
                letters,
                note = plan.note,
                "an operator begins a redrive job"
            );
        }
        other => tracing::info!(command = ?other, "an operator's command"),
    }
}
