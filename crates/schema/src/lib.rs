//! Schemas of events: compiled once, then asked whether a payload fits and where it does not.
