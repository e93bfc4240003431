//! The parts of the analysis against what can be computed by hand.
