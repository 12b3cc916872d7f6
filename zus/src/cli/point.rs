// SPDX-License-Identifier: MIT
//! Mount points, as people name them.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use rustix::io::Errno;
use zus::mountinfo;

/// Whether the server behind the mount point `dir` has gone. Waits for one that has not.
pub fn is_dead(dir: &Path) -> bool {
    matches!(rustix::fs::statfs(dir), Err(Errno::NOTCONN | Errno::CONNABORTED))
}

/// `path` as the kernel names it: absolute, without symbolic links, "." and "..". Asks nothing of what is
/// mounted at `path` itself, as long as its last component is a name and no link.
///
/// # Errors
/// As resolving a path: above all `NotFound`.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    if let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name())
        && !ends_in_dots(path)
    {
        let direct = parent.canonicalize()?.join(name);
        if mountinfo::at(&direct).is_ok_and(|mounted| mounted.is_some()) {
            return Ok(direct);
        }
    }
    path.canonicalize()
}

/// The mount point or directory `path`, [resolved](resolve).
///
/// # Errors
/// One line that names it.
pub fn find(path: &Path) -> Result<PathBuf> {
    resolve(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("{}: no such directory", path.display()),
        _ => anyhow!("{}: {error}", path.display()),
    })
}

/// Whether something is mounted at `dir`, dead or alive.
pub fn is_mounted(dir: &Path) -> bool {
    mountinfo::at(dir).is_ok_and(|mounted| mounted.is_some())
}

/// Whether the last component of `path` is "." or "..", which [`Path`] partly hides.
fn ends_in_dots(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let last = bytes
        .rsplit(|&byte| byte == b'/')
        .find(|component| !component.is_empty());
    matches!(
        last.map(OsStr::from_bytes).and_then(OsStr::to_str),
        Some("." | "..")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_whichever_way_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        std::fs::create_dir(dir.join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.join("link")).unwrap();
        for path in ["real", "real/", "link", "link/.", "real/../link", "real//."] {
            assert_eq!(resolve(&dir.join(path)).unwrap(), dir.join("real"), "{path}");
        }
        assert_eq!(resolve(Path::new("/proc/")).unwrap(), Path::new("/proc"));
        assert_eq!(resolve(Path::new("/proc/self/../")).unwrap(), Path::new("/proc"));
        assert_eq!(
            resolve(&dir.join("none")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
