// SPDX-License-Identifier: MIT
//! Attributes, directories as they are listed, and what is left of the medium.

use super::Pmemfs;
use super::clock;
use super::directory::read_block;
use super::edit::Edit;
use super::format::{BLOCK, BLOCK_INODES, Entries, Inode};
use super::medium::tx::Tx;
use crate::fs::{Attr, DirEntry, Error, Ino, Kind, Name, Result, SetAttr, SetTime, StatFs, Timestamp};

/// Cookies of an entry start here: behind those of "." and "..", which start at 1.
const FIRST_COOKIE: u64 = 3;

impl Pmemfs {
    pub(super) fn set_attributes(&self, ino: Ino, changes: &SetAttr) -> Result<Attr> {
        let node = self.node(ino)?;
        let mut edit = Edit::of(&node)?;
        self.medium.writable()?;
        change(&mut edit.draft, changes)?;
        match changes.size {
            Some(size) => {
                Self::check_resizable(edit.draft.kind)?;
                self.resize(&mut edit, size)?;
            }
            None => {
                let mut tx = Tx::new(&self.medium)?;
                edit.write(&mut tx)?;
                tx.commit()?;
                edit.done();
            }
        }
        node.attr(&edit.state)
    }

    pub(super) fn read_entries(
        &self,
        ino: Ino,
        cookie: u64,
        each: &mut dyn FnMut(&DirEntry<'_>) -> bool,
    ) -> Result<()> {
        let node = self.node(ino)?;
        let parent = {
            let state = node.read();
            state.directory()?;
            node.accessed(&self.medium, &state);
            state.inode.parent
        };
        for (number, (name, ino)) in [(".", ino), ("..", parent)].into_iter().enumerate() {
            let here = DirEntry {
                ino,
                kind: Kind::Directory,
                name: name.as_bytes(),
                cookie: number as u64 + 1,
            };
            if cookie < here.cookie && !each(&here) {
                return Ok(());
            }
        }
        // The first position not yet seen. Entries never move, so it means the same whatever came and went.
        let mut from = (cookie + 1).saturating_sub(FIRST_COOKIE);
        loop {
            // A block at a time is copied under the lock; `each` may call back.
            let block = {
                let state = node.read();
                state.directory()?;
                if from >= state.inode.size {
                    return Ok(());
                }
                read_block(&self.medium, &state.inode, from / BLOCK)?
            };
            let start = from / BLOCK * BLOCK;
            for record in Entries::of(&block) {
                let record = record?;
                let position = start + record.at as u64;
                if let Some((ino, kind)) = record.entry
                    && position >= from
                    && !each(&DirEntry {
                        ino,
                        kind,
                        name: record.name,
                        cookie: position + FIRST_COOKIE,
                    })
                {
                    return Ok(());
                }
            }
            from = start + BLOCK;
        }
    }

    pub(super) fn space(&self) -> StatFs {
        let medium = &self.medium;
        let fixed: u64 = (0..medium.geometry.group_count())
            .map(|group| u64::from(medium.geometry.group_len(group) - medium.geometry.group_usable(group)))
            .sum();
        let free = medium.space.free();
        StatFs {
            block_size: BLOCK as u32,
            blocks: medium.geometry.blocks - fixed,
            blocks_free: free,
            blocks_available: free,
            files: medium.table.used() + free * BLOCK_INODES,
            files_free: free * BLOCK_INODES,
            name_max: Name::MAX as u32,
        }
    }
}

/// Makes `changes` to a draft, except for the size, which it only makes the times of.
fn change(draft: &mut Inode, changes: &SetAttr) -> Result<()> {
    let now = clock::now();
    let time = |time| match time {
        SetTime::Now => Ok(now),
        SetTime::At(Timestamp { nsec, .. }) if nsec >= 1_000_000_000 => Err(Error::Invalid),
        SetTime::At(time) => Ok(time),
    };
    if let Some(perm) = changes.perm {
        draft.perm = (perm & 0o7777) as u16;
    }
    if let Some(uid) = changes.uid {
        draft.uid = uid;
    }
    if let Some(gid) = changes.gid {
        draft.gid = gid;
    }
    if changes.size.is_some() {
        draft.mtime = now;
    }
    if let Some(at) = changes.atime {
        draft.atime = time(at)?;
    }
    if let Some(at) = changes.mtime {
        draft.mtime = time(at)?;
    }
    draft.ctime = time(changes.ctime.map_or(SetTime::Now, SetTime::At))?;
    Ok(())
}
