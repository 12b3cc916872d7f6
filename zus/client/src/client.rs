// SPDX-License-Identifier: MIT
//! The operations on paths.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use relay::Snapshot;
use zerocopy::IntoBytes;
use zus_protocol::{
    AttrOut, CreateIn, EntryOut, GetattrIn, LinkIn, MkdirIn, Opcode, OpenIn, OpenOut, ROOT_ID, Rename2In,
    SetattrIn, StatfsOut, SyncfsIn, fattr,
};

use crate::connect::Connector;
use crate::link::Link;
use crate::node::Node;
use crate::path::{Last, Place, os, walk};
use crate::stat::{FileKind, SpaceUsed, Stat, Time};
use crate::{File, OpenOptions, ReadDir};

/// A connection to a mount. Clones are the same connection; it ends with the last of them and of the files
/// opened through it.
#[derive(Clone)]
pub struct Client {
    link: Arc<Link>,
}

impl Client {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    /// Connects to the server of the mount at `path`, or whose data socket `path` is.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Connector::new().connect(path)
    }

    /// Opens a file.
    pub fn open(&self, path: impl AsRef<Path>, options: &OpenOptions) -> io::Result<File> {
        let flags = options.flags()?;
        let last = if options.creates_only() {
            Last::NoFollow
        } else {
            Last::Follow
        };
        loop {
            match self.walk(path.as_ref(), last)? {
                Place::Directory(_) => return Err(os(libc::EISDIR)),
                Place::Name { found: Some(_), .. } if options.creates_only() => return Err(os(libc::EEXIST)),
                Place::Name {
                    found: Some(node), ..
                } => return self.open_node(node, options, flags),
                Place::Name { .. } if !options.creates() => return Err(os(libc::ENOENT)),
                Place::Name { slash: true, .. } => return Err(os(libc::EISDIR)),
                Place::Name { dir, name, .. } => match self.create_in(&dir, &name, options, flags) {
                    // Somebody else was faster: open theirs.
                    Err(e) if e.raw_os_error() == Some(libc::EEXIST) && !options.creates_only() => {}
                    other => return other,
                },
            }
        }
    }

    fn open_node(&self, node: Node, options: &OpenOptions, flags: u32) -> io::Result<File> {
        match node.kind() {
            FileKind::File => {}
            FileKind::Directory => return Err(os(libc::EISDIR)),
            FileKind::Symlink => return Err(os(libc::ELOOP)),
            // Pipes, sockets and devices are the kernel's business.
            _ => return Err(os(libc::ENXIO)),
        }
        let truncate = if options.truncates() { libc::O_TRUNC } else { 0 };
        let open = OpenIn {
            flags: flags | truncate as u32,
            open_flags: 0,
        };
        let out: OpenOut = self.call(Opcode::Open, node.ino, &[open.as_bytes()])?;
        Ok(File::new(node, &out, flags))
    }

    fn create_in(&self, dir: &Node, name: &[u8], options: &OpenOptions, flags: u32) -> io::Result<File> {
        let create = CreateIn {
            flags: flags | (libc::O_CREAT | libc::O_EXCL) as u32,
            mode: libc::S_IFREG | options.permissions() & !self.link.umask,
            umask: self.link.umask,
            open_flags: 0,
        };
        let out: Created = self.call(Opcode::Create, dir.ino, &[create.as_bytes(), name, b"\0"])?;
        let node = Node::told(&self.link, &out.entry)?;
        Ok(File::new(node, &out.open, flags))
    }

    /// Makes a file with these permissions, before the umask, or empties the one that is there, and opens it
    /// for reading and writing.
    pub fn create(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<File> {
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode);
        self.open(path, &options)
    }

    /// The attributes of what `path` leads to.
    pub fn stat(&self, path: impl AsRef<Path>) -> io::Result<Stat> {
        self.stat_of(path.as_ref(), Last::Follow)
    }

    /// As [`stat`](Self::stat), of a symbolic link itself.
    pub fn lstat(&self, path: impl AsRef<Path>) -> io::Result<Stat> {
        self.stat_of(path.as_ref(), Last::NoFollow)
    }

    fn stat_of(&self, path: &Path, last: Last) -> io::Result<Stat> {
        let node = self.walk(path, last)?.found()?;
        if let Some(stat) = node.stat {
            // The walk has just been told.
            return Ok(stat);
        }
        let out: AttrOut = self.call(Opcode::Getattr, node.ino, &[GetattrIn::default().as_bytes()])?;
        Ok(Stat::from(&out.attr))
    }

    /// The entries of a directory, in no particular order.
    pub fn readdir(&self, path: impl AsRef<Path>) -> io::Result<ReadDir> {
        let node = self.walk(path.as_ref(), Last::Follow)?.found()?;
        if node.kind() != FileKind::Directory {
            return Err(os(libc::ENOTDIR));
        }
        let open = OpenIn {
            flags: (libc::O_RDONLY | libc::O_DIRECTORY) as u32,
            open_flags: 0,
        };
        let out: OpenOut = self.call(Opcode::Opendir, node.ino, &[open.as_bytes()])?;
        Ok(ReadDir::new(node, &out))
    }

    /// Makes a directory with these permissions, before the umask.
    pub fn mkdir(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
        let (dir, name, _) = self.place(path.as_ref(), |_| libc::EEXIST)?;
        let mkdir = MkdirIn {
            mode: mode & 0o7777 & !self.link.umask,
            umask: self.link.umask,
        };
        self.told(Opcode::Mkdir, dir.ino, &[mkdir.as_bytes(), &name, b"\0"])
    }

    /// Makes a symbolic link at `path` that holds `target`.
    pub fn symlink(&self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> io::Result<()> {
        let target = target.as_ref().as_os_str().as_bytes();
        if target.contains(&0) {
            return Err(os(libc::EINVAL));
        }
        let (dir, name, slash) = self.place(path.as_ref(), |_| libc::EEXIST)?;
        if slash {
            return Err(os(libc::ENOENT));
        }
        self.told(Opcode::Symlink, dir.ino, &[&name, b"\0", target, b"\0"])
    }

    /// What a symbolic link holds.
    pub fn readlink(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let node = self.walk(path.as_ref(), Last::NoFollow)?.found()?;
        if node.kind() != FileKind::Symlink {
            return Err(os(libc::EINVAL));
        }
        Ok(OsString::from_vec(node.readlink()?).into())
    }

    /// Gives the file `from` the further name `to`.
    pub fn link(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let node = self.walk(from.as_ref(), Last::NoFollow)?.found()?;
        if node.kind() == FileKind::Directory {
            return Err(os(libc::EPERM));
        }
        let (dir, name, slash) = self.place(to.as_ref(), |_| libc::EEXIST)?;
        if slash {
            return Err(os(libc::ENOENT));
        }
        let link = LinkIn { oldnodeid: node.ino };
        self.told(Opcode::Link, dir.ino, &[link.as_bytes(), &name, b"\0"])
    }

    /// Removes the name of something that is no directory.
    pub fn unlink(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (dir, name, slash) = self.place(path.as_ref(), |_| libc::EISDIR)?;
        if slash {
            // Only a directory may be called so, and that is not for us to remove.
            return match dir.lookup(&name)?.kind() {
                FileKind::Directory => Err(os(libc::EISDIR)),
                _ => Err(os(libc::ENOTDIR)),
            };
        }
        self.done(Opcode::Unlink, dir.ino, &[&name, b"\0"])
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (dir, name, _) = self.place(path.as_ref(), |path| match path {
            [.., b'.', b'.'] => libc::ENOTEMPTY,
            [.., b'.'] => libc::EINVAL,
            _ => libc::EBUSY,
        })?;
        self.done(Opcode::Rmdir, dir.ino, &[&name, b"\0"])?;
        self.link.forgotten.flush(&self.link)
    }

    /// Moves `from` to `to`, which it replaces.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        self.rename_with(from, to, 0)
    }

    /// Moves `from` to `to`; `flags` is 0, `RENAME_NOREPLACE` or `RENAME_EXCHANGE` of renameat2(2).
    pub fn rename_with(&self, from: impl AsRef<Path>, to: impl AsRef<Path>, flags: u32) -> io::Result<()> {
        let (dir, name, slash) = self.place(from.as_ref(), |_| libc::EBUSY)?;
        let (new_dir, new_name, new_slash) = self.place(to.as_ref(), |_| libc::EBUSY)?;
        if (slash || new_slash) && dir.lookup(&name)?.kind() != FileKind::Directory {
            return Err(os(libc::ENOTDIR));
        }
        let rename = Rename2In {
            newdir: new_dir.ino,
            flags,
            padding: 0,
        };
        let parts = [rename.as_bytes(), &name, b"\0", &new_name, b"\0"];
        self.done(Opcode::Rename2, dir.ino, &parts)?;
        self.link.forgotten.flush(&self.link)
    }

    /// Cuts a file off at `size` bytes, or extends it with a hole.
    pub fn truncate(&self, path: impl AsRef<Path>, size: u64) -> io::Result<()> {
        let change = SetattrIn {
            valid: fattr::SIZE,
            size,
            ..Default::default()
        };
        self.setattr(path.as_ref(), Last::Follow, &change)
    }

    /// Sets permissions.
    pub fn chmod(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
        let change = SetattrIn {
            valid: fattr::MODE,
            mode: mode & 0o7777,
            ..Default::default()
        };
        self.setattr(path.as_ref(), Last::Follow, &change)
    }

    /// Sets owner and group; `None` leaves one as it is. Of a symbolic link what it leads to.
    pub fn chown(&self, path: impl AsRef<Path>, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        let change = SetattrIn {
            valid: uid.map_or(0, |_| fattr::UID) | gid.map_or(0, |_| fattr::GID),
            uid: uid.unwrap_or(0),
            gid: gid.unwrap_or(0),
            ..Default::default()
        };
        self.setattr(path.as_ref(), Last::Follow, &change)
    }

    /// Sets the times of last read and last change of the contents. Of a symbolic link what it leads to.
    pub fn utimens(&self, path: impl AsRef<Path>, atime: Time, mtime: Time) -> io::Result<()> {
        let change = SetattrIn {
            valid: fattr::ATIME | fattr::MTIME,
            atime: atime.sec as u64,
            atimensec: atime.nsec,
            mtime: mtime.sec as u64,
            mtimensec: mtime.nsec,
            ..Default::default()
        };
        self.setattr(path.as_ref(), Last::Follow, &change)
    }

    fn setattr(&self, path: &Path, last: Last, change: &SetattrIn) -> io::Result<()> {
        let node = self.walk(path, last)?.found()?;
        self.done(Opcode::Setattr, node.ino, &[change.as_bytes()])
    }

    /// Space and inodes, used and free.
    pub fn statfs(&self) -> io::Result<SpaceUsed> {
        let out: StatfsOut = self.call(Opcode::Statfs, ROOT_ID, &[])?;
        Ok(SpaceUsed::from(&out.st))
    }

    /// Makes everything durable.
    pub fn sync(&self) -> io::Result<()> {
        self.done(Opcode::Syncfs, ROOT_ID, &[SyncfsIn::default().as_bytes()])
    }

    /// What the slots of this connection have counted: hand-offs, polls, blocking and waking calls.
    pub fn stats(&self) -> Snapshot {
        self.link.stats()
    }

    fn walk(&self, path: &Path, last: Last) -> io::Result<Place<Node>> {
        walk(&self.link, path.as_os_str().as_bytes(), last)
    }

    /// The directory and the name that `path` means, and whether a slash follows. `nameless` is the errno if
    /// it leads to a directory by way of no name.
    fn place(&self, path: &Path, nameless: fn(&[u8]) -> i32) -> io::Result<(Node, Vec<u8>, bool)> {
        match self.walk(path, Last::Name)? {
            Place::Directory(_) => Err(os(nameless(path.as_os_str().as_bytes()))),
            Place::Name { dir, name, slash, .. } => Ok((dir, name, slash)),
        }
    }

    /// An operation with an answer of fixed size.
    fn call<T>(&self, opcode: Opcode, ino: u64, parts: &[&[u8]]) -> io::Result<T>
    where
        T: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable,
    {
        self.link.channel().call(opcode, ino, parts, 0)?.body()
    }

    /// An operation whose answer says nothing but that it was done.
    fn done(&self, opcode: Opcode, ino: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.link.channel().call(opcode, ino, parts, 0).map(drop)
    }

    /// An operation that tells of an inode, which we do not keep.
    fn told(&self, opcode: Opcode, ino: u64, parts: &[&[u8]]) -> io::Result<()> {
        let entry: EntryOut = self.call(opcode, ino, parts)?;
        Node::told(&self.link, &entry).map(drop)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The answer to CREATE.
#[derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(C)]
struct Created {
    entry: EntryOut,
    open: OpenOut,
}
