//! An operator who does things, sensible or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{ConsumerId, Ratio};
use tidegate_delivery::{
    Command, Edit, EditNote, Input, Job, JobPlan, JobState, JobTurn, StopRule,
};

use super::chance::Chance;
use super::world::World;

/// What an operator says when asked why.
fn reason() -> String {
    "to see".to_owned()
}

/// More than half of `letters`.
fn some(chance: &mut Chance, letters: Vec<u64>) -> Vec<u64> {
    let letters = letters.into_iter();
    letters.filter(|_| chance.in_thousand(600)).collect()
}

impl World {
    /// An operator does something.
    pub(super) fn operate(&mut self) {
        let ids = self.ids();
        let consumer = ids[self.chance.below(ids.len() as u64) as usize].clone();
        let (breaker, reason) = ("api".parse().unwrap(), reason());
        let command = match self.chance.below(26) {
            0 | 1 => Command::Pause { consumer, reason },
            2..6 => Command::Resume { consumer },
            6 => Command::OpenBreaker { breaker, reason },
            7 | 8 => Command::ResetBreaker { breaker },
            9..12 => {
                let letters = self.machine.dead_letters(&consumer);
                let letters = letters.map(|letter| letter.sequence).collect();
                let sequences = some(&mut self.chance, letters);
                Command::Discard {
                    consumer,
                    sequences,
                    reason,
                }
            }
            12..15 => {
                let letters = self.machine.discarded_letters(&consumer);
                let letters = letters.map(|(letter, _)| letter.sequence).collect();
                let sequences = some(&mut self.chance, letters);
                Command::Restore {
                    consumer,
                    sequences,
                }
            }
            15..18 => self.some_replay(consumer),
            18 => {
                let until = self.chance.below(self.channel.len() as u64 + 1);
                Command::Skip {
                    consumer,
                    until,
                    reason,
                }
            }
            19..22 => self.some_job(),
            22 => {
                let job = self.chance.below(self.machine.next_job());
                let turns = [JobTurn::Pause, JobTurn::Resume, JobTurn::Cancel];
                let turn = turns[self.chance.below(3) as usize];
                Command::TurnJob { job, turn }
            }
            _ => match self.some_edit(&consumer) {
                Some(edit) => edit,
                None => return,
            },
        };
        self.command(command);
    }

    /// A replay of what retention may have left.
    fn some_replay(&mut self, consumer: ConsumerId) -> Command {
        let tail = self.channel.len() as u64;
        let from = self.head + self.chance.below(tail + 1 - self.head);
        let end = from + self.chance.below(60);
        Command::Replay {
            consumer,
            from,
            until: self.chance.in_thousand(700).then_some(end),
            reason: reason(),
        }
    }

    /// A job for some letters of every consumer.
    fn some_job(&mut self) -> Command {
        let mut letters = BTreeMap::new();
        for consumer in self.ids() {
            let dead = self.machine.dead_letters(&consumer);
            let dead = dead.map(|letter| letter.sequence).collect();
            let some = some(&mut self.chance, dead);
            letters.insert(consumer, some.into_iter().collect());
        }
        let plan = JobPlan {
            letters,
            every: Duration::from_millis(1 + self.chance.below(100)),
            canary: self.chance.in_thousand(700),
            stop: StopRule::new(Ratio::new(0.5).unwrap(), 4),
            note: reason(),
        };
        let plan = Box::new(plan);
        Command::StartJob { plan }
    }

    /// An edit of some letter, now and then for a version that it is not at.
    fn some_edit(&mut self, consumer: &ConsumerId) -> Option<Command> {
        let token = self.last_command;
        let letters = self.machine.dead_letters(consumer).count();
        let which = self.chance.below(letters.max(1) as u64) as usize;
        let letter = self.machine.dead_letters(consumer).nth(which)?;
        let mut notes = letter.edit.map_or_else(Vec::new, |edit| edit.notes.clone());
        notes.push(EditNote {
            id: letter.event.id.clone(),
            reason: reason(),
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

    /// Whether no job has anything left to do.
    pub(super) fn jobs_have_ended(&self) -> bool {
        let mut jobs = self.machine.jobs();
        jobs.all(|job| matches!(job.state(), JobState::Done | JobState::Cancelled))
    }

    fn command(&mut self, command: Command) {
        self.last_command += 1;
        let token = self.last_command;
        let before = match &command {
            Command::Edit {
                consumer, sequence, ..
            } => self.machine.dead_letter(consumer, *sequence),
            _ => None,
        };
        let before = before.map(|letter| letter.version);
        let tail = self.channel.len() as u64;
        self.watch.commanded(token, &command);
        self.watch.sought(token, &self.machine, tail, &command);
        self.watch.ordered(token, &self.machine, &command);
        self.commands.insert(token, command.clone());
        self.step(Input::Command {
            token,
            command: command.clone(),
        });
        self.watch
            .numbered(token, &self.machine, &command, self.now);
        self.watch.edited(token, &self.machine, &command, before);
    }

    /// Whatever an operator has closed is opened, and what was given up is taken back.
    pub(super) fn undo_commands(&mut self) {
        let jobs: Vec<u64> = self.machine.jobs().map(Job::id).collect();
        for job in jobs {
            let turn = JobTurn::Resume;
            self.command(Command::TurnJob { job, turn });
        }
        self.command(Command::ResetBreaker {
            breaker: "api".parse().unwrap(),
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
