//! Room that is set aside, so that a log on a full disk can still be cleaned: noting what retention has
//! passed, starting a segment and writing one anew take some, before they free more.

use std::io;

use crate::disk::Disk;
use crate::recovery::remove_if_there;

/// The file that holds the room.
const NAME: &str = "reserve";
/// Bytes that are written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Sets `bytes` aside, unless they are already. Without room for all of them none is.
pub(crate) fn set_aside(disk: &dyn Disk, bytes: usize) -> io::Result<()> {
    if bytes == 0 || is_there(disk, bytes) {
        return Ok(());
    }
    let written = write(disk, bytes);
    if written.is_err() {
        remove_if_there(disk, NAME)?;
    }
    written
}

/// Gives the room back to the disk.
pub(crate) fn give_back(disk: &dyn Disk) -> io::Result<()> {
    remove_if_there(disk, NAME)?;
    disk.sync()
}

fn is_there(disk: &dyn Disk, bytes: usize) -> bool {
    let length = disk.open(NAME).and_then(|file| file.length());
    length.is_ok_and(|length| length == bytes as u64)
}

fn write(disk: &dyn Disk, bytes: usize) -> io::Result<()> {
    let file = disk.create(NAME)?;
    let zeros = vec![0; bytes.min(CHUNK_BYTES)];
    let mut at = 0;
    while at < bytes {
        let part = zeros.get(..zeros.len().min(bytes - at)).unwrap_or(&zeros);
        file.write_at(part, at as u64)?;
        at += part.len();
    }
    file.sync()
}
