//! `tidegate generate rust|typescript|java|python`: types of a design's events.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;
use tidegate_generate::{File, Language, MARK};

use crate::arguments::types::Types;
use crate::commands::init::quoted;
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(
    arguments: &Types,
    language: Language,
    package: Option<&str>,
) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let files = tidegate_generate::types(&design, language, package);
    match &arguments.out {
        None => {
            let texts: Vec<String> = files.iter().map(headed).collect();
            terminal::print(&texts.join("\n"))?;
            Ok(Exit::Yes)
        }
        Some(folder) if arguments.check => check(folder, &files),
        Some(folder) => write(folder, &files),
    }
}

fn headed(file: &File) -> String {
    format!("==> {} <==\n{}", file.path, file.text)
}

/// Writes the files over those that were generated before, and over no other.
fn write(folder: &Path, files: &[File]) -> Result<Exit, Failure> {
    for file in files {
        let path = folder.join(&file.path);
        if path.exists() && !is_generated(&path) {
            let message = format!("`{}` is not a generated file", path.display());
            return Err(Failure::configuration(message)
                .hint("nothing was written; name another folder, or move it away"));
        }
    }
    for file in files {
        let path = folder.join(&file.path);
        let parent = path.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, &file.text));
        written.map_err(|error| {
            Failure::configuration(format!("cannot write `{}`: {error}", path.display()))
        })?;
    }
    let count = files.len();
    terminal::say(&format!("wrote {count} files into {}", quoted(folder)));
    for left in no_longer(folder, files) {
        terminal::say(&format!(
            "{} is no longer generated: remove it",
            quoted(&left)
        ));
    }
    Ok(Exit::Yes)
}

/// Says what would change, one file a line, and no when that is any.
fn check(folder: &Path, files: &[File]) -> Result<Exit, Failure> {
    let mut stale = String::new();
    for file in files {
        let path = folder.join(&file.path);
        match design_files::read_text(&path, DESIGN_FILE_BYTES_MAX) {
            Ok(text) if text == file.text => {}
            Ok(_) => stale.push_str(&format!("stale    {}\n", path.display())),
            Err(_) if path.exists() => stale.push_str(&format!("stale    {}\n", path.display())),
            Err(_) => stale.push_str(&format!("missing  {}\n", path.display())),
        }
    }
    for left in no_longer(folder, files) {
        stale.push_str(&format!("left     {}\n", left.display()));
    }
    if stale.is_empty() {
        return Ok(Exit::Yes);
    }
    terminal::print(&stale)?;
    terminal::say("run the command without `--check`, and remove what is left");
    Ok(Exit::No)
}

/// Whether a file says at its top that it was generated.
fn is_generated(path: &Path) -> bool {
    let text = design_files::read_text(path, DESIGN_FILE_BYTES_MAX);
    text.is_ok_and(|text| {
        text.lines()
            .next()
            .is_some_and(|first| first.contains(MARK))
    })
}

/// Generated files beside those of `files`, which the design has no use for any more.
fn no_longer(folder: &Path, files: &[File]) -> Vec<PathBuf> {
    let paths: BTreeSet<PathBuf> = files.iter().map(|file| folder.join(&file.path)).collect();
    let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    let mut left = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_file() && !paths.contains(&path) && is_generated(&path) {
                left.push(path);
            }
        }
    }
    left.sort();
    left
}
