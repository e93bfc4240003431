//! A script for Kafka's own tools.

use std::fmt::Write;

use crate::desired::{Acl, Desired, Pattern};
use crate::resource::Kind;

const HEAD: &str = r#"#!/bin/sh
# Makes the topics of a design with Kafka's own tools. What is there already is left as it is.
#
#   BOOTSTRAP=localhost:9092 sh kafka-topics.sh        topics
#   ACLS=yes BOOTSTRAP=… sh kafka-topics.sh            and what each service may do
#
# COMMAND_CONFIG names a file of settings for the tools, such as those of TLS and SASL. KAFKA_TOPICS and KAFKA_ACLS
# name the tools, where they are not on the path.
set -eu
: "${BOOTSTRAP:?the first servers, HOST:PORT}"
: "${KAFKA_TOPICS:=kafka-topics.sh}" "${KAFKA_ACLS:=kafka-acls.sh}" "${COMMAND_CONFIG:=}" "${ACLS:=no}"
set -- --bootstrap-server "$BOOTSTRAP"
if [ -n "$COMMAND_CONFIG" ]; then set -- "$@" --command-config "$COMMAND_CONFIG"; fi
"#;

/// A script for `sh` that makes the topics with `kafka-topics.sh`, and on demand the rights with `kafka-acls.sh`.
#[must_use]
pub fn kafka_topics(desired: &Desired) -> String {
    let mut text = HEAD.to_owned();
    for (id, wanted) in &desired.resources {
        if id.kind != Kind::Topic {
            continue;
        }
        let mut command = format!(
            "\n# {}\n$KAFKA_TOPICS \"$@\" --create --if-not-exists --topic '{}'",
            wanted.because, id.name
        );
        for (setting, want) in &wanted.settings {
            let value = &want.value;
            // Writing to a String does not fail.
            let _written = match setting.as_str() {
                "partitions" => write!(command, " --partitions {value}"),
                "replication" => write!(command, " --replication-factor {value}"),
                setting => write!(command, " \\\n  --config '{setting}={value}'"),
            };
        }
        text.push_str(&command);
        text.push('\n');
    }
    if desired.acls.is_empty() {
        return text;
    }
    text.push_str("\nif [ \"$ACLS\" != yes ]; then exit 0; fi\n");
    for acl in &desired.acls {
        text.push_str(&acl_command(acl));
    }
    text
}

fn acl_command(acl: &Acl) -> String {
    let operations = acl.operations.iter();
    let operations: String = operations.map(|o| format!(" --operation {o}")).collect();
    let pattern = match acl.pattern {
        Pattern::Literal => "literal",
        Pattern::Prefixed => "prefixed",
    };
    format!(
        "$KAFKA_ACLS \"$@\" --add --allow-principal 'User:{}'{operations} --resource-pattern-type {pattern} --{} '{}'\n",
        acl.service, acl.resource, acl.name
    )
}
