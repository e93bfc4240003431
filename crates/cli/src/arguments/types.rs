//! The commands that write types, as written.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Types {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// Write the files into this folder, over those that were generated before; otherwise they are
    /// printed, each behind a line with its path
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write nothing, and say no when a file of the folder is not what would be written
    #[arg(long, requires = "out")]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JavaTypes {
    #[command(flatten)]
    pub(crate) types: Types,
    /// The package of the classes [default: the system's name]
    #[arg(long, value_name = "NAME", value_parser = parse_package)]
    pub(crate) package: Option<String>,
}

fn parse_package(text: &str) -> Result<String, String> {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if text.split('.').all(is_name) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is not a package, such as com.example.checkout"
        ))
    }
}
