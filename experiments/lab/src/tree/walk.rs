// SPDX-License-Identifier: MIT
//! All entries of a tree, in one order everywhere: parents first, names sorted.

use anyhow::{Context, Result};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// One entry.
pub struct Entry {
    /// Relative to the tree's root; empty for the root itself.
    pub path: PathBuf,
    /// Of the entry itself, not of what a symbolic link names.
    pub data: Metadata,
}

/// Calls `visit` for the root and everything under it, until it says no.
pub fn walk(root: &Path, visit: &mut impl FnMut(Entry) -> Result<bool>) -> Result<()> {
    descend(root, PathBuf::new(), visit).map(drop)
}

fn descend(root: &Path, path: PathBuf, visit: &mut impl FnMut(Entry) -> Result<bool>) -> Result<bool> {
    let full = root.join(&path);
    let data = full
        .symlink_metadata()
        .with_context(|| format!("stat {}", full.display()))?;
    let is_dir = data.is_dir();
    if !visit(Entry {
        path: path.clone(),
        data,
    })? {
        return Ok(false);
    }
    if is_dir {
        let entries = full
            .read_dir()
            .with_context(|| format!("read {}", full.display()))?;
        let mut names = entries
            .map(|entry| Ok(entry?.file_name()))
            .collect::<std::io::Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            if !descend(root, path.join(name), visit)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
