//! A disk in memory that forgets what was not synced, runs full, fails, and lets a sync wait.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use tidegate_log::{Disk, DiskFile};

/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// The disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Content>,
    /// Most bytes of all files.
    bytes_max: Option<usize>,
    /// Syncs of files that still succeed.
    syncs_left: Option<usize>,
    /// Whether a sync of the directory finds no room.
    directory_full: bool,
    /// Whether syncs wait.
    held: bool,
    /// Syncs that wait.
    waiting: usize,
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// What a program sees.
    now: Vec<u8>,
    /// What is on the disk.
    synced: Vec<u8>,
}

/// A generator of numbers that a seed decides: xorshift64*.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % sides
    }
}

/// Syncs wait. Dropping it lets them go on, also when a test fails: a log waits for its writer.
pub(crate) struct HeldSyncs(FaultDisk);

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        let disk = &self.0.0;
        disk.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .held = false;
        disk.changed.notify_all();
    }
}

impl FaultDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// The disk as a power failure leaves it now: of what was not synced, any sectors.
    pub(crate) fn crash(&self, dice: &mut Dice) -> Self {
        let mut files = self.state().files.clone();
        for content in files.values_mut() {
            content.tear(dice);
        }
        let state = Mutex::new(State {
            files,
            ..State::default()
        });
        Self(Arc::new(Shared {
            state,
            ..Shared::default()
        }))
    }

    /// Lets at most `bytes_max` bytes be written.
    pub(crate) fn limit(&self, bytes_max: Option<usize>) {
        self.state().bytes_max = bytes_max;
    }

    /// Lets `count` more syncs succeed.
    pub(crate) fn fail_syncs_after(&self, count: usize) {
        self.state().syncs_left = Some(count);
    }

    /// From now on no sync of the directory finds room, or each does.
    pub(crate) fn fill_directory(&self, full: bool) {
        self.state().directory_full = full;
    }

    /// Makes syncs wait until what is returned is dropped.
    pub(crate) fn hold_syncs(&self) -> HeldSyncs {
        self.state().held = true;
        HeldSyncs(self.clone())
    }

    /// Waits until a sync waits.
    pub(crate) fn wait_for_sync(&self) {
        let state = self
            .0
            .changed
            .wait_while(self.state(), |state| state.waiting == 0);
        drop(state.unwrap());
    }

    /// The names of all files that end so.
    pub(crate) fn names(&self, suffix: &str) -> Vec<String> {
        self.state()
            .files
            .keys()
            .filter(|name| name.ends_with(suffix))
            .cloned()
            .collect()
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.state().files[name].now.clone()
    }

    /// Changes the bytes of a file behind the log's back.
    pub(crate) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let content = state.files.get_mut(name).unwrap();
        change(&mut content.now);
        content.synced = content.now.clone();
    }
}

impl Content {
    fn tear(&mut self, dice: &mut Dice) {
        let mut torn = self.synced.clone();
        // The new length may be on the disk before any of the bytes, which are zeros then.
        if torn.len() != self.now.len() && dice.roll(2) == 0 {
            torn.resize(self.now.len(), 0);
        }
        let sectors = self.now.len().div_ceil(SECTOR_BYTES);
        let likely = 1 + dice.roll(4);
        for start in (0..sectors).map(|sector| sector * SECTOR_BYTES) {
            let end = (start + SECTOR_BYTES).min(self.now.len());
            let same = self.synced.get(start..end) == Some(&self.now[start..end]);
            if !same && dice.roll(4) < likely {
                torn.resize(torn.len().max(end), 0);
                torn[start..end].copy_from_slice(&self.now[start..end]);
            }
        }
        *self = Self {
            now: torn.clone(),
            synced: torn,
        };
    }
}

#[derive(Debug)]
struct FaultFile {
    disk: FaultDisk,
    name: std::sync::Mutex<String>,
}

impl Disk for FaultDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names(""))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.state()
            .files
            .insert(name.to_owned(), Content::default());
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        if !self.state().files.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let name = Mutex::new(name.to_owned());
        Ok(Box::new(FaultFile {
            disk: self.clone(),
            name,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state()
            .files
            .remove(name)
            .map(drop)
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        if self.state().directory_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl FaultFile {
    /// Runs `change` on the content. A file that was renamed while open is found by its new name.
    fn with<T>(&self, change: impl FnOnce(&mut State, &str) -> T) -> T {
        let mut state = self.disk.state();
        let mut name = self.name.lock().unwrap();
        if !state.files.contains_key(&*name) {
            *name = name.trim_end_matches(".new").to_owned();
        }
        change(&mut state, &name)
    }
}

impl DiskFile for FaultFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.with(|state, name| state.files[name].now.len()) as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state, name| {
            let now = &state.files[name].now;
            let rest = now
                .get(usize::try_from(offset).unwrap()..)
                .unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|state, name| {
            let offset = usize::try_from(offset).unwrap();
            let used: usize = state.files.values().map(|content| content.now.len()).sum();
            let now = &mut state.files.get_mut(name).unwrap().now;
            let grown = (offset + bytes.len()).saturating_sub(now.len());
            let room = state
                .bytes_max
                .map_or(grown, |max| max.saturating_sub(used).min(grown));
            // On a full disk a part is written, as far as there is room.
            let written = &bytes[..bytes.len() - (grown - room)];
            now.resize(now.len().max(offset + written.len()), 0);
            now[offset..offset + written.len()].copy_from_slice(written);
            if written.len() < bytes.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        })
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.with(|state, name| state.files.get_mut(name).unwrap().now.truncate(length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.waiting += 1;
        self.disk.0.changed.notify_all();
        let mut state = self
            .disk
            .0
            .changed
            .wait_while(state, |state| state.held)
            .unwrap();
        state.waiting -= 1;
        match &mut state.syncs_left {
            Some(0) => return Err(io::Error::other("the disk has failed")),
            Some(left) => *left -= 1,
            None => {}
        }
        drop(state);
        self.with(|state, name| {
            let content = state.files.get_mut(name).unwrap();
            content.synced = content.now.clone();
        });
        Ok(())
    }
}
