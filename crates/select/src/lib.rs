//! Which messaging infrastructure fits a design: eliminations, ranking, and what would flip it.
