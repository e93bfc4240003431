//! Lists the pages of the findings, so that a page is known as soon as its file exists.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    // Asked when it runs: one that was built in another folder would read the pages of that one.
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.ok_or_else(|| io::Error::other("CARGO_MANIFEST_DIR is not set"))?;
    let folder = Path::new(&here).join("../../docs/reference/findings");
    println!("cargo::rerun-if-changed={}", folder.display());
    let folder = folder.canonicalize()?;
    let mut codes = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let code = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .map(str::to_owned);
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        codes.extend(code.filter(|code| is_page && code.starts_with('E')));
    }
    codes.sort();
    let mut table = String::from("&[\n");
    for code in codes {
        let page = folder.join(format!("{code}.md"));
        writeln!(table, "    ({code:?}, include_str!({page:?})),").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("pages.rs"), table)
}
