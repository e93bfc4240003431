//! `tidegate lag`: how far behind readers are, of a broker that does not run this program.

use serde_json::json;
use tidegate_base::Clock;
use tidegate_estate::{Lag, Method};
use tidegate_runtime::TokioClock;

use crate::arguments::estate::LagOf;
use crate::arguments::operate::AnswerFormat;
use crate::commands::select::pretty;
use crate::estate::{failed, open};
use crate::exit::{Exit, Failure, Kind};
use crate::table::{Cell, Side, Tone, seconds, table};
use crate::terminal::{self, shown};

pub(crate) fn run(arguments: &LagOf) -> Result<Exit, Failure> {
    let (address, broker) = open(&arguments.at)?;
    let now = TokioClock::new().now();
    let reader = arguments.reader.as_deref();
    let lags = broker.lag(reader, now).map_err(|error| failed(&error))?;
    if let (true, Some(reader)) = (lags.is_empty(), reader) {
        let message = format!(
            "{} has no reader `{}` that has a place",
            address.engine.name(),
            shown(reader)
        );
        return Err(Failure::new(Kind::No, message).hint("without a name, every reader is shown"));
    }
    let text = match arguments.format {
        AnswerFormat::Json => pretty(&json!({
            "schema": "tidegate/lag/v1",
            "broker": address.engine,
            "at": address.servers,
            "time": now.to_string(),
            "lags": lags,
        })),
        AnswerFormat::Human if lags.is_empty() => "nobody reads there\n".to_owned(),
        AnswerFormat::Human => {
            let heads = [
                ("reader", Side::Left),
                ("of", Side::Left),
                ("messages", Side::Right),
                ("behind", Side::Right),
                ("known by", Side::Left),
                ("members", Side::Right),
            ];
            table(heads, lags.iter().map(row), terminal::paints_stdout())
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Yes)
}

fn row(lag: &Lag) -> [Cell; 6] {
    let (known, tone) = match lag.method {
        Method::CaughtUp => ("caught up", Tone::Good),
        Method::RecordAtCommittedOffset => ("the record at the committed offset", Tone::Plain),
        Method::MessageAfterAckFloor => ("the message after the ack floor", Tone::Plain),
        Method::HeadMessageTimestamp => ("the timestamp of the head", Tone::Plain),
        Method::ArrivalRate => ("an estimate: length by arrival rate", Tone::Poor),
        Method::Unknown => ("not known", Tone::Poor),
    };
    [
        Cell::new(&lag.reader),
        Cell::new(&lag.source),
        lag.messages.into(),
        Cell::new(&lag.seconds.map_or_else(|| "-".to_owned(), seconds)),
        Cell::toned(known, tone),
        lag.members.into(),
    ]
}
