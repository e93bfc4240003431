//! `check --against`, in real git repositories.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{expect_exit, tidegate};

const DESIGN: &str = "tidegate: 1
system: shop
events:
  OrderPlaced: {summary: An order was placed., schema: schemas/order.json, key: /orderId, retention: 30d}
services:
  orders: {owner: team-orders, publishes: [OrderPlaced]}
  billing: {owner: team-billing, consumes: {OrderPlaced: {dead-letter: {owner: team-billing, retention: 60d}}}}
";
const ORDER: &str = r#"{"type": "object", "properties": {"orderId": {"type": "string"}, "total": {"type": ["integer", "string"]}},
  "required": ["orderId"], "additionalProperties": false}"#;

/// A repository with a design in a folder of it, committed as `main`.
struct Repository {
    root: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let this = Self {
            root: tempfile::tempdir().unwrap(),
        };
        this.git(&["init", "-q", "-b", "main"]);
        this.write("system/design.yaml", DESIGN);
        this.write("system/schemas/order.json", ORDER);
        this.commit("first");
        this
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        git(self.root.path(), arguments);
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// The binary, started in the root of the repository.
    fn check(&self, arguments: &[&str]) -> Output {
        let mut command = tidegate(&["check"]);
        command.args(arguments).current_dir(self.root.path());
        command.output().unwrap()
    }

