//! From traces to a ranked proposal: which synchronous calls could become events, with evidence.
