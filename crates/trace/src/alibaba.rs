//! Alibaba's table of calls (cluster-trace-microservices-v2021 and v2022): a row is one side of a
//! call. `rpcid` is a dotted path, `0.1.2` under `0.1`; `um` calls `dm`; the response time `rt` is
//! in milliseconds, positive in the row of the caller and negative in the row of the called.

use std::borrow::Cow;

use crate::attributes::cut;
use crate::columns::{Unit, bare};
use crate::csv::decimal;
use crate::identifier::Id;
use crate::raw::RawSpan;
use crate::sink::Sink;
use crate::{SpanKind, Status};

/// Whether these are the table's headers.
pub(crate) fn has_headers(headers: &csv::StringRecord) -> bool {
    Table::of(headers).is_ok()
}

/// Where the fields are in a row.
pub(crate) struct Table {
    trace: usize,
    timestamp: usize,
    path: usize,
    caller: usize,
    kind: usize,
    called: usize,
    interface: usize,
    time: usize,
}

impl Table {
    pub(crate) fn of(headers: &csv::StringRecord) -> Result<Self, String> {
        let place = |names: &[&str]| {
            let mut headers = headers.iter();
            headers
                .position(|header| names.contains(&bare(header).as_str()))
                .ok_or_else(|| {
                    let name = names.first().copied().unwrap_or_default();
                    format!("there is no column `{name}` as in Alibaba's table of calls")
                })
        };
        Ok(Self {
            trace: place(&["traceid"])?,
            timestamp: place(&["timestamp"])?,
            path: place(&["rpcid"])?,
            caller: place(&["um"])?,
            kind: place(&["rpctype"])?,
            called: place(&["dm"])?,
            interface: place(&["interface"])?,
            time: place(&["rt"])?,
        })
    }

    pub(crate) fn add(&self, row: &csv::StringRecord, sink: &mut Sink<'_>) -> Result<(), String> {
        let cell = |place: usize| row.get(place).unwrap_or_default().trim();
        let Some(trace) = Id::from_text(cell(self.trace)) else {
            sink.skipped.without_trace_id += 1;
            return Ok(());
        };
        let path = cell(self.path);
        if path.is_empty() {
            sink.skipped.without_span_id += 1;
            return Ok(());
        }
        if cell(self.timestamp).is_empty() || cell(self.time).is_empty() {
            sink.skipped.without_time += 1;
            return Ok(());
        }
        let millis = |text: &str| {
            decimal(text, Unit::Millis)
                .ok_or_else(|| format!("`{text}` is no number of milliseconds"))
        };
        let start = millis(cell(self.timestamp))?;
        let (is_called, time) = match cell(self.time).strip_prefix('-') {
            Some(time) => (true, millis(time)?),
            None => (false, millis(cell(self.time))?),
        };
        let id = Id::Text(Cow::Borrowed(path));
        let mut span = RawSpan::new(trace, id, start, start.saturating_add(time));
        let above = path.rsplit_once('.').map(|(above, _)| above);
        span.parent = above.map(|above| Id::Text(Cow::Borrowed(above)));
        let (caller, called) = (cell(self.caller), cell(self.called));
        span.service = Cow::Borrowed(if is_called { called } else { caller });
        span.operation = Cow::Borrowed(cut(cell(self.interface)));
        span.status = Status::Unset;
        self.kind(cell(self.kind), is_called, &mut span);
        if !is_called {
            span.attribute("peer.service", || Some(Cow::Borrowed(called)));
        }
        sink.add(&mut span);
        Ok(())
    }

    /// Both rows of a call have one path: they become the two sides of a shared span.
    fn kind(&self, kind: &str, is_called: bool, span: &mut RawSpan<'_>) {
        span.kind = match (kind, is_called) {
            ("mq", false) => SpanKind::Producer,
            ("mq", true) => SpanKind::Consumer,
            (_, false) => SpanKind::Client,
            (_, true) => SpanKind::Server,
        };
        match kind {
            "mq" => span.attribute("messaging.system", || Some("mq".into())),
            "db" => span.attribute("db.system", || Some("db".into())),
            "mc" => span.attribute("db.system", || Some("memcached".into())),
            "rpc" => span.attribute("rpc.system", || Some("rpc".into())),
            _ => {}
        }
    }
}
