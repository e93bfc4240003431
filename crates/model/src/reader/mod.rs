//! The tolerant reader: from a tree to records of the shape that the language has, and findings
//! wherever the tree has another. A bad value is as if it were absent.

mod list;
mod mapping;
mod quantity;
mod record;
mod scalar;
mod schema_path;
mod section;
mod text;
mod url;

pub(crate) use record::{Record, Value};
pub(crate) use section::Reader;
