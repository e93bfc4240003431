//! A connection that can be cut or made slow: a TCP proxy before a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 16 << 10;

/// Passes on what comes, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Both ends of each connection.
    open: Mutex<Vec<TcpStream>>,
    delay_micros: AtomicU64,
    is_over: AtomicBool,
}

impl Proxy {
    /// Listens on a port of its own, for a server at `host:port`.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub fn start(server: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port for a proxy")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (accepting, server) = (Arc::clone(&shared), server.to_owned());
        thread::spawn(move || accept(&listener, &server, &accepting));
        Ok(Self { address, shared })
    }

    /// Where clients connect, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Cuts every connection, wherever it is in a message.
    pub fn cut(&self) {
        for stream in self.shared.open().drain(..) {
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets every piece wait for so long from now on.
    pub fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.shared.delay_micros.store(micros, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.cut();
        // It sees that it is over as it is connected to.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, server: &str, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.is_over.load(Ordering::Acquire) {
            return;
        }
        // A server that is down closes the connection as if it were there itself.
        if let Ok(server) = TcpStream::connect(server) {
            let _joined = join(client, server, shared);
        }
    }
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let both = [client.try_clone()?, server.try_clone()?];
    shared.open().extend(both);
    let ways = [(client.try_clone()?, server.try_clone()?), (server, client)];
    for (from, to) in ways {
        let shared = Arc::clone(shared);
        thread::spawn(move || pass(from, to, &shared));
    }
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(bytes) = from.read(&mut piece) {
        let delay = shared.delay_micros.load(Ordering::Relaxed);
        if delay > 0 {
            crate::patience::pause(Duration::from_micros(delay));
        }
        let read = piece.get(..bytes).unwrap_or_default();
        if read.is_empty() || to.write_all(read).is_err() {
            break;
        }
    }
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
