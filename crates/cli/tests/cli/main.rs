//! The built binary, as a user has it.

#[cfg(test)]
mod against;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod asked;
#[cfg(test)]
mod captures;
#[cfg(test)]
mod classes;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod dlq;
#[cfg(test)]
mod estate;
#[cfg(test)]
mod log;
#[cfg(test)]
mod operated;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod process_logs;
#[cfg(test)]
mod redrives;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod seek;
#[cfg(test)]
mod size;
#[cfg(test)]
mod support;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod types;
