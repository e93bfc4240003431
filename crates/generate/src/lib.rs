//! What a design turns into: AsyncAPI 3, Mermaid, and types of its events in four languages.
//!
//! Pure: a [`tidegate_model::Design`] in, text or JSON out, the same every time. Names of services
//! and events become ids that are valid and unique in the target language, whatever they are.

pub mod asyncapi;
mod ids;
mod mermaid;
mod types;
mod yaml;

pub use asyncapi::asyncapi;
pub use mermaid::mermaid;
pub use types::{File, Language, MARK, types};
pub use yaml::to_yaml;
