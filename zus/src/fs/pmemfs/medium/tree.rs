// SPDX-License-Identifier: MIT
//! Where the blocks of a file are: a radix tree of nodes with 512 pointers each. A tree of height 0 is one
//! data block, the file's first; one of height *h* reaches 512^*h* blocks. No pointer, a hole.

use super::super::format::{BLOCK, BlockBytes, FANOUT, Geometry, Inode, MAX_HEIGHT, Pointer, words};
use super::Medium;
use super::space::Run;
use super::tx::Tx;
use crate::fs::{Error, Result};
use crate::store::Store;

const BITS: u32 = FANOUT.trailing_zeros();

/// Something that a tree can be read from: the medium, or a transaction that is about to change it.
pub trait Words {
    /// What pointers are checked against.
    fn geometry(&self) -> &Geometry;
    /// The word at `at`.
    fn load(&self, at: u64) -> u64;
    /// The bytes at `at` in `block`.
    fn bytes(&self, block: u64, at: usize, to: &mut [u8]);

    /// All bytes of `block`.
    fn block(&self, block: u64) -> BlockBytes {
        let mut bytes = [0; BLOCK as usize];
        self.bytes(block, 0, &mut bytes);
        bytes
    }
}

/// A medium that is not mounted yet.
#[derive(Clone, Copy)]
pub struct Plain<'a>(pub &'a dyn Store, pub &'a Geometry);

impl Words for Plain<'_> {
    fn geometry(&self) -> &Geometry {
        self.1
    }
    fn load(&self, at: u64) -> u64 {
        self.0.load(at)
    }
    fn bytes(&self, block: u64, at: usize, to: &mut [u8]) {
        self.0.read(block * BLOCK + at as u64, to);
    }
}

impl Words for Medium {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }
    #[inline]
    fn load(&self, at: u64) -> u64 {
        self.store.load(at)
    }
    fn bytes(&self, block: u64, at: usize, to: &mut [u8]) {
        self.store.read(block * BLOCK + at as u64, to);
    }
}

/// The pointer to block `index` of the file.
///
/// # Errors
///
/// [`Error::Io`] if the tree is damaged.
pub fn get(from: &impl Words, inode: &Inode, index: u64) -> Result<Option<Pointer>> {
    if inode.height == 0 {
        return if index == 0 {
            Pointer::read(inode.root, from.geometry())
        } else {
            Ok(None)
        };
    }
    match leaf(from, inode, index)? {
        Some(node) => Pointer::read(from.load(slot_at(node, index)), from.geometry()),
        None => Ok(None),
    }
}

/// The node that has the pointer to block `index`, in a tree that is not of height 0.
///
/// # Errors
///
/// [`Error::Io`] if the tree is damaged.
pub fn leaf(from: &impl Words, inode: &Inode, index: u64) -> Result<Option<u64>> {
    if index >> (BITS * u32::from(inode.height)) != 0 {
        return Ok(None);
    }
    let mut word = inode.root;
    for level in (1..inode.height).rev() {
        let Some(node) = node(from, word)? else {
            return Ok(None);
        };
        word = from.load(slot_at(node, index >> (BITS * u32::from(level))));
    }
    node(from, word)
}

/// Where the pointer number `index`, modulo a node's, stands in `node`.
#[inline]
pub fn slot_at(node: u64, index: u64) -> u64 {
    node * BLOCK + index % FANOUT * 8
}

/// Points block `index` to `pointer`. Nodes that are missing are made near it.
///
/// # Errors
///
/// [`Error::NoSpace`], or [`Error::Io`] if the tree is damaged. `inode` may have changed, the tree has not.
pub fn set(tx: &mut Tx<'_>, inode: &mut Inode, index: u64, pointer: Pointer) -> Result<()> {
    grow(tx, inode, index, pointer.block)?;
    if inode.height == 0 {
        inode.root = pointer.word();
        return Ok(());
    }
    let mut place = None;
    for level in (0..inode.height).rev() {
        let word = place.map_or(inode.root, |(node, slot)| tx.load(slot_at(node, slot)));
        let next = match node(tx, word)? {
            Some(next) => next,
            None => {
                let new = tx.take_zeroed(Some(pointer.block))?;
                inode.blocks += 1;
                match place {
                    Some((node, slot)) => put(tx, node, slot, Pointer::to(new).word())?,
                    None => inode.root = Pointer::to(new).word(),
                }
                new
            }
        };
        place = Some((next, index >> (BITS * u32::from(level))));
    }
    let (node, slot) = place.expect("a tree with nodes");
    put(tx, node, slot, pointer.word())
}

