//! The rules and their reports, on designs as people write them.

#[cfg(test)]
mod good;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod report;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sarif;
#[cfg(test)]
mod standards;
