// SPDX-License-Identifier: MIT
//! What a file takes: cut and grown, reserved and punched, searched for holes, and freed in the end.
//!
//! What is too long for one transaction goes in steps, each of which leaves the file in order. Cutting and
//! freeing are finished by the next mount if they were begun; the others stay as far as they came.

use super::Pmemfs;
use super::edit::Edit;
use super::file::goal;
use super::format::{BLOCK, Inode, MAX_SIZE, Pointer};
use super::medium::tree::{self, Words};
use super::medium::tx::Tx;
use crate::fs::{Error, FallocateMode, Ino, Kind, Result, Seek};

/// Blocks that one transaction reserves at most.
const STEP: u64 = 256;

impl Pmemfs {
    /// Gives a file another size, and with it whatever else its draft says.
    pub(super) fn resize(&self, edit: &mut Edit<'_>, size: u64) -> Result<()> {
        if size > MAX_SIZE {
            return Err(Error::TooLarge);
        }
        let old = edit.state.inode.size;
        edit.draft.size = size;
        if size >= old {
            self.clear_tail(&edit.state.inode, size)?;
            let mut tx = Tx::new(&self.medium)?;
            edit.write(&mut tx)?;
            tx.commit()?;
            edit.done();
            return Ok(());
        }
        self.cut(edit, size.div_ceil(BLOCK), false)?;
        // After it has happened, since nothing else may be lost if it has not. For those who map the file:
        // readers see nothing behind the end, and who moves the end clears first.
        if !size.is_multiple_of(BLOCK) {
            let end = size.next_multiple_of(BLOCK);
            self.clear(&edit.state.inode, size, end - size)?;
            self.medium.store.fence();
        }
        Ok(())
    }

    /// Frees the blocks from `keep` on. `orphan`: whether the inode is marked as one that the next mount has
    /// to finish; if not, it is while there is more than one step.
    fn cut(&self, edit: &mut Edit<'_>, keep: u64, orphan: bool) -> Result<()> {
        let mut marked = orphan;
        loop {
            let mut tx = Tx::new(&self.medium)?;
            let mut more = true;
            while more && !tx.is_long() {
                more = tree::prune(&mut tx, &mut edit.draft, keep, u64::MAX)?;
            }
            if more != marked && !orphan {
                tx.set_orphan(edit.node.ino, more)?;
                marked = more;
            }
            edit.write(&mut tx)?;
            tx.commit()?;
            edit.done();
            if !more {
                return Ok(());
            }
        }
    }

    /// Frees an inode that has lost its last name and its last reference.
    pub(super) fn finish_if_last(&self, mut edit: Edit<'_>) -> Result<()> {
        if edit.state.inode.nlink > 0 || edit.node.refs() > 0 {
            return Ok(());
        }
        self.finish(&mut edit)?;
        self.cache.remove(edit.node);
        Ok(())
    }

    /// Frees an inode, an orphan, and all that it has.
    pub(super) fn finish(&self, edit: &mut Edit<'_>) -> Result<()> {
        if edit.state.inode.root != 0 {
            self.cut(edit, 0, true)?;
        }
        let mut tx = Tx::new(&self.medium)?;
        edit.draft = Inode::free(edit.node.ino, edit.draft.generation);
        tx.free_inode(edit.node.ino)?;
        tx.inode(edit.node.at, &mut edit.draft)?;
        tx.commit()?;
        edit.state.index = None;
        edit.done();
        Ok(())
    }

    /// Does what the last mount could not: `edit` is an orphan.
    pub(super) fn finish_orphan(&self, edit: &mut Edit<'_>) -> Result<()> {
        if edit.state.inode.nlink == 0 {
            return self.finish(edit);
        }
        let keep = edit.state.inode.size.div_ceil(BLOCK);
        self.cut(edit, keep, true)?;
        let mut tx = Tx::new(&self.medium)?;
        tx.set_orphan(edit.node.ino, false)?;
        tx.commit()
    }

    pub(super) fn allocate(&self, ino: Ino, offset: u64, len: u64, mode: FallocateMode) -> Result<()> {
        let end = offset
            .checked_add(len)
            .filter(|_| len > 0)
            .ok_or(Error::Invalid)?;
        if end > MAX_SIZE {
            return Err(Error::TooLarge);
        }
        let node = self.node(ino)?;
        let mut edit = Edit::of(&node)?;
        edit.state.file()?;
        self.medium.writable()?;
        edit.modified();
        match mode {
            FallocateMode::PunchHole => self.punch(&mut edit, offset, end),
            FallocateMode::Reserve { keep_size } => self.reserve(&mut edit, offset, end, keep_size, false),
            FallocateMode::Zero { keep_size } => {
                self.clear_edges(&edit.state.inode, offset, end)?;
                self.reserve(&mut edit, offset, end, keep_size, true)
            }
        }
    }