/// Makes the tree high enough for block `index`.
fn grow(tx: &mut Tx<'_>, inode: &mut Inode, index: u64, near: u64) -> Result<()> {
    let height = (0..=MAX_HEIGHT)
        .find(|&height| index >> (BITS * u32::from(height)) == 0)
        .ok_or(Error::TooLarge)?;
    if inode.root == 0 {
        inode.height = inode.height.max(height);
    }
    while inode.height < height {
        let new = tx.take_zeroed(Some(near))?;
        put(tx, new, 0, inode.root)?;
        inode.root = Pointer::to(new).word();
        inode.height += 1;
        inode.blocks += 1;
    }
    Ok(())
}

fn put(tx: &mut Tx<'_>, node: u64, slot: u64, word: u64) -> Result<()> {
    tx.write_in(node, (slot % FANOUT * 8) as usize, &word.to_le_bytes())
}

fn node(from: &impl Words, word: u64) -> Result<Option<u64>> {
    match Pointer::read(word, from.geometry())? {
        Some(pointer) if pointer.unwritten => Err(Error::Io),
        pointer => Ok(pointer.map(|pointer| pointer.block)),
    }
}

/// Frees the blocks of the highest leaf that has any in `first..=last`, and nodes that are empty after it.
/// Returns whether there were any: repeat until there are none. A step adds a bounded amount to `tx`.
///
/// # Errors
///
/// [`Error::Io`] if the tree is damaged.
pub fn prune(tx: &mut Tx<'_>, inode: &mut Inode, first: u64, last: u64) -> Result<bool> {
    let Some(root) = Pointer::read(inode.root, tx.geometry())? else {
        return Ok(false);
    };
    let pruned = if inode.height == 0 {
        if first > 0 {
            return Ok(false);
        }
        free(tx, inode, &[root.block])?;
        Pruned::All
    } else {
        let range = Below {
            level: inode.height,
            base: 0,
            first,
            last,
        };
        prune_node(tx, inode, root.block, range)?
    };
    if pruned == Pruned::All {
        (inode.root, inode.height) = (0, 0);
    }
    Ok(pruned != Pruned::Nothing)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pruned {
    Nothing,
    Some,
    /// Nothing is left, the node itself is freed.
    All,
}

/// A node's place in the tree, and what is looked for.
#[derive(Clone, Copy)]
struct Below {
    level: u8,
    base: u64,
    first: u64,
    last: u64,
}

impl Below {
    /// Blocks below one slot.
    fn span(&self) -> u64 {
        1 << (BITS * u32::from(self.level - 1))
    }

    /// The slots that reach into the range.
    fn slots(&self) -> std::ops::Range<usize> {
        let end = self.base + self.span() * FANOUT;
        if self.last < self.base || self.first >= end {
            return 0..0;
        }
        let from = self.first.saturating_sub(self.base) / self.span();
        let to = (self.last - self.base) / self.span();
        from as usize..(to.min(FANOUT - 1) + 1) as usize
    }

    fn child(&self, slot: usize) -> Self {
        Self {
            level: self.level - 1,
            base: self.base + slot as u64 * self.span(),
            ..*self
        }
    }
}

fn prune_node(tx: &mut Tx<'_>, inode: &mut Inode, node: u64, below: Below) -> Result<Pruned> {
    let words = words(&tx.block(node));
    let emptied = if below.level == 1 {
        let mapped: Vec<usize> = below.slots().filter(|&slot| words[slot] != 0).collect();
        let (Some(&from), Some(&to)) = (mapped.first(), mapped.last()) else {
            return Ok(Pruned::Nothing);
        };
        let blocks = mapped
            .iter()
            .filter_map(|&slot| Pointer::read(words[slot], tx.geometry()).transpose())
            .map(|pointer| Ok(pointer?.block))
            .collect::<Result<Vec<_>>>()?;
        free(tx, inode, &blocks)?;
        from..to + 1
    } else {
        let mut emptied = None;
        for slot in below.slots().rev().filter(|&slot| words[slot] != 0) {
            let pointer = Pointer::read(words[slot], tx.geometry())?.ok_or(Error::Io)?;
            match prune_node(tx, inode, pointer.block, below.child(slot))? {
                Pruned::Nothing => {}
                Pruned::Some => return Ok(Pruned::Some),
                Pruned::All => {
                    emptied = Some(slot..slot + 1);
                    break;
                }
            }
        }
        match emptied {
            Some(emptied) => emptied,
            None => return Ok(Pruned::Nothing),
        }
    };
    let rest = words
        .iter()
        .enumerate()
        .any(|(slot, &word)| word != 0 && !emptied.contains(&slot));
    if rest {
        let zeroes = [0; BLOCK as usize];
        tx.write_in(node, emptied.start * 8, &zeroes[..emptied.len() * 8])?;
        Ok(Pruned::Some)
    } else {
        free(tx, inode, &[node])?;
        Ok(Pruned::All)
    }
}

/// Frees `blocks`, neighbours together.
fn free(tx: &mut Tx<'_>, inode: &mut Inode, blocks: &[u64]) -> Result<()> {
    inode.blocks = inode.blocks.checked_sub(blocks.len() as u64).ok_or(Error::Io)?;
    // No file has a group's first block, so neighbours never cross groups.
    for run in blocks.chunk_by(|a, b| a + 1 == *b) {
        tx.free(Run {
            start: run[0],
            len: run.len() as u32,
        })?;
    }
    Ok(())
}

/// The first block at or behind `from`, and not behind `last`, that is written (`data`) or is not.
///
/// # Errors
///
/// [`Error::Io`] if the tree is damaged.
pub fn find(words_of: &impl Words, inode: &Inode, from: u64, last: u64, data: bool) -> Result<Option<u64>> {
    let reach = 1u64 << (BITS * u32::from(inode.height));
    let root = Pointer::read(inode.root, words_of.geometry())?;
    let found = match root {
        None => (!data).then_some(from),
        Some(root) if inode.height == 0 => (from == 0 && root.unwritten != data).then_some(0),
        Some(root) => {
            let below = Below {
                level: inode.height,
                base: 0,
                first: from,
                last,
            };
            find_below(words_of, root.block, below, data)?
        }
    };
    // Behind what the tree reaches there are holes.
    let found = found.or((!data).then_some(from.max(reach)));
    Ok(found.filter(|&index| index <= last))
}

fn find_below(words_of: &impl Words, node: u64, below: Below, data: bool) -> Result<Option<u64>> {
    let words = words(&words_of.block(node));
    for slot in below.slots() {
        let start = below.base + slot as u64 * below.span();
        let found = match Pointer::read(words[slot], words_of.geometry())? {
            None => (!data).then_some(start.max(below.first)),
            Some(pointer) if below.level == 1 => (pointer.unwritten != data).then_some(start),
            Some(pointer) => find_below(words_of, pointer.block, below.child(slot), data)?,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Calls `each` with every block of the tree: its index and pointer, or for nodes no index.
///
/// # Errors
///
/// [`Error::Io`] if the tree is damaged, or whatever `each` says.
pub fn walk(
    from: &impl Words,
    inode: &Inode,
    each: &mut dyn FnMut(Option<u64>, Pointer) -> Result<()>,
) -> Result<()> {
    let below = Below {
        level: inode.height + 1,
        base: 0,
        first: 0,
        last: u64::MAX,
    };
    walk_word(from, inode.root, below, each)
}

fn walk_word(
    from: &impl Words,
    word: u64,
    place: Below,
    each: &mut dyn FnMut(Option<u64>, Pointer) -> Result<()>,
) -> Result<()> {
    let Some(pointer) = Pointer::read(word, from.geometry())? else {
        return Ok(());
    };
    let node = place.level > 1;
    each((!node).then_some(place.base), pointer)?;
    if node {
        let place = Below {
            level: place.level - 1,
            ..place
        };
        for (slot, word) in words(&from.block(pointer.block)).into_iter().enumerate() {
            let child = Below {
                base: place.base + slot as u64 * place.span(),
                ..place
            };
            walk_word(from, word, child, each)?;
        }
    }
    Ok(())
}
