// SPDX-License-Identifier: MIT
//! A transaction: the changes of one operation, gathered, then made at once or not at all.
//!
//! What others can see changes through [`Tx::write`] and the bitmaps and is in the journal first. Blocks
//! that the transaction itself takes are stored to directly: nothing points to them until it is
//! committed. A transaction that is dropped has changed nothing.

use std::sync::Arc;

use super::super::format::{BLOCK, Inode};
use super::journal::{Body, CAPACITY, Change};
use super::space::Run;
use super::table::Chunk;
use super::tree::Words;
use super::{Geometry, Medium};
use crate::fs::{Error, Ino, Result};

/// A transaction.
#[derive(Debug)]
pub struct Tx<'a> {
    /// Where it happens.
    pub medium: &'a Medium,
    body: Body,
    /// Blocks that it took and that hold pointers or entries: stored to directly, flushed at the end.
    fresh: Vec<u64>,
    claims: Vec<Claim>,
}

/// Something busy until the transaction is over.
#[derive(Debug)]
enum Claim {
    Taken(Run),
    Freed(Run),
    Inode(Arc<Chunk>, u32, Use),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Taken,
    Freed,
}

impl<'a> Tx<'a> {
    /// A transaction without changes.
    ///
    /// # Errors
    ///
    /// If nothing may change.
    pub fn new(medium: &'a Medium) -> Result<Self> {
        medium.writable()?;
        Ok(Self {
            medium,
            body: Body::default(),
            fresh: Vec::new(),
            claims: Vec::new(),
        })
    }

    /// Whether so much is gathered that the rest belongs into another transaction: what one step of a long
    /// operation adds still fits behind it.
    pub fn is_long(&self) -> bool {
        self.body.len() > CAPACITY / 4
    }

    /// Bytes `bytes` at `at`, both multiples of 8.
    ///
    /// # Errors
    ///
    /// If the host has no space there.
    pub fn write(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.medium.store.reserve(at, bytes.len() as u64)?;
        self.body.write(at, bytes);
        Ok(())
    }

    /// The inode record at `at`.
    pub fn inode(&mut self, at: u64, inode: &mut Inode) -> Result<()> {
        inode.fold();
        self.write(at, &inode.bytes())
    }

    /// Bytes at `at` in `block`: directly if the block is this transaction's own.
    pub fn write_in(&mut self, block: u64, at: usize, bytes: &[u8]) -> Result<()> {
        let offset = block * BLOCK + at as u64;
        if self.fresh.contains(&block) {
            self.medium.store.write(offset, bytes);
            return Ok(());
        }
        self.write(offset, bytes)
    }

    /// Takes up to `want` neighbouring blocks near `goal`, with whatever was in them.
    pub fn take(&mut self, goal: Option<u64>, want: u32) -> Result<Run> {
        let medium = self.medium;
        let run = medium.space.take(&*medium.store, &medium.geometry, goal, want)?;
        self.claims.push(Claim::Taken(run));
        let (bitmap, range) = medium.space.bitmap(run);
        medium.store.reserve(bitmap, BLOCK)?;
        self.body.bits(bitmap, &range, true);
        Ok(run)
    }

    /// Takes a block near `goal` and fills it with zeroes.
    pub fn take_zeroed(&mut self, goal: Option<u64>) -> Result<u64> {
        let block = self.take(goal, 1)?.start;
        self.medium.store.zero(block * BLOCK, BLOCK);
        self.fresh.push(block);
        Ok(block)
    }

    /// Frees `run`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is not all in use.
    pub fn free(&mut self, run: Run) -> Result<()> {
        let medium = self.medium;
        let (bitmap, range) = medium.space.bitmap(run);
        medium.store.reserve(bitmap, BLOCK)?;
        medium.space.hold(&*medium.store, run)?;
        self.claims.push(Claim::Freed(run));
        self.body.bits(bitmap, &range, false);
        Ok(())
    }

