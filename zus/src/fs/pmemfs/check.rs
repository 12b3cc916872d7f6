// SPDX-License-Identifier: MIT
//! Looks whether all that stands on a medium fits together. Changes nothing.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use super::format::{
    BITS, BLOCK, BlockBytes, CHUNK_INODES, CLEAN, Entries, GROUP, GROUP_READY, Geometry, INLINE_AT,
    INLINE_MAX, Inode, MAGIC, Pointer, RECORD_LEN, STATE_AT, unpack, words,
};
use super::medium::journal;
use super::medium::space::first_bitmap;
use super::medium::table::{Chunk, Table};
use super::medium::tree::{self, Plain, Words};
use super::mount::read_geometry;
use crate::fs::{Error, Ino, Kind, ROOT, Result};
use crate::store::Store;

/// Problems that a report lists; more are only counted.
const LISTED: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What does not fit together, a line each: the first of them.
    pub problems: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// Inodes in use.
    pub inodes: u64,
    /// Of which directories.
    pub directories: u64,
    /// Of which the next mount will finish.
    pub orphans: u64,
    /// Blocks in use by files and by the inode table.
    pub blocks: u64,
    /// Whether it was unmounted in order.
    pub clean: bool,
}

impl Report {
    /// Whether all fits together.
    pub fn is_sound(&self) -> bool {
        self.count == 0
    }

    fn problem(&mut self, what: impl fmt::Display) {
        self.count += 1;
        if self.problems.len() < LISTED {
            self.problems.push(what.to_string());
        }
    }
}

/// Checks the file system in `store`, whose journal holds nothing: one that is not mounted, or a snapshot that
/// was mounted once.
pub fn check(store: &dyn Store) -> Report {
    let mut report = Report::default();
    let geometry = match read_geometry(store, Path::new("image"), true) {
        Ok(geometry) => geometry,
        Err(error) => {
            report.problem(error);
            return report;
        }
    };
    let mut copy = [0; MAGIC.len()];
    store.read((geometry.blocks - 1) * BLOCK, &mut copy);
    if copy != MAGIC {
        report.problem("the copy of the superblock is damaged");
    }
    let pending = journal::pending(store, &geometry);
    if pending > 0 {
        report.problem(format_args!("{pending} transactions wait for the next mount"));
        return report;
    }
    report.clean = store.load(STATE_AT) == CLEAN;
    let mut check = Check {
        from: Plain(store, &geometry),
        report,
        used: HashMap::new(),
        inodes: HashMap::new(),
        entries: Vec::new(),
    };
    match Table::open(store, &geometry) {
        Ok(table) => check.run(&table),
        Err(error) => check.report.problem(format_args!("inode table: {error}")),
    }
    check.report
}

struct Check<'a> {
    from: Plain<'a>,
    report: Report,
    /// Blocks that something points to, by group.
    used: HashMap<u64, Box<[u64; (BITS / 64) as usize]>>,
    inodes: HashMap<Ino, Seen>,
    /// Directory, inode, kind.
    entries: Vec<(Ino, Ino, Kind)>,
}

/// What is remembered of an inode.
struct Seen {
    kind: Kind,
    nlink: u32,
    parent: Ino,
}

