// SPDX-License-Identifier: MIT
//! What an inode is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zus_protocol::{Attr, Kstatfs};

use crate::path;

/// The attributes of an inode, as of stat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Inode number.
    pub ino: u64,
    /// Kind and permissions: `st_mode`.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, of devices.
    pub rdev: u32,
    /// Size in bytes.
    pub size: u64,
    /// Space taken, in units of 512 bytes.
    pub blocks: u64,
    /// Last read.
    pub atime: Time,
    /// Last change of the contents.
    pub mtime: Time,
    /// Last change of the inode.
    pub ctime: Time,
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970, negative before.
    pub sec: i64,
    /// Nanoseconds in that second.
    pub nsec: u32,
}

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// Nothing that we know.
    Unknown,
}

/// Space and inodes of the file system, as of statvfs(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceUsed {
    /// Bytes in a block: the unit of the next three.
    pub block_size: u32,
    /// All blocks.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Free blocks for everybody.
    pub blocks_available: u64,
    /// All inodes that there can be.
    pub files: u64,
    /// Of which free.
    pub files_free: u64,
}

impl Stat {
    /// What it is.
    pub fn kind(&self) -> FileKind {
        FileKind::of_mode(self.mode)
    }

    /// Permission bits, 0o7777 at most.
    pub fn perm(&self) -> u32 {
        self.mode & 0o7777
    }
}

impl FileKind {
    /// The kind in an `st_mode`.
    pub(crate) fn of_mode(mode: u32) -> Self {
        match mode & libc::S_IFMT {
            libc::S_IFREG => FileKind::File,
            libc::S_IFDIR => FileKind::Directory,
            libc::S_IFLNK => FileKind::Symlink,
            libc::S_IFIFO => FileKind::Fifo,
            libc::S_IFSOCK => FileKind::Socket,
            libc::S_IFCHR => FileKind::CharDevice,
            libc::S_IFBLK => FileKind::BlockDevice,
            _ => FileKind::Unknown,
        }
    }

    /// What matters of it on a path.
    pub(crate) fn on_path(self) -> path::Kind {
        match self {
            FileKind::Directory => path::Kind::Directory,
            FileKind::Symlink => path::Kind::Symlink,
            _ => path::Kind::Other,
        }
    }
}

impl From<&Attr> for Stat {
    fn from(attr: &Attr) -> Self {
        let time = |sec: u64, nsec| Time {
            sec: sec as i64,
            nsec,
        };
        Self {
            ino: attr.ino,
            mode: attr.mode,
            nlink: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            rdev: attr.rdev,
            size: attr.size,
            blocks: attr.blocks,
            atime: time(attr.atime, attr.atimensec),
            mtime: time(attr.mtime, attr.mtimensec),
            ctime: time(attr.ctime, attr.ctimensec),
        }
    }
}

impl From<&Kstatfs> for SpaceUsed {
    fn from(st: &Kstatfs) -> Self {
        Self {
            block_size: st.frsize,
            blocks: st.blocks,
            blocks_free: st.bfree,
            blocks_available: st.bavail,
            files: st.files,
            files_free: st.ffree,
        }
    }
}

impl From<Time> for SystemTime {
    /// A time that the system cannot express becomes 1970.
    fn from(time: Time) -> Self {
        let seconds = Duration::from_secs(time.sec.unsigned_abs());
        let whole = match time.sec {
            0.. => UNIX_EPOCH.checked_add(seconds),
            _ => UNIX_EPOCH.checked_sub(seconds),
        };
        whole
            .and_then(|whole| whole.checked_add(Duration::from_nanos(time.nsec.into())))
            .unwrap_or(UNIX_EPOCH)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self {
                sec: since.as_secs() as i64,
                nsec: since.subsec_nanos(),
            },
            Err(before) => {
                // Nanoseconds count upwards, also before 1970.
                let before = before.duration();
                let (sec, nsec) = (before.as_secs() as i64, before.subsec_nanos());
                match nsec {
                    0 => Self { sec: -sec, nsec: 0 },
                    _ => Self {
                        sec: -sec - 1,
                        nsec: 1_000_000_000 - nsec,
                    },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for (sec, nsec) in [(0, 0), (1, 5), (-1, 0), (-1, 999_999_999), (-7, 3), (1 << 33, 1)] {
            let time = Time { sec, nsec };
            assert_eq!(Time::from(SystemTime::from(time)), time);
        }
    }
}
