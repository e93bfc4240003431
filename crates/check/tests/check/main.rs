//! The rules and their reports, on designs as people write them.

mod good;
mod pages;
mod properties;
mod reading;
mod report;
mod rules;
