//! Contracts between parties.

#![cfg(test)]

mod beside;
mod formats;
mod hostile;
mod impact;
mod matrix;
mod order;
mod pages;
mod properties;
mod rules;
mod support;
mod times;
