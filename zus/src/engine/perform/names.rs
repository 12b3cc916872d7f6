// SPDX-License-Identifier: MIT
//! Operations on names.

use zus_protocol::{CreateIn, LinkIn, MkdirIn, MknodIn, OpenOut, Rename2In, fopen};

use super::Context;
use super::attrs::kind;
use crate::engine::{Answer, Refusal, access};
use crate::fs::{Entry, Error, Ino, Kind, Name, NewInode, RenameMode};

/// What only devices and symbolic links have: a number, a target.
const NOTHING: (u32, &[u8]) = (0, b"");

impl Context<'_> {
    fn entry(&mut self, entry: &Entry) -> Result<Answer, Refusal> {
        self.reply.push(&self.session.tell(entry));
        self.done()
    }

    pub(super) fn lookup(&mut self, name: Name<'_>) -> Result<Answer, Refusal> {
        match self.session.fs().lookup(self.request.ino, name) {
            Ok(entry) => self.entry(&entry),
            // Node number 0: the kernel remembers that there is no such name.
            Err(Error::NotFound) if self.is_kernel() => {
                self.reply.push(&self.session.tell_nothing());
                self.done()
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A file handle is opened of which the kernel knows only the number.
    pub(super) fn lookup_self(&mut self) -> Result<Answer, Refusal> {
        let entry = self.by_number(self.request.ino)?;
        self.entry(&entry)
    }

    /// The same, of the directory above.
    pub(super) fn lookup_parent(&mut self) -> Result<Answer, Refusal> {
        let mut parent = None;
        self.session.fs().readdir(self.request.ino, 0, &mut |entry| {
            if entry.name == b".." {
                parent = Some(entry.ino);
            }
            parent.is_none()
        })?;
        let entry = self.by_number(parent.ok_or(Error::NotFound)?)?;
        self.entry(&entry)
    }

    fn by_number(&self, ino: Ino) -> Result<Entry, Refusal> {
        let entry = self.session.fs().by_number(ino);
        Ok(entry.map_err(|error| match error {
            Error::Unsupported => Error::Stale,
            error => error,
        })?)
    }

    /// Makes an inode for whoever asks. The umask is applied here too: the kernel has done so already, and
    /// twice does no harm.
    fn make(
        &self,
        name: Name<'_>,
        kind: Kind,
        mode: u32,
        umask: u32,
        rest: (u32, &[u8]),
    ) -> Result<Entry, Refusal> {
        let (fs, parent) = (self.session.fs(), self.request.ino);
        let (rdev, target) = rest;
        let asked = mode & 0o7777 & !(umask & 0o777);
        let (uid, gid, perm) = match self.caller() {
            None => (self.request.uid, self.request.gid, asked),
            Some(caller) => {
                let perm = access::new_perm(caller, &fs.getattr(parent)?, kind, asked);
                (caller.uid, caller.gid, perm)
            }
        };
        let new = NewInode {
            kind,
            perm,
            uid,
            gid,
            rdev,
            target,
        };
        Ok(fs.create(parent, name, &new)?)
    }

    pub(super) fn symlink(&mut self, name: Name<'_>, target: &[u8]) -> Result<Answer, Refusal> {
        let entry = self.make(name, Kind::Symlink, 0o777, 0, (0, target))?;
        self.entry(&entry)
    }

    pub(super) fn mknod(&mut self, o: &MknodIn, name: Name<'_>) -> Result<Answer, Refusal> {
        let kind = match kind(o.mode) {
            // mknod(2) takes a mode without a kind for a file.
            None if o.mode & libc::S_IFMT == 0 => Kind::File,
            None | Some(Kind::Directory | Kind::Symlink) => return Err(Error::Invalid.into()),
            Some(kind) => kind,
        };
        let device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
        let rdev = if device { o.rdev } else { 0 };
        let entry = self.make(name, kind, o.mode, o.umask, (rdev, b""))?;
        self.entry(&entry)
    }

    pub(super) fn mkdir(&mut self, o: &MkdirIn, name: Name<'_>) -> Result<Answer, Refusal> {
        let entry = self.make(name, Kind::Directory, o.mode, o.umask, NOTHING)?;
        self.entry(&entry)
    }

    /// Makes and opens a file. It always makes it: the kernel asks only when it knows that there is no
    /// such name, and a client opens what exists with OPEN, where its permissions are checked.
    pub(super) fn create(&mut self, o: &CreateIn, name: Name<'_>) -> Result<Answer, Refusal> {
        let entry = self.make(name, Kind::File, o.mode, o.umask, NOTHING)?;
        let told = self.session.tell(&entry);
        self.reply.push(&told);
        if self.is_kernel() {
            self.reply.push(&OpenOut {
                open_flags: fopen::KEEP_CACHE | fopen::NOFLUSH,
                ..Default::default()
            });
        } else {
            let fh = self.give_handle(entry.attr.ino, o.flags, false)?;
            self.reply.push(&OpenOut {
                fh,
                ..Default::default()
            });
        }
        self.done()
    }

    pub(super) fn unlink(&mut self, name: Name<'_>) -> Result<Answer, Refusal> {
        self.session.fs().unlink(self.request.ino, name)?;
        self.done()
    }

    pub(super) fn rmdir(&mut self, name: Name<'_>) -> Result<Answer, Refusal> {
        self.session.fs().rmdir(self.request.ino, name)?;
        self.done()
    }

    pub(super) fn rename(
        &mut self,
        to: &Rename2In,
        name: Name<'_>,
        new_name: Name<'_>,
    ) -> Result<Answer, Refusal> {
        let mode = rename_mode(to.flags)?;
        self.session
            .fs()
            .rename(self.request.ino, name, to.newdir, new_name, mode)?;
        self.done()
    }

    pub(super) fn link(&mut self, o: &LinkIn, name: Name<'_>) -> Result<Answer, Refusal> {
        let entry = self.session.fs().link(o.oldnodeid, self.request.ino, name)?;
        self.entry(&entry)
    }
}

/// The mode that the flags of renameat2(2) ask for. RENAME_WHITEOUT, overlayfs's wish for a device in the
/// old place, is not among them.
pub(in crate::engine) fn rename_mode(flags: u32) -> Result<RenameMode, Error> {
    match flags {
        0 => Ok(RenameMode::Replace),
        libc::RENAME_NOREPLACE => Ok(RenameMode::NoReplace),
        libc::RENAME_EXCHANGE => Ok(RenameMode::Exchange),
        _ => Err(Error::Invalid),
    }
}
