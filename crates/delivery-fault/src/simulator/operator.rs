//! An operator who does things, sensible or not.

use tidegate_delivery::{Command, Input};

use super::chance::Chance;
use super::world::World;

impl World {
    /// An operator does something.
    pub(super) fn operate(&mut self) {
        let ids = self.ids();
        let consumer = ids[self.chance.below(ids.len() as u64) as usize].clone();
        let (dependency, reason) = ("api".parse().unwrap(), "to see".to_owned());
        let some = |chance: &mut Chance, letters: Vec<u64>| -> Vec<u64> {
            letters
                .into_iter()
                .filter(|_| chance.in_thousand(600))
                .collect()
        };
        let command = match self.chance.below(15) {
            0 | 1 => Command::Pause { consumer, reason },
            2..6 => Command::Resume { consumer },
            6 => Command::OpenBreaker { dependency, reason },
            7 | 8 => Command::ResetBreaker { dependency },
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

    fn command(&mut self, command: Command) {
        self.last_command += 1;
        let token = self.last_command;
        self.watch.commanded(token, &command);
        self.commands.insert(token, command.clone());
        self.step(Input::Command { token, command });
    }

    /// Whatever an operator has closed is opened, and what was given up is taken back.
    pub(super) fn undo_commands(&mut self) {
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
