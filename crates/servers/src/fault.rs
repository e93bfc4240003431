//! What is done to a server, and to the way there, in tests.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::patience::pause;
use crate::proxy::Proxy;
use crate::test::Own;

/// How long a server stands still, and a connection is slow.
const A_WHILE: Duration = Duration::from_secs(2);
/// How much later everything comes over a slow connection.
const SLOW: Duration = Duration::from_millis(100);
/// How often a connection is cut.
const CUTS: u32 = 3;
/// Between two cuts: so that they meet it at another place.
const BETWEEN_CUTS: Duration = Duration::from_millis(150);
/// How long a disk is full: longer than producers wait before they are told.
const FULL: Duration = Duration::from_secs(15);

/// What is done to a server, and to the way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is killed, as by `kill -9`, and started again.
    Killed,
    /// It stops where it stands for a while.
    Stopped,
    /// Its connections are cut, some times.
    Cut,
    /// Its connections are slow for a while.
    Slow,
    /// Its disk is full for a while, for what it knows; RabbitMQ only.
    DiskFull,
}

impl Own {
    /// Does it, and lets the server live again. `proxy` is the way there, for what is done to that.
    ///
    /// # Errors
    ///
    /// When it cannot be done, or the server does not come back.
    pub fn inflict(&mut self, fault: Fault, proxy: Option<&Proxy>) -> Result<()> {
        let proxy = || proxy.with_context(|| format!("{fault:?} needs a proxy"));
        match fault {
            Fault::Killed => {
                self.server.kill()?;
                self.server.start_again()
            }
            Fault::Stopped => {
                self.server.freeze(true)?;
                pause(A_WHILE);
                self.server.freeze(false)
            }
            Fault::Cut => {
                let proxy = proxy()?;
                for _ in 0..CUTS {
                    proxy.cut();
                    pause(BETWEEN_CUTS);
                }
                Ok(())
            }
            Fault::Slow => {
                let proxy = proxy()?;
                proxy.delay(SLOW);
                pause(A_WHILE);
                proxy.delay(Duration::ZERO);
                Ok(())
            }
            Fault::DiskFull => {
                let limit = |limit| {
                    self.server
                        .rabbitmq_control(&["set_disk_free_limit", limit])
                };
                // The largest unit that it knows.
                limit("100000GB")?;
                pause(FULL);
                limit("1MB").map(drop)
            }
        }
    }
}
