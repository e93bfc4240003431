//! The directories of indexes, as many in memory as a limit allows.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::index_file::{self, Failure, Listed};
use crate::places::Place;
use crate::recovery;
use crate::registry::Number;
use crate::segment::{Segment, SegmentId};
use crate::shared::{Closed, Shared};

/// Most bytes of directories in memory, but for the one that is used.
const DIRECTORIES_BYTES_MAX: usize = 16 << 20;

/// The channels of one closed segment.
#[derive(Debug)]
pub(crate) struct Directory {
    /// By number.
    channels: Vec<(Number, Listed)>,
    weight: usize,
}

impl Directory {
    /// What the segment has of a channel.
    pub(crate) fn channel(&self, number: Number) -> Option<&Listed> {
        let at = self.channels.binary_search_by_key(&number, |(n, _)| *n);
        self.channels.get(at.ok()?).map(|(_, listed)| listed)
    }

    /// All channels.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &(Number, Listed)> {
        self.channels.iter()
    }
}

/// Directories that were read, the one used last in front.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    held: Mutex<VecDeque<(SegmentId, Arc<Directory>)>>,
    /// Held while an index is made, so that no two make the same.
    making: Mutex<()>,
}

impl Directories {
    /// Keeps others from making an index.
    pub(crate) fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: SegmentId) -> Option<Arc<Directory>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.iter().position(|(other, _)| *other == id)?;
        let entry = held.remove(at)?;
        held.push_front(entry);
        held.front().map(|(_, directory)| Arc::clone(directory))
    }

    fn put(&self, id: SegmentId, directory: Arc<Directory>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push_front((id, directory));
        let mut weight = 0;
        let within = held.iter().take_while(|(_, directory)| {
            weight += directory.weight;
            weight <= DIRECTORIES_BYTES_MAX
        });
        let count = within.count().max(1);
        held.truncate(count);
    }

    fn forget(&self, id: SegmentId) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(other, _)| *other != id);
    }
}

/// The directory of a closed segment. One that is damaged or absent is made again.
pub(crate) fn of(shared: &Shared, closed: &Closed) -> io::Result<Arc<Directory>> {
    let id = closed.segment.id;
    if let Some(directory) = shared.directories.find(id) {
        return Ok(directory);
    }
    let directory = match read(shared, &closed.segment) {
        Ok(directory) => directory,
        Err(failure) => {
            make_again(shared, closed, failure)?;
            read(shared, &closed.segment).map_err(give_up)?
        }
    };
    let directory = Arc::new(directory);
    shared.directories.put(id, Arc::clone(&directory));
    Ok(directory)
}

/// Places of a channel in a closed segment, as `of_listed` finds them. A damaged index is made again.
pub(crate) fn places(
    shared: &Shared,
    closed: &Closed,
    number: Number,
    of_listed: impl Fn(&Listed, &dyn crate::DiskFile) -> Result<Vec<Place>, Failure>,
) -> io::Result<Vec<Place>> {
    let find = || -> io::Result<Result<Vec<Place>, Failure>> {
        let directory = of(shared, closed)?;
        let Some(listed) = directory.channel(number) else {
            return Ok(Ok(Vec::new()));
        };
        let file = shared.files.get(&closed.segment.id.index_name())?;
        Ok(of_listed(listed, file.as_ref()))
    };
    match find()? {
        Ok(places) => Ok(places),
        Err(failure) => {
            make_again(shared, closed, failure)?;
            find()?.map_err(give_up)
        }
    }
}

/// Forgets a segment that is gone.
pub(crate) fn forget(shared: &Shared, id: SegmentId) {
    shared.directories.forget(id);
    shared.files.forget(&id.name());
    shared.files.forget(&id.index_name());
}

fn give_up(failure: Failure) -> io::Error {
    match failure {
        Failure::Wrong => io::Error::other("its index is damaged again as soon as it is written"),
        Failure::Io(error) => error,
    }
}

fn read(shared: &Shared, segment: &Segment) -> Result<Directory, Failure> {
    let file = shared.files.get(&segment.id.index_name())?;
    let head = index_file::read_head(file.as_ref())?;
    if Segment::new(head.header) != *segment {
        return Err(Failure::Wrong);
    }
    let named = index_file::read_directory(file.as_ref(), &head)?;
    let mut registry = shared.registry_mut();
    let numbered = named.into_iter().filter_map(|(name, listed)| {
        let number = registry.number_or_state(name.as_ref())?;
        Some((number, listed))
    });
    let mut channels: Vec<_> = numbered.collect();
    channels.sort_unstable_by_key(|(number, _)| *number);
    let weight = channels.iter().map(|(_, listed)| listed.weight()).sum();
    Ok(Directory { channels, weight })
}

/// Makes the index of a closed segment again from the segment.
fn make_again(shared: &Shared, closed: &Closed, failure: Failure) -> io::Result<()> {
    match failure {
        Failure::Io(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Failure::Io(_) | Failure::Wrong => {}
    }
    let next = {
        let visible = shared.visible();
        let is_it = |other: &Closed| other.segment == closed.segment;
        let Some(at) = visible.closed.iter().position(is_it) else {
            // It was removed meanwhile: who asks again finds what replaces it.
            return Err(io::ErrorKind::NotFound.into());
        };
        let next = visible.closed.get(at + 1);
        next.map_or_else(
            || Arc::clone(&visible.active),
            |next| Arc::clone(&next.segment),
        )
    };
    let segment = &closed.segment;
    shared.files.forget(&segment.id.index_name());
    shared.directories.forget(segment.id);
    let _making = shared.directories.making();
    // A copy: an index has names, and nobody who appends may wait for a scan.
    let mut registry = shared.registry().clone();
    let scanned = recovery::scan_closed(&shared.files, &mut registry, segment, &next)?;
    let disk = shared.files.disk();
    index_file::write(disk, segment, closed.bytes, &scanned.places, &registry)?;
    // The file of before may be open still.
    shared.files.forget(&segment.id.index_name());
    Ok(())
}
