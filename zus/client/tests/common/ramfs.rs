// SPDX-License-Identifier: MIT
//! nullfs for the names, memory for the data, and a count of references: what a test wants to know.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use relay::memory::Window;
use zus::fs::nullfs::Nullfs;
use zus::fs::{Attr, DirEntry, Entry, FileSystem, Ino, Name, NewInode, RenameMode, Result, SetAttr, StatFs};

/// See the module.
pub struct Ramfs {
    names: Nullfs,
    data: Mutex<HashMap<Ino, Vec<u8>>>,
    /// References that were given and not given back.
    held: Mutex<i64>,
}

/// Reading at this offset takes as long as the server lives.
pub const HANGS: u64 = 1 << 40;
/// Reading at this offset panics.
pub const PANICS: u64 = 1 << 41;

impl Ramfs {
    pub fn new() -> Self {
        Self {
            names: Nullfs::new(),
            data: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// How many references clients hold.
    pub fn held(&self) -> i64 {
        *self.held.lock().unwrap()
    }

    fn told(&self, entry: Result<Entry>) -> Result<Entry> {
        if entry.is_ok() {
            *self.held.lock().unwrap() += 1;
        }
        entry
    }
}

impl FileSystem for Ramfs {
    fn kind(&self) -> &'static str {
        "ramfs"
    }

    fn lookup(&self, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.told(self.names.lookup(parent, name))
    }

    fn forget(&self, ino: Ino, count: u64) {
        *self.held.lock().unwrap() -= count as i64;
        self.names.forget(ino, count);
    }

    fn getattr(&self, ino: Ino) -> Result<Attr> {
        self.names.getattr(ino)
    }

    fn setattr(&self, ino: Ino, changes: &SetAttr) -> Result<Attr> {
        let attr = self.names.setattr(ino, changes)?;
        if let Some(size) = changes.size {
            self.data
                .lock()
                .unwrap()
                .entry(ino)
                .or_default()
                .resize(size as usize, 0);
        }
        Ok(attr)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.names.readlink(ino)
    }

    fn create(&self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Entry> {
        self.told(self.names.create(parent, name, new))
    }

    fn link(&self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.told(self.names.link(ino, parent, name))
    }

    fn unlink(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.names.unlink(parent, name)
    }

    fn rmdir(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.names.rmdir(parent, name)
    }

    fn rename(
        &self,
        parent: Ino,
        name: Name<'_>,
        new_parent: Ino,
        new_name: Name<'_>,
        mode: RenameMode,
    ) -> Result<()> {
        self.names.rename(parent, name, new_parent, new_name, mode)
    }

    fn read(&self, ino: Ino, offset: u64, to: Window<'_>) -> Result<usize> {
        match offset {
            HANGS => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            PANICS => panic!("a planted panic"),
            _ => {}
        }
        let data = self.data.lock().unwrap();
        let rest = data
            .get(&ino)
            .and_then(|bytes| bytes.get(offset as usize..))
            .unwrap_or(&[]);
        let len = rest.len().min(to.len());
        to.write(0, &rest[..len]);
        Ok(len)
    }

    fn write(&self, ino: Ino, offset: u64, from: Window<'_>, sync: bool) -> Result<usize> {
        // For the size and the times.
        self.names.write(ino, offset, from, sync)?;
        let mut data = self.data.lock().unwrap();
        let bytes = data.entry(ino).or_default();
        let end = offset as usize + from.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        from.read(0, &mut bytes[offset as usize..end]);
        Ok(from.len())
    }

    fn fsync(&self, ino: Ino, data_only: bool) -> Result<()> {
        self.names.fsync(ino, data_only)
    }

    fn sync(&self) -> Result<()> {
        self.names.sync()
    }

    fn readdir(&self, ino: Ino, cookie: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()> {
        self.names.readdir(ino, cookie, each)
    }

    fn statfs(&self) -> Result<StatFs> {
        self.names.statfs()
    }
}
