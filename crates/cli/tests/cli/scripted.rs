//! A daemon of a few written answers: what no real one would say, or says only in rare hours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::run;

/// A request: its line without the version, its `authorization`, and its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

/// Answers by the request's line, and notes what it was asked.
pub(crate) struct Scripted {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What is answered to one request.
pub(crate) struct Scene {
    line: String,
    status: u16,
    body: String,
}

/// `line` is answered with this JSON.
pub(crate) fn scene(line: &str, status: u16, body: Value) -> Scene {
    Scene {
        line: line.to_owned(),
        status,
        body: body.to_string(),
    }
}

/// The body of a refused request.
pub(crate) fn problem(code: &str, message: &str, hint: &str) -> Value {
    serde_json::json!({ "error": { "code": code, "message": message, "hint": hint } })
}

impl Scripted {
    pub(crate) fn start(scenes: Vec<Scene>) -> Self {
        Self::answering(false, move |request| {
            let scene = scenes.iter().find(|scene| scene.line == request.line);
            let (status, body) = scene.map_or(
                (404, r#"{"error":{"code":"not-found","message":"?"}}"#),
                |scene| (scene.status, &scene.body),
            );
            let length = body.len();
            format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}")
        })
    }

    /// Answers with these bytes, and ends the connection.
    pub(crate) fn bytes(bytes: &'static str) -> Self {
        Self::answering(true, |_| bytes.to_owned())
    }

    fn answering(ends: bool, answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (notes, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (notes, answer) = (Arc::clone(&notes), Arc::clone(&answer));
                std::thread::spawn(move || converse(stream, ends, &notes, &*answer));
            }
        });
        Self { url, requests }
    }

    /// Runs a command that asks it.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        run(&[arguments, &["--url", &self.url]].concat())
    }

    /// What it was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers the requests of a connection until it ends, or only the first one.
fn converse(
    stream: TcpStream,
    ends: bool,
    notes: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> String,
) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let bytes = answer(&request);
        notes.lock().unwrap().push(request);
        if writer.write_all(bytes.as_bytes()).is_err() || ends {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    let mut next = || {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = next()?;
    let mut request = Request {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        ..Request::default()
    };
    let mut length = 0;
    loop {
        let header = next()?;
        match header.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("authorization", value)) => request.authorization = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
