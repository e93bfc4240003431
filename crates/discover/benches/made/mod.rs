//! Captures made while they are read: a shop whose requests ask six services, as OTLP protobuf and
//! as Jaeger JSON.

use std::fmt::Write as _;
use std::io::{self, Read};

use tidegate_base::Random;

/// Spans of one trace.
pub(crate) const SPANS_OF_TRACE: usize = 13;
/// Traces whose spans lie between each other, as a collector writes them.
const INTERLEAVED: usize = 5_000;

/// One span of the shop's request: its service, its parent, its kind, and what is asked.
struct Part {
    service: usize,
    parent: Option<usize>,
    kind: u8,
    name: &'static str,
    /// Milliseconds of its own work.
    median: f64,
}

const SERVICES: [&str; 7] = [
    "front", "checkout", "cart", "payment", "shipping", "mail", "stock",
];

const fn part(
    service: usize,
    parent: Option<usize>,
    kind: u8,
    name: &'static str,
    median: f64,
) -> Part {
    Part {
        service,
        parent,
        kind,
        name,
        median,
    }
}

const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// Parents before children.
const PARTS: [Part; SPANS_OF_TRACE] = [
    part(0, None, SERVER, "POST /checkout", 0.8),
    part(0, Some(0), CLIENT, "POST /orders", 0.4),
    part(1, Some(1), SERVER, "POST /orders", 1.0),
    part(1, Some(2), CLIENT, "shop.Cart/GetCart", 0.3),
    part(2, Some(3), SERVER, "shop.Cart/GetCart", 2.0),
    part(1, Some(2), CLIENT, "shop.Payment/Charge", 0.3),
    part(3, Some(5), SERVER, "shop.Payment/Charge", 9.0),
    part(1, Some(2), CLIENT, "shop.Shipping/ShipOrder", 0.3),
    part(4, Some(7), SERVER, "shop.Shipping/ShipOrder", 6.0),
    part(1, Some(2), CLIENT, "INSERT orders", 1.5),
    part(1, Some(2), CLIENT, "shop.Mail/SendConfirmation", 0.3),
    part(5, Some(10), SERVER, "shop.Mail/SendConfirmation", 12.0),
    part(6, Some(4), CLIENT, "SELECT stock", 0.7),
];

/// From `(start, end)` of each part, in nanoseconds from the start of the request.
fn times(trace: usize) -> [(u64, u64); SPANS_OF_TRACE] {
    let random = Random::new(9, "times", "");
    let mut times = [(0, 0); SPANS_OF_TRACE];
    serve(0, 0, trace, random, &mut times);
    times
}

fn serve(
    part: usize,
    start: u64,
    trace: usize,
    random: Random,
    times: &mut [(u64, u64); SPANS_OF_TRACE],
) -> u64 {
    let index = (trace * SPANS_OF_TRACE + part) as u64;
    let work = (PARTS[part].median * 1e6 * (0.4 * random.normal(index)).exp()) as u64;
    let mut now = start + work / 2;
    for (child, below) in PARTS.iter().enumerate().skip(part + 1) {
        if below.parent == Some(part) {
            now = serve(child, now, trace, random, times);
        }
    }
    times[part] = (start, now + work / 2);
    times[part].1
}

