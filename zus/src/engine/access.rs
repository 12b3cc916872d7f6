// SPDX-License-Identifier: MIT
//! Who may do what: the rules of POSIX, as Linux reads them, for callers that no kernel has checked.
//!
//! Pure: attributes in, verdict out. Under `/dev/fuse` and the kernel module the VFS has checked before a
//! message comes; over shared memory the server is the first to look.

use std::sync::Arc;

use crate::fs::{Attr, Error, Kind, Result, SetAttr, SetTime};

/// The setuid bit.
pub const SETUID: u32 = 0o4000;
/// The setgid bit.
pub const SETGID: u32 = 0o2000;
/// The sticky bit: only owners may remove.
pub const STICKY: u32 = 0o1000;
/// Execution by the group: without it a setgid bit does not mean that a program gets the group.
const GROUP_EXEC: u32 = 0o0010;

/// What a caller wants to do with an inode: a sum of these.
pub mod want {
    /// Read the contents, or list a directory.
    pub const READ: u32 = 4;
    /// Change the contents, or a directory's names.
    pub const WRITE: u32 = 2;
    /// Find names in a directory.
    pub const SEARCH: u32 = 1;
}

/// Whom a client acts for, as the kernel told the server when the client connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Arc<[u32]>,
    /// Whether the mount lets it change nothing, root neither.
    pub read_only: bool,
}

impl Caller {
    /// Whether every rule is waived. By user id: capabilities do not travel over a socket.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether the caller belongs to `gid`.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    fn owns(&self, attr: &Attr) -> bool {
        self.is_root() || self.uid == attr.uid
    }

    /// Whether a setgid bit for `gid` is the caller's to give.
    fn commands(&self, gid: u32) -> bool {
        self.is_root() || self.in_group(gid)
    }
}

/// Whether the mode bits of an inode grant `wanted`, all of it.
pub fn permit(caller: &Caller, attr: &Attr, wanted: u32) -> Result<()> {
    if caller.is_root() {
        return Ok(());
    }
    // The first class that the caller is in decides, also when a later one would grant more.
    let granted = if caller.uid == attr.uid {
        attr.perm >> 6
    } else if caller.in_group(attr.gid) {
        attr.perm >> 3
    } else {
        attr.perm
    };
    if wanted & !granted & 7 == 0 {
        Ok(())
    } else {
        Err(Error::Denied)
    }
}

/// Whether names may be added to a directory.
pub fn may_add(caller: &Caller, dir: &Attr) -> Result<()> {
    permit(caller, dir, want::WRITE | want::SEARCH)
}

/// Whether the name of `victim` may be taken out of a directory.
pub fn may_remove(caller: &Caller, dir: &Attr, victim: &Attr) -> Result<()> {
    permit(caller, dir, want::WRITE | want::SEARCH)?;
    if dir.perm & STICKY != 0 && !caller.owns(victim) && !caller.owns(dir) {
        return Err(Error::NotOwner);
    }
    Ok(())
}

/// Whether an inode may change its parent: a directory's ".." is part of its contents.
pub fn may_move(caller: &Caller, moved: &Attr) -> Result<()> {
    match moved.kind {
        Kind::Directory => permit(caller, moved, want::WRITE),
        _ => Ok(()),
    }
}

/// Whether an inode may be given a further name: who could neither read nor write it must not keep it
/// alive, nor a program with privileges (`fs.protected_hardlinks`).
pub fn may_link(caller: &Caller, source: &Attr) -> Result<()> {
    let privileged = source.perm & SETUID != 0 || source.perm & (SETGID | GROUP_EXEC) == SETGID | GROUP_EXEC;
    let safe =
        source.kind == Kind::File && !privileged && permit(caller, source, want::READ | want::WRITE).is_ok();
    if safe || caller.owns(source) {
        Ok(())
    } else {
        Err(Error::NotOwner)
    }
}

/// Whether an inode of this kind may be made: devices are root's.
pub fn may_make(caller: &Caller, kind: Kind) -> Result<()> {
    match kind {
        Kind::CharDevice | Kind::BlockDevice if !caller.is_root() => Err(Error::NotOwner),
        _ => Ok(()),
    }
}

/// The permission bits that a new inode gets when `perm` are asked for.
pub fn new_perm(caller: &Caller, dir: &Attr, kind: Kind, perm: u32) -> u32 {
    match kind {
        // A directory takes its setgid bit from its parent, not from its maker.
        Kind::Directory => perm & (0o777 | STICKY),
        _ if perm & GROUP_EXEC != 0 && dir.perm & SETGID != 0 && !caller.commands(dir.gid) => {
            perm & 0o7777 & !SETGID
        }
        _ => perm & 0o7777,
    }
}

/// The permission bits that are left when contents of a file are changed, if that changes them.
pub fn perm_after_write(caller: &Caller, attr: &Attr) -> Option<u32> {
    if caller.is_root() || attr.kind != Kind::File {
        return None;
    }
    let left = without_privileges(caller, attr, attr.perm);
    (left != attr.perm).then_some(left)
}

/// `perm` without the bits that give a program its owner's or group's rights. A setgid bit without
/// execution by the group gives none, and stays for those in the group.
fn without_privileges(caller: &Caller, attr: &Attr, perm: u32) -> u32 {
    let keep_setgid = perm & GROUP_EXEC == 0 && caller.commands(attr.gid);
    perm & !SETUID & if keep_setgid { !0 } else { !SETGID }
}

/// Checks changes of attributes, and returns what is to be changed in fact: bits that the caller may not
/// give, or that the change takes away, are removed. `writable` says that the caller holds a handle of the
/// file that was opened for writing, so a truncation needs no further permission.
pub fn changes(caller: &Caller, attr: &Attr, asked: &SetAttr, writable: bool) -> Result<SetAttr> {
    let mut changes = *asked;
    changes.ctime = None; // the server's clock, not the client's

    if changes.size.is_some() {
        match attr.kind {
            Kind::File => {}
            Kind::Directory => return Err(Error::IsDirectory),
            _ => return Err(Error::Invalid),
        }
        if !writable {
            permit(caller, attr, want::WRITE)?;
        }
    }
    if let Some(uid) = changes.uid
        && !(caller.is_root() || caller.uid == attr.uid && uid == attr.uid)
    {
        return Err(Error::NotOwner);
    }
    if let Some(gid) = changes.gid
        && !(caller.is_root() || caller.uid == attr.uid && (gid == attr.gid || caller.in_group(gid)))
    {
        return Err(Error::NotOwner);
    }
    match (changes.atime, changes.mtime) {
        (None, None) => {}
        (Some(SetTime::Now), Some(SetTime::Now)) if !caller.owns(attr) => {
            permit(caller, attr, want::WRITE)?;
        }
        _ if !caller.owns(attr) => return Err(Error::NotOwner),
        _ => {}
    }
    if let Some(perm) = &mut changes.perm {
        if !caller.owns(attr) {
            return Err(Error::NotOwner);
        }
        if attr.kind == Kind::Symlink {
            return Err(Error::Unsupported);
        }
        *perm &= 0o7777;
        if !caller.commands(changes.gid.unwrap_or(attr.gid)) {
            *perm &= !SETGID;
        }
    }

    let chowned = changes.uid.is_some() || changes.gid.is_some();
    let written = changes.size.is_some() && !caller.is_root();
    if attr.kind != Kind::Directory && (chowned || written) {
        let perm = changes.perm.unwrap_or(attr.perm);
        let left = without_privileges(caller, attr, perm);
        if left != perm {
            changes.perm = Some(left);
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests;
