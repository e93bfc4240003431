//! The official parser of the AsyncAPI project, where node and the network have it.
//!
//! `TIDEGATE_ASYNCAPI_PARSER` names a folder in which `npm install @asyncapi/parser` was run. Without
//! it, the test is reported as skipped: an installation takes minutes, and needs the network.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tidegate_generate::asyncapi::{Version, asyncapi, at_version, service};

use crate::{design_of, designs};

/// Reads documents as a JSON list, prints the errors of each.
const SCRIPT: &str = r#"
const {createRequire} = require('module');
const {Parser} = createRequire(process.cwd() + '/')('@asyncapi/parser');
let text = '';
process.stdin.on('data', (part) => (text += part));
process.stdin.on('end', async () => {
  const parser = new Parser();
  const verdicts = [];
  for (const document of JSON.parse(text)) {
    const found = await parser.validate(document);
    verdicts.push(found.filter((f) => f.severity === 0).map((f) => `${f.path.join('/')}: ${f.message}`));
  }
  console.log(JSON.stringify(verdicts));
});
"#;

fn verdicts(folder: &str, documents: &[Value]) -> Vec<Vec<String>> {
    let mut node = Command::new("node")
        .args(["-e", SCRIPT])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed");
    let texts: Vec<String> = documents.iter().map(tidegate_generate::to_yaml).collect();
    let input = json!(texts).to_string();
    node.stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("a list of verdicts")
}

#[test]
fn the_official_parser_accepts_every_document() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is told where the parser is"
    )]
    let Ok(folder) = std::env::var("TIDEGATE_ASYNCAPI_PARSER") else {
        println!("skipped: TIDEGATE_ASYNCAPI_PARSER names no folder with @asyncapi/parser");
        return;
    };
    let design = design_of(&designs::everything(), &designs::files());
    let mut documents = vec![asyncapi(&design)];
    documents.extend(
        design
            .services
            .keys()
            .map(|name| service(&design, name).unwrap()),
    );
    let newer: Vec<Value> = documents
        .iter()
        .map(|document| at_version(document.clone(), Version::V3_1))
        .collect();
    documents.extend(newer);
    for (document, errors) in documents.iter().zip(verdicts(&folder, &documents)) {
        assert!(
            errors.is_empty(),
            "{errors:#?}\n{}",
            tidegate_generate::to_yaml(document)
        );
    }
    // And it would notice.
    let mut broken = asyncapi(&design);
    broken["operations"]["orders.send.OrderPlaced"]["action"] = "publish".into();
    assert!(!verdicts(&folder, &[broken])[0].is_empty());
}
