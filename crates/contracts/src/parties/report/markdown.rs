//! For the summary of a CI job.

use super::human::rows;
use super::short;
use crate::parties::judge::Verdict;
use crate::parties::matrix::{Answer, Matrix};
use crate::parties::order::{Move, Upgrade};

pub(super) fn render(matrix: &Matrix, upgrade: &Upgrade) -> String {
    let mut text = String::from("## Contracts\n\n");
    text.push_str("| event | version | producer | consumer | read |\n|---|---|---|---|---|\n");
    for contracts in &matrix.events {
        for (producer, version, cell) in rows(contracts) {
            let answer = match cell.answer() {
                Answer::Yes => "yes",
                Answer::No => "**no**",
                Answer::NotProved => "*not proved*",
            };
            line!(
                text,
                "| {} | {version} | {producer} | {} | {answer} |",
                contracts.event,
                cell.consumer
            );
        }
    }
    why(matrix, &mut text);
    text.push_str("\n### Upgrade\n\n");
    if upgrade.is_empty() {
        text.push_str("Everybody is on the newest version already.\n");
    }
    for (number, moves) in upgrade.steps.iter().enumerate() {
        for one in moves {
            line!(text, "{}. {}", number + 1, said(one));
        }
    }
    if !upgrade.cycle.is_empty() {
        text.push_str("\nThese wait for each other, and none can go first:\n\n");
        for one in &upgrade.cycle {
            line!(text, "- {}", said(one));
        }
    }
    text
}

fn why(matrix: &Matrix, text: &mut String) {
    let mut lines = String::new();
    for contracts in &matrix.events {
        for cell in &contracts.cells {
            for judged in &cell.clauses {
                let relies = escaped(&judged.clause);
                let who = format!(
                    "{} reads {} {}",
                    cell.consumer, contracts.event, cell.version
                );
                match &judged.verdict {
                    Verdict::Met => {}
                    Verdict::Unmet(broken) => line!(
                        lines,
                        "- **no**: {who}: relies on {relies}; may be sent: {} — {} {}",
                        code(&broken.event.to_string()),
                        broken.path,
                        escaped(&broken.reason)
                    ),
                    Verdict::NotProved(why) => line!(
                        lines,
                        "- *not proved*: {who}: relies on {relies}: {}",
                        escaped(why)
                    ),
                }
            }
        }
    }
    if !lines.is_empty() {
        text.push_str("\n### Why\n\n");
        text.push_str(&lines);
    }
}

/// Text of a design as code that no backquote of it ends.
fn code(text: &str) -> String {
    let text = short(text);
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence}{text}{fence}")
}

fn escaped(text: &str) -> String {
    short(text).replace('|', "\\|").replace('<', "&lt;")
}

fn said(one: &Move) -> String {
    let mut text = format!("**{}**: {}", one.service, one.what.join("; "));
    for (service, why) in &one.after {
        text.push_str(&format!(" (after **{service}**: {why})"));
    }
    text
}
