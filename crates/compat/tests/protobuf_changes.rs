//! One change at a time: what the new reader makes of the old writer's bytes, and the other way round.

#![expect(
    clippy::unwrap_used,
    reason = "a test: what is wrong here should stop it, with its place"
)]

use tidegate_compat::protobuf::{Version, compare};
use tidegate_compat::{Answer, Mode, Profile, Verdict};
use tidegate_schema::protobuf::Sources;

fn file(text: &str) -> Sources {
    Sources::from([("m.proto".to_owned(), text.to_owned())])
}

fn verdict(old: &str, new: &str, mode: Mode) -> Verdict {
    let (old, new) = (file(old), file(new));
    let old = Version {
        files: &old,
        root: Some("M"),
    };
    let new = Version {
        files: &new,
        root: Some("M"),
    };
    compare(&[old], &new, mode, Profile::Exact).unwrap()
}

/// The code and the witness of the only break.
fn breaks(old: &str, new: &str) -> String {
    let verdict = verdict(old, new, Mode::Backward);
    let broken: Vec<String> = verdict
        .findings
        .iter()
        .filter(|finding| finding.answer != Answer::Compatible)
        .map(|finding| match &finding.witness {
            Some(witness) => format!(
                "{} {}: {} at {}: {}",
                finding.code, finding.path, witness.event, witness.path, witness.error
            ),
            None => format!("{} {:?}", finding.code, finding.answer),
        })
        .collect();
    broken.join("\n")
}

fn three(fields: &str) -> String {
    format!("syntax = \"proto3\";\nmessage M {{ {fields} }}\n")
}

fn two(fields: &str) -> String {
    format!("syntax = \"proto2\";\nmessage M {{ {fields} }}\n")
}

#[test]
fn what_a_reader_takes_for_something_else_is_shown() {
    let cases = [
        ("int64 a = 1;", "int32 a = 1;"),
        ("int32 a = 1;", "sint32 a = 1;"),
        ("int32 a = 1;", "uint64 a = 1;"),
        ("uint32 a = 1;", "bool a = 1;"),
        ("fixed32 a = 1;", "float a = 1;"),
        ("int32 a = 1;", "string a = 1;"),
        ("bytes a = 1;", "string a = 1;"),
        ("string a = 1;", "string a = 2;"),
        ("repeated string a = 1;", "string a = 1;"),
        ("repeated int32 a = 1;", "int32 a = 1;"),
        (
            "string a = 1; string b = 2;",
            "oneof o { string a = 1; string b = 2; }",
        ),
        (
            "oneof o { string a = 1; } string b = 2;",
            "oneof o { string a = 1; string b = 2; }",
        ),
        ("map<string, int64> a = 1;", "map<string, int32> a = 1;"),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(old, new)| breaks(&three(old), &three(new)))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
type-changed M.a: {"a":"4294967296"} at /a: written 4294967296, read 0
type-changed M.a: {"a":2} at /a: written 2, read 1
type-changed M.a: {"a":-1} at /a: written -1, read 18446744073709551615
type-changed M.a: {"a":2} at /a: written 2, read true
type-changed M.a: {"a":2} at /a: written 2, read 0.000000000000000000000000000000000000000000003
wire-type-changed M.a: {"a":2} at /a: failed to decode Protobuf message: invalid wire type: Varint (expected LengthDelimited); other readers drop the value
type-changed M.a: {"a":"/w=="} at /a: failed to decode Protobuf message: invalid string value: data is not UTF-8 encoded; other readers drop the value
field-number-changed M.a: {"a":"text"} at /a: written "text", read nothing, for it looks for the number 2
cardinality-changed M.a: {"a":["text","\u0001"]} at /a: written ["text", "\u{1}"], read "\u{1}"
cardinality-changed M.a: {"a":[2]} at /a: failed to decode Protobuf message: invalid wire type: LengthDelimited (expected Varint); other readers drop the value
oneof-merged M.o: {"a":"text","b":"text"} at /a: written "text", read ""
oneof-merged M.o: {"a":"text","b":"text"} at /a: written "text", read ""
type-changed M.a: {"a":{"":"4294967296"}} at /a/: written 4294967296, read 0
"###);
}

#[test]
fn what_is_read_as_it_was_written_is_no_break() {
    let cases = [
        ("int32 a = 1;", "int64 a = 1;"),
        ("uint32 a = 1;", "int64 a = 1;"),
        ("bool a = 1;", "int32 a = 1;"),
        ("sint32 a = 1;", "sint64 a = 1;"),
        ("string a = 1;", "bytes a = 1;"),
        ("string a = 1;", "repeated string a = 1;"),
        ("int32 a = 1;", "repeated int32 a = 1;"),
        ("string a = 1;", ""),
        ("", "string a = 1;"),
        ("string a = 1;", "string b = 1;"),
        (
            "oneof o { string a = 1; string b = 2; }",
            "string a = 1; string b = 2;",
        ),
        (
            "repeated int32 a = 1;",
            "repeated int32 a = 1 [packed = false];",
        ),
        ("M a = 1;", "bytes a = 1;"),
    ];
    for (old, new) in cases {
        let verdict = verdict(&three(old), &three(new), Mode::Backward);
        assert_eq!(
            verdict.answer,
            Answer::Compatible,
            "{old} to {new}: {verdict:#?}"
        );
    }
}

