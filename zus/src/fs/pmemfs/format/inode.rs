// SPDX-License-Identifier: MIT
//! An inode: 256 bytes, of which the first 144 are checked and change through the journal only, two are
//! words that change in place, and the last 96 hold a short symbolic link.

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{MAX_HEIGHT, MAX_SIZE, unpack};
use crate::fs::{Attr, Error, Ino, Kind, Result, Timestamp};

/// Bytes of an inode in the table.
pub const INODE_LEN: usize = 256;
/// Bytes of its record: all but what is inline.
pub const RECORD_LEN: usize = 160;
/// Where in it the word with the time of the last overwrite is; that of the last read follows.
pub const TOUCHED_AT: u64 = 144;
/// Where in it a short link's target is.
pub const INLINE_AT: u64 = 160;
/// The longest target that fits there.
pub const INLINE_MAX: usize = 96;

/// The record as it stands on the medium.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Raw {
    /// crc32c of what follows, up to `touched`.
    crc: U32,
    kind: u8,
    height: u8,
    perm: U16,
    flags: U32,
    nlink: U32,
    uid: U32,
    gid: U32,
    rdev: U32,
    inline_crc: U32,
    generation: U64,
    ino: U64,
    size: U64,
    blocks: U64,
    root: U64,
    parent: U64,
    /// For extended attributes, later.
    attributes: U64,
    seconds: [I64; 4],
    nanoseconds: [U32; 4],
    reserved: [u8; 8],
    touched: U64,
    accessed: U64,
}

const _: () = assert!(size_of::<Raw>() == RECORD_LEN);
const _: () = assert!(std::mem::offset_of!(Raw, touched) == TOUCHED_AT as usize);
const _: () = assert!(RECORD_LEN + INLINE_MAX == INODE_LEN);

/// An inode's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// What it is; `None` if it is free.
    pub kind: Option<Kind>,
    /// Its number.
    pub ino: Ino,
    /// Counts the inodes of that number.
    pub generation: u64,
    /// Permission bits.
    pub perm: u16,
    /// Names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number.
    pub rdev: u32,
    /// Size in bytes.
    pub size: u64,
    /// Blocks taken, nodes of the tree too.
    pub blocks: u64,
    /// The root of its tree: a [`Pointer`](super::Pointer), to data if `height` is 0, else to a node.
    pub root: u64,
    /// Levels of nodes.
    pub height: u8,
    /// The directory that a directory is in.
    pub parent: Ino,
    /// crc32c of the inline target.
    pub inline_crc: u32,
    /// Last read.
    pub atime: Timestamp,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
    /// Birth.
    pub btime: Timestamp,
    /// If not 0, what `mtime` and `ctime` are instead: the packed time of the last overwrite.
    pub touched: u64,
    /// If not 0, what `atime` is instead.
    pub accessed: u64,
}

impl Inode {
    /// A free inode, which remembers its generation.
    pub fn free(ino: Ino, generation: u64) -> Self {
        Self {
            kind: None,
            ino,
            generation,
            perm: 0,
            nlink: 0,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            root: 0,
            height: 0,
            parent: 0,
            inline_crc: 0,
            atime: Timestamp::default(),
            mtime: Timestamp::default(),
            ctime: Timestamp::default(),
            btime: Timestamp::default(),
            touched: 0,
            accessed: 0,
        }
    }

    /// The record of `ino` from the medium, which may hold anything. Only zeroes are a free inode.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is damaged, another's, or out of bounds.
    pub fn read(ino: Ino, bytes: &[u8; RECORD_LEN]) -> Result<Self> {
        if bytes.iter().all(|&byte| byte == 0) {
            return Ok(Self::free(ino, 0));
        }
        let raw: Raw = super::read(bytes);
        let kind = kind_of(raw.kind);
        let sound = raw.crc == crc32c::crc32c(&bytes[4..TOUCHED_AT as usize])
            && raw.ino == ino
            && (kind.is_some() || raw.kind == 0)
            && raw.height <= MAX_HEIGHT
            && raw.size.get() <= MAX_SIZE
            && raw.perm.get() <= 0o7777
            && raw.nanoseconds.iter().all(|n| n.get() < 1_000_000_000);
        if !sound {
            return Err(Error::Io);
        }
        let time = |i: usize| Timestamp {
            sec: raw.seconds[i].get(),
            nsec: raw.nanoseconds[i].get(),
        };
        Ok(Self {
            kind,
            ino,
            generation: raw.generation.get(),
            perm: raw.perm.get(),
            nlink: raw.nlink.get(),
            uid: raw.uid.get(),
            gid: raw.gid.get(),
            rdev: raw.rdev.get(),
            size: raw.size.get(),
            blocks: raw.blocks.get(),
            root: raw.root.get(),
            height: raw.height,
            parent: raw.parent.get(),
            inline_crc: raw.inline_crc.get(),
            atime: time(0),
            mtime: time(1),
            ctime: time(2),
            btime: time(3),
            touched: raw.touched.get(),
            accessed: raw.accessed.get(),
        })
    }

