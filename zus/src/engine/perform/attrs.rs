// SPDX-License-Identifier: MIT
//! Attributes, and their form on the wire.

use zus_protocol::{AttrOut, EntryOut, SetattrIn, Statx, StatxOut, SxTime, fattr};

use super::Context;
use crate::engine::{Access, Answer, Open, Refusal, Session, access};
use crate::fs::{Attr, Entry, Error, Kind, SetAttr, SetTime, Timestamp};

/// How long the kernel may keep names and attributes, in seconds: a year. It is told of every change by
/// the reply to the operation that made it. Less than for ever, since it adds this to its clock.
const KERNEL_KEEPS: u64 = 365 * 24 * 3600;

/// The I/O size to prefer, in bytes.
const BLKSIZE: u32 = 4096;

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const GROUP_EXEC: u32 = 0o010;

impl Session {
    /// How long this client may keep what it is told. One over shared memory hears nothing of what the
    /// others do.
    fn keeps(&self) -> u64 {
        match self.access() {
            Access::Kernel => KERNEL_KEEPS,
            Access::Client(_) => 0,
        }
    }

    /// A found or made inode, as the client is told of it; it then holds a reference.
    pub(super) fn tell(&self, entry: &Entry) -> EntryOut {
        self.references.told(entry.attr.ino);
        EntryOut {
            nodeid: entry.attr.ino,
            generation: entry.attr.generation,
            entry_valid: self.keeps(),
            attr_valid: self.keeps(),
            attr: wire(&entry.attr),
            ..Default::default()
        }
    }

    /// A name that is not there. The kernel may keep that too.
    pub(super) fn tell_nothing(&self) -> EntryOut {
        EntryOut {
            entry_valid: self.keeps(),
            ..Default::default()
        }
    }
}

impl Context<'_> {
    fn attributes(&mut self, attr: &Attr) -> Result<Answer, Refusal> {
        self.reply.push(&AttrOut {
            attr_valid: self.session.keeps(),
            attr: wire(attr),
            ..Default::default()
        });
        self.done()
    }

    pub(super) fn getattr(&mut self) -> Result<Answer, Refusal> {
        let attr = self.session.fs().getattr(self.request.ino)?;
        self.attributes(&attr)
    }

    pub(super) fn statx(&mut self) -> Result<Answer, Refusal> {
        let attr = self.session.fs().getattr(self.request.ino)?;
        self.reply.push(&StatxOut {
            attr_valid: self.session.keeps(),
            stat: wire_statx(&attr),
            ..Default::default()
        });
        self.done()
    }

    pub(super) fn setattr(&mut self, o: &SetattrIn) -> Result<Answer, Refusal> {
        let (fs, ino) = (self.session.fs(), self.request.ino);
        let has = |flag: u32| o.valid & flag != 0;
        let mut changes = SetAttr {
            perm: has(fattr::MODE).then_some(o.mode & 0o7777),
            uid: has(fattr::UID).then_some(o.uid),
            gid: has(fattr::GID).then_some(o.gid),
            size: has(fattr::SIZE).then_some(o.size),
            atime: set_time(has(fattr::ATIME), has(fattr::ATIME_NOW), o.atime, o.atimensec)?,
            mtime: set_time(has(fattr::MTIME), has(fattr::MTIME_NOW), o.mtime, o.mtimensec)?,
            ctime: has(fattr::CTIME)
                .then(|| timestamp(o.ctime, o.ctimensec))
                .transpose()?,
        };
        if changes.size.is_some_and(|size| size > i64::MAX as u64) {
            return Err(Error::TooLarge.into());
        }
        match self.caller() {
            Some(caller) => {
                let writable = self.open.is_some_and(Open::writable);
                changes = access::changes(caller, &fs.getattr(ino)?, &changes, writable)?;
            }
            // Before the first write to a file with set-ID bits by somebody who may not keep them, the
            // kernel asks for their removal with a SETATTR that names nothing (they are the server's to
            // clear), and learns the new mode from the reply. chown(2) that changes neither looks the
            // same, and clears them too.
            None if has(fattr::KILL_SUIDGID) || o.valid & !(fattr::FH | fattr::LOCKOWNER) == 0 => {
                changes.perm = changes.perm.or(without_set_id(&fs.getattr(ino)?));
            }
            None => {}
        }
        // The kernel sends no time with ftruncate(2) and open(2): it is the server's to set. Not asked for, so
        // it needs no permission.
        if changes.size.is_some() && changes.mtime.is_none() {
            changes.mtime = Some(SetTime::Now);
        }
        let attr = fs.setattr(ino, &changes)?;
        self.attributes(&attr)
    }

    /// Clears the set-ID bits of a file that is about to be written to by somebody who may not keep them.
    /// Before the data come: in between, the file gives too few rights, not too many.
    pub(super) fn drop_set_id(&self) -> Result<(), Refusal> {
        let (fs, ino) = (self.session.fs(), self.request.ino);
        let perm = match self.caller() {
            // Keeps them. Not even a look at the file: this is the path of every write.
            Some(caller) if caller.is_root() => return Ok(()),
            Some(caller) => access::perm_after_write(caller, &fs.getattr(ino)?),
            None => without_set_id(&fs.getattr(ino)?),
        };
        if perm.is_some() {
            let changes = SetAttr {
                perm,
                ..Default::default()
            };
            fs.setattr(ino, &changes)?;
        }
        Ok(())
    }

    pub(super) fn readlink(&mut self) -> Result<Answer, Refusal> {
        let target = self.session.fs().readlink(self.request.ino)?;
        self.reply.push_bytes(&target);
        self.done()
    }
}

