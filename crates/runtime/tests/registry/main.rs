//! What the registry promises, beside a model of it.

#[cfg(test)]
mod model;
#[cfg(test)]
mod promises;
