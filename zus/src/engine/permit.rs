// SPDX-License-Identifier: MIT
//! The one place where each request of a client is checked, before anything is done. The rules are in
//! `access.rs`; here is which of them an operation falls under.

use super::access::{self, Caller, want};
use super::{Access, Open, Operation, Refusal, Request};
use crate::fs::{Attr, Error, FileSystem, Ino, Kind, Name, RenameMode};

/// Whether `access` allows `request`. `open` is the handle that the request names, if it names one: its
/// inode is the request's, and it was opened by this client, whose rights were checked then.
///
/// What a change of attributes or a new inode's mode becomes is decided where it is made
/// ([`access::changes`], [`access::new_perm`]); so is what else a rule needs to know at that moment.
pub(super) fn check(
    access: &Access,
    fs: &dyn FileSystem,
    request: &Request<'_>,
    open: Option<&Open>,
) -> Result<(), Refusal> {
    match access {
        Access::Kernel => Ok(()),
        Access::Client(caller) if caller.read_only && changes(&request.operation) => {
            Err(Error::ReadOnly.into())
        }
        Access::Client(caller) => Ok(Check { caller, fs }.operation(request, open)?),
    }
}

struct Check<'a> {
    caller: &'a Caller,
    fs: &'a dyn FileSystem,
}

impl Check<'_> {
    fn operation(&self, request: &Request<'_>, open: Option<&Open>) -> Result<(), Error> {
        let ino = request.ino;
        match &request.operation {
            Operation::Lookup(_) | Operation::LookupParent => self.permit(ino, want::SEARCH),
            Operation::Symlink { .. } => self.may_make(ino, Kind::Symlink),
            Operation::Mkdir(..) => self.may_make(ino, Kind::Directory),
            Operation::Create(..) => self.may_make(ino, Kind::File),
            Operation::Mknod(o, _) => self.may_make(ino, super::perform::kind(o.mode).unwrap_or(Kind::File)),
            Operation::Unlink(name) | Operation::Rmdir(name) => self.may_remove(ino, *name).map(drop),
            Operation::Rename { to, name, new_name } => {
                self.may_rename(ino, *name, to.newdir, *new_name, to.flags)
            }
            Operation::Link(o, _) => {
                access::may_link(self.caller, &self.fs.getattr(o.oldnodeid)?)?;
                access::may_add(self.caller, &self.fs.getattr(ino)?)
            }
            Operation::Open(o) => self.permit(ino, wanted(o.flags as i32)),
            Operation::Opendir(_) => self.permit(ino, want::READ),
            // Reading was checked when it was opened; this finds inodes too.
            Operation::Readdirplus(_) => self.permit(ino, want::SEARCH),
            Operation::Fallocate(_) | Operation::Write(_) if open.is_none() => Err(Error::Denied),
            // A handle was checked when it was opened; attributes and symbolic links are for everybody who
            // found them; the rest is about the client itself or about everything.
            _ => Ok(()),
        }
    }

    fn permit(&self, ino: Ino, wanted: u32) -> Result<(), Error> {
        access::permit(self.caller, &self.fs.getattr(ino)?, wanted)
    }

    fn may_make(&self, parent: Ino, kind: Kind) -> Result<(), Error> {
        access::may_make(self.caller, kind)?;
        access::may_add(self.caller, &self.fs.getattr(parent)?)
    }

    /// Returns what would be removed; nothing, if there is no such name: that is for the operation to say.
    fn may_remove(&self, parent: Ino, name: Name<'_>) -> Result<Option<Attr>, Error> {
        let dir = self.fs.getattr(parent)?;
        access::permit(self.caller, &dir, want::SEARCH)?;
        let victim = match self.fs.lookup(parent, name) {
            Ok(entry) => entry.attr,
            Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        // The lookup took a reference that the client is not told of.
        self.fs.forget(victim.ino, 1);
        access::may_remove(self.caller, &dir, &victim)?;
        Ok(Some(victim))
    }

    fn may_rename(
        &self,
        parent: Ino,
        name: Name<'_>,
        new_parent: Ino,
        new_name: Name<'_>,
        flags: u32,
    ) -> Result<(), Error> {
        let moved = self.may_remove(parent, name)?;
        access::may_add(self.caller, &self.fs.getattr(new_parent)?)?;
        let replaced = self.may_remove(new_parent, new_name)?;
        if parent != new_parent {
            let swapped = replaced.filter(|_| super::perform::rename_mode(flags) == Ok(RenameMode::Exchange));
            for attr in [moved, swapped].iter().flatten() {
                access::may_move(self.caller, attr)?;
            }
        }
        Ok(())
    }
}

/// What opening a file with these `O_*` takes.
fn wanted(flags: i32) -> u32 {
    let wanted = match flags & libc::O_ACCMODE {
        libc::O_RDONLY => want::READ,
        libc::O_WRONLY => want::WRITE,
        _ => want::READ | want::WRITE,
    };
    wanted
        | if flags & libc::O_TRUNC != 0 {
            want::WRITE
        } else {
            0
        }
}

/// Whether an operation changes the file system.
fn changes(operation: &Operation<'_>) -> bool {
    match operation {
        Operation::Setattr(_)
        | Operation::Symlink { .. }
        | Operation::Mknod(..)
        | Operation::Mkdir(..)
        | Operation::Unlink(_)
        | Operation::Rmdir(_)
        | Operation::Rename { .. }
        | Operation::Link(..)
        | Operation::Create(..)
        | Operation::Write(_)
        | Operation::Fallocate(_) => true,
        Operation::Open(o) => wanted(o.flags as i32) & want::WRITE != 0,
        Operation::Init(_)
        | Operation::Destroy
        | Operation::Lookup(_)
        | Operation::LookupSelf
        | Operation::LookupParent
        | Operation::Forget(_)
        | Operation::BatchForget(_)
        | Operation::Getattr(_)
        | Operation::Statx(_)
        | Operation::Readlink
        | Operation::Read(_)
        | Operation::Statfs
        | Operation::Release(_)
        | Operation::Flush(_)
        | Operation::Fsync(_)
        | Operation::Opendir(_)
        | Operation::Readdir(_)
        | Operation::Readdirplus(_)
        | Operation::Releasedir(_)
        | Operation::Fsyncdir(_)
        | Operation::Lseek(_)
        | Operation::Syncfs
        | Operation::Interrupt
        | Operation::Unknown => false,
    }
}
