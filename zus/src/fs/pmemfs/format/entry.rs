// SPDX-License-Identifier: MIT
//! Directory entries: records of variable length that fill a block without gaps. A record is an entry or
//! free; an entry never moves.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{BLOCK, BlockBytes, kind_code, kind_of};
use crate::fs::{Error, Ino, Kind, Name, Result};

/// The head of a record; an entry's name follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    /// The inode, 0 if the record is free.
    ino: U64,
    /// crc32c of the head with this field 0, and of the name.
    crc: U32,
    /// Bytes to the next record, a multiple of 8.
    len: U16,
    name_len: u8,
    kind: u8,
}

const HEAD: usize = size_of::<Head>();

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it starts in its block.
    pub at: usize,
    /// Bytes to the next one.
    pub len: usize,
    /// The entry in it; `None` if it is free.
    pub entry: Option<(Ino, Kind)>,
    /// Its name; empty if it is free.
    pub name: &'a [u8],
}

/// The records of a block, which may hold anything: the first that makes no sense is an error and the last.
pub struct Entries<'a> {
    block: &'a BlockBytes,
    at: usize,
}

impl<'a> Entries<'a> {
    /// All records of `block`.
    pub fn of(block: &'a BlockBytes) -> Self {
        Self { block, at: 0 }
    }
}

impl<'a> Record<'a> {
    /// The record at `at` in its block, of which `bytes` are the bytes from there on: to the end of the
    /// block, or [`RECORD_MAX`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is damaged.
    pub fn read(bytes: &'a [u8], at: usize) -> Result<Self> {
        if bytes.len() < HEAD {
            return Err(Error::Io);
        }
        let head: Head = super::read(bytes);
        let (len, name_len) = (usize::from(head.len.get()), usize::from(head.name_len));
        if len < HEAD + name_len || at + len > BLOCK as usize || len % 8 != 0 {
            return Err(Error::Io);
        }
        let name = bytes.get(HEAD..HEAD + name_len).ok_or(Error::Io)?;
        let entry = match (head.ino.get(), kind_of(head.kind)) {
            (0, None) if head.kind == 0 && name_len == 0 => None,
            (ino, Some(kind)) if ino != 0 && Name::new(name).is_ok() => Some((ino, kind)),
            _ => return Err(Error::Io),
        };
        if head.crc != crc(head, name) {
            return Err(Error::Io);
        }
        Ok(Self { at, len, entry, name })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= BLOCK as usize {
            return None;
        }
        let record = Record::read(&self.block[self.at..], self.at);
        self.at = record.map_or(BLOCK as usize, |record| record.at + record.len);
        Some(record)
    }
}

/// Bytes that an entry called `name` needs.
pub fn entry_len(name: &[u8]) -> usize {
    (HEAD + name.len()).next_multiple_of(8)
}

/// Appends to `to` an entry in a record of `len` bytes, of which those behind the name are left out.
pub fn write_entry(to: &mut Vec<u8>, len: usize, ino: Ino, kind: Kind, name: &[u8]) {
    write(to, len, ino, kind_code(kind), name);
}

/// Appends to `to` the head of a free record of `len` bytes.
pub fn write_free(to: &mut Vec<u8>, len: usize) {
    write(to, len, 0, 0, &[]);
}

/// The fewest bytes that a record has.
pub const RECORD_MIN: usize = HEAD;
/// The most bytes of a record that mean anything.
pub const RECORD_MAX: usize = HEAD + Name::MAX;

fn write(to: &mut Vec<u8>, len: usize, ino: Ino, kind: u8, name: &[u8]) {
    let mut head = Head {
        ino: ino.into(),
        crc: 0.into(),
        len: (len as u16).into(),
        name_len: name.len() as u8,
        kind,
    };
    head.crc = crc(head, name).into();
    to.extend_from_slice(head.as_bytes());
    to.extend_from_slice(name);
    to.resize(to.len().next_multiple_of(8), 0);
}

fn crc(mut head: Head, name: &[u8]) -> u32 {
    head.crc = 0.into();
    crc32c::crc32c_append(crc32c::crc32c(head.as_bytes()), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> BlockBytes {
        let mut bytes = Vec::new();
        write_entry(&mut bytes, entry_len(b"name"), 5, Kind::File, b"name");
        let free = BLOCK as usize - bytes.len();
        write_free(&mut bytes, free);
        bytes.resize(BLOCK as usize, 0xff); // what is in a free record does not matter
        bytes.try_into().unwrap()
    }

    #[test]
    fn survives_a_round_trip() {
        let block = block();
        let records: Vec<_> = Entries::of(&block).map(|record| record.unwrap()).collect();
        assert_eq!(records.len(), 2);
        assert_eq!(
            (records[0].entry, records[0].name),
            (Some((5, Kind::File)), &b"name"[..])
        );
        assert_eq!(
            (records[1].at, records[1].len, records[1].entry),
            (24, 4072, None)
        );
    }

    #[test]
    fn any_damaged_byte_is_noticed() {
        let sound = block();
        for at in (0..20).chain(24..40) {
            let mut damaged = sound;
            damaged[at] ^= 0x41;
            assert!(Entries::of(&damaged).any(|record| record.is_err()), "byte {at}");
        }
    }

    #[test]
    fn nonsense_ends() {
        for fill in 0..=255 {
            assert!(Entries::of(&[fill; BLOCK as usize]).count() <= 256);
        }
    }
}
