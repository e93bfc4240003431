//! The services that deliveries are pushed to: they succeed, fail, are busy, hang, drop connections and
//! lie, as a seed decides.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tidegate_base::Random;

use crate::history::{Answer, Happening, History, Run};

/// What a handler does with one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Succeed,
    Fail,
    /// 429 with `Retry-After`.
    TooMany,
    /// 503 with `Retry-After`.
    Unavailable,
    Hang,
    Drop,
    /// Does the work and answers 500.
    LieAndFail,
    /// Does the work and closes the connection.
    LieAndDrop,
    /// 422: the event is poison until it is mended.
    Refuse,
}

impl Deed {
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Succeed => Answer::Done,
            Self::TooMany | Self::Unavailable => Answer::Busy,
            Self::Refuse => Answer::Refused,
            Self::Fail | Self::LieAndFail => Answer::Failed,
            Self::Hang | Self::Drop | Self::LieAndDrop => Answer::Unreached,
        }
    }

    pub(crate) fn applies(self) -> bool {
        matches!(self, Self::Succeed | Self::LieAndFail | Self::LieAndDrop)
    }
}

/// What all consumers share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) history: History,
    seed: u64,
    /// Runs by consumer and event: the same seed gives the first run of an event the same deed.
    runs: Mutex<BTreeMap<(&'static str, String), u64>>,
    pub(crate) mended: AtomicBool,
    pub(crate) connections: AtomicUsize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            history: History::default(),
            seed,
            runs: Mutex::default(),
            mended: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        })
    }

    pub(crate) fn deed(&self, consumer: &'static str, id: &str) -> Deed {
        if self.mended.load(Ordering::Relaxed) {
            return Deed::Succeed;
        }
        let mut runs = self.runs.lock().unwrap();
        let number = runs.entry((consumer, id.to_owned())).or_default();
        *number += 1;
        let random = Random::new(self.seed, consumer, id);
        if random.bits(0).is_multiple_of(150) {
            return Deed::Refuse;
        }
        match random.bits(*number) % 1_000 {
            0..800 => Deed::Succeed,
            800..880 => Deed::Fail,
            880..884 => Deed::TooMany,
            884..888 => Deed::Unavailable,
            888..891 => Deed::Hang,
            891..931 => Deed::Drop,
            931..966 => Deed::LieAndFail,
            _ => Deed::LieAndDrop,
        }
    }

    /// Notes a run and what it does, before anybody can know.
    pub(crate) fn takes(&self, run: &Run) -> Deed {
        self.history.note(Happening::Started(run.clone()));
        let deed = self.deed(run.consumer, &run.id);
        if deed.applies() {
            let (consumer, id) = (run.consumer, run.id.clone());
            self.history.note(Happening::Applied { consumer, id });
        }
        let (run, answer) = (run.clone(), deed.answer());
        self.history.note(Happening::Answered { run, answer });
        deed
    }
}

/// What a handler answers that has succeeded.
type Success = fn(&Run) -> String;

/// Serves a consumer on a port of its own, which it returns.
pub(crate) fn serve(world: &Arc<World>, consumer: &'static str) -> u16 {
    let nothing = |_: &Run| "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".to_owned();
    serve_with(world, consumer, nothing)
}

/// As [`serve`]; what succeeds is answered so.
pub(crate) fn serve_with(world: &Arc<World>, consumer: &'static str, success: Success) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = Arc::clone(world);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let world = Arc::clone(&world);
            world.connections.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(&stream);
                while answer(&world, consumer, success, &mut reader, &stream).is_some() {}
                world.connections.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    port
}

/// Answers one request of a connection; `None` when the connection ends.
fn answer(
    world: &World,
    consumer: &'static str,
    success: Success,
    reader: &mut BufReader<&TcpStream>,
    mut stream: &TcpStream,
) -> Option<()> {
    let run = request(consumer, reader)?;
    let (status, more) = match world.takes(&run) {
        Deed::Succeed => return stream.write_all(success(&run).as_bytes()).ok(),
        Deed::Fail | Deed::LieAndFail => ("500 Internal Server Error", ""),
        Deed::TooMany => ("429 Too Many Requests", "retry-after: 1\r\n"),
        Deed::Unavailable => ("503 Service Unavailable", "retry-after: 1\r\n"),
        Deed::Refuse => ("422 Unprocessable Content", ""),
        Deed::Drop | Deed::LieAndDrop => return None,
        Deed::Hang => {
            until_closed(stream);
            return None;
        }
    };
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n{more}\r\n");
    stream.write_all(response.as_bytes()).ok()
}

fn until_closed(mut stream: &TcpStream) {
    drop(stream.set_read_timeout(Some(Duration::from_secs(30))));
    while stream.read(&mut [0]).is_ok_and(|read| read > 0) {}
}

fn request(consumer: &'static str, reader: &mut BufReader<&TcpStream>) -> Option<Run> {
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.insert(name.to_lowercase(), value.to_owned());
        }
    }
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let data: Value = serde_json::from_slice(&body).unwrap();
    let delivery = header("tidegate-delivery");
    Some(Run {
        consumer,
        sequence: delivery.rsplit('/').next()?.parse().unwrap(),
        id: header("ce-id"),
        key: data["orderId"].as_str().unwrap().to_owned(),
        attempt: header("tidegate-attempt").parse().unwrap(),
        life: header("tidegate-epoch").parse().unwrap(),
    })
}
