// SPDX-License-Identifier: MIT
//! The contents of a directory: blocks full of records, found through its index.

use super::format::{
    BLOCK, BlockBytes, Entries, Inode, Pointer, RECORD_MAX, RECORD_MIN, Record, entry_len, write_entry,
    write_free,
};
use super::index::{Change, Index, Indices, MAX_LEN};
use super::medium::Medium;
use super::medium::tree::{self, Words};
use super::medium::tx::Tx;
use crate::fs::{Error, Ino, Kind, Name, Result};

/// An entry and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its position in the directory, in bytes.
    pub position: u64,
    /// The inode that it names.
    pub ino: Ino,
    /// What that is.
    pub kind: Kind,
}

/// The block on the medium that holds block `index` of the directory.
fn block_of(from: &impl Words, inode: &Inode, index: u64) -> Result<u64> {
    match tree::get(from, inode, index)? {
        Some(pointer) if !pointer.unwritten => Ok(pointer.block),
        _ => Err(Error::Io),
    }
}

/// The bytes of block `index` of the directory.
pub fn read_block(from: &impl Words, inode: &Inode, index: u64) -> Result<BlockBytes> {
    Ok(from.block(block_of(from, inode, index)?))
}

/// Reads the whole directory.
pub fn build(medium: &Medium, inode: &Inode, all: &Indices) -> Result<Index> {
    if inode.size > MAX_LEN || !inode.size.is_multiple_of(BLOCK) {
        return Err(Error::Io);
    }
    let mut index = Index::new(all);
    for number in 0..inode.size / BLOCK {
        let block = read_block(medium, inode, number)?;
        for record in Entries::of(&block) {
            let record = record?;
            if record.entry.is_some() {
                let position = number * BLOCK + record.at as u64;
                index.apply(Change::Add(all.hash(record.name), position));
            }
        }
        index.apply(Change::Free(number as u32, longest_free(&block)?));
    }
    Ok(index)
}

fn longest_free(block: &BlockBytes) -> Result<u16> {
    let mut longest = 0;
    for record in Entries::of(block) {
        let record = record?;
        if record.entry.is_none() {
            longest = longest.max(record.len as u16);
        }
    }
    Ok(longest)
}

/// The entry called `name`.
pub fn find(from: &impl Words, inode: &Inode, index: &Index, name: Name<'_>) -> Result<Option<Found>> {
    for position in index.candidates(index.hash(name.as_bytes())) {
        let block = block_of(from, inode, position / BLOCK)?;
        let at = (position % BLOCK) as usize;
        let mut bytes = [0; RECORD_MAX];
        let bytes = &mut bytes[..RECORD_MAX.min(BLOCK as usize - at)];
        from.bytes(block, at, bytes);
        let record = Record::read(bytes, at)?;
        if let Some((ino, kind)) = record.entry
            && record.name == name.as_bytes()
        {
            return Ok(Some(Found { position, ino, kind }));
        }
    }
    Ok(None)
}

/// A directory that a transaction changes: its inode as it will be, and what its index will have to learn.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The inode, as it will be.
    pub inode: &'a mut Inode,
    /// The index, as it was.
    pub index: &'a Index,
    /// How it changes.
    pub changes: &'a mut Vec<Change>,
}

