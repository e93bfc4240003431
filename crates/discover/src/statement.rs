//! What a span does to a data store.

use tidegate_trace::Span;

/// What a statement does to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// It reads.
    Read,
    /// It changes.
    Write,
}

/// What the span does to a database, when it is a statement that tells.
pub(crate) fn statement(span: &Span) -> Option<Statement> {
    const STATEMENTS: [&str; 5] = [
        "db.operation.name",
        "db.operation",
        "db.query.text",
        "db.statement",
        "sql.query",
    ];
    let by_attribute = span.first_attribute(&STATEMENTS);
    by_attribute
        .and_then(first_word_statement)
        .or_else(|| match span.operation.as_ref() {
            "sql.conn.query" | "sql.rows" | "sql.stmt.query" => Some(Statement::Read),
            "sql.conn.exec" | "sql.stmt.exec" => Some(Statement::Write),
            name if name.starts_with(|first: char| first.is_ascii_uppercase())
                && name.contains(' ') =>
            {
                first_word_statement(name).filter(|_| name.split(' ').next().is_some_and(is_upper))
            }
            _ => None,
        })
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn first_word_statement(text: &str) -> Option<Statement> {
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
pub(crate) fn is_data_store(span: &Span) -> bool {
    span.first_attribute(&["db.system.name", "db.system"])
        .is_some()
        || statement(span).is_some()
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
