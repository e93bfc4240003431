//! One writer: a lock on a file that the operating system lets go when the process ends, however it does.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::OpenError;

/// Name of the lock file.
const NAME: &str = "lock";

/// Holds the directory of a log until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `directory` and writes the number of this process into it.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(NAME))
            .map_err(OpenError::io("open", NAME))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked {
                    directory: directory.to_owned(),
                    pid: owner(&mut file),
                });
            }
            Err(error) => return Err(OpenError::io("lock", NAME)(error.into())),
        }
        write_owner(&mut file).map_err(OpenError::io("write", NAME))?;
        Ok(Self { _file: file })
    }
}

/// The process in the lock file. It may be absent: the owner locks first and writes then.
fn owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}
