//! A disk in memory that forgets what was not synced, runs full, fails, and lets a sync wait.
//!
//! Names are as durable as files: creations, renames and removals that were not followed by a sync of
//! the directory may be undone, the last ones first.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use tidegate_log::{Disk, DiskFile};

use crate::Dice;
use crate::content::Content;

type FileId = u64;
type Names = BTreeMap<String, FileId>;

/// The disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct FaultDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<FileId, Content>,
    names: Names,
    /// The names before each change since the last sync of the directory.
    before: Vec<Names>,
    files_made: FileId,
    salts_drawn: u64,
    seed: u64,
    bytes_max: Option<usize>,
    syncs_left: Option<usize>,
    directory_full: bool,
    held: bool,
    waiting: usize,
    /// How many more changes there are before the disk is remembered as it is.
    changes_left: Option<usize>,
    remembered: Option<FaultDisk>,
}

/// Syncs wait. Dropping it lets them go on, also when a test fails: a log waits for its writer.
#[derive(Debug)]
pub struct HeldSyncs(FaultDisk);

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
    /// An empty disk whose salts `seed` decides.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.state().seed = seed;
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// The disk as a power failure leaves it now.
    #[must_use]
    pub fn crash(&self, dice: &mut Dice) -> Self {
        let state = self.state();
        let at = dice.roll(state.before.len() + 1);
        let names = state.before.get(at).unwrap_or(&state.names).clone();
        let torn = |id: &FileId| (*id, Content::on_disk(state.files[id].torn(dice)));
        let files = names.values().map(torn).collect();
        Self::with(names, files, &state)
    }

    /// The disk as the end of the process leaves it now: with everything that was written.
    #[must_use]
    pub fn killed(&self) -> Self {
        let state = self.state();
        let copy = Self::with(state.names.clone(), state.files.clone(), &state);
        copy.state().before.clone_from(&state.before);
        copy
    }

    fn with(names: Names, files: BTreeMap<FileId, Content>, before: &State) -> Self {
        let state = State {
            names,
            files,
            files_made: before.files_made,
            salts_drawn: before.salts_drawn,
            seed: before.seed,
            ..State::default()
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            ..Shared::default()
        }))
    }

    /// Remembers the disk as it is after `count` more changes.
    pub fn remember_after(&self, count: usize) {
        let mut state = self.state();
        state.changes_left = Some(count);
        state.remembered = None;
    }

    /// The disk as it was remembered, or as it is now.
    #[must_use]
    pub fn remembered(&self) -> Self {
        let remembered = {
            let mut state = self.state();
            state.changes_left = None;
            state.remembered.take()
        };
        remembered.unwrap_or_else(|| self.killed())
    }

    /// Called before each change.
    fn changes(&self) {
        let now = {
            let mut state = self.state();
            let left = state.changes_left;
            state.changes_left = left.and_then(|left| left.checked_sub(1));
            left == Some(0)
        };
        if now {
            let copy = self.killed();
            self.state().remembered = Some(copy);
        }
    }

    /// Lets at most `bytes_max` bytes be written.
    pub fn limit(&self, bytes_max: Option<usize>) {
        self.state().bytes_max = bytes_max;
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> usize {
        self.state().used()
    }

    /// Lets `count` more syncs of files succeed; `None`: all.
    pub fn fail_syncs_after(&self, count: Option<usize>) {
        self.state().syncs_left = count;
    }

    /// From now on no sync of the directory finds room, or each does.
    pub fn fill_directory(&self, full: bool) {
        self.state().directory_full = full;
    }

    /// Makes syncs wait until what is returned is dropped.
    #[must_use]
    pub fn hold_syncs(&self) -> HeldSyncs {
        self.state().held = true;
        HeldSyncs(self.clone())
    }

    /// Waits until a sync waits.
    ///
    /// # Panics
    ///
    /// When a thread has panicked while it used the disk.
    pub fn wait_for_sync(&self) {
        let state = self
            .0
            .changed
            .wait_while(self.state(), |state| state.waiting == 0);
        drop(state.unwrap());
    }

    /// The names of all files that end so.
    #[must_use]
    pub fn names(&self, suffix: &str) -> Vec<String> {
        let state = self.state();
        let names = state.names.keys().filter(|name| name.ends_with(suffix));
        names.cloned().collect()
    }

    /// The bytes of a file.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[name]].now.clone()
    }

    /// Puts a file there, behind the log's back.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        state.files_made += 1;
        let id = state.files_made;
        state.files.insert(id, Content::on_disk(bytes.to_vec()));
        state.names.insert(name.to_owned(), id);
    }

    /// Changes the bytes of a file behind the log's back.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let id = state.names[name];
        let mut bytes = state.files[&id].now.clone();
        change(&mut bytes);
        state.files.insert(id, Content::on_disk(bytes));
    }
}

