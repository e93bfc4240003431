//! Generated types in a project of their language: compiled, and fed with events.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_generate::{File, Language};

use crate::samples::Event;
use crate::tools;

/// Each event as the language writes it after it has read it; `Err` says which tool is absent.
pub(crate) fn written_again(
    name: &str,
    language: Language,
    files: &[File],
    events: &[Event],
) -> Result<Vec<Value>, String> {
    let folder = tools::fresh(&format!("{name}-{language:?}").to_lowercase());
    let mut lines = String::new();
    for (event, data) in events {
        writeln!(lines, "{event}\t{data}").unwrap();
    }
    std::fs::write(folder.join("events.txt"), lines).unwrap();
    let output = match language {
        Language::Rust => rust(name, &folder, files)?,
        Language::Python => python(&folder, files)?,
        Language::Java => java(&folder, files)?,
        Language::TypeScript => typescript(&folder, files, events)?,
    };
    Ok(output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect())
}

fn write(folder: &Path, files: &[File]) {
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
    }
}

fn text<'a>(files: &'a [File], path: &str) -> &'a str {
    &files.iter().find(|file| file.path == path).unwrap().text
}

fn rust(name: &str, folder: &Path, files: &[File]) -> Result<String, String> {
    write(&folder.join("src/events"), files);
    let manifest = format!(
        "[package]\nname = \"types-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n\
         [profile.dev]\ndebug = false\n"
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let index = text(files, "mod.rs");
    let roots = index
        .lines()
        .filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix(';'));
    let roots = roots.filter(|root| !root.starts_with("support"));
    let arms = roots.map(|root| {
        format!("        t if t == <events::{root} as events::Event>::TYPE => again::<events::{root}>(data),\n")
    });
    let main = format!(
        "mod events;\nfn again<T: serde::Serialize + serde::de::DeserializeOwned>(data: &str) -> String {{\n\
         let read: T = serde_json::from_str(data).unwrap_or_else(|e| panic!(\"{{e}}: {{data}}\"));\n\
         serde_json::to_string(&read).unwrap()\n}}\n\
         fn main() {{\n    let all = std::fs::read_to_string(\"events.txt\").unwrap();\n    for line in all.lines() {{\n\
         let (name, data) = line.split_once('\\t').unwrap();\n        println!(\"{{}}\", match name {{\n{}\
         _ => panic!(\"{{name}}\"),\n        }});\n    }}\n}}\n",
        arms.collect::<String>()
    );
    std::fs::write(folder.join("src/main.rs"), main).unwrap();
    let target = tools::folder("cargo");
    let arguments = [
        "run",
        "--quiet",
        "--offline",
        "-j1",
        "--target-dir",
        target.to_str().unwrap(),
    ];
    tools::run(Path::new("cargo"), &arguments, folder)
}

fn python(folder: &Path, files: &[File]) -> Result<String, String> {
    write(&folder.join("events"), files);
    std::fs::write(folder.join("main.py"), include_str!("drivers/main.py")).unwrap();
    let output = tools::run(Path::new("python3"), &["main.py"], folder)?;
    match tools::pip("mypy", "mypy") {
        Ok(mypy) => drop(tools::run(
            &mypy,
            &["--strict", "--no-error-summary", "events"],
            folder,
        )?),
        Err(absent) => println!("skipped: mypy, {absent}"),
    }
    Ok(output)
}

fn java(folder: &Path, files: &[File]) -> Result<String, String> {
    write(folder, files);
    let mut readers = String::new();
    for file in files {
        let name = file.path.trim_end_matches(".java").replace('/', ".");
        if !["shop.Json", "shop.CloudEvent"].contains(&name.as_str()) {
            writeln!(readers, "    READERS.put({name}.TYPE, {name}::fromJson);").unwrap();
        }
    }
    let main = include_str!("drivers/Main.java").replace("// READERS", &readers);
    std::fs::write(folder.join("Main.java"), main).unwrap();
    let mut sources: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    sources.push("Main.java".to_owned());
    std::fs::write(folder.join("sources.txt"), sources.join("\n")).unwrap();
    let arguments = [
        "-encoding",
        "UTF-8",
        "-Xlint:all,-serial",
        "-Werror",
        "-d",
        "classes",
        "@sources.txt",
    ];
    tools::run(Path::new("javac"), &arguments, folder)?;
    tools::run(
        Path::new("java"),
        &[
            "-Dfile.encoding=UTF-8",
            "-Dstdout.encoding=UTF-8",
            "-cp",
            "classes",
            "Main",
        ],
        folder,
    )
}

/// There is nothing to run in types of TypeScript: the compiler takes each event for its type, and what it makes
/// of the file, with every event read and handed on by its type, runs.
fn typescript(folder: &Path, files: &[File], events: &[Event]) -> Result<String, String> {
    let tsc: PathBuf = tools::npm("typescript@5", "tsc")?;
    write(&folder.join("events"), files);
    let mut main = String::from(include_str!("drivers/main.ts"));
    for (event, data) in events {
        let name = Value::from(event.as_str());
        // In a literal, the plain name would set the prototype.
        let data = data
            .to_string()
            .replace("\"__proto__\":", "[\"__proto__\"]:");
        writeln!(main, "again({name}, {data});").unwrap();
    }
    std::fs::write(folder.join("main.ts"), main).unwrap();
    std::fs::write(folder.join("package.json"), "{\"type\": \"module\"}").unwrap();
    let arguments = [
        "--strict",
        "--exactOptionalPropertyTypes",
        "--noUncheckedIndexedAccess",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--outDir",
        "out",
        "main.ts",
    ];
    tools::run(&tsc, &arguments, folder)?;
    tools::run(Path::new("node"), &["out/main.js"], folder)
}
