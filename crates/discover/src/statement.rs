//! What a span does to a data store.

use tidegate_trace::{Keys, Span};

use crate::told::Told;

/// What a statement does to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// It reads.
    Read,
    /// It changes.
    Write,
}

/// What the name of a span says that it does to a database.
pub(crate) fn by_name(name: &str) -> Option<Statement> {
    match name {
        "sql.conn.query" | "sql.rows" | "sql.stmt.query" => Some(Statement::Read),
        "sql.conn.exec" | "sql.stmt.exec" => Some(Statement::Write),
        name if name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.contains(' ') =>
        {
            first_word_statement(name).filter(|_| name.split(' ').next().is_some_and(is_upper))
        }
        _ => None,
    }
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// What a statement does by its first word.
pub(crate) fn first_word_statement(text: &str) -> Option<Statement> {
    let word = text
        .trim_start()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()?;
    match word.to_ascii_uppercase().as_str() {
        "SELECT" | "FIND" | "AGGREGATE" | "COUNT" | "QUERY" => Some(Statement::Read),
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "MERGE" | "UPSERT" => Some(Statement::Write),
        _ => None,
    }
}

/// Whether the span is a call of a data store.
pub(crate) fn is_data_store(span: &Span, told: &Told) -> bool {
    const SYSTEMS: Keys<2> = Keys::of(["db.system.name", "db.system"]);
    span.first(&SYSTEMS).is_some() || told.statement.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_a_statement_tells() {
        assert_eq!(
            first_word_statement("insert into t values (1)"),
            Some(Statement::Write)
        );
        assert_eq!(first_word_statement("  SELECT 1"), Some(Statement::Read));
        assert_eq!(first_word_statement("call next value for s"), None);
        assert_eq!(first_word_statement(""), None);
    }
}
