//! The recording of a draft: the traffic of its events at the rates that its design states.
//!
//! A sampler keeps some traces of many. Each kept call is then there as often as it stands for: its
//! copies come later, evenly spread over the time, and round to its beginning again. So the rate is
//! the real one, and so are times and failures; bursts come out flatter than they were.

use std::time::Duration;

use indexmap::IndexMap;
use tidegate_base::Name;
use tidegate_trace::Recording;
use tidegate_trace::recording::{Arrival, Stream};

use super::proposal::Proposal;
use crate::discovery::{Call, Discovery};
use crate::interval::number;

/// Most arrivals of a recording with copies; some hundred megabytes.
const ARRIVALS_MAX: f64 = 2e6;

/// The traffic, and what part of the real one it is.
pub(super) struct Traffic {
    pub(super) recording: Recording,
    /// What to say of it, where it is not simply what was captured.
    pub(super) remark: Option<String>,
}

pub(super) fn traffic(discovery: &Discovery, proposals: &[Proposal<'_>]) -> Traffic {
    let calls = || proposals.iter().flat_map(|proposal| &proposal.calls);
    let kept: usize = calls().map(|call| call.arrivals.len()).sum();
    let all: f64 = calls().map(|call| call.stands_for).sum();
    let room = (ARRIVALS_MAX.max(number(kept)) / all.max(1.0)).min(1.0);
    let remark = (all > number(kept) * 1.001).then(|| {
        let remark = remark(all / number(kept.max(1)), room);
        match discovery.sampling.is_uneven {
            true => format!(
                "{remark}; some traces stand for more than others, and failures and handler times are those of the kept ones"
            ),
            false => remark,
        }
    });
    let names = discovery
        .captures
        .iter()
        .map(|capture| capture.name.as_str());
    let mut origin = names.collect::<Vec<_>>().join(", ");
    if let Some(remark) = &remark {
        origin.push_str("; ");
        origin.push_str(remark);
    }
    let streams: IndexMap<Name, Stream> = proposals
        .iter()
        .map(|proposal| {
            let calls = proposal.calls.iter();
            let mut arrivals: Vec<Arrival> = calls
                .flat_map(|call| as_often(call, room, discovery.window))
                .collect();
            arrivals.sort_by(|a, b| (a.offset, &a.key).cmp(&(b.offset, &b.key)));
            let stream = Stream {
                publisher: proposal.publisher.clone(),
                consumer: proposal.consumer.clone(),
                arrivals,
            };
            (proposal.event.clone(), stream)
        })
        .collect();
    Traffic {
        recording: Recording {
            origin,
            duration: discovery.window,
            streams,
        },
        remark,
    }
}

fn remark(each: f64, room: f64) -> String {
    let copies = format!(
        "traces were sampled, a kept call stands for {each:.2}: it is repeated as often, spread over the time"
    );
    if room < 1.0 {
        format!(
            "{copies}, up to {:.1}% of the real rate, for its size",
            room * 100.0
        )
    } else {
        copies
    }
}

/// The arrivals of a call, each as often as it stands for.
fn as_often(call: &Call, room: f64, window: Duration) -> Vec<Arrival> {
    let each = call.stands_for * room / number(call.arrivals.len().max(1));
    if each <= 1.0 || window.is_zero() {
        return call.arrivals.clone();
    }
    let mut all = call.arrivals.clone();
    let mut copy = 1.0;
    while copy < each {
        // Of the last copy there is a part: every so many of them.
        let part = (each - copy).min(1.0);
        let shift = window.mul_f64(copy / each);
        for (index, arrival) in call.arrivals.iter().enumerate() {
            if (number(index + 1) * part).floor() > (number(index) * part).floor() {
                all.push(Arrival {
                    offset: around(arrival.offset + shift, window),
                    // Another request, about something else.
                    key: format!("{}.{copy}", arrival.key),
                    ..arrival.clone()
                });
            }
        }
        copy += 1.0;
    }
    all
}

fn around(offset: Duration, window: Duration) -> Duration {
    offset.checked_sub(window).unwrap_or(offset)
}
