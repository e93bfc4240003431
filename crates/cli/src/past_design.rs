//! A design as it was: from a folder or a file, or from a git ref of the repository that holds it.

mod git;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tidegate_contracts::past::is_of_acceptances;
use tidegate_model::{Reading, SchemaPath, Source, read as read_design};

use self::git::{Found, Git, Objects};
use crate::design_files::{self, FILES_MAX, is_design};
use crate::exit::Failure;
use crate::terminal::shown;

/// A design of the past.
#[derive(Debug)]
pub(crate) struct Past {
    /// As the user wrote it.
    pub(crate) name: String,
    pub(crate) sources: Vec<Source>,
    pub(crate) reading: Reading,
}

/// Reads what the design at `design` was at `against`: a folder, a file or a git ref.
///
/// # Errors
///
/// When there is none, with the next step.
pub(crate) fn read(against: &str, design: &Path) -> Result<Past, Failure> {
    if against.is_empty() || against.starts_with('-') {
        let message = format!("`{}` is no git ref, folder or file", shown(against));
        return Err(Failure::configuration(message)
            .hint("write `--against origin/main`, or a path: `./-name` when it begins with `-`"));
    }
    let path = Path::new(against);
    let folder = design_files::folder(design);
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder.as_path()
    };
    if is_plainly_a_path(against) || path.exists() {
        if !is_plainly_a_path(against)
            && Git::open(folder).is_ok_and(|git| git.commit(against).is_some())
        {
            let message = format!("`{}` is both a git ref and a path here", shown(against));
            let hint = format!(
                "write `./{0}` for the path, or `{0}^0` for the ref",
                shown(against)
            );
            return Err(Failure::configuration(message).hint(hint));
        }
        let sources = design_files::sources(path)?;
        let reading = read_design(&sources, &|schema| {
            design_files::read_schema(Path::new(&schema.path()))
        });
        return Ok(Past {
            name: against.to_owned(),
            sources,
            reading,
        });
    }
    from_git(against, design, folder)
}

fn is_plainly_a_path(against: &str) -> bool {
    matches!(against, "." | "..")
        || against.starts_with("./")
        || against.starts_with("../")
        || Path::new(against).is_absolute()
}

fn from_git(against: &str, design: &Path, folder: &Path) -> Result<Past, Failure> {
    let git = Git::open(folder)?;
    let (commit, path, display) = named(&git, against, design)?;
    let objects = RefCell::new(git.objects()?);
    let files = files(&git, &objects, (&commit, &path))?;
    let Some(files) = files else {
        let message = format!("`{}` has no design at `{}`", shown(against), shown(&path));
        return Err(Failure::configuration(message).hint(
            "is it new? then check it without --against. Was it elsewhere? then name the place: `--against \
             REF:PATH`, the path from the root of the repository",
        ));
    };
    let mut sources = Vec::new();
    let mut paths: BTreeMap<Arc<str>, String> = BTreeMap::new();
    for (file, text) in files {
        // A file in this folder keeps its `./`: what stands before a `/` is a folder to the reader.
        let name: Arc<str> = match file.strip_prefix(path.as_str()) {
            Some("") => display.clone().into(),
            Some(rest) => format!(
                "{}/{}",
                display.trim_end_matches('/'),
                rest.trim_start_matches('/')
            )
            .into(),
            None => format!("{display}/{file}").into(),
        };
        paths.insert(name.clone(), file);
        sources.push(Source { name, text });
    }
    let reading = read_design(&sources, &|schema| {
        let file = paths.get(&schema.design_file).map(String::as_str);
        schema_text(&objects, &commit, file.unwrap_or_default(), schema)
    });
    Ok(Past {
        name: against.to_owned(),
        sources,
        reading,
    })
}

/// The commit and the path that `against` names, and what to call the design there.
fn named(git: &Git, against: &str, design: &Path) -> Result<(String, String, String), Failure> {
    if let Some(commit) = git.commit(against) {
        let name = design.file_name().filter(|_| !design.is_dir());
        let name = name.map(|name| name.to_string_lossy().into_owned());
        let path = git::join(git.prefix(), name.as_deref().unwrap_or_default());
        let path = path.unwrap_or_default();
        let display = design.display().to_string();
        let display = if display.contains('/') {
            display
        } else {
            format!("./{display}")
        };
        return Ok((commit, path, format!("{against}:{display}")));
    }
    let Some((reference, path)) = against
        .split_once(':')
        .filter(|(reference, _)| !reference.is_empty())
    else {
        return Err(git.unknown(against));
    };
    let commit = git
        .commit(reference)
        .ok_or_else(|| git.unknown(reference))?;
    let from = if path.starts_with('.') {
        git.prefix()
    } else {
        ""
    };
    let Some(path) = git::join(from, path) else {
        let message = format!("`{}` leads out of the repository", shown(path));
        return Err(
            Failure::configuration(message).hint("write the path from the root of the repository")
        );
    };
    let display = if path.contains('/') {
        path.clone()
    } else {
        format!("./{path}")
    };
    Ok((commit, path, format!("{reference}:{display}")))
}

/// The files of the design, with their texts; `None` when there is nothing.
fn files(
    git: &Git,
    objects: &RefCell<Objects>,
    (commit, path): (&str, &str),
) -> Result<Option<Vec<(String, String)>>, Failure> {
    let one = |path: &str| objects.borrow_mut().read(commit, path);
    match one(path)? {
        Found::Nothing => return Ok(None),
        Found::Text(text) => return Ok(Some(vec![(path.to_owned(), text)])),
        Found::Unusable(why) => return Err(unusable(path, &why)),
        Found::Folder => {}
    }
    let mut files = Vec::new();
    for name in git.files_of(commit, path)? {
        let file = Path::new(&name);
        let is_yaml = file
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        if !is_yaml || !is_design(file) {
            continue;
        }
        if files.len() >= FILES_MAX {
            let message = format!(
                "the folder `{}` has more than {FILES_MAX} YAML files there",
                shown(path)
            );
            return Err(Failure::configuration(message).hint("name the file of the design"));
        }
        let full = git::join(path, &name).unwrap_or_default();
        match one(&full)? {
            Found::Text(text) if is_of_acceptances(&text) => {}
            Found::Text(text) => files.push((full, text)),
            Found::Unusable(why) => return Err(unusable(&full, &why)),
            Found::Folder | Found::Nothing => {}
        }
    }
    Ok(Some(files).filter(|files| !files.is_empty()))
}

fn unusable(path: &str, why: &str) -> Failure {
    Failure::configuration(format!("cannot read `{}` there: {why}", shown(path)))
        .hint("compare with a folder or a file instead")
}

/// The text of a schema, as it was in the same commit.
fn schema_text(
    objects: &RefCell<Objects>,
    commit: &str,
    design_file: &str,
    schema: &SchemaPath,
) -> Result<String, String> {
    let folder = design_file
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let path = git::join(folder, &schema.written).ok_or("it leads out of the repository")?;
    match objects.borrow_mut().read(commit, &path) {
        Ok(Found::Text(text)) => Ok(text),
        Ok(Found::Nothing) => Err("there was no such file".to_owned()),
        Ok(Found::Folder) => Err("it was a folder".to_owned()),
        Ok(Found::Unusable(why)) => Err(why),
        Err(failure) => Err(failure.message().to_owned()),
    }
}
