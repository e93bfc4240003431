//! `tidegate dead-letters read`: what others have left, in one form.

use serde_json::json;
use tidegate_topology::letters::{Dialect, Letter, read};

use crate::arguments::estate::ReadLetters;
use crate::arguments::operate::AnswerFormat;
use crate::commands::select::pretty;
use crate::estate::{failed, open};
use crate::exit::{Exit, Failure};
use crate::table::{Cell, Side, table};
use crate::terminal;

/// Widest message in a table.
const MESSAGE_WIDTH: usize = 60;

pub(crate) fn run(arguments: &ReadLetters) -> Result<Exit, Failure> {
    let (address, broker) = open(&arguments.at)?;
    let raw = broker
        .letters(&arguments.source, usize::from(arguments.limit))
        .map_err(|error| failed(&error))?;
    let letters: Vec<Letter> = raw.iter().map(read).collect();
    let text = match arguments.format {
        AnswerFormat::Json => pretty(&json!({
            "schema": "tidegate/dead-letters/v1",
            "broker": address.engine,
            "at": address.servers,
            "letters": letters,
        })),
        AnswerFormat::Human if letters.is_empty() => "there is nothing in it\n".to_owned(),
        AnswerFormat::Human => {
            let heads = [
                ("position", Side::Left),
                ("written by", Side::Left),
                ("from", Side::Left),
                ("consumer", Side::Left),
                ("reason", Side::Left),
                ("message", Side::Left),
            ];
            table(heads, letters.iter().map(row), terminal::paints_stdout())
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Yes)
}

fn row(letter: &Letter) -> [Cell; 6] {
    let dialect = match letter.dialect {
        Dialect::Spring => "Spring",
        Dialect::KafkaConnect => "Kafka Connect",
        Dialect::NServiceBus => "NServiceBus",
        Dialect::MassTransit => "MassTransit",
        Dialect::RabbitMq => "RabbitMQ",
        Dialect::Unknown => "-",
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let from = match (&letter.from, &letter.from_position) {
        (Some(from), Some(position)) => format!("{from} {position}"),
        _ => text(&letter.from),
    };
    [
        Cell::new(&letter.position),
        Cell::new(dialect),
        Cell::new(&from),
        Cell::new(&text(&letter.consumer)),
        Cell::new(&text(&letter.reason)),
        Cell::cut(&text(&letter.message), MESSAGE_WIDTH),
    ]
}