#[test]
fn proto2_has_required_fields_closed_enums_and_defaults() {
    let cases = [
        (
            "optional string a = 1;".to_owned(),
            "required string a = 1;".to_owned(),
        ),
        (
            "optional int32 a = 1 [default = 5];".to_owned(),
            "optional int32 a = 1;".to_owned(),
        ),
        (
            "enum E { A = 0; B = 1; } optional E a = 1;".to_owned(),
            "enum E { A = 0; } optional E a = 1;".to_owned(),
        ),
        (
            "optional group G = 1 { optional string s = 1; }".to_owned(),
            "message G { optional string s = 1; } optional G g = 1;".to_owned(),
        ),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(old, new)| breaks(&two(old), &two(new)))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
required-added M.a: {} at /a: the required field `a` is missing
default-changed M.a: {} at /a: written 5, read 0
enum-value-dropped M.a: {"a":"B"} at /a: written 1, read A, for the enum is closed and has no 1
wire-type-changed M.g: {"g":{}} at /g: failed to decode Protobuf message: invalid wire type: StartGroup (expected LengthDelimited); other readers drop the value
"###);
}

#[test]
fn a_recursive_message_has_an_end_and_a_short_way_to_the_break() {
    let tree = |kind: &str| {
        format!(
            "syntax = \"proto3\";\nmessage M {{ M left = 1; repeated M right = 2; Leaf leaf = 3; }}\n\
             message Leaf {{ {kind} value = 1; }}\n"
        )
    };
    insta::assert_snapshot!(breaks(&tree("int64"), &tree("int32")), @r###"
type-changed Leaf.value: {"leaf":{"value":"4294967296"}} at /leaf/value: written 4294967296, read 0
"###);
}

#[test]
fn imports_are_found_among_the_files_given_and_nowhere_else() {
    let main = "syntax = \"proto3\";\nimport \"part.proto\";\nimport \"google/protobuf/timestamp.proto\";\n\
                message M { Part part = 1; google.protobuf.Timestamp at = 2; }\n";
    let part = |kind: &str| format!("syntax = \"proto3\";\nmessage Part {{ {kind} a = 1; }}\n");
    let files = |kind: &str| {
        let mut files = file(main);
        files.insert("part.proto".to_owned(), part(kind));
        files
    };
    let (old, new) = (files("int64"), files("int32"));
    let old = Version {
        files: &old,
        root: Some("M"),
    };
    let new = Version {
        files: &new,
        root: Some("M"),
    };
    let verdict = compare(&[old], &new, Mode::Full, Profile::Exact).unwrap();
    assert_eq!(verdict.answer, Answer::Incompatible);
    let alone = file(main);
    let alone = Version {
        files: &alone,
        root: Some("M"),
    };
    let error = compare(&[alone], &new, Mode::Backward, Profile::Exact).unwrap_err();
    insta::assert_snapshot!(error, @"old version 0: import 'part.proto' not found at m.proto:2:1");
}

#[test]
fn a_transitive_mode_asks_every_version_and_an_empty_history_nothing() {
    let texts = [three("string a = 1;"), three(""), three("int32 a = 1;")];
    let files: Vec<Sources> = texts.iter().map(|text| file(text)).collect();
    let version = |index: usize| Version {
        files: &files[index],
        root: Some("M"),
    };
    let olds = [version(0), version(1)];
    let ask = |olds: &[Version<'_>], mode| {
        let verdict = compare(olds, &version(2), mode, Profile::Exact).unwrap();
        let against = verdict
            .findings
            .iter()
            .find(|finding| finding.answer == Answer::Incompatible);
        (verdict.answer, against.map(|finding| finding.against))
    };
    assert_eq!(ask(&olds, Mode::Backward), (Answer::Compatible, None));
    assert_eq!(
        ask(&olds, Mode::BackwardTransitive),
        (Answer::Incompatible, Some(0))
    );
    assert_eq!(ask(&olds, Mode::None), (Answer::Compatible, None));
    assert_eq!(ask(&[], Mode::FullTransitive), (Answer::Compatible, None));
}

#[test]
fn schemas_made_to_hurt_are_answered_or_left_open_in_time() {
    let fields = |kind: &str| -> String {
        (1..=3_000)
            .map(|n| format!("{kind} f{n} = {};", n + 20_000))
            .collect()
    };
    let wide = verdict(
        &three(&fields("int64")),
        &three(&fields("int32")),
        Mode::Full,
    );
    assert_eq!(wide.answer, Answer::Incompatible);
    assert!(wide.findings.len() < 200, "{}", wide.findings.len());
    // Deeper than a message may be nested, so there is no event that could show it.
    let chain = |kind: &str| {
        let mut text = "syntax = \"proto3\";\nmessage M { A0 a = 1; }\n".to_owned();
        for n in 0..500 {
            text.push_str(&format!("message A{n} {{ A{} a = 1; }}\n", n + 1));
        }
        text + &format!("message A500 {{ {kind} a = 1; }}\n")
    };
    let deep = verdict(&chain("int64"), &chain("int32"), Mode::Backward);
    assert_eq!(deep.answer, Answer::NotProved, "{deep:#?}");
    let values: String = (0..5_000).map(|n| format!("V{n} = {n};")).collect();
    let two = |values: &str| {
        format!("syntax = \"proto2\";\nenum E {{ {values} }} message M {{ optional E e = 1; }}")
    };
    let lost = verdict(&two(&values), &two("V0 = 0;"), Mode::Backward);
    assert_eq!(lost.answer, Answer::Incompatible);
}

#[test]
fn a_map_is_its_entries_on_the_wire() {
    let map = three("map<string, int32> a = 1;");
    let entry = "message E { string key = 1; int32 value = 2; }";
    let list = three(&format!("repeated E a = 1; {entry}"));
    // A map gives every key once: each of its events is read as it was written.
    let read = verdict(&map, &list, Mode::Backward);
    assert_eq!(read.answer, Answer::Compatible);
    assert!(
        read.findings
            .iter()
            .any(|one| one.code == "map-as-entries" && one.reason.contains("any order")),
        "{:?}",
        read.findings
    );
    // Messages may give one key twice, and then one is lost.
    let lost = breaks(&list, &map);
    assert!(
        lost.starts_with("entries-repeat-keys M.a: {\"a\":[{"),
        "{lost}"
    );
    // What differs inside of the entries is found there.
    let long = three("repeated E a = 1; message E { string key = 1; int64 value = 2; }");
    let cut = breaks(&long, &map);
    assert!(cut.contains("type-changed"), "{cut}");
    let text = three("repeated E a = 1; message E { string key = 1; string value = 2; }");
    let form = breaks(&map, &text);
    assert!(form.contains("wire-type-changed M.E.value"), "{form}");
    // Messages of another form are no entries.
    let other = three("repeated E a = 1; message E { string key = 1; }");
    assert!(
        breaks(&map, &other).starts_with("cardinality-changed"),
        "{}",
        breaks(&map, &other)
    );
}

/// Two versions beside each other have two names: they are one file for rules about files.
#[test]
fn versions_of_a_file_may_have_two_names() {
    let code = |new: &[(&str, &str)]| -> Vec<&'static str> {
        let text = |package: &str| {
            format!("syntax = \"proto3\";\npackage {package};\nmessage M {{ string a = 1; }}\n")
        };
        let files = |all: &[(&str, &str)]| -> Sources {
            all.iter()
                .map(|(name, package)| ((*name).to_owned(), text(package)))
                .collect()
        };
        let (old, new) = (files(&[("old.proto", "p")]), files(new));
        let old = Version {
            files: &old,
            root: None,
        };
        let new = Version {
            files: &new,
            root: None,
        };
        let verdict = compare(&[old], &new, Mode::Backward, Profile::BufWire).unwrap();
        verdict
            .findings
            .iter()
            .map(|finding| finding.code)
            .collect()
    };
    assert_eq!(code(&[("old.proto", "p")]), Vec::<&str>::new());
    assert_eq!(code(&[("new.proto", "p")]), Vec::<&str>::new());
    assert_eq!(code(&[("old.proto", "p.v2")]), ["file-same-package"]);
    assert_eq!(code(&[("new.proto", "p.v2")]), ["file-same-package"]);
    // A file that is imported is not what the versions are of.
    let old = Sources::from([(
        "a/o.proto".to_owned(),
        "syntax = \"proto3\";\npackage p;\nmessage M {}\n".to_owned(),
    )]);
    let new = Sources::from([
        (
            "b/o.proto".to_owned(),
            "syntax = \"proto3\";\npackage q;\nimport \"c.proto\";\nmessage M {}\n".to_owned(),
        ),
        (
            "c.proto".to_owned(),
            "syntax = \"proto3\";\npackage c;\n".to_owned(),
        ),
    ]);
    let version = |files| Version { files, root: None };
    let verdict = compare(
        &[version(&old)],
        &version(&new),
        Mode::Backward,
        Profile::BufWire,
    )
    .unwrap();
    assert!(
        verdict
            .findings
            .iter()
            .any(|finding| finding.code == "file-same-package")
    );
    // Which of two it is, nobody can tell.
    assert_eq!(
        code(&[("new.proto", "p.v2"), ("other.proto", "q")]),
        Vec::<&str>::new()
    );
}
