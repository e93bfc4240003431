//! The built binary as a user has it: run to its end, or as a daemon on a port of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for something that the daemon does by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary with these arguments.
pub(crate) fn tidegate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).env("NO_COLOR", "1");
    command.env_remove("TIDEGATE_URL");
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    tidegate(arguments).output().unwrap()
}

/// The exit code, with what was printed on stderr when it is another.
#[track_caller]
pub(crate) fn expect_exit(output: &Output, code: i32) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
}

/// A file or folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// A folder of the shared data; `None`, with a word about it, when it is not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let folder = repository("../shared/data").join(path);
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}

/// Every file below a folder, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path))
        } else {
            files.push(path)
        }
    }
    files.sort();
    files
}

/// A daemon; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) url: String,
}

impl Daemon {
    /// Starts the binary, which must print its console's address.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_on("127.0.0.1:0", arguments)
    }

    /// As [`Daemon::start`], at an address.
    pub(crate) fn start_on(address: &str, arguments: &[&str]) -> Self {
        let mut child = tidegate(arguments)
            .args(["--listen", address])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, address) = sync_channel(1);
        let mut lines = Vec::new();
        std::thread::spawn(move || {
            // Reads to the end, so that the daemon never waits for a reader.
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("console: http://") {
                    let host = rest.split('/').next().unwrap_or_default();
                    drop(sender.try_send(Ok(format!("http://{host}"))));
                }
                lines.push(line);
            }
            drop(sender.try_send(Err(lines.join("\n"))));
        });
        let url = address
            .recv_timeout(PATIENCE)
            .expect("the daemon says nothing");
        Self {
            child,
            url: url.unwrap_or_else(|said| panic!("the daemon ended:\n{said}")),
        }
    }

    /// Ends it as a power button would: no signal handler runs.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As [`Daemon::kill`], while others still talk to it.
    pub(crate) fn kill_now(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to end, and waits for it.
    pub(crate) fn interrupt(mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::INT);
        self.child.wait().unwrap()
    }

    /// The JSON of a GET.
    pub(crate) fn get(&self, path: &str) -> Value {
        ureq::get(format!("{}{path}", self.url))
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    /// The text of a GET.
    pub(crate) fn text(&self, path: &str) -> String {
        ureq::get(format!("{}{path}", self.url))
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap()
    }

    /// The status and JSON of a POST.
    pub(crate) fn post(&self, path: &str, media: &str, body: &str) -> (u16, Value) {
        let agent = agent();
        let request = agent
            .post(format!("{}{path}", self.url))
            .header("content-type", media);
        let mut response = request.send(body).unwrap();
        let json = response.body_mut().read_json().unwrap_or(Value::Null);
        (response.status().as_u16(), json)
    }

    /// The status, the entity tag and the JSON of a PUT, with what `If-Match` is to say.
    pub(crate) fn put(
        &self,
        path: &str,
        if_match: Option<&str>,
        body: &Value,
    ) -> (u16, String, Value) {
        let agent = agent();
        let mut request = agent
            .put(format!("{}{path}", self.url))
            .header("content-type", "application/json");
        if let Some(version) = if_match {
            request = request.header("if-match", version);
        }
        let mut response = request.send(body.to_string()).unwrap();
        let tag = response.headers().get("etag");
        let tag = tag.map_or(String::new(), |tag| tag.to_str().unwrap().to_owned());
        let json = response.body_mut().read_json().unwrap_or(Value::Null);
        (response.status().as_u16(), tag, json)
    }

    /// Publishes one event in structured mode.
    pub(crate) fn publish(&self, id: &str, event_type: &str, data: Value) -> (u16, Value) {
        let event = serde_json::json!({
            "specversion": "1.0", "id": id, "source": "/test", "type": event_type, "data": data,
        });
        self.post(
            "/v1/events",
            "application/cloudevents+json",
            &event.to_string(),
        )
    }

    /// One consumer of the state.
    pub(crate) fn consumer(&self, id: &str) -> Value {
        let state = self.get("/v1/state");
        let consumers = state["consumers"].as_array().unwrap();
        consumers
            .iter()
            .find(|consumer| consumer["id"] == id)
            .unwrap()
            .clone()
    }

    /// Asks the state again and again until it is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || {
            Some(self.get("/v1/state")).filter(|state| wanted(state))
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A client for which a status is an answer, not an error.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

/// Tries until there is an answer; the polling of a test against a real process.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a real process has its own time")]
pub(crate) fn eventually<T>(what: &str, attempt: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