impl Check<'_> {
    fn run(&mut self, table: &Table) {
        self.tree("inode table", &table.inode());
        for chunk in table.chunks() {
            self.chunk(table, &chunk);
        }
        self.links();
        self.reach();
        self.space();
    }

    fn chunk(&mut self, table: &Table, chunk: &Chunk) {
        let store = self.from.0;
        let orphans: HashSet<Ino> = chunk.orphans(store).into_iter().collect();
        for bit in 0..CHUNK_INODES as u32 {
            let ino = chunk.first() + u64::from(bit);
            let used = chunk.bits.is_used(store, bit);
            match (used, ino) {
                (_, 0) => {
                    if !used {
                        self.report.problem("inode 0 is free");
                    }
                }
                (true, _) => self.inode(table, ino, orphans.contains(&ino)),
                (false, _) if orphans.contains(&ino) => {
                    self.report
                        .problem(format_args!("inode {ino}: free, and an orphan"));
                }
                (false, _) => {}
            }
        }
    }

    fn inode(&mut self, table: &Table, ino: Ino, orphan: bool) {
        let (at, inode) = match self.load(table, ino) {
            Ok(found) => found,
            Err(error) => return self.report.problem(format_args!("inode {ino}: {error}")),
        };
        let Some(kind) = inode.kind else {
            return self
                .report
                .problem(format_args!("inode {ino}: in use, and empty"));
        };
        self.report.inodes += 1;
        self.report.orphans += u64::from(orphan);
        if (inode.nlink == 0) != orphan && (inode.nlink == 0 || kind == Kind::Directory) {
            let what = if orphan {
                "an orphan with names"
            } else {
                "neither names nor an orphan"
            };
            self.report.problem(format_args!("inode {ino}: {what}"));
        }
        for word in [inode.touched, inode.accessed] {
            if word != 0 && unpack(word).is_none() {
                self.report.problem(format_args!("inode {ino}: a damaged time"));
            }
        }
        let last = self.tree(&format!("inode {ino}"), &inode);
        match kind {
            Kind::Directory => self.directory(&inode),
            Kind::Symlink => self.symlink(at, &inode),
            Kind::File if last.is_some_and(|last| last * BLOCK >= inode.size) && !orphan => {
                self.report
                    .problem(format_args!("inode {ino}: data behind its end"));
            }
            Kind::File => {}
            _ if inode.root != 0 || inode.size != 0 => {
                self.report
                    .problem(format_args!("inode {ino}: contents where none can be"));
            }
            _ => {}
        }
        self.inodes.insert(
            ino,
            Seen {
                kind,
                nlink: inode.nlink,
                parent: inode.parent,
            },
        );
    }

    fn load(&self, table: &Table, ino: Ino) -> Result<(u64, Inode)> {
        let at = table.position(&self.from, ino)?.ok_or(Error::Io)?;
        let mut bytes = [0; RECORD_LEN];
        self.from.0.read(at, &mut bytes);
        Ok((at, Inode::read(ino, &bytes)?))
    }

    /// Counts the blocks of a tree. Returns the last that is written.
    fn tree(&mut self, whose: &str, inode: &Inode) -> Option<u64> {
        let (mut blocks, mut last) = (0, None);
        let (used, geometry) = (&mut self.used, self.from.1);
        let walked = tree::walk(&self.from, inode, &mut |index, pointer: Pointer| {
            blocks += 1;
            if !pointer.unwritten {
                last = last.max(index);
            }
            // Twice the same block: no telling whose, and no end if it is a node.
            mark(used, geometry, pointer.block).then_some(()).ok_or(Error::Io)
        });
        self.report.blocks += blocks;
        if walked.is_err() {
            self.report.problem(format_args!(
                "{whose}: a damaged pointer, or a block that is used twice"
            ));
        } else if blocks != inode.blocks {
            self.report
                .problem(format_args!("{whose}: {blocks} blocks, counted {}", inode.blocks));
        }
        last
    }

    fn directory(&mut self, inode: &Inode) {
        self.report.directories += 1;
        let mut names = HashSet::new();
        for number in 0..inode.size / BLOCK {
            let block = match super::directory::read_block(&self.from, inode, number) {
                Ok(block) => block,
                Err(error) => {
                    return self
                        .report
                        .problem(format_args!("directory {}: block {number}: {error}", inode.ino));
                }
            };
            for record in Entries::of(&block) {
                let Ok(record) = record else {
                    self.report
                        .problem(format_args!("directory {}: block {number}: damaged", inode.ino));
                    break;
                };
                let Some((ino, kind)) = record.entry else {
                    continue;
                };
                self.entries.push((inode.ino, ino, kind));
                if !names.insert(record.name.to_vec()) {
                    self.report
                        .problem(format_args!("directory {}: a name twice", inode.ino));
                }
            }
        }
        if inode.nlink == 0 && !names.is_empty() {
            self.report
                .problem(format_args!("directory {}: removed, and not empty", inode.ino));
        }
    }

    fn symlink(&mut self, at: u64, inode: &Inode) {
        let mut target = vec![0; inode.size.min(BLOCK) as usize];
        if target.len() <= INLINE_MAX {
            self.from.0.read(at + INLINE_AT, &mut target);
        } else if let Ok(Some(pointer)) = tree::get(&self.from, inode, 0) {
            self.from.0.read(pointer.block * BLOCK, &mut target);
        }
        if target.is_empty() || crc32c::crc32c(&target) != inode.inline_crc {
            self.report
                .problem(format_args!("inode {}: a damaged target", inode.ino));
        }
    }

    /// Compares names with what they name.
    fn links(&mut self) {
        let mut names: HashMap<Ino, u32> = HashMap::new();
        let mut below: HashMap<Ino, u32> = HashMap::new();
        for &(dir, ino, kind) in &self.entries {
            match self.inodes.get(&ino) {
                Some(seen) if seen.kind == kind => {
                    *names.entry(ino).or_default() += 1;
                    if kind == Kind::Directory {
                        *below.entry(dir).or_default() += 1;
                        if seen.parent != dir {
                            self.report
                                .problem(format_args!("directory {ino}: in {dir}, not in {}", seen.parent));
                        }
                    }
                }
                Some(_) => self
                    .report
                    .problem(format_args!("directory {dir}: {ino} is of another kind")),
                None => self
                    .report
                    .problem(format_args!("directory {dir}: {ino} does not exist")),
            }
        }
        for (&ino, seen) in &self.inodes {
            let names = names.get(&ino).copied().unwrap_or(0) + u32::from(ino == ROOT);
            let below = below.get(&ino).copied().unwrap_or(0);
            let wanted = match seen.kind {
                Kind::Directory if names == 1 => below + 2,
                Kind::Directory if names > 1 => {
                    self.report
                        .problem(format_args!("directory {ino}: {names} names"));
                    continue;
                }
                _ => names,
            };
            if seen.nlink != wanted {
                self.report.problem(format_args!(
                    "inode {ino}: {} links, counted {wanted}",
                    seen.nlink
                ));
            }
        }
    }

    /// Looks for directories that no path leads to.
    fn reach(&mut self) {
        let mut below: HashMap<Ino, Vec<Ino>> = HashMap::new();
        for &(dir, ino, kind) in &self.entries {
            if kind == Kind::Directory {
                below.entry(dir).or_default().push(ino);
            }
        }
        let mut reached = HashSet::from([ROOT]);
        let mut next = vec![ROOT];
        while let Some(dir) = next.pop() {
            for &ino in below.get(&dir).into_iter().flatten() {
                if reached.insert(ino) {
                    next.push(ino);
                }
            }
        }
        for (ino, seen) in &self.inodes {
            if seen.kind == Kind::Directory && seen.nlink > 0 && !reached.contains(ino) {
                self.report
                    .problem(format_args!("directory {ino}: out of reach of the root"));
            }
        }
        if !self.inodes.contains_key(&ROOT) {
            self.report.problem("no root directory");
        }
    }

    /// Compares the bitmaps with what is pointed to.
    fn space(&mut self) {
        let Plain(store, geometry) = self.from;
        for group in 0..geometry.group_count() {
            let descriptor = geometry.descriptor_at(group);
            let used = self.used.get(&group);
            if store.load(descriptor) & GROUP_READY == 0 {
                if used.is_some() {
                    self.report
                        .problem(format_args!("group {group}: used, and has no bitmap"));
                }
                continue;
            }
            let bitmap = self.from.block(geometry.group_bitmap(group));
            let mut wanted = words(&first_bitmap(geometry, group));
            for (word, used) in wanted
                .iter_mut()
                .zip(used.into_iter().flat_map(|used| used.iter()))
            {
                *word |= used;
            }
            for (number, (found, wanted)) in words(&bitmap).iter().zip(&wanted).enumerate() {
                if found != wanted {
                    let block = group * GROUP + number as u64 * 64;
                    let (lost, stolen) = (found & !wanted, wanted & !found);
                    self.report.problem(format_args!(
                        "blocks at {block}: {lost:#x} lost, {stolen:#x} used but free"
                    ));
                }
            }
            self.summary(group, &bitmap);
        }
    }

    /// Compares what an orderly unmount wrote down of a group.
    fn summary(&mut self, group: u64, bitmap: &BlockBytes) {
        let Plain(store, geometry) = self.from;
        let summary = store.load(geometry.descriptor_at(group) + 8);
        let used: u32 = words(bitmap).iter().map(|word| word.count_ones()).sum();
        let free = BITS as u32 - used;
        let wanted = u64::from(crc32c::crc32c(bitmap)) << 32 | u64::from(free);
        if self.report.clean && summary != wanted {
            self.report
                .problem(format_args!("group {group}: its summary is wrong"));
        }
    }
}

/// Notes that `block` is used. Returns whether it was not.
fn mark(used: &mut HashMap<u64, Box<[u64; (BITS / 64) as usize]>>, geometry: &Geometry, block: u64) -> bool {
    debug_assert!(geometry.is_data(block));
    let bits = used
        .entry(block / GROUP)
        .or_insert_with(|| Box::new([0; (BITS / 64) as usize]));
    let bit = block % GROUP;
    let word = &mut bits[(bit / 64) as usize];
    let fresh = *word >> (bit % 64) & 1 == 0;
    *word |= 1 << (bit % 64);
    fresh
}
