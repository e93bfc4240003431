//! What the draft is and what to do next.

use std::fmt::{self, Write as _};

use tidegate_base::{Name, format_duration};

use super::Basis;
use super::comment::one_line;
use super::proposal::Proposal;
use crate::discovery::Discovery;

/// The text of `README.md`.
pub(super) fn markdown(
    discovery: &Discovery,
    system: &Name,
    basis: Basis,
    proposals: &[Proposal<'_>],
    traffic: Option<&str>,
) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    write(&mut text, discovery, (system, basis, traffic), proposals).unwrap_or_default();
    text
}

fn write(
    out: &mut String,
    discovery: &Discovery,
    (system, basis, traffic): (&Name, Basis, Option<&str>),
    proposals: &[Proposal<'_>],
) -> fmt::Result {
    writeln!(out, "# {system}: a draft from traces\n")?;
    writeln!(
        out,
        "Measured from {} traces with {} spans of {} services, over {}.",
        discovery.traces,
        discovery.spans,
        discovery.services.len(),
        format_duration(discovery.window)
    )?;
    if discovery.orphans > 0 {
        writeln!(
            out,
            "{} spans name a parent that is not there.",
            discovery.orphans
        )?;
    }
    match basis {
        Basis::Feasible => writeln!(
            out,
            "\nEach event below is a call that could be made asynchronous by the evidence of these\n\
             traces. The comments in `design.yaml` hold that evidence, also what speaks against it.\n"
        )?,
        Basis::Exploring => writeln!(
            out,
            "\n**For exploring only.** By the evidence, no call of these traces can become an event: the\n\
             callers need the answers. The calls that cost the most time are drawn all the same, to\n\
             try out what messaging would do with such traffic.\n"
        )?,
    }
    table(out, proposals)?;
    writeln!(
        out,
        "\nThe time saved is predicted: every trace is replayed as if nobody waited for the call.\n\n\
         ## What is measured and what is not\n\n\
         - Measured: rates, peaks, handler times, failures, who calls whom.\n\
         - Derived: concurrency (busy half the time at the peak), timeouts (five times the longest\n  \
           usual handling)."
    )?;
    if let Some(traffic) = traffic {
        writeln!(out, "- Scaled: `recording.jsonl`, as {traffic}.")?;
    }
    payloads(out, proposals)?;
    writeln!(
        out,
        "- Placeholders: owners are `team-` and the service's name.\n\n\
         ## Next\n\n\
         ```sh\n\
         tidegate check design.yaml\n\
         tidegate simulate design.yaml\n\
         tidegate run design.yaml --traffic recorded\n\
         ```"
    )
}

/// What of payloads is known, and from what.
fn payloads(out: &mut String, proposals: &[Proposal<'_>]) -> fmt::Result {
    let told = proposals
        .iter()
        .filter_map(|proposal| Some((proposal, proposal.schema.origin.as_ref()?)));
    let mut count = 0;
    for (proposal, origin) in told {
        count += 1;
        writeln!(
            out,
            "- Inferred: the schema of {}, from {origin}.",
            proposal.event
        )?;
    }
    match count {
        0 => writeln!(
            out,
            "- Not known: payloads. The schemas hold an `id` only; add the fields that handlers read."
        ),
        _ if count < proposals.len() => writeln!(
            out,
            "- Not known: other payloads. Their schemas hold an `id` only; add the fields that handlers read."
        ),
        _ => Ok(()),
    }
}

fn table(out: &mut String, proposals: &[Proposal<'_>]) -> fmt::Result {
    writeln!(
        out,
        "| event | from | to | calls | mean handling | waiting on the critical path |"
    )?;
    writeln!(out, "|---|---|---|---:|---:|---:|")?;
    for proposal in proposals {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            one_line(proposal.event.as_str()),
            proposal.publisher,
            proposal.consumer,
            proposal.arrivals.len(),
            format_duration(proposal.handling.mean),
            format_duration(proposal.critical())
        )?;
    }
    Ok(())
}
