//! `tidegate init`: a commented starting design.

use std::path::Path;

use tidegate_base::Name;

use crate::arguments::Init;
use crate::design_files::write_new;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &Init) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let system = system_name(arguments.system.as_deref(), folder)?;
    let text = tidegate_model::template(&system);
    write_new(folder, &[("design.yaml".to_owned(), text)])?;
    let design = folder.join("design.yaml");
    terminal::say(&format!("wrote {}", design.display()));
    terminal::say(&format!("next: tidegate check {}", quoted(&design)));
    Ok(Exit::Yes)
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The name asked for, or one made of the folder's.
pub(crate) fn system_name(wanted: Option<&str>, folder: &Path) -> Result<Name, Failure> {
    if let Some(wanted) = wanted {
        return Name::new(wanted).map_err(|error| Failure::configuration(error.to_string()));
    }
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let name = absolute
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || ".-_".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(allowed).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    Name::new(if name.is_empty() { "system" } else { name }).map_err(|error| {
        Failure::configuration(error.to_string()).hint("name the system with --system NAME")
    })
}
