//! The few operations on files that the log needs, so that tests can make them fail.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Buf;

/// A directory of files.
pub trait Disk: Send + Sync + fmt::Debug {
    /// The names of all files, in any order.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A new, empty file; one of that name that is there is emptied.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// A file that is there.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name; durable after [`Disk::sync`].
    ///
    /// # Errors
    ///
    /// When it cannot be renamed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; durable after [`Disk::sync`].
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    ///
    /// When the directory cannot be synced.
    fn sync(&self) -> io::Result<()>;

    /// A number that nobody outside can know: what the checksums of a segment start from.
    fn salt(&self) -> u32 {
        // The standard library's hash keys are random.
        let bytes = RandomState::new().hash_one(()).to_le_bytes();
        bytes.as_slice().get_u32_le()
    }
}

/// A file, read and written at offsets.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Its length, in bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on; returns how many bytes there were, fewer only at the end.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// When any part is not written; how much was is not known.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts it to `length` bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be cut.
    fn cut(&self, length: u64) -> io::Result<()>;

    /// Makes what was written and cut durable.
    ///
    /// # Errors
    ///
    /// When it is not; then nothing is known of what was written since the last sync.
    fn sync(&self) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`, created when it is absent.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let absolute = std::path::absolute(path)?;
        let absent = absolute.ancestors().take_while(|path| !path.exists());
        let absent = absent.count();
        fs::create_dir_all(path)?;
        // Each directory that is new is a name in the one above it. The last one always: whoever has
        // made it may not have synced it.
        for above in absolute.ancestors().skip(1).take(absent.max(1)) {
            File::open(above)?.sync_all()?;
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        fs::read_dir(&self.path)?.map(name).collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Box::new(options.open(self.path.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path.join(name))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
