//! Orders about many dead letters, jobs and edits.

use tidegate_base::limit::JOB_LETTERS_MAX;
use tidegate_delivery::JobTurn;

use super::Runtime;
use crate::command::Command;
use crate::dead_letter::{DeadLetterFilter, LettersError, LettersSelection};
use crate::edit::{EditError, EditRequest, Edited};
use crate::redrive::{JobBegun, JobError, JobRequest, RedriveDetail, RedriveView, Rehearsal};
use crate::view::DeadLetterGroup;

/// How many letters are looked into at a time.
const SLICE: usize = 250;

impl Runtime {
    /// What would become of letters if they were sent back: which are refused, which no longer keep the
    /// design, whose events are gone. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`LettersError`]: an unknown consumer, too many letters, a drain or a stop.
    pub async fn rehearse(&self, selection: LettersSelection) -> Result<Rehearsal, LettersError> {
        let ids = self.named(selection).await?;
        let mut all = Rehearsal::default();
        for ids in ids.chunks(SLICE) {
            let ids = ids.to_vec();
            let slice = self.ask(|reply| Command::Rehearse { ids, reply }).await;
            let slice = slice.unwrap_or(Err(LettersError::Stopped))?;
            all.ids.extend(slice.ids);
            all.refused.extend(slice.refused);
            all.invalid.extend(slice.invalid);
            all.unreadable.extend(slice.unreadable);
            slice
                .groups
                .into_iter()
                .for_each(|group| add(&mut all.groups, group));
        }
        all.groups
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.group.cmp(&b.group)));
        Ok(all)
    }

    /// Begins a redrive job; returns once it is durable. It goes on in the processes to come.
    ///
    /// # Errors
    ///
    /// [`JobError`]: the selection, no letters or too many, or too many jobs that have not ended.
    pub async fn start_job(&self, mut request: JobRequest) -> Result<JobBegun, JobError> {
        request.selection = self.settled(request.selection).await?;
        let begun = self.ask(|reply| Command::StartJob { request, reply }).await;
        begun.unwrap_or(Err(JobError::Letters(LettersError::Stopped)))
    }

    /// Pauses, resumes or cancels a redrive job; returns once that is durable.
    ///
    /// # Errors
    ///
    /// [`JobError`]: there is no such job, it has ended, a drain or a stop.
    pub async fn turn_job(&self, job: u64, turn: JobTurn) -> Result<RedriveView, JobError> {
        let turned = self
            .ask(|reply| Command::TurnJob { job, turn, reply })
            .await;
        turned.unwrap_or(Err(JobError::Letters(LettersError::Stopped)))
    }

    /// The redrive jobs that are known, latest first; none when the system has stopped.
    pub async fn jobs(&self) -> Vec<RedriveView> {
        self.ask(|reply| Command::Jobs { reply })
            .await
            .unwrap_or_default()
    }

    /// One redrive job with its letters.
    pub async fn job(&self, job: u64) -> Option<RedriveDetail> {
        self.ask(|reply| Command::Job { job, reply })
            .await
            .flatten()
    }

    /// Puts another payload in the place of a dead letter's, if it is at the version that was looked at.
    /// The letter keeps its place, and waits until it is redriven; what was there before is never
    /// delivered to this consumer again. Returns once that is durable.
    ///
    /// # Errors
    ///
    /// [`EditError`]: the letter is not there or has changed, the edited event breaks the design or has
    /// another key, or a limit is reached.
    pub async fn edit(&self, request: EditRequest) -> Result<Edited, EditError> {
        let edited = self.ask(|reply| Command::Edit { request, reply }).await;
        edited.unwrap_or(Err(EditError::Letters(LettersError::Stopped)))
    }

    /// A selection for which no event has to be read.
    pub(super) async fn settled(
        &self,
        selection: LettersSelection,
    ) -> Result<LettersSelection, LettersError> {
        match selection {
            LettersSelection::Matching(filter) if !filter.payload.is_empty() => {
                let ids = self.named(LettersSelection::Matching(filter)).await?;
                Ok(LettersSelection::Ids(ids))
            }
            other => Ok(other),
        }
    }

    /// The names of the letters of a selection.
    async fn named(&self, selection: LettersSelection) -> Result<Vec<String>, LettersError> {
        let ids = match selection {
            LettersSelection::Matching(filter) if !filter.payload.is_empty() => {
                // Whether the consumer is there is asked before anything is read.
                let mut rest = (*filter).clone();
                rest.payload.clear();
                self.name(LettersSelection::Matching(Box::new(rest)))
                    .await?;
                let mut ids = Vec::new();
                let mut query = DeadLetterFilter {
                    which: *filter,
                    limit: SLICE,
                    after: None,
                };
                loop {
                    let page = self.dead_letters(query.clone()).await;
                    ids.extend(page.letters.into_iter().map(|letter| letter.id));
                    if page.next.is_none() || ids.len() > JOB_LETTERS_MAX {
                        break ids;
                    }
                    query.after = page.next;
                }
            }
            other => self.name(other).await?,
        };
        match ids.len() > JOB_LETTERS_MAX {
            true => Err(LettersError::Many),
            false => Ok(ids),
        }
    }

    async fn name(&self, selection: LettersSelection) -> Result<Vec<String>, LettersError> {
        self.ask(|reply| Command::NameLetters { selection, reply })
            .await
            .unwrap_or(Err(LettersError::Stopped))
    }
}

/// Adds the letters of a group to those of the same cause.
fn add(groups: &mut Vec<DeadLetterGroup>, group: DeadLetterGroup) {
    match groups.iter_mut().find(|known| known.group == group.group) {
        Some(known) => {
            known.count += group.count;
            known.first_ms = known.first_ms.min(group.first_ms);
            known.last_ms = known.last_ms.max(group.last_ms);
        }
        None => groups.push(group),
    }
}
