//! For people at a terminal: the matrix, why not, and who is upgraded when.

use super::table::{Cell as Shown, aligned};
use super::{Paint, short, toned};
use crate::parties::judge::Verdict;
use crate::parties::matrix::{Answer, Cell, EventContracts, Judged, Matrix, Producer};
use crate::parties::order::{Move, Upgrade};

pub(super) fn render(matrix: &Matrix, upgrade: &Upgrade, paint: Paint) -> String {
    if matrix.events.is_empty() {
        return "no event of the design has a consumer: there are no contracts\n".to_owned();
    }
    let mut text = table(matrix, paint);
    let details = details(matrix, paint);
    if !details.is_empty() {
        text.push('\n');
        text.push_str(&details);
    }
    text.push('\n');
    text.push_str(&steps(upgrade));
    text
}

/// A producer with a version that it publishes, or a version that nobody publishes.
pub(super) fn rows(contracts: &EventContracts) -> Vec<(String, String, &Cell)> {
    let mut rows = Vec::new();
    for producer in &contracts.producers {
        for version in &producer.versions {
            for cell in contracts
                .cells
                .iter()
                .filter(|cell| cell.version == *version)
            {
                rows.push((name(producer), version.clone(), cell));
            }
        }
    }
    let is_published = |cell: &&Cell| rows.iter().any(|(_, version, _)| *version == cell.version);
    let kept: Vec<&Cell> = contracts
        .cells
        .iter()
        .filter(|cell| !is_published(cell))
        .collect();
    let kept = kept
        .into_iter()
        .map(|cell| ("(kept)".to_owned(), cell.version.clone(), cell));
    rows.extend(kept);
    rows
}

fn name(producer: &Producer) -> String {
    let name = producer.service.as_ref();
    name.map_or_else(|| "(outside)".to_owned(), ToString::to_string)
}

fn table(matrix: &Matrix, paint: Paint) -> String {
    let heads = ["EVENT", "VERSION", "PRODUCER", "CONSUMER", "READ"];
    let mut table: Vec<Vec<Shown>> = vec![heads.iter().map(|head| Shown::from(*head)).collect()];
    for contracts in &matrix.events {
        for (producer, version, cell) in rows(contracts) {
            let answer = cell.answer();
            table.push(vec![
                Shown::from(contracts.event.as_str()),
                Shown::from(version.as_str()),
                Shown::from(producer.as_str()),
                Shown::from(cell.consumer.as_str()),
                Shown {
                    text: answer.word().to_owned(),
                    painted: toned(answer, answer.word(), paint),
                },
            ]);
        }
    }
    aligned(&table)
}

/// Why cells are not a yes, each once however many publish the version.
fn details(matrix: &Matrix, paint: Paint) -> String {
    let mut text = String::new();
    for contracts in &matrix.events {
        let cells = contracts.cells.iter();
        for cell in cells.filter(|cell| cell.answer() != Answer::Yes) {
            let answer = cell.answer();
            let said = toned(answer, answer.word(), paint);
            line!(
                text,
                "{said}: {} reads {} {}",
                cell.consumer,
                contracts.event,
                cell.version
            );
            for judged in &cell.clauses {
                clause(judged, &mut text);
            }
        }
    }
    text
}

fn clause(judged: &Judged, text: &mut String) {
    match &judged.verdict {
        Verdict::Met => {}
        Verdict::Unmet(broken) => {
            line!(text, "  relies on {} ({})", judged.clause, judged.place);
            line!(
                text,
                "  this event may be sent: {}",
                short(&broken.event.to_string())
            );
            let at = match broken.path.as_str() {
                "" => String::new(),
                path => format!("{path}: "),
            };
            line!(text, "    {at}{}", broken.reason);
            if let Some(because) = &judged.because {
                line!(text, "    because: {because}");
            }
        }
        Verdict::NotProved(why) => {
            line!(text, "  relies on {} ({})", judged.clause, judged.place);
            line!(text, "    not proved: {why}");
        }
    }
}

fn steps(upgrade: &Upgrade) -> String {
    if upgrade.is_empty() {
        return "upgrade: everybody is on the newest version already\n".to_owned();
    }
    let mut text = String::from("upgrade, in this order:\n");
    for (number, moves) in upgrade.steps.iter().enumerate() {
        for one in moves {
            line!(
                text,
                "  {}. {}: {}",
                number + 1,
                one.service,
                one.what.join("; ")
            );
            after(one, &mut text);
        }
    }
    if !upgrade.cycle.is_empty() {
        let names: Vec<&str> = upgrade
            .cycle
            .iter()
            .map(|one| one.service.as_str())
            .collect();
        line!(
            text,
            "  then nobody can go first: {} wait for each other",
            names.join(", ")
        );
        for one in &upgrade.cycle {
            line!(text, "  -  {}: {}", one.service, one.what.join("; "));
            after(one, &mut text);
        }
        text.push_str(
            "  help: have the producer publish both versions meanwhile, or put a version between \
             that both sides read\n",
        );
    }
    text
}

fn after(one: &Move, text: &mut String) {
    for (service, why) in &one.after {
        line!(text, "     after {service}: {why}");
    }
}
