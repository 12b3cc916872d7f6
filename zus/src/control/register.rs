// SPDX-License-Identifier: MIT
//! The server's own entry in the registry.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zus_protocol::registry::{self, Entry};

/// An entry in the registry, which goes when this goes. What a killed server left is for [`prune`].
pub struct Registration {
    entry: Entry,
    file: PathBuf,
}

impl Registration {
    /// Writes `entry` into the runtime directory `dir`.
    ///
    /// # Errors
    /// As creating and renaming a file; `AlreadyExists` if a living server serves the same directory.
    pub fn new(dir: &Path, entry: Entry) -> io::Result<Self> {
        let _lock = lock(dir)?;
        let taken = |(_, other): (_, Entry)| other.dir == entry.dir && !other.detached && other.alive();
        if registry::list_in(dir).into_iter().any(taken) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = dir.join(format!("{}.json", entry.pid));
        let registration = Self { entry, file };
        registration.write()?;
        Ok(registration)
    }

    /// What it says.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Gives the mount point free: it is not mounted there any more, but still serves its last users.
    ///
    /// # Errors
    /// As creating and renaming a file.
    pub fn detach(&mut self) -> io::Result<()> {
        self.entry.detached = true;
        self.write()
    }

    /// Whole or not at all, so that a reader never sees half an entry.
    fn write(&self) -> io::Result<()> {
        let new = self.file.with_extension("new");
        let mut text = serde_json::to_vec(&self.entry)?;
        text.push(b'\n');
        // Others may read it: a client of theirs finds the data socket by it, which judges for itself.
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .open(&new)?;
        file.write_all(&text)?;
        fs::rename(&new, &self.file)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        remove(&self.file);
    }
}

/// Makes the runtime directory `dir`, if it is not there. Its user alone can write to it.
///
/// # Errors
/// As creating it; `PermissionDenied` if somebody else made it or can write to it.
pub fn make_runtime_dir(dir: &Path) -> io::Result<()> {
    let root = rustix::process::geteuid().is_root();
    let mut builder = DirBuilder::new();
    match builder
        .recursive(false)
        .mode(if root { 0o755 } else { 0o700 })
        .create(dir)
    {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(dir)?;
    let own = meta.uid() == rustix::process::geteuid().as_raw();
    if !meta.is_dir() || !own || meta.permissions().mode() & 0o022 != 0 {
        let what = "is not a directory that its user alone can write to";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(())
}

/// Removes the entries in the runtime directory `dir` whose server is dead and whose mount point `mounted`
/// no longer knows.
pub fn prune(dir: &Path, mounted: impl Fn(&Path) -> bool) {
    let Ok(_lock) = lock(dir) else { return };
    for (file, entry) in registry::list_in(dir) {
        if !entry.alive() && (entry.detached || !mounted(&entry.dir)) {
            remove(&file);
        }
    }
}

/// Removes an entry and the sockets beside it.
fn remove(file: &Path) {
    for extension in ["json", "sock", "data"] {
        let _ = fs::remove_file(file.with_extension(extension));
    }
}

/// Keeps other servers from changing the registry, until it is dropped.
fn lock(dir: &Path) -> io::Result<File> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join("lock"))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(file)
}
