//! Operators: what they command, and the answer once it is durable.

use std::collections::BTreeMap;

use tidegate_base::ConsumerId;
use tidegate_delivery::{Command, Input};
use tokio::sync::oneshot;

use super::Actor;
use super::letters::Selected;
use crate::dead_letter::{LettersError, LettersReport, LettersSelection};
use crate::operate::OperateError;
use crate::seek::SeekReport;
use crate::view::Mode;

/// Who waits for a command.
#[derive(Debug)]
pub(super) enum Answer {
    Operate(oneshot::Sender<Result<(), OperateError>>),
    Letters(
        LettersReport,
        oneshot::Sender<Result<LettersReport, LettersError>>,
    ),
    Seek(
        SeekReport,
        oneshot::Sender<Result<SeekReport, OperateError>>,
    ),
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
            Command::OpenBreaker { dependency, .. } | Command::ResetBreaker { dependency } => {
                let known = self.parts.design.dependencies.contains_key(dependency);
                (!known).then(|| OperateError::UnknownDependency {
                    dependency: dependency.clone(),
                })
            }
            Command::Pause { consumer, .. }
            | Command::Resume { consumer }
            | Command::Discard { consumer, .. }
            | Command::Restore { consumer, .. }
            | Command::Skip { consumer, .. } => {
                let known = self.targets.contains_key(consumer);
                (!known).then(|| OperateError::UnknownConsumer {
                    consumer: consumer.clone(),
                })
            }
            Command::Replay { consumer, .. } => self.refuses_replay(consumer),
        }
    }

    pub(super) fn discard(
        &mut self,
        selection: LettersSelection,
        reason: &str,
        reply: oneshot::Sender<Result<LettersReport, LettersError>>,
    ) {
        let selected = match self.select(selection) {
            Ok(selected) => selected,
            Err(error) => {
                let _left = reply.send(Err(error));
                return;
            }
        };
        let machine = &self.parts.machine;
        let (report, accepted) = sort(selected, |consumer, sequence| {
            let found = machine.dead_letter(consumer, sequence);
            match found {
                Some(_) => Ok(()),
                None => Err("there is no such dead letter".to_owned()),
            }
        });
        let commands = accepted
            .into_iter()
            .map(|(consumer, sequences)| Command::Discard {
                consumer,
                sequences,
                reason: reason.to_owned(),
            });
        self.command_all(commands.collect(), report, reply);
    }

    pub(super) fn restore(
        &mut self,
        ids: Vec<String>,
        reply: oneshot::Sender<Result<LettersReport, LettersError>>,
    ) {
        let selected = match self.select(LettersSelection::Ids(ids)) {
            Ok(selected) => selected,
            Err(error) => {
                let _left = reply.send(Err(error));
                return;
            }
        };
        let machine = &self.parts.machine;
        let (report, accepted) = sort(selected, |consumer, sequence| {
            let may = machine.may_restore(consumer, sequence);
            may.map_err(|refusal| refusal.to_string())
        });
        let commands = accepted
            .into_iter()
            .map(|(consumer, sequences)| Command::Restore {
                consumer,
                sequences,
            });
        self.command_all(commands.collect(), report, reply);
    }

    fn command_all(
        &mut self,
        mut commands: Vec<Command>,
        report: LettersReport,
        reply: oneshot::Sender<Result<LettersReport, LettersError>>,
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
        tracing::info!(?command, "an operator's command");
        let token = self.operators.add(answer);
        self.step(Input::Command { token, command });
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
                let _left = reply.send(Ok(report));
            }
            Some(Answer::Nobody) | None => {}
        }
    }
}

/// The letters of a selection that `may` go on, by consumer, and the report for when they have.
pub(super) fn sort(
    selected: Vec<Selected>,
    may: impl Fn(&ConsumerId, u64) -> Result<(), String>,
) -> (LettersReport, BTreeMap<ConsumerId, Vec<u64>>) {
    let mut report = LettersReport::default();
    let mut accepted: BTreeMap<ConsumerId, Vec<u64>> = BTreeMap::new();
    for (id, letter) in selected {
        let Some((consumer, sequence)) = letter else {
            let refusal = "there is no such dead letter".to_owned();
            report.refused.push((id, refusal));
            continue;
        };
        match may(&consumer, sequence) {
            Ok(()) => {
                report.done.push(id);
                accepted.entry(consumer).or_default().push(sequence);
            }
            Err(refusal) => report.refused.push((id, refusal)),
        }
    }
    (report, accepted)
}
