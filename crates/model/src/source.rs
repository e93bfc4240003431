//! What is read and what comes of it: texts in, a design and findings out.

use std::sync::Arc;

use crate::design::Design;
use crate::finding::Finding;

/// One file of a design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it in findings, usually its path; schema files are relative to its folder.
    pub name: Arc<str>,
    /// Its text.
    pub text: String,
}

/// What came of reading a design.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The design; `None` when a file could not be read as a whole, so that rules would report what
    /// is only missing from sight.
    pub design: Option<Design>,
    /// Everything that is wrong, in the order of the places.
    pub findings: Vec<Finding>,
}

/// The path of a schema file, as a design names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SchemaPath {
    /// The design file that names it.
    pub design_file: Arc<str>,
    /// The path as written, without `#Message`: relative to the folder of the design file, parts
    /// separated by `/`, never absolute; `..` only where the design says so.
    pub written: String,
}

impl SchemaPath {
    /// The path seen from where the design file's name is seen from: the folder of the design file,
    /// then the path as written.
    #[must_use]
    pub fn path(&self) -> String {
        let folder = self
            .design_file
            .rsplit_once(['/', '\\'])
            .map(|(folder, _)| folder);
        match folder {
            Some(folder) => format!("{folder}/{}", self.written),
            None => self.written.clone(),
        }
    }
}