    /// As it stands on the medium.
    pub fn bytes(&self) -> [u8; RECORD_LEN] {
        let times = [self.atime, self.mtime, self.ctime, self.btime];
        let mut raw = Raw {
            crc: 0.into(),
            kind: self.kind.map_or(0, kind_code),
            height: self.height,
            perm: self.perm.into(),
            flags: 0.into(),
            nlink: self.nlink.into(),
            uid: self.uid.into(),
            gid: self.gid.into(),
            rdev: self.rdev.into(),
            inline_crc: self.inline_crc.into(),
            generation: self.generation.into(),
            ino: self.ino.into(),
            size: self.size.into(),
            blocks: self.blocks.into(),
            root: self.root.into(),
            parent: self.parent.into(),
            attributes: 0.into(),
            seconds: times.map(|time| time.sec.into()),
            nanoseconds: times.map(|time| time.nsec.into()),
            reserved: [0; 8],
            touched: self.touched.into(),
            accessed: self.accessed.into(),
        };
        raw.crc = crc32c::crc32c(&raw.as_bytes()[4..TOUCHED_AT as usize]).into();
        let mut bytes = [0; RECORD_LEN];
        bytes.copy_from_slice(raw.as_bytes());
        bytes
    }

    /// Moves the times that changed in place to where the journal changes them.
    pub fn fold(&mut self) {
        if let Some(time) = unpack(self.touched) {
            (self.mtime, self.ctime) = (time, time);
        }
        if let Some(time) = unpack(self.accessed) {
            self.atime = time;
        }
        (self.touched, self.accessed) = (0, 0);
    }

    /// What others see of it.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if it is free.
    pub fn attr(&self) -> Result<Attr> {
        let touched = unpack(self.touched);
        Ok(Attr {
            ino: self.ino,
            generation: self.generation,
            kind: self.kind.ok_or(Error::Stale)?,
            perm: self.perm.into(),
            nlink: self.nlink,
            uid: self.uid,
            gid: self.gid,
            rdev: self.rdev,
            size: self.size,
            blocks: self.blocks * (super::BLOCK / 512),
            atime: unpack(self.accessed).unwrap_or(self.atime),
            mtime: touched.unwrap_or(self.mtime),
            ctime: touched.unwrap_or(self.ctime),
            btime: self.btime,
        })
    }
}

/// The code of `kind` on the medium.
pub fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::File => 1,
        Kind::Directory => 2,
        Kind::Symlink => 3,
        Kind::Fifo => 4,
        Kind::Socket => 5,
        Kind::CharDevice => 6,
        Kind::BlockDevice => 7,
    }
}

/// The kind with `code`.
pub fn kind_of(code: u8) -> Option<Kind> {
    Some(match code {
        1 => Kind::File,
        2 => Kind::Directory,
        3 => Kind::Symlink,
        4 => Kind::Fifo,
        5 => Kind::Socket,
        6 => Kind::CharDevice,
        7 => Kind::BlockDevice,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::pack;
    use super::*;

    fn sample() -> Inode {
        Inode {
            kind: Some(Kind::Directory),
            perm: 0o1755,
            nlink: 2,
            size: 8192,
            mtime: Timestamp { sec: -5, nsec: 999 },
            ..Inode::free(77, 3)
        }
    }

    #[test]
    fn survives_a_round_trip() {
        let inode = sample();
        assert_eq!(Inode::read(77, &inode.bytes()), Ok(inode));
        assert_eq!(Inode::read(5, &[0; RECORD_LEN]), Ok(Inode::free(5, 0)));
    }

    #[test]
    fn any_damaged_byte_is_noticed() {
        let bytes = sample().bytes();
        for at in 0..TOUCHED_AT as usize {
            let mut damaged = bytes;
            damaged[at] ^= 0x10;
            assert_eq!(Inode::read(77, &damaged), Err(Error::Io), "byte {at}");
        }
        assert_eq!(Inode::read(78, &bytes), Err(Error::Io), "another's");
    }

    #[test]
    fn an_overwrite_in_place_counts_until_it_is_folded() {
        let now = Timestamp {
            sec: 1_700_000_000,
            nsec: 5000,
        };
        let mut inode = sample();
        inode.touched = pack(now);
        let attr = inode.attr().unwrap();
        assert_eq!((attr.mtime, attr.ctime), (now, now));
        inode.fold();
        assert_eq!((inode.touched, inode.mtime), (0, now));
        assert_eq!(inode.attr(), Ok(attr));
    }
}
