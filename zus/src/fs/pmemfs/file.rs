// SPDX-License-Identifier: MIT
//! Reading and writing files.

use relay::memory::Window;

use super::Pmemfs;
use super::clock;
use super::format::{BLOCK, Inode, MAX_SIZE, Pointer};
use super::medium::space::Run;
use super::medium::tree;
use super::medium::tx::Tx;
use super::node::{Node, State};
use crate::fs::{Error, Ino, Result};

/// The most bytes that one transaction adds to a file. Its changes fit the journal however scattered the free
/// blocks are.
const PIECE: u64 = 1 << 20;

/// The parts of `len` bytes at `offset` that are in one block each: index, first byte there, where they are
/// in the whole, how many.
fn parts(offset: u64, len: u64) -> impl Iterator<Item = (u64, u64, u64, u64)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done;
        let part = (BLOCK - at % BLOCK).min(len - done);
        let next = (at / BLOCK, at % BLOCK, done, part);
        done += part;
        (part > 0).then_some(next)
    })
}

fn part(window: Window<'_>, from: u64, len: u64) -> Result<Window<'_>> {
    window
        .slice(from as usize..(from + len) as usize)
        .ok_or(Error::Invalid)
}

impl Pmemfs {
    pub(super) fn read_file(&self, ino: Ino, offset: u64, to: Window<'_>) -> Result<usize> {
        let node = self.node(ino)?;
        let state = node.read();
        state.file()?;
        let len = state.inode.size.saturating_sub(offset).min(to.len() as u64);
        for (index, within, from, len) in parts(offset, len) {
            let to = part(to, from, len)?;
            match node.pointer(&self.medium, &state.inode, index)? {
                Some(pointer) if !pointer.unwritten => {
                    self.medium.store.copy_to(pointer.block * BLOCK + within, to);
                }
                _ => to.zero(),
            }
        }
        node.accessed(&self.medium, &state);
        Ok(len as usize)
    }

    pub(super) fn write_file(&self, ino: Ino, offset: u64, from: Window<'_>, sync: bool) -> Result<usize> {
        let len = from.len() as u64;
        let node = self.node(ino)?;
        let mut state = node.write();
        state.file()?;
        self.medium.writable()?;
        if offset.checked_add(len).is_none_or(|end| end > MAX_SIZE) {
            return Err(Error::TooLarge);
        }
        let mut done = self.overwrite(&node, &mut state, offset, from)?;
        while done < len {
            let piece = part(from, done, (len - done).min(PIECE))?;
            match self.add(&node, &mut state, offset + done, piece) {
                Ok(added) => done += added,
                Err(Error::NoSpace) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        self.medium.store.fence();
        drop(state);
        if sync {
            self.medium.store.sync()?;
        }
        Ok(done as usize)
    }

    /// Stores to blocks that the file has, up to the first that it has not or to its end. Returns how many
    /// bytes. The path that has to be short.
    fn overwrite(&self, node: &Node, state: &mut State, offset: u64, from: Window<'_>) -> Result<u64> {
        let store = &*self.medium.store;
        let within = state.inode.size.saturating_sub(offset).min(from.len() as u64);
        let mut done = 0;
        for (index, at, start, len) in parts(offset, within) {
            let block = match node.pointer(&self.medium, &state.inode, index)? {
                Some(pointer) if !pointer.unwritten => pointer.block * BLOCK + at,
                _ => break,
            };
            // The host may have to find space for a block that its file system cleaned away. If it has none
            // the rest is not written; if nothing is, the error is the caller's.
            if let Err(error) = store.reserve(block, len) {
                if done == 0 {
                    return Err(error.into());
                }
                break;
            }
            store.copy_from(block, part(from, start, len)?);
            store.flush(block, len);
            done = start + len;
        }
        if done > 0 {
            node.touched(&self.medium, state, clock::now())?;
        }
        Ok(done)
    }

    /// Writes `from`, at most a piece, in one transaction; where there is no space for it, half of it, and so
    /// on. Returns how many bytes.
    fn add(&self, node: &Node, state: &mut State, offset: u64, from: Window<'_>) -> Result<u64> {
        let mut len = from.len() as u64;
        loop {
            match self.add_all(node, state, offset, part(from, 0, len)?) {
                Ok(()) => return Ok(len),
                Err(Error::NoSpace) if offset / BLOCK < (offset + len - 1) / BLOCK => {
                    let middle = (offset + len / 2) / BLOCK * BLOCK;
                    len = middle.max((offset / BLOCK + 1) * BLOCK) - offset;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all of `from` or nothing.
    fn add_all(&self, node: &Node, state: &mut State, offset: u64, from: Window<'_>) -> Result<()> {
        let mut tx = Tx::new(&self.medium)?;
        let mut inode = node.draft(state);
        let end = offset + from.len() as u64;
        self.clear_tail(&state.inode, offset)?;
        let mut spare: Option<Run> = None;
        for (index, at, start, len) in parts(offset, from.len() as u64) {
            let last = (end - 1) / BLOCK;
            let from = part(from, start, len)?;
            self.add_part(&mut tx, &mut inode, (index, last), &mut spare, at, from)?;
        }
        inode.size = inode.size.max(end);
        inode.mtime = clock::now();
        inode.ctime = inode.mtime;
        tx.inode(node.at, &mut inode)?;
        tx.commit()?;
        node.settle(state, inode);
        Ok(())
    }

    /// Writes `from` at byte `at` of block `index`, which is made if need be: from `spare`, or else from as
    /// many new neighbours as the holes up to block `last` want.
    fn add_part(
        &self,
        tx: &mut Tx<'_>,
        inode: &mut Inode,
        (index, last): (u64, u64),
        spare: &mut Option<Run>,
        at: u64,
        from: Window<'_>,
    ) -> Result<()> {
        let store = &*self.medium.store;
        let (block, written) = match tree::get(tx, inode, index)? {
            Some(pointer) => {
                store.reserve(pointer.block * BLOCK, BLOCK)?;
                (pointer.block, !pointer.unwritten)
            }
            None => {
                let run = match spare.take() {
                    Some(run) => run,
                    None => tx.take(goal(tx, inode, index)?, holes(tx, inode, index, last)?)?,
                };
                *spare = (run.len > 1).then(|| Run {
                    start: run.start + 1,
                    len: run.len - 1,
                });
                inode.blocks += 1;
                (run.start, false)
            }
        };
        let start = block * BLOCK;
        if !written {
            // Nobody sees what was in it before.
            let end = at + from.len() as u64;
            store.zero(start, at);
            store.zero(start + end, BLOCK - end);
            store.flush(start, BLOCK);
            tree::set(tx, inode, index, Pointer::to(block))?;
        }
        store.copy_from(start + at, from);
        store.flush(start + at, from.len() as u64);
        Ok(())
    }

    /// Before a file reaches from its present end to `to` or beyond: makes what is behind the end in the last
    /// block zeroes, which nobody has cared for.
    pub(super) fn clear_tail(&self, inode: &Inode, to: u64) -> Result<()> {
        let (index, at) = (inode.size / BLOCK, inode.size % BLOCK);
        let end = to.min((index + 1) * BLOCK);
        if at == 0 || end <= inode.size {
            return Ok(());
        }
        self.clear(inode, inode.size, end - inode.size)
    }

    /// Zeroes `len` bytes at `offset`, in one block, if the file has that.
    pub(super) fn clear(&self, inode: &Inode, offset: u64, len: u64) -> Result<()> {
        if let Some(pointer) = tree::get(&self.medium, inode, offset / BLOCK)?
            && !pointer.unwritten
        {
            let at = pointer.block * BLOCK + offset % BLOCK;
            self.medium.store.reserve(at, len)?;
            self.medium.store.zero(at, len);
            self.medium.store.flush(at, len);
        }
        Ok(())
    }
}

/// Where the block for a hole at `index` is best: behind the one before.
pub(super) fn goal(tx: &Tx<'_>, inode: &Inode, index: u64) -> Result<Option<u64>> {
    match index.checked_sub(1) {
        Some(before) => Ok(tree::get(tx, inode, before)?.map(|pointer| pointer.block + 1)),
        None => Ok(None),
    }
}

/// How many holes there are from `index`, one, up to the next block or to `last`.
fn holes(tx: &Tx<'_>, inode: &Inode, index: u64, last: u64) -> Result<u32> {
    let mut count = 1;
    while index + count <= last && tree::get(tx, inode, index + count)?.is_none() {
        count += 1;
    }
    Ok(count as u32)
}
