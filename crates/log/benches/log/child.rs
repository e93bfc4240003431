//! What this program does when it is started by itself, in a process of its own: to be killed, or to
//! have its memory measured.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::{memory, open};

const CHILD: &str = "--child";

/// Does what a parent has asked for, if there is one.
pub(crate) fn run() -> bool {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [CHILD, "fill", directory, rest @ ..] => open::fill(Path::new(directory), rest),
        [CHILD, "memory", directory, rest @ ..] => memory::measure(Path::new(directory), rest),
        _ => return false,
    }
    true
}

/// Numbers that a parent has passed on.
pub(crate) fn numbers<const COUNT: usize>(words: &[&str]) -> [u64; COUNT] {
    let numbers: Vec<u64> = words
        .iter()
        .map(|word| word.parse().expect("a number"))
        .collect();
    numbers.try_into().expect("as many as are asked for")
}

/// Set once the parent is gone.
pub(crate) fn orphaned() -> Arc<AtomicBool> {
    let orphaned = Arc::new(AtomicBool::new(false));
    thread::spawn({
        let orphaned = Arc::clone(&orphaned);
        move || {
            let mut nothing = Vec::new();
            drop(std::io::stdin().read_to_end(&mut nothing));
            orphaned.store(true, Ordering::Relaxed);
        }
    });
    orphaned
}

/// A child that is running; killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts this program again, to do `role` in `directory`.
    pub(crate) fn start(role: &str, directory: &Path, numbers: &[u64]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args([CHILD, role])
            .arg(directory)
            .args(numbers.iter().map(u64::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, output }
    }

    /// Waits for the next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the child has ended before its time");
        line.trim_end().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