    /// Puts the inode `bit` of `chunk`, taken from its bits, in use.
    pub fn use_inode(&mut self, chunk: Arc<Chunk>, bit: u32) -> Result<()> {
        let at = chunk.bits.at();
        self.claims.push(Claim::Inode(chunk, bit, Use::Taken));
        self.medium.store.reserve(at, BLOCK)?;
        self.body.bits(at, &(bit..bit + 1), true);
        Ok(())
    }

    /// Frees the inode `ino`, an orphan.
    pub fn free_inode(&mut self, ino: Ino) -> Result<()> {
        self.set_orphan(ino, false)?;
        let (chunk, bit) = self.medium.table.chunk(ino).ok_or(Error::Io)?;
        let at = chunk.bits.at();
        self.medium.store.reserve(at, BLOCK)?;
        chunk.bits.hold(&*self.medium.store, bit..bit + 1)?;
        self.claims.push(Claim::Inode(chunk, bit, Use::Freed));
        self.body.bits(at, &(bit..bit + 1), false);
        Ok(())
    }

    /// Marks the inode `ino` as one that the next mount has to finish, or no longer.
    pub fn set_orphan(&mut self, ino: Ino, orphan: bool) -> Result<()> {
        let (chunk, bit) = self.medium.table.chunk(ino).ok_or(Error::Io)?;
        self.medium.store.reserve(chunk.orphans, BLOCK)?;
        self.body.bits(chunk.orphans, &(bit..bit + 1), orphan);
        Ok(())
    }

    /// Makes all changes.
    ///
    /// # Errors
    ///
    /// If the medium has failed; then nothing has changed.
    pub fn commit(mut self) -> Result<()> {
        let medium = self.medium;
        medium.writable()?;
        for block in &self.fresh {
            medium.store.flush(block * BLOCK, BLOCK);
        }
        medium.commit(&self.body)?;
        for claim in self.claims.drain(..) {
            match claim {
                Claim::Taken(run) => medium.space.keep(run),
                Claim::Freed(run) => medium.space.give(run),
                Claim::Inode(chunk, bit, Use::Taken) => chunk.bits.keep(&(bit..bit + 1)),
                Claim::Inode(chunk, bit, Use::Freed) => chunk.bits.give(&(bit..bit + 1)),
            }
        }
        Ok(())
    }
}

/// Not committed: what was taken is free, what was to be freed is in use.
impl Drop for Tx<'_> {
    fn drop(&mut self) {
        for claim in self.claims.drain(..) {
            match claim {
                Claim::Taken(run) => self.medium.space.give(run),
                Claim::Freed(run) => self.medium.space.keep(run),
                Claim::Inode(chunk, bit, Use::Taken) => chunk.bits.give(&(bit..bit + 1)),
                Claim::Inode(chunk, bit, Use::Freed) => chunk.bits.keep(&(bit..bit + 1)),
            }
        }
    }
}

/// Reads see what the transaction would change.
impl Words for Tx<'_> {
    fn geometry(&self) -> &Geometry {
        &self.medium.geometry
    }

    fn load(&self, at: u64) -> u64 {
        let mut word = self.medium.store.load(at);
        for (start, bytes) in self.writes() {
            if let Some(bytes) = at
                .checked_sub(start)
                .and_then(|from| bytes.get(from as usize..from as usize + 8))
            {
                word = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
            }
        }
        word
    }

    fn bytes(&self, block: u64, at: usize, to: &mut [u8]) {
        let first = block * BLOCK + at as u64;
        let end = first + to.len() as u64;
        self.medium.store.read(first, to);
        for (start, written) in self.writes() {
            let (from, until) = (start.max(first), (start + written.len() as u64).min(end));
            if from < until {
                let source = &written[(from - start) as usize..(until - start) as usize];
                to[(from - first) as usize..(until - first) as usize].copy_from_slice(source);
            }
        }
    }
}

impl Tx<'_> {
    fn writes(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.body.writes().filter_map(|change| match change {
            Ok(Change::Write(at, bytes)) => Some((at, bytes)),
            _ => None,
        })
    }
}