impl Draft<'_> {
    /// Adds an entry, whose name is not there.
    pub fn insert(&mut self, tx: &mut Tx<'_>, name: Name<'_>, ino: Ino, kind: Kind) -> Result<()> {
        let name = name.as_bytes();
        let need = entry_len(name);
        let place = match self.index.room(name) {
            Some(number) => self.place(tx, u64::from(number), need)?,
            None => self.append(tx)?,
        };
        let mut bytes = Vec::with_capacity(need + RECORD_MIN);
        let mut rest = place.len - need;
        if rest >= RECORD_MIN {
            write_entry(&mut bytes, need, ino, kind, name);
            write_free(&mut bytes, rest);
        } else {
            write_entry(&mut bytes, place.len, ino, kind, name);
            rest = 0;
        }
        tx.write_in(place.block, place.at, &bytes)?;
        let position = place.number * BLOCK + place.at as u64;
        self.changes.push(Change::Add(self.index.hash(name), position));
        self.changes.push(Change::Free(
            place.number as u32,
            place.elsewhere.max(rest) as u16,
        ));
        Ok(())
    }

    /// The first free record of `need` bytes in block `number`.
    fn place(&self, tx: &Tx<'_>, number: u64, need: usize) -> Result<Place> {
        let block = block_of(tx, self.inode, number)?;
        let bytes = tx.block(block);
        let (mut found, mut elsewhere) = (None, 0);
        for record in Entries::of(&bytes) {
            let record = record?;
            if record.entry.is_none() && record.len >= need && found.is_none() {
                found = Some((record.at, record.len));
            } else if record.entry.is_none() {
                elsewhere = record.len.max(elsewhere);
            }
        }
        let (at, len) = found.ok_or(Error::Io)?;
        Ok(Place {
            number,
            block,
            at,
            len,
            elsewhere,
        })
    }

    /// A new block at the end.
    fn append(&mut self, tx: &mut Tx<'_>) -> Result<Place> {
        let number = self.inode.size / BLOCK;
        if self.inode.size + BLOCK > MAX_LEN {
            return Err(Error::NoSpace);
        }
        let near = match number.checked_sub(1) {
            Some(last) => Some(block_of(tx, self.inode, last)? + 1),
            None => None,
        };
        let block = tx.take_zeroed(near)?;
        self.inode.blocks += 1;
        tree::set(tx, self.inode, number, Pointer::to(block))?;
        self.inode.size += BLOCK;
        Ok(Place {
            number,
            block,
            at: 0,
            len: BLOCK as usize,
            elsewhere: 0,
        })
    }

    /// Removes the entry at `position`. Free neighbours become one.
    pub fn remove(&mut self, tx: &mut Tx<'_>, position: u64) -> Result<()> {
        let (number, at) = (position / BLOCK, (position % BLOCK) as usize);
        let block = block_of(tx, self.inode, number)?;
        let bytes = tx.block(block);
        let (mut start, mut end, mut longest) = (at, at, 0);
        for record in Entries::of(&bytes) {
            let record = record?;
            if record.at == at {
                end = at + record.len;
                self.changes
                    .push(Change::Remove(self.index.hash(record.name), position));
            } else if record.entry.is_some() {
                continue;
            } else if record.at + record.len == at {
                start = record.at;
            } else if record.at == end && end > at {
                end += record.len;
            } else {
                longest = record.len.max(longest);
            }
        }
        if end == at {
            return Err(Error::Io);
        }
        let mut head = Vec::with_capacity(RECORD_MIN);
        write_free(&mut head, end - start);
        tx.write_in(block, start, &head)?;
        self.changes
            .push(Change::Free(number as u32, longest.max(end - start) as u16));
        Ok(())
    }

    /// Makes the entry at `position` name another inode.
    pub fn replace(&mut self, tx: &mut Tx<'_>, position: u64, ino: Ino, kind: Kind) -> Result<()> {
        let at = (position % BLOCK) as usize;
        let block = block_of(tx, self.inode, position / BLOCK)?;
        let bytes = tx.block(block);
        let record = Record::read(&bytes[at..], at)?;
        let mut entry = Vec::with_capacity(record.len);
        write_entry(&mut entry, record.len, ino, kind, record.name);
        tx.write_in(block, at, &entry)
    }
}

/// A free record.
struct Place {
    /// The block of the directory that it is in ...
    number: u64,
    /// ... and that on the medium.
    block: u64,
    /// Where it starts there, and how many bytes it has.
    at: usize,
    len: usize,
    /// The longest other one there.
    elsewhere: usize,
}
