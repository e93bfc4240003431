//! `tidegate explain`: the page of a code.

use std::fmt::Write;

use crate::arguments::Explain;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &Explain) -> Result<Exit, Failure> {
    let Some(code) = &arguments.code else {
        terminal::print(&list())?;
        return Ok(Exit::Yes);
    };
    let code = code.to_ascii_uppercase();
    match tidegate_check::explain(&code) {
        Some(page) => {
            terminal::print(page)?;
            Ok(Exit::Yes)
        }
        None => {
            let failure = Failure::configuration(format!("there is no code `{code}`"));
            Err(match tidegate_check::similar_code(&code) {
                Some(similar) => failure.hint(format!("did you mean {similar}?")),
                None => failure.hint("`tidegate explain` lists every code"),
            })
        }
    }
}

fn list() -> String {
    let mut text = String::new();
    let codes = tidegate_model::CODES.iter().chain(tidegate_check::CODES);
    let codes = codes.chain(tidegate_contracts::parties::CODES);
    let codes = codes.chain(tidegate_asyncapi::CODES);
    let codes = codes.chain(tidegate_contracts::past::CODES);
    for code in codes.chain(tidegate_topology::CODES) {
        let severity = format!("{:?}", code.severity).to_lowercase();
        // Writing to a String does not fail.
        let _written = writeln!(text, "{}  {severity:<7}  {}", code.code, code.title).is_ok();
    }
    text
}
