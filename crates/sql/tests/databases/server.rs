//! A PostgreSQL server for the tests, on a port of its own, with data that is thrown away.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use sqlx::{Connection, PgConnection};

/// Runs the server until standard input ends, which it does with the test, however that ends.
const KEEPER: &str = r#"
bin=$1 port=$2
data=$(mktemp -d /tmp/tidegate-postgres.XXXXXX) || exit 1
trap 'rm -rf "$data"' EXIT
"$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-sync >"$data.log" 2>&1 || { cat "$data.log" >&2; exit 1; }
rm -f "$data.log"
"$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
    -c max_connections=150 -c log_min_messages=fatal -c logging_collector=off >/dev/null 2>&1 &
server=$!
cat >/dev/null
kill -INT "$server"
wait "$server"
"#;

struct Server {
    port: u16,
    bin: PathBuf,
    /// Its standard input is open as long as this process lives.
    _keeper: Mutex<Child>,
}

static SERVER: OnceLock<Option<Server>> = OnceLock::new();

/// The URL of a new and empty database; `None` where there is no PostgreSQL.
pub(crate) async fn database(name: &str) -> Option<String> {
    let server = tokio::task::block_in_place(|| SERVER.get_or_init(start).as_ref());
    let Some(server) = server else {
        // Where everything is meant to be tested, nothing may be left out unseen.
        assert!(
            std::env::var_os("CI").is_none(),
            "there is no PostgreSQL in CI"
        );
        let line = format!("skipped `{name}`: no PostgreSQL (initdb, postgres) on this machine\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    };
    let url = |database: &str| format!("postgres://postgres@127.0.0.1:{}/{database}", server.port);
    let mut last = None;
    for _ in 0..600 {
        match PgConnection::connect(&url("postgres")).await {
            Ok(mut connection) => {
                let create = format!("CREATE DATABASE {name}");
                sqlx::raw_sql(sqlx::AssertSqlSafe(create))
                    .execute(&mut connection)
                    .await
                    .unwrap();
                return Some(url(name));
            }
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("PostgreSQL does not start: {last:?}");
}

/// Where the server's programs are.
pub(crate) fn bin() -> PathBuf {
    let server = SERVER.get().and_then(Option::as_ref);
    server.unwrap().bin.clone()
}

fn start() -> Option<Server> {
    let bin = programs()?;
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    // The server refuses to be run by root.
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "sh",
            ]);
            command
        }
        false => Command::new("sh"),
    };
    let keeper = command
        .args(["-c", KEEPER, "keeper"])
        .arg(&bin)
        .arg(port.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Some(Server {
        port,
        bin,
        _keeper: Mutex::new(keeper),
    })
}

fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.extend(std::env::split_paths(&path));
    let has = |folder: &Path, name: &str| folder.join(name).is_file();
    folders
        .into_iter()
        .find(|folder| has(folder, "initdb") && has(folder, "postgres") && has(folder, "pg_dump"))
}