    fn punch(&self, edit: &mut Edit<'_>, offset: u64, end: u64) -> Result<()> {
        self.clear_edges(&edit.state.inode, offset, end)?;
        let (first, last) = (offset.div_ceil(BLOCK), end / BLOCK);
        loop {
            let mut tx = Tx::new(&self.medium)?;
            let mut more = first < last;
            while more && !tx.is_long() {
                more = tree::prune(&mut tx, &mut edit.draft, first, last - 1)?;
            }
            edit.write(&mut tx)?;
            tx.commit()?;
            edit.done();
            if !more {
                return Ok(());
            }
        }
    }

    /// Zeroes what of a range does not fill a block.
    fn clear_edges(&self, inode: &Inode, offset: u64, end: u64) -> Result<()> {
        let first = offset.next_multiple_of(BLOCK).min(end);
        if offset < first {
            self.clear(inode, offset, first - offset)?;
        }
        let last = (end / BLOCK * BLOCK).max(first);
        if last < end {
            self.clear(inode, last, end - last)?;
        }
        self.medium.store.fence();
        Ok(())
    }

    /// Gives the holes in a range blocks that read as zeroes; with `zero`, the blocks there read so too,
    /// those that are in the range entirely.
    fn reserve(&self, edit: &mut Edit<'_>, offset: u64, end: u64, keep_size: bool, zero: bool) -> Result<()> {
        let (first, after) = (offset / BLOCK, end.div_ceil(BLOCK));
        let whole = offset.div_ceil(BLOCK)..end / BLOCK;
        self.check_space(&edit.state.inode, first, after)?;
        if !keep_size {
            self.clear_tail(&edit.state.inode, end)?;
        }
        let mut index = first;
        while index < after {
            let mut tx = Tx::new(&self.medium)?;
            let step = (index + STEP).min(after);
            while index < step {
                match tree::get(&tx, &edit.draft, index)? {
                    Some(pointer) if zero && !pointer.unwritten && whole.contains(&index) => {
                        let unwritten = Pointer {
                            unwritten: true,
                            ..pointer
                        };
                        tree::set(&mut tx, &mut edit.draft, index, unwritten)?;
                        index += 1;
                    }
                    Some(_) => index += 1,
                    None => index = reserve_holes(&mut tx, &mut edit.draft, index, step)?,
                }
            }
            if index == after && !keep_size {
                edit.draft.size = edit.draft.size.max(end);
            }
            edit.write(&mut tx)?;
            tx.commit()?;
            edit.done();
        }
        Ok(())
    }

    /// That there are blocks for the holes in a range, so that no half of it is reserved in vain.
    fn check_space(&self, inode: &Inode, first: u64, after: u64) -> Result<()> {
        let free = self.medium.space.free();
        let (mut holes, mut index) = (0, first);
        while index < after {
            if tree::get(&self.medium, inode, index)?.is_none() {
                holes += 1;
                if holes > free {
                    return Err(Error::NoSpace);
                }
            }
            index += 1;
        }
        Ok(())
    }

    pub(super) fn seek_file(&self, ino: Ino, offset: u64, what: Seek) -> Result<u64> {
        let node = self.node(ino)?;
        let state = node.read();
        state.file()?;
        let size = state.inode.size;
        if offset >= size {
            return Err(Error::NoData);
        }
        let last = (size - 1) / BLOCK;
        let data = what == Seek::Data;
        let found = tree::find(&self.medium, &state.inode, offset / BLOCK, last, data)?;
        match found {
            Some(index) => Ok((index * BLOCK).max(offset)),
            None if data => Err(Error::NoData),
            None => Ok(size),
        }
    }

    pub(super) fn forget_node(&self, ino: Ino, count: u64) {
        let Some(node) = self.cache.known(ino) else {
            return;
        };
        if !node.release(count) {
            return;
        }
        // Nobody is told if this fails: the inode stays an orphan, and the next mount tries again.
        if let Ok(edit) = Edit::of(&node)
            && let Err(error) = self.finish_if_last(edit)
        {
            tracing::warn!(ino, %error, "an inode without a name could not be freed");
        }
    }

    /// Whether `ino` has a kind that has a size of its own.
    pub(super) fn check_resizable(kind: Option<Kind>) -> Result<()> {
        match kind {
            Some(Kind::File) => Ok(()),
            Some(Kind::Directory) => Err(Error::IsDirectory),
            Some(_) => Err(Error::Invalid),
            None => Err(Error::Stale),
        }
    }
}

/// Gives the hole at `index`, and those behind it before `end` that get neighbours of its block, blocks that
/// read as zeroes. Returns the first index behind.
fn reserve_holes(tx: &mut Tx<'_>, inode: &mut Inode, index: u64, end: u64) -> Result<u64> {
    let mut holes = 1;
    while index + holes < end && tree::get(tx, inode, index + holes)?.is_none() {
        holes += 1;
    }
    let run = tx.take(goal(tx, inode, index)?, holes as u32)?;
    for i in 0..u64::from(run.len) {
        let pointer = Pointer {
            block: run.start + i,
            unwritten: true,
        };
        debug_assert!(tx.geometry().is_data(pointer.block));
        inode.blocks += 1;
        tree::set(tx, inode, index + i, pointer)?;
    }
    Ok(index + u64::from(run.len))
}
