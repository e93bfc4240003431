//! The project automation: floors, tidy, ci.

fn main() {}
