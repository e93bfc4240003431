//! One Avro schema has one number, however it is written, and numbers that were given before stay.

#![cfg(test)]

use tidegate_registry::{Body, Command, Decided, Done, Index, Listed, Record, decide};

const PLAIN: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
const WRAPPED: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int"}}]}"#;
const SPACED: &str =
    r#"{"type":"record","name":"R","namespace":"","fields":[{"name":"a","type":"int"}]}"#;

fn body(schema: &str) -> Body {
    Body {
        schema: schema.to_owned(),
        ..Body::default()
    }
}

fn register(index: &mut Index, subject: &str, schema: &str, normalize: bool) -> (u32, u32) {
    let command = Command::Register {
        subject: subject.to_owned(),
        body: body(schema),
        normalize,
        id: None,
        version: None,
    };
    let Decided { done, records, .. } = decide(index, command, &|| true).unwrap();
    for record in records {
        index.apply(record);
    }
    match done {
        Done::Registered { id, version } => (id, version),
        other => panic!("{other:?}"),
    }
}

fn delete(index: &mut Index, subject: &str) {
    for permanent in [false, true] {
        let command = Command::DeleteSubject {
            subject: subject.to_owned(),
            permanent,
        };
        for record in decide(index, command, &|| true).unwrap().records {
            index.apply(record);
        }
    }
}

fn found(index: &Index, subject: &str, schema: &str) -> Option<(u32, u32)> {
    let found = index.lookup(subject, body(schema), false, Listed::Live);
    found.ok().map(|found| (found.id, found.version))
}

#[test]
fn one_schema_has_one_number_however_it_is_written() {
    for normalize in [false, true] {
        let mut index = Index::default();
        assert_eq!(register(&mut index, "a", PLAIN, normalize), (1, 1));
        for same in [WRAPPED, SPACED] {
            assert_eq!(register(&mut index, "a", same, normalize), (1, 1), "{same}");
            assert_eq!(register(&mut index, "b", same, normalize), (1, 1), "{same}");
            assert_eq!(found(&index, "a", same), Some((1, 1)), "{same}");
        }
        let told = PLAIN.replace("\"R\"", "\"R\",\"doc\":\"A row.\"");
        assert_eq!(found(&index, "a", &told), None);
        assert_eq!(register(&mut index, "a", &told, normalize), (2, 2));
        // What is kept is as it was registered, unless it was asked to be brought into one form.
        assert_eq!(index.by_id(1).unwrap().schema == PLAIN, !normalize);
        delete(&mut index, "a");
        delete(&mut index, "b");
        assert_eq!(register(&mut index, "a", SPACED, normalize), (3, 1));
    }
}

/// What was written before schemas had their form: each text with an identity of its own.
fn written_before(subjects: &[(&str, &[(u32, &str)])]) -> Index {
    let mut index = Index::default();
    for (subject, schemas) in subjects {
        for (version, (id, schema)) in (1_u32..).zip(*schemas) {
            index.apply(Record::Schema {
                id: *id,
                identity: format!("{id:064x}"),
                body: Some(body(schema)),
            });
            index.apply(Record::Version {
                subject: (*subject).to_owned(),
                version,
                id: *id,
                state: tidegate_registry::VersionState::Live,
            });
        }
    }
    index
}

#[test]
fn numbers_that_were_given_before_stay() {
    let mut index = written_before(&[("a", &[(1, PLAIN)]), ("b", &[(2, WRAPPED)])]);
    let guid = index.guid_of(1);
    for schema in [PLAIN, WRAPPED, SPACED] {
        assert_eq!(found(&index, "a", schema), Some((1, 1)), "{schema}");
        assert_eq!(found(&index, "b", schema), Some((2, 1)), "{schema}");
        assert_eq!(register(&mut index, "b", schema, false), (2, 1));
        assert_eq!(register(&mut index, "c", schema, false), (1, 1));
    }
    assert_eq!(index.guid_of(1), guid);
    delete(&mut index, "b");
    assert_eq!(found(&index, "a", WRAPPED), Some((1, 1)));
    delete(&mut index, "a");
    delete(&mut index, "c");
    assert_eq!(register(&mut index, "a", PLAIN, false), (3, 1));
}

/// The identity that the version before wrote for [`WRAPPED`]: of two that are one now, a text has
/// the number that it had.
const IDENTITY_OF_WRAPPED: &str =
    "f04e29c9304f0700f8db49ac978da8bb9301015493c6d09b9a4120bbf024672b";

#[test]
fn of_two_that_are_one_now_each_text_has_the_number_that_it_had() {
    let mut index = written_before(&[("a", &[(1, PLAIN)])]);
    index.apply(Record::Schema {
        id: 2,
        identity: IDENTITY_OF_WRAPPED.to_owned(),
        body: Some(body(WRAPPED)),
    });
    index.apply(Record::Version {
        subject: "a".to_owned(),
        version: 2,
        id: 2,
        state: tidegate_registry::VersionState::Live,
    });
    assert_eq!(found(&index, "a", WRAPPED), Some((2, 2)));
    assert_eq!(found(&index, "a", SPACED), Some((1, 1)));
    assert_eq!(register(&mut index, "b", WRAPPED, false), (2, 1));
}