fn ids(trace: usize) -> (u64, u64) {
    let spread = (trace as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (spread, spread.wrapping_mul(0xff51_afd7_ed55_8ccd))
}

fn span_id(trace: usize, part: usize) -> u64 {
    ids(trace).0 ^ (part as u64 + 1).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
}

/// When the request starts: 200 a second.
fn start(trace: usize) -> u64 {
    1_800_000_000_000_000_000 + trace as u64 * 5_000_003
}

/// The attributes of a span, those that discovery does not read among them.
fn attributes(trace: usize, part: usize) -> [(&'static str, String); 6] {
    let is_query = matches!(part, 9 | 12);
    let code = if Random::new(4, "status", "").uniform(index(trace, part)) < 0.01 {
        "500"
    } else {
        "200"
    };
    [
        if is_query {
            ("db.statement", format!("{} WHERE id = ?", PARTS[part].name))
        } else {
            ("http.response.status_code", code.to_owned())
        },
        ("rpc.system", "grpc".to_owned()),
        ("thread.name", format!("worker-{}", trace % 16)),
        ("network.protocol.version", "1.1".to_owned()),
        ("session.id", format!("s-{}", trace % 9_973)),
        ("code.function", "handle".to_owned()),
    ]
}

fn index(trace: usize, part: usize) -> u64 {
    (trace * SPANS_OF_TRACE + part) as u64
}

/// OTLP protobuf, made while it is read: batches of one service with the spans of many traces.
pub(crate) struct Protobuf {
    traces: usize,
    /// The first trace of those under way, and the service whose batch is next.
    first: usize,
    service: usize,
    rest: io::Cursor<Vec<u8>>,
}

impl Protobuf {
    pub(crate) fn new(traces: usize) -> Self {
        Self {
            traces,
            first: 0,
            service: 0,
            rest: io::Cursor::default(),
        }
    }

    fn batch(&mut self) -> Vec<u8> {
        let to = (self.first + INTERLEAVED).min(self.traces);
        let mut out = Vec::new();
        for traces in (self.first..to).collect::<Vec<_>>().chunks(100) {
            let mut scope = Vec::new();
            for trace in traces {
                let times = times(*trace);
                for (part, at) in times.iter().enumerate() {
                    if PARTS[part].service == self.service {
                        field(2, &span(*trace, part, *at), &mut scope);
                    }
                }
            }
            let name = SERVICES[self.service];
            let mut resource = Vec::new();
            attribute("service.name", name, &mut resource, 1);
            attribute("host.name", &format!("host-{name}"), &mut resource, 1);
            let mut spans = Vec::new();
            field(1, &resource, &mut spans);
            field(2, &scope, &mut spans);
            field(1, &spans, &mut out);
        }
        self.service += 1;
        if self.service == SERVICES.len() {
            (self.service, self.first) = (0, to);
        }
        out
    }
}

impl Read for Protobuf {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let end = self.rest.get_ref().len() as u64;
        if self.rest.position() == end && self.first < self.traces {
            self.rest = io::Cursor::new(self.batch());
        }
        self.rest.read(out)
    }
}

fn span(trace: usize, part: usize, (from, to): (u64, u64)) -> Vec<u8> {
    let (high, low) = ids(trace);
    let mut id = high.to_le_bytes().to_vec();
    id.extend(low.to_le_bytes());
    let mut message = Vec::with_capacity(400);
    field(1, &id, &mut message);
    field(2, &span_id(trace, part).to_le_bytes(), &mut message);
    if let Some(parent) = PARTS[part].parent {
        field(4, &span_id(trace, parent).to_le_bytes(), &mut message);
    }
    field(5, PARTS[part].name.as_bytes(), &mut message);
    message.extend([6 << 3, PARTS[part].kind]);
    for (number, time) in [(7_u8, from), (8, to)] {
        message.push(number << 3 | 1);
        message.extend((start(trace) + time).to_le_bytes());
    }
    for (key, value) in attributes(trace, part) {
        attribute(key, &value, &mut message, 9);
    }
    message
}

fn attribute(key: &str, value: &str, message: &mut Vec<u8>, number: u32) {
    let mut text = Vec::new();
    field(1, value.as_bytes(), &mut text);
    let mut pair = Vec::new();
    field(1, key.as_bytes(), &mut pair);
    field(2, &text, &mut pair);
    field(number, &pair, message);
}

fn field(number: u32, bytes: &[u8], message: &mut Vec<u8>) {
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, message);
    prost::encoding::encode_varint(bytes.len() as u64, message);
    message.extend_from_slice(bytes);
}

/// The same as an answer of Jaeger's query API.
pub(crate) fn jaeger(traces: usize) -> String {
    let mut text = String::from("{\"data\":[");
    for trace in 0..traces {
        let (high, low) = ids(trace);
        let id = format!("{:016x}{:016x}", high.swap_bytes(), low.swap_bytes());
        let comma = if trace > 0 { "," } else { "" };
        write!(text, "{comma}{{\"traceID\":\"{id}\",\"spans\":[").unwrap();
        for (part, (from, to)) in times(trace).into_iter().enumerate() {
            let comma = if part > 0 { "," } else { "" };
            let parent = PARTS[part].parent.map_or(String::new(), |parent| {
                format!(
                    "{{\"refType\":\"CHILD_OF\",\"traceID\":\"{id}\",\"spanID\":\"{:016x}\"}}",
                    span_id(trace, parent)
                )
            });
            let kind = if PARTS[part].kind == SERVER {
                "server"
            } else {
                "client"
            };
            let mut tags =
                format!("{{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"{kind}\"}}");
            for (key, value) in attributes(trace, part) {
                write!(
                    tags,
                    ",{{\"key\":\"{key}\",\"type\":\"string\",\"value\":\"{value}\"}}"
                )
                .unwrap();
            }
            write!(
                text,
                "{comma}{{\"traceID\":\"{id}\",\"spanID\":\"{:016x}\",\"operationName\":\"{}\",\"references\":[{parent}],\
                 \"startTime\":{},\"duration\":{},\"tags\":[{tags}],\"logs\":[],\"processID\":\"p{}\",\"warnings\":null}}",
                span_id(trace, part),
                PARTS[part].name,
                (start(trace) + from) / 1_000,
                (to - from) / 1_000,
                PARTS[part].service,
            )
            .unwrap();
        }
        let processes: Vec<String> = SERVICES
            .iter()
            .enumerate()
            .map(|(at, name)| format!("\"p{at}\":{{\"serviceName\":\"{name}\",\"tags\":[]}}"))
            .collect();
        write!(text, "],\"processes\":{{{}}}}}", processes.join(",")).unwrap();
    }
    text + "]}"
}
