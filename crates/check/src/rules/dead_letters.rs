//! A delivery that cannot succeed goes somewhere, and someone looks there.

use crate::codes::{DEAD_LETTER_WITHOUT_OWNER, NO_DEAD_LETTER};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for consumer in &index.consumers {
        let id = consumer.id();
        let Some(dead_letter) = &consumer.consume.dead_letter else {
            let message = format!(
                "`{id}` says nothing of dead letters: nobody looks after them, and they are kept without end"
            );
            out.add(
                NO_DEAD_LETTER,
                &consumer.consume.place,
                consumer.path(),
                message,
            )
            .hint("write `dead-letter: {owner: team-…, retention: 30d}`");
            continue;
        };
        if dead_letter.owner.is_none() && consumer.service.owner.is_none() {
            let message = format!("no one looks after the dead letters of `{id}`");
            let path = format!("{}.dead-letter", consumer.path());
            out.add(DEAD_LETTER_WITHOUT_OWNER, &dead_letter.place, path, message)
                .hint(format!(
                    "write `dead-letter: {{owner: team-…}}`, or `owner: team-…` in service `{}`",
                    consumer.service_name
                ))
                .related(&consumer.service.place, "the service has no owner either");
        }
    }
}