impl State {
    fn used(&self) -> usize {
        let linked = self.names.values();
        linked.map(|id| self.files[id].now.len()).sum()
    }

    /// Changes the names; a power failure may undo it until the next sync.
    fn rename(&mut self, change: impl FnOnce(&mut Names)) {
        self.before.push(self.names.clone());
        change(&mut self.names);
    }
}

#[derive(Debug)]
struct FaultFile {
    disk: FaultDisk,
    id: FileId,
}

impl Disk for FaultDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names(""))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.changes();
        let mut state = self.state();
        state.files_made += 1;
        let id = state.files_made;
        state.files.insert(id, Content::default());
        state.rename(|names| {
            names.insert(name.to_owned(), id);
        });
        let disk = self.clone();
        Ok(Box::new(FaultFile { disk, id }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let id = self.state().names.get(name).copied();
        let id = id.ok_or(io::ErrorKind::NotFound)?;
        let disk = self.clone();
        Ok(Box::new(FaultFile { disk, id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.changes();
        let mut state = self.state();
        let id = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.rename(|names| {
            names.remove(from);
            names.insert(to.to_owned(), id);
        });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.changes();
        let mut state = self.state();
        if !state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.rename(|names| {
            names.remove(name);
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.changes();
        let mut state = self.state();
        if state.directory_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.before.clear();
        let linked: Vec<FileId> = state.names.values().copied().collect();
        state.files.retain(|id, _| linked.contains(id));
        Ok(())
    }

    fn salt(&self) -> u32 {
        let mut state = self.state();
        state.salts_drawn += 1;
        Dice::new(state.seed ^ state.salts_drawn.rotate_left(32)).bits() as u32
    }
}

impl DiskFile for FaultFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|content| Ok(content.now.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|content| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = content.now.get(offset..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.changes();
        let offset = usize::try_from(offset).unwrap();
        let (used, bytes_max) = {
            let state = self.disk.state();
            (state.used(), state.bytes_max)
        };
        self.with(|content| {
            let grown = (offset + bytes.len()).saturating_sub(content.now.len());
            let room = bytes_max.map_or(grown, |max| max.saturating_sub(used).min(grown));
            // On a full disk a part is written, as far as there is room.
            let written = &bytes[..bytes.len() - (grown - room)];
            content.write(offset, written);
            match written.len() < bytes.len() {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        })
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.disk.changes();
        let length = usize::try_from(length).unwrap();
        self.with(|content| {
            content.cut(length);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.changes();
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
            Some(0) => {
                // As an operating system may: what could not be written is forgotten, and the next
                // sync succeeds without it.
                state.syncs_left = None;
                if let Some(content) = state.files.get_mut(&self.id) {
                    content.forget();
                }
                return Err(io::Error::other("the disk has failed"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        drop(state);
        self.with(|content| {
            content.sync();
            Ok(())
        })
    }
}

impl FaultFile {
    fn with<T>(&self, run: impl FnOnce(&mut Content) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        match state.files.get_mut(&self.id) {
            Some(content) => run(content),
            // Removed, and only open here still.
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
