//! Open files: a bounded number of them, whatever the number of segments.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::{Disk, DiskFile};

/// Most files that are open at the same time, but for those that are being read.
const OPEN_MAX: usize = 64;

/// Files by name, those used last kept open.
#[derive(Debug)]
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    /// The one used last is in front.
    open: Mutex<VecDeque<(String, Arc<dyn DiskFile>)>>,
}

impl Files {
    /// No file is open yet.
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            open: Mutex::default(),
        }
    }

    /// The disk that they are on.
    pub(crate) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// The file of that name.
    pub(crate) fn get(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.find(name) {
            return Ok(file);
        }
        let file: Arc<dyn DiskFile> = Arc::from(self.disk.open(name)?);
        self.put(name, Arc::clone(&file));
        Ok(file)
    }

    /// Keeps a file that is open already.
    pub(crate) fn put(&self, name: &str, file: Arc<dyn DiskFile>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_front((name.to_owned(), file));
        open.truncate(OPEN_MAX);
    }

    /// Forgets a file that is removed.
    pub(crate) fn forget(&self, name: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(held, _)| held != name);
    }

    fn find(&self, name: &str) -> Option<Arc<dyn DiskFile>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let at = open.iter().position(|(held, _)| held == name)?;
        let entry = open.remove(at)?;
        open.push_front(entry);
        open.front().map(|(_, file)| Arc::clone(file))
    }
}
