//! Rules over a design: every finding with its place, its reason and the next step.