/// The permissions without set-ID bits, if there are any that have to go. Those of a directory stay, and
/// the set-group-ID bit of what the group may not execute, which means something else.
fn without_set_id(attr: &Attr) -> Option<u32> {
    let keep_gid = attr.perm & GROUP_EXEC == 0;
    let perm = attr.perm & !SET_UID & if keep_gid { !0 } else { !SET_GID };
    (attr.kind != Kind::Directory && perm != attr.perm).then_some(perm)
}

fn set_time(given: bool, now: bool, sec: u64, nsec: u32) -> Result<Option<SetTime>, Refusal> {
    Ok(match (given, now) {
        (false, _) => None,
        (true, true) => Some(SetTime::Now),
        (true, false) => Some(SetTime::At(timestamp(sec, nsec)?)),
    })
}

fn timestamp(sec: u64, nsec: u32) -> Result<Timestamp, Refusal> {
    if nsec >= 1_000_000_000 {
        return Err(Error::Invalid.into());
    }
    let sec = sec as i64;
    Ok(Timestamp { sec, nsec })
}

/// The upper bits of `st_mode`.
pub(super) fn type_bits(kind: Kind) -> u32 {
    match kind {
        Kind::File => libc::S_IFREG,
        Kind::Directory => libc::S_IFDIR,
        Kind::Symlink => libc::S_IFLNK,
        Kind::Fifo => libc::S_IFIFO,
        Kind::Socket => libc::S_IFSOCK,
        Kind::CharDevice => libc::S_IFCHR,
        Kind::BlockDevice => libc::S_IFBLK,
    }
}

/// The reverse.
pub(in crate::engine) fn kind(mode: u32) -> Option<Kind> {
    Some(match mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFLNK => Kind::Symlink,
        libc::S_IFIFO => Kind::Fifo,
        libc::S_IFSOCK => Kind::Socket,
        libc::S_IFCHR => Kind::CharDevice,
        libc::S_IFBLK => Kind::BlockDevice,
        _ => return None,
    })
}

fn wire(attr: &Attr) -> zus_protocol::Attr {
    zus_protocol::Attr {
        ino: attr.ino,
        size: attr.size,
        blocks: attr.blocks,
        atime: attr.atime.sec as u64,
        mtime: attr.mtime.sec as u64,
        ctime: attr.ctime.sec as u64,
        atimensec: attr.atime.nsec,
        mtimensec: attr.mtime.nsec,
        ctimensec: attr.ctime.nsec,
        mode: type_bits(attr.kind) | attr.perm,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: BLKSIZE,
        flags: 0,
    }
}

fn wire_statx(attr: &Attr) -> Statx {
    let time = |t: Timestamp| SxTime {
        tv_sec: t.sec,
        tv_nsec: t.nsec,
        ..Default::default()
    };
    Statx {
        mask: libc::STATX_BASIC_STATS | libc::STATX_BTIME,
        blksize: BLKSIZE,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        mode: (type_bits(attr.kind) | attr.perm) as u16,
        ino: attr.ino,
        size: attr.size,
        blocks: attr.blocks,
        atime: time(attr.atime),
        btime: time(attr.btime),
        ctime: time(attr.ctime),
        mtime: time(attr.mtime),
        // As the kernel packs a device number into 32 bits: 12 bits of minor around 12 of major.
        rdev_major: attr.rdev >> 8 & 0xfff,
        rdev_minor: attr.rdev & 0xff | attr.rdev >> 12 & 0xfff00,
        ..Default::default()
    }
}
