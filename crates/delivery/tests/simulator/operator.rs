//! An operator who does things, sensible or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{ConsumerId, Ratio};
use tidegate_delivery::{
    Command, Edit, EditNote, Effect, Input, JobLetter, JobPlan, JobState, JobTurn, StateRecord,
    StopRule,
};

use crate::chance::Chance;
use crate::world::World;

impl World {
    /// An operator does something.
    pub(crate) fn operate(&mut self) {
        let ids = self.ids();
        let consumer = ids[self.chance.below(ids.len() as u64) as usize].clone();
        let (dependency, reason) = ("api".parse().unwrap(), "to see".to_owned());
        let some = |chance: &mut Chance, letters: Vec<u64>| -> Vec<u64> {
            letters
                .into_iter()
                .filter(|_| chance.in_thousand(400))
                .collect()
        };
        let command = match self.chance.below(16) {
            0 | 1 => Command::Pause { consumer, reason },
            2..6 => Command::Resume { consumer },
            6 => Command::OpenBreaker { dependency, reason },
            7 | 8 => Command::ResetBreaker { dependency },
            9 | 10 => {
                let letters = self.machine.dead_letters(&consumer);
                let letters = letters.map(|letter| letter.sequence).collect();
                let sequences = some(&mut self.chance, letters);
                Command::Discard {
                    consumer,
                    sequences,
                    reason,
                }
            }
            12 => self.some_job(),
            13 => {
                let job = self.chance.below(self.machine.next_job());
                let turns = [JobTurn::Pause, JobTurn::Resume, JobTurn::Cancel];
                let turn = turns[self.chance.below(3) as usize];
                Command::TurnJob { job, turn }
            }
            14 | 15 => match self.some_edit(&consumer) {
                Some(edit) => edit,
                None => return,
            },
            _ => {
                let letters = self.machine.discarded_letters(&consumer);
                let letters = letters.map(|(letter, _)| letter.sequence).collect();
                let sequences = some(&mut self.chance, letters);
                Command::Restore {
                    consumer,
                    sequences,
                }
            }
        };
        self.command(command);
    }

    /// A job for some letters of every consumer.
    fn some_job(&mut self) -> Command {
        let mut letters = BTreeMap::new();
        for consumer in self.ids() {
            let dead = self.machine.dead_letters(&consumer);
            let some = dead.map(|letter| letter.sequence);
            letters.insert(consumer, some.collect());
        }
        let plan = JobPlan {
            letters,
            every: Duration::from_millis(1 + self.chance.below(100)),
            canary: self.chance.in_thousand(700),
            stop: StopRule::new(Ratio::new(0.5).unwrap(), 4),
            note: "to see".to_owned(),
        };
        let plan = Box::new(plan);
        Command::StartJob { plan }
    }

    /// An edit of the first letter, now and then for a version that it is not at.
    fn some_edit(&mut self, consumer: &ConsumerId) -> Option<Command> {
        let token = self.last_command;
        let letter = self.machine.dead_letters(consumer).next()?;
        let mut notes = letter.edit.map_or_else(Vec::new, |edit| edit.notes.clone());
        notes.push(EditNote {
            id: letter.event.id.clone(),
            reason: "to see".to_owned(),
            by: None,
            at: self.now,
        });
        let edit = Edit {
            id: format!("edit-{token}-{}", self.now.nanos()),
            event: Arc::from("{}"),
            notes,
        };
        Some(Command::Edit {
            consumer: consumer.clone(),
            sequence: letter.sequence,
            version: letter.version + u64::from(self.chance.in_thousand(200)),
            edit: Arc::new(edit),
        })
    }

    /// Letters that jobs send back: they are no dead letters after this step, in which they may have
    /// become some.
    pub(crate) fn sent_by_jobs(&self, effects: &[Effect]) -> Vec<(ConsumerId, u64)> {
        let records = effects.iter().flat_map(|effect| match effect {
            Effect::Persist { records, .. } => records.as_slice(),
            _ => &[],
        });
        let returned = records.filter_map(|record| match record {
            StateRecord::Kept { consumer, delivery } if delivery.death.is_none() => {
                Some((consumer.clone(), delivery.sequence))
            }
            _ => None,
        });
        let is_sent = |letter: &(ConsumerId, u64)| {
            self.machine.jobs().any(|job| {
                let mut letters = job.letters();
                letters.any(|(consumer, sequence, is)| {
                    (consumer, sequence) == (&letter.0, letter.1)
                        && matches!(is, JobLetter::Sent { .. })
                })
            })
        };
        returned.filter(is_sent).collect()
    }

    /// Whether no job has anything left to do.
    pub(crate) fn jobs_have_ended(&self) -> bool {
        let mut jobs = self.machine.jobs();
        jobs.all(|job| matches!(job.state(), JobState::Done | JobState::Cancelled))
    }

    fn command(&mut self, command: Command) {
        self.last_command += 1;
        let token = self.last_command;
        self.watch.commanded(token, &command);
        self.commands.insert(token, command.clone());
        self.step(Input::Command { token, command });
    }

    /// Whatever an operator has closed is opened, and what was given up is taken back.
    pub(crate) fn undo_commands(&mut self) {
        let jobs: Vec<u64> = self.machine.jobs().map(|job| job.id()).collect();
        for job in jobs {
            let turn = JobTurn::Resume;
            self.command(Command::TurnJob { job, turn });
        }
        self.command(Command::ResetBreaker {
            dependency: "api".parse().unwrap(),
        });
        for consumer in self.ids() {
            let letters = self.machine.discarded_letters(&consumer);
            let sequences = letters.map(|(letter, _)| letter.sequence).collect();
            self.command(Command::Restore {
                consumer: consumer.clone(),
                sequences,
            });
            self.command(Command::Resume { consumer });
        }
    }
}
