// SPDX-License-Identifier: MIT
//! The files that a client has open.

use std::sync::RwLock;

use super::Refusal;
use crate::fs::Ino;

/// No client has more files open than this.
const LIMIT: usize = 1 << 16;

/// An open file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The inode.
    pub ino: Ino,
    /// `O_*` of open(2), as it was opened.
    pub flags: i32,
    /// Whether it was opened by OPENDIR.
    pub directory: bool,
}

impl Open {
    /// Whether it may be read from.
    pub fn readable(&self) -> bool {
        self.flags & libc::O_ACCMODE != libc::O_WRONLY
    }

    /// Whether it may be written to.
    pub fn writable(&self) -> bool {
        self.flags & libc::O_ACCMODE != libc::O_RDONLY && !self.directory
    }
}

/// A handle is an index into this table (lower half) and the generation of its entry (upper half): one
/// that was closed, guessed or never given out names nothing.
pub(super) struct Handles(RwLock<Table>);

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

struct Entry {
    generation: u32,
    open: Option<Open>,
}

impl Handles {
    pub fn new() -> Self {
        Self(RwLock::default())
    }

    /// Gives out a handle.
    pub fn open(&self, open: Open) -> Result<u64, Refusal> {
        let mut table = self.0.write().unwrap_or_else(|poison| poison.into_inner());
        let index = match table.free.pop() {
            Some(index) => index,
            None if table.entries.len() >= LIMIT => return Err(Refusal::TooManyHandles),
            None => {
                // Generations start at 1: a handle is never 0.
                table.entries.push(Entry {
                    generation: 1,
                    open: None,
                });
                (table.entries.len() - 1) as u32
            }
        };
        let entry = &mut table.entries[index as usize];
        entry.open = Some(open);
        Ok(u64::from(entry.generation) << 32 | u64::from(index))
    }

    /// What `handle` names.
    pub fn get(&self, handle: u64) -> Result<Open, Refusal> {
        let table = self.0.read().unwrap_or_else(|poison| poison.into_inner());
        table
            .entries
            .get(handle as u32 as usize)
            .filter(|entry| entry.generation == (handle >> 32) as u32)
            .and_then(|entry| entry.open)
            .ok_or(Refusal::BadHandle)
    }

    /// Takes `handle` back.
    pub fn close(&self, handle: u64) -> Result<Open, Refusal> {
        let mut table = self.0.write().unwrap_or_else(|poison| poison.into_inner());
        let index = handle as u32;
        let entry = table
            .entries
            .get_mut(index as usize)
            .filter(|entry| entry.generation == (handle >> 32) as u32)
            .ok_or(Refusal::BadHandle)?;
        let open = entry.open.take().ok_or(Refusal::BadHandle)?;
        // A generation is used once: an entry that has had them all is retired.
        if let Some(next) = entry.generation.checked_add(1) {
            entry.generation = next;
            table.free.push(index);
        }
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Open = Open {
        ino: 7,
        flags: libc::O_RDWR,
        directory: false,
    };

    #[test]
    fn a_closed_handle_names_nothing() {
        let handles = Handles::new();
        let first = handles.open(FILE).unwrap();
        assert_eq!(handles.get(first), Ok(FILE));
        assert_eq!(handles.close(first), Ok(FILE));
        assert_eq!(handles.close(first), Err(Refusal::BadHandle));
        let second = handles.open(FILE).unwrap();
        assert_ne!(first, second);
        assert_eq!(handles.get(first), Err(Refusal::BadHandle));
        assert_eq!(handles.get(0), Err(Refusal::BadHandle));
        assert_eq!(handles.get(u64::MAX), Err(Refusal::BadHandle));
    }

    #[test]
    fn one_client_cannot_open_without_limit() {
        let handles = Handles::new();
        for _ in 0..LIMIT {
            handles.open(FILE).unwrap();
        }
        assert_eq!(handles.open(FILE), Err(Refusal::TooManyHandles));
    }
}
