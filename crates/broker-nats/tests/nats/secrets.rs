//! Who may connect, and by which certificates: with a server that asks for both.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tidegate_broker::{Batch, Broker, Durability, StateChange};
use tidegate_broker_nats::{NatsConfig, Session};
use tidegate_servers::{Kind, own};
use tokio::time::sleep;

use crate::support;

fn openssl(folder: &Path, arguments: &str) {
    let run = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(run.status.success(), "openssl {arguments}: {run:?}");
}

/// An authority, and a certificate of it for this machine.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"),
    );
    openssl(
        folder,
        &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"),
    );
    fs::write(
        folder.join("names"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
    )
    .unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    );
}

async fn refused(config: &NatsConfig) -> String {
    for _ in 0..100 {
        match Session::connect(config.clone()).await {
            Err(error) => return error.to_string(),
            // It still is as it was before.
            Ok(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("whoever comes is let in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_and_certificates_come_from_a_file() {
    let test = "credentials_and_certificates_come_from_a_file";
    let Some(own) = own(Kind::Nats, test).unwrap() else {
        return;
    };
    let folder = own.server.folder.clone();
    certificates(&folder);
    let config = support::on(&own.server);
    let mut file = OpenOptions::new();
    let mut file = file.append(true).open(folder.join("nats.conf")).unwrap();
    write!(
        file,
        "authorization {{ user: shop, password: hunter2 }}\ntls {{ cert_file: \"{0}/server.pem\", key_file: \"{0}/server.key\" }}\n",
        folder.display()
    )
    .unwrap();
    let pid = fs::read_to_string(folder.join("pids")).unwrap();
    let told = Command::new("kill").args(["-HUP", pid.trim()]).status();
    assert!(told.unwrap().success());
    // Neither encrypted nor known; known, but of an unknown authority; all of it but the password.
    let error = refused(&config).await;
    assert!(error.contains("connecting"), "{error}");
    let mut encrypted = config;
    encrypted.tls = true;
    encrypted
        .add_settings("username=shop\npassword=hunter2", &folder)
        .unwrap();
    let error = refused(&encrypted).await;
    assert!(!error.contains("hunter2"), "{error}");
    encrypted.add_settings("ca-file=ca.pem", &folder).unwrap();
    let mut wrong = encrypted.clone();
    wrong.add_settings("password=guessed", &folder).unwrap();
    let error = refused(&wrong).await;
    assert!(
        error.contains("connecting") && !error.contains("guessed"),
        "{error}"
    );
    let broker = Session::connect(encrypted)
        .await
        .unwrap()
        .open(0)
        .await
        .unwrap();
    let batch = Batch {
        appends: Vec::new(),
        state: StateChange::Append(vec![bytes::Bytes::from_static(b"secret")]),
    };
    broker.commit(batch, Durability::Durable).await.unwrap();
    assert_eq!(broker.state().await.unwrap().len(), 1);
}
