//! A repair that ends anywhere leaves what a second one repairs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tidegate_log::inspect::{Mode, repair_on, verify_on};
use tidegate_log::{Disk, DiskFile, Log};

use super::{OPTIONS, SNAPSHOT, change, dumped, files, index_of, log, name, read_all, segments};

/// A disk in memory that fails for good after a number of changes, as a process that is killed.
#[derive(Clone, Debug, Default)]
struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, MemoryFile>>>,
    changes_left: Arc<Mutex<Option<usize>>>,
}

#[derive(Clone, Debug, Default)]
struct MemoryFile {
    bytes: Arc<Mutex<Vec<u8>>>,
    changes_left: Arc<Mutex<Option<usize>>>,
}

fn spend(left: &Mutex<Option<usize>>) -> io::Result<()> {
    match &mut *left.lock().unwrap() {
        Some(0) => return Err(io::Error::other("killed")),
        Some(left) => *left -= 1,
        None => {}
    }
    Ok(())
}

impl MemoryDisk {
    /// The files of a directory.
    fn of(directory: &Path) -> Self {
        let disk = Self::default();
        for (name, bytes) in files(directory) {
            disk.create(&name).unwrap().write_at(&bytes, 0).unwrap();
        }
        disk
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().unwrap().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        spend(&self.changes_left)?;
        let file = MemoryFile {
            changes_left: Arc::clone(&self.changes_left),
            ..MemoryFile::default()
        };
        let mut files = self.files.lock().unwrap();
        files.insert(name.to_owned(), file.clone());
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let files = self.files.lock().unwrap();
        let file = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(file.clone()))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        spend(&self.changes_left)?;
        let mut files = self.files.lock().unwrap();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        spend(&self.changes_left)?;
        let mut files = self.files.lock().unwrap();
        files
            .remove(name)
            .map(drop)
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        spend(&self.changes_left)
    }
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.bytes.lock().unwrap();
        let rest = bytes
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()> {
        spend(&self.changes_left)?;
        let mut bytes = self.bytes.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let end = offset + from.len();
        let length = bytes.len().max(end);
        bytes.resize(length, 0);
        bytes[offset..end].copy_from_slice(from);
        Ok(())
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        spend(&self.changes_left)?;
        self.bytes
            .lock()
            .unwrap()
            .truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        spend(&self.changes_left)
    }
}

#[test]
fn a_repair_that_is_cut_short_is_repaired() {
    let directory = log(60);
    let files = segments(directory.path());
    let flip = |file: &Path| {
        change(file, |bytes| {
            let at = bytes.len() - 50;
            bytes[at] ^= 1;
        })
    };
    // Two in the middle, one that is gone, one without a header, and the last with a torn tail.
    flip(&files[1]);
    change(&files[2], |bytes| bytes[SNAPSHOT + 9] ^= 1);
    fs::remove_file(&files[4]).unwrap();
    change(&files[6], |bytes| bytes[..1_100].fill(7));
    change(&index_of(&files[6]), |bytes| bytes[9] ^= 1);
    let last = files.last().unwrap();
    change(last, |bytes| bytes[SNAPSHOT + 9] ^= 1);
    change(last, |bytes| bytes.extend([7; 60]));
    let whole = dumped(directory.path());
    let verified_on = |disk: &MemoryDisk| verify_on(Arc::new(disk.clone()), |_| ()).unwrap();
    let repaired_on = |disk: &MemoryDisk| repair_on(Arc::new(disk.clone()), Mode::Apply, |_| ());
    for changes in 0.. {
        for opens in [false, true] {
            let disk = MemoryDisk::of(directory.path());
            *disk.changes_left.lock().unwrap() = Some(changes);
            let first = repaired_on(&disk);
            *disk.changes_left.lock().unwrap() = None;
            if opens {
                // Someone may start it before it is repaired to its end.
                drop(Log::open_on(Arc::new(disk.clone()), OPTIONS));
            }
            repaired_on(&disk).unwrap();
            let report = verified_on(&disk);
            assert!(report.is_whole(), "after {changes} changes: {report:#?}");
            assert_eq!(repaired_on(&disk).unwrap().steps, []);
            let (log, _) = Log::open_on(Arc::new(disk.clone()), OPTIONS).unwrap();
            let read = read_all(&log).unwrap();
            for (channel, sequence, _, _, record) in &whole {
                let found = read.get(&(channel.clone(), *sequence));
                assert_eq!(found, Some(record), "after {changes} changes");
            }
            let next = |channel| log.tail(&name(channel));
            assert!(
                next("a") >= 120 && next("b") >= 60,
                "after {changes} changes"
            );
            if first.is_ok() && opens {
                return;
            }
        }
    }
}
