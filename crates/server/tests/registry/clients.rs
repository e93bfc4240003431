//! The serialisers of others, unchanged. They are where `TIDEGATE_REGISTRY_CLIENTS` says: a folder with
//! `venv`, an environment of Python with what `requirements.txt` names, and `java`, with jars.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{System, TOKEN};

#[expect(
    clippy::disallowed_methods,
    reason = "the test is told where the clients are"
)]
fn folder(name: &str) -> Option<PathBuf> {
    let folder = std::env::var("TIDEGATE_REGISTRY_CLIENTS").ok();
    let folder = folder.map(|folder| Path::new(&folder).join(name));
    let folder = folder.filter(|folder| folder.exists());
    if folder.is_none() {
        println!("skipped: TIDEGATE_REGISTRY_CLIENTS names no folder with `{name}`");
    }
    folder
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/registry")
        .join(name)
}

async fn run(mut command: Command, system: &System) -> Output {
    command.arg(&system.url).arg(TOKEN);
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    done.unwrap().unwrap()
}

fn check(output: &Output, wanted: &[&str]) {
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}\n{errors}");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines, wanted, "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_serialisers_go_there_and_back() {
    let Some(python) = folder("venv/bin/python") else {
        return;
    };
    let system = System::start().await;
    let mut command = Command::new(python);
    command.arg(here("clients.py"));
    let output = run(command, &system).await;
    check(
        &output,
        &["ok avro", "ok json", "ok protobuf", "ok refusals"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn javas_serialiser_goes_there_and_back() {
    let Some(jars) = folder("java") else { return };
    let system = System::start().await;
    let mut command = Command::new("java");
    command
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(here("Clients.java"));
    let output = run(command, &system).await;
    check(&output, &["ok avro", "ok client"]);
}
