//! A disk that is interrupted.

use super::*;

/// A disk that does something the next time that a file is read whose name ends so.
#[derive(Clone, Debug)]
pub(crate) struct Interrupted {
    pub(crate) disk: FaultDisk,
    then: Arc<Mutex<Option<Interruption>>>,
}

struct Interruption(&'static str, Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Interruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Interrupted {
    pub(crate) fn new() -> Self {
        Self {
            disk: FaultDisk::new(1),
            then: Arc::default(),
        }
    }

    pub(crate) fn when_read(&self, suffix: &'static str, then: impl FnOnce() + Send + 'static) {
        *self.then.lock().unwrap() = Some(Interruption(suffix, Box::new(then)));
    }

    fn file(&self, name: &str, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(InterruptedFile {
            name: name.trim_end_matches(".new").to_owned(),
            file,
            disk: self.clone(),
        })
    }
}

#[derive(Debug)]
struct InterruptedFile {
    name: String,
    file: Box<dyn DiskFile>,
    disk: Interrupted,
}

impl DiskFile for InterruptedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset);
        let then = {
            let mut then = self.disk.then.lock().unwrap();
            then.take_if(|Interruption(suffix, _)| self.name.ends_with(*suffix))
        };
        if let Some(Interruption(_, then)) = then {
            then();
        }
        read
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

impl Disk for Interrupted {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(name, self.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(name, self.disk.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }
}