    /// The changes that are found, as JSON.
    #[track_caller]
    fn changes(&self, arguments: &[&str], exit: i32) -> Vec<Value> {
        let output = self.check(&[arguments, &["--format", "json"]].concat());
        expect_exit(&output, exit);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["against"]["changes"].as_array().unwrap().clone()
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"]);
    command.args(["-c", "commit.gpgsign=false"]).args(arguments);
    command
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn codes(changes: &[Value]) -> Vec<&str> {
    changes
        .iter()
        .map(|change| change["code"].as_str().unwrap())
        .collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_ref_is_read_with_its_schemas() {
    let repository = Repository::new();
    assert_eq!(
        codes(&repository.changes(&["system/design.yaml", "--against", "main"], 0)),
        [""; 0]
    );
    // The schema alone is another one: it comes from the commit, not from the folder of today.
    repository.write(
        "system/schemas/order.json",
        &ORDER.replace(r#"["integer", "string"]"#, r#""integer""#),
    );
    for design in [
        "system/design.yaml",
        "system",
        "./system/design.yaml",
        "system/",
    ] {
        let changes = repository.changes(&[design, "--against", "main"], 1);
        assert_eq!(codes(&changes), ["E1004"], "{design}");
        assert!(changes[0]["witness"]["total"].is_string(), "{changes:?}");
        assert_eq!(changes[0]["touches"][0]["owner"], "team-billing");
    }
    // From another folder, by tag, by id, by HEAD, and in a linked worktree.
    repository.git(&["tag", "v1"]);
    repository.commit("second");
    repository.git(&["worktree", "add", "-q", "linked", "main~0"]);
    for reference in ["v1", "HEAD~1", "refs/tags/v1", "main^"] {
        assert_eq!(
            codes(&repository.changes(&["system", "--against", reference], 1)),
            ["E1004"],
            "{reference}"
        );
        assert_eq!(
            codes(&repository.changes(&["linked/system", "--against", reference], 1)),
            ["E1004"]
        );
    }
    let mut inside = tidegate(&["check", "design.yaml", "--against", "v1"]);
    let output = inside
        .current_dir(repository.path("system"))
        .output()
        .unwrap();
    expect_exit(&output, 1);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("v1:./design.yaml:4:56: it was so here"),
        "{text}"
    );
    assert!(text.ends_with("against v1: 1 breaking change\n"), "{text}");
}

#[test]
fn another_path_of_a_commit_can_be_named() {
    let repository = Repository::new();
    repository.git(&["mv", "system", "design"]);
    repository.write(
        "design/design.yaml",
        &DESIGN.replace("key: /orderId", "key: /total"),
    );
    repository.commit("moved");
    let gone = repository.check(&["design/design.yaml", "--against", "HEAD~1"]);
    expect_exit(&gone, 2);
    assert!(
        stderr(&gone).contains("`HEAD~1` has no design at `design/design.yaml`"),
        "{}",
        stderr(&gone)
    );
    assert!(stderr(&gone).contains("REF:PATH"));
    for old in [
        "HEAD~1:system/design.yaml",
        "HEAD~1:system",
        "HEAD~1:./../system/design.yaml",
    ] {
        assert_eq!(
            codes(&repository.changes(&["design/design.yaml", "--against", old], 1)),
            ["E1010"],
            "{old}"
        );
    }
    let out = repository.check(&["design", "--against", "HEAD~1:../../etc"]);
    expect_exit(&out, 2);
    assert!(
        stderr(&out).contains("out of the repository"),
        "{}",
        stderr(&out)
    );
}

#[test]
fn a_folder_or_a_file_is_a_past_too() {
    let repository = Repository::new();
    repository.write("before/design.yaml", &DESIGN.replace("30d}", "90d}"));
    repository.write("before/schemas/order.json", ORDER);
    for past in ["before", "./before", "before/design.yaml"] {
        let changes = repository.changes(&["system", "--against", past], 0);
        assert_eq!(codes(&changes), ["E1011"], "{past}");
        assert_eq!(changes[0]["kind"], "risky");
    }
    expect_exit(
        &repository.check(&["system", "--against", "before", "--fail-on", "warning"]),
        1,
    );
    // A name that is both is nobody's guess.
    repository.git(&["branch", "before"]);
    let both = repository.check(&["system", "--against", "before"]);
    expect_exit(&both, 2);
    assert!(
        stderr(&both).contains("both a git ref and a path"),
        "{}",
        stderr(&both)
    );
    expect_exit(&repository.check(&["system", "--against", "before^0"]), 0);
    assert_eq!(
        codes(&repository.changes(&["system", "--against", "./before"], 0)),
        ["E1011"]
    );
}

#[test]
fn what_cannot_be_compared_is_said_with_the_next_step() {
    let repository = Repository::new();
    let outside = tempfile::tempdir().unwrap();
    let alone = outside.path().join("design.yaml");
    std::fs::write(&alone, DESIGN.replace(", schema: schemas/order.json", "")).unwrap();
    let alone = alone.to_str().unwrap();
    for (design, against, said, step) in [
        (
            "system",
            "nowhere",
            "`nowhere` is no git ref here",
            "git fetch origin nowhere",
        ),
        ("system", "--upload-pack=x", "", ""),
        ("system", "-x", "", ""),
        (
            "system",
            "",
            "is no git ref, folder or file",
            "--against origin/main",
        ),
        (
            "system",
            "main:nowhere",
            "has no design at `nowhere`",
            "REF:PATH",
        ),
        (
            "system",
            "main:system/schemas",
            "has no design at",
            "REF:PATH",
        ),
        ("system", "./nowhere", "cannot read", "is the path right"),
        (
            "system",
            "main^{tree}",
            "is no git ref here",
            "git branch --all",
        ),
        (
            alone,
            "main",
            "is in no git repository",
            "a folder or a file of before",
        ),
    ] {
        let option = format!("--against={against}");
        let output = repository.check(&[design, &option]);
        expect_exit(&output, 2);
        assert!(output.stdout.is_empty());
        assert!(
            stderr(&output).contains(said) && stderr(&output).contains(step),
            "{against}: {}",
            stderr(&output)
        );
    }
    repository.write("system/design.yaml", "tidegate: 1\nsystem: [\n");
    repository.commit("broken");
    repository.write("system/design.yaml", DESIGN);
    let broken = repository.check(&["system", "--against", "HEAD"]);
    expect_exit(&broken, 2);
    assert!(
        stderr(&broken).contains("the design at `HEAD` cannot be read"),
        "{}",
        stderr(&broken)
    );
    // What is broken today is said as ever.
    repository.write("system/design.yaml", "tidegate: 1\nsystem: [\n");
    expect_exit(&repository.check(&["system", "--against", "HEAD~1"]), 1);
}

/// No part of a name is a command: not of a shell, not of git.
#[test]
fn no_name_is_taken_for_a_command() {
    let repository = Repository::new();
    let trap = repository.path("trap");
    for against in [
        "$(touch trap)",
        "`touch trap`",
        "main; touch trap",
        "main|touch trap",
        "--output=trap",
        "main --output=trap",
        "main\n--output=trap",
        "@{-1}",
        "main:system/design.yaml\nHEAD",
        "ext::sh -c touch% trap",
    ] {
        let output = repository.check(&["system", &format!("--against={against}")]);
        expect_exit(&output, 2);
        assert!(!trap.exists(), "{against}");
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
    // A file whose name looks like an option, and one with spaces.
    repository.write("system/-design file.yaml", DESIGN);
    repository.git(&["rm", "-q", "system/design.yaml"]);
    repository.commit("odd");
    repository.write(
        "system/-design file.yaml",
        &DESIGN.replace("key: /orderId", "key: /total"),
    );
    let changes = repository.changes(&["system/-design file.yaml", "--against", "main"], 1);
    assert_eq!(codes(&changes), ["E1010"]);
}

#[test]
fn a_shallow_clone_is_told_how_to_fetch() {
    let repository = Repository::new();
    repository.write("system/design.yaml", &DESIGN.replace("30d}", "20d}"));
    repository.commit("second");
    let clone = tempfile::tempdir().unwrap();
    let url = format!("file://{}", repository.root.path().display());
    git(clone.path(), &["clone", "-q", "--depth=1", &url, "it"]);
    let mut command = tidegate(&["check", "system", "--against", "HEAD~1"]);
    let output = command
        .current_dir(clone.path().join("it"))
        .output()
        .unwrap();
    expect_exit(&output, 2);
    assert!(
        stderr(&output).contains("this clone is shallow"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("fetch-depth: 0"));
}

/// Git says in a hook where it is; the design's own folder counts.
#[test]
fn it_works_in_a_hook() {
    let repository = Repository::new();
    repository.write(
        "system/design.yaml",
        &DESIGN.replace("key: /orderId", "key: /total"),
    );
    let mut command = tidegate(&["check", "system", "--against", "main"]);
    command
        .env("GIT_DIR", ".git")
        .env("GIT_INDEX_FILE", ".git/index")
        .env("GIT_PREFIX", "system/");
    let output = command
        .current_dir(repository.root.path())
        .output()
        .unwrap();
    expect_exit(&output, 1);
}

#[test]
fn changes_are_accepted_by_a_file() {
    let repository = Repository::new();
    repository.write(
        "system/design.yaml",
        &DESIGN.replace("key: /orderId", "key: /total"),
    );
    let accepted = |until: &str, path: &str| {
        let text = format!(
            "accepted:\n  - {{code: E1010, path: {path}, because: Nothing is live yet., until: {until}}}\n"
        );
        repository.write("accepted.yaml", &text);
        let output = repository.check(&[
            "system",
            "--against",
            "main",
            "--accept",
            "accepted.yaml",
            "--format",
            "json",
        ]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = document["findings"].as_array().unwrap().clone();
        let found: Vec<String> = findings
            .iter()
            .map(|one| one["code"].as_str().unwrap().to_owned())
            .collect();
        let is_about_it = |code: &String| code.starts_with("E10");
        (
            output.status.code(),
            found.into_iter().filter(is_about_it).collect::<Vec<_>>(),
        )
    };
    let key = "events.OrderPlaced.key";
    assert_eq!(
        accepted("2999-12-31", key),
        (Some(0), vec!["E1010".to_owned()])
    );
    assert_eq!(
        accepted("2020-12-31", key),
        (Some(1), ["E1052", "E1010"].map(str::to_owned).to_vec())
    );
    assert_eq!(
        accepted("2999-12-31", "events.Other"),
        (Some(1), ["E1051", "E1010"].map(str::to_owned).to_vec())
    );
    assert_eq!(
        accepted("soon", key),
        (Some(1), ["E1053", "E1010"].map(str::to_owned).to_vec())
    );
    let missing = repository.check(&["system", "--against", "main", "--accept", "nowhere.yaml"]);
    expect_exit(&missing, 2);
}

#[test]
fn acceptances_beside_a_design_are_no_part_of_it() {
    let repository = Repository::new();
    let text = "accepted:\n  - {code: E1010, path: events.OrderPlaced.key, because: Nothing is live yet., until: 2999-12-31}\n";
    repository.write("system/accepted.yaml", text);
    repository.commit("accepted");
    repository.write(
        "system/design.yaml",
        &DESIGN.replace("key: /orderId", "key: /total"),
    );
    let accept = ["--accept", "system/accepted.yaml"];
    let arguments = [&["system", "--against", "main"][..], &accept].concat();
    expect_exit(&repository.check(&arguments), 0);
}

#[test]
fn every_format_says_what_breaks() {
    let repository = Repository::new();
    repository.write(
        "system/design.yaml",
        &DESIGN.replace("key: /orderId", "key: /total"),
    );
    for format in ["human", "json", "sarif", "junit", "github", "markdown"] {
        let output = repository.check(&["system", "--against", "main", "--format", format]);
        expect_exit(&output, 1);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("E1010"), "{format}: {text}");
        assert!(format != "markdown" || text.contains("```mermaid"));
    }
    let unused = repository.check(&["system", "--harmless"]);
    expect_exit(&unused, 2);
}

#[test]
fn older_versions_are_given_one_by_one() {
    let repository = Repository::new();
    let transitive = DESIGN.replace(
        "retention: 30d}",
        "retention: 30d, compatibility: backward-transitive}",
    );
    let order = |kind: &str| {
        format!(
            r#"{{"type": "object", "properties": {{"total": {kind}}}, "additionalProperties": false}}"#
        )
    };
    for (tag, kind) in [
        ("v1", r#"{"type": "integer"}"#),
        ("v2", "false"),
        ("v3", r#"{"type": "string"}"#),
    ] {
        repository.write(
            "system/design.yaml",
            &transitive.replace(", key: /orderId", ""),
        );
        repository.write("system/schemas/order.json", &order(kind));
        repository.commit(tag);
        repository.git(&["tag", tag]);
    }
    assert_eq!(
        codes(&repository.changes(&["system", "--against", "v2"], 0)),
        [""; 0]
    );
    let changes = repository.changes(&["system", "--against", "v2", "--against", "v1"], 1);
    assert_eq!(codes(&changes), ["E1004"]);
}
