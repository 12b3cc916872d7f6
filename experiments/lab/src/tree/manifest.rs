// SPDX-License-Identifier: MIT
//! What a tree holds, as text: one line an entry, equal for equal trees.

use super::walk::{Entry, walk};
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The first path seen of each file that has several.
#[derive(Default)]
pub struct Links(HashMap<(u64, u64), PathBuf>);

impl Links {
    /// The path under which this very file was seen before.
    pub fn seen(&mut self, entry: &Entry) -> Option<PathBuf> {
        if entry.data.is_dir() || entry.data.nlink() < 2 {
            return None;
        }
        let key = (entry.data.dev(), entry.data.ino());
        let known = self.0.get(&key).cloned();
        if known.is_none() {
            self.0.insert(key, entry.path.clone());
        }
        known
    }
}

/// The list of everything under `root`.
pub fn of(root: &Path) -> Result<String> {
    let mut text = String::new();
    let mut links = Links::default();
    walk(root, &mut |entry| {
        let content = match links.seen(&entry) {
            Some(first) => format!("is {}", first.display()),
            None => content(&root.join(&entry.path), &entry)?,
        };
        text += &line(&entry, &content);
        Ok(true)
    })?;
    Ok(text)
}

/// One entry as a line.
pub fn line(entry: &Entry, content: &str) -> String {
    let data = &entry.data;
    // A directory's size and a link's mode and time are the file system's own business.
    let size = if data.is_dir() { 0 } else { data.size() };
    let (mode, time) = match data.is_symlink() {
        true => (0, String::new()),
        false => (data.mode(), format!("{}.{:09}", data.mtime(), data.mtime_nsec())),
    };
    let path = entry.path.to_string_lossy();
    format!(
        "{path:?} {mode:o} {}:{} {size} {time} {content}\n",
        data.uid(),
        data.gid()
    )
}

/// What an entry consists of beside its attributes.
pub fn content(full: &Path, entry: &Entry) -> Result<String> {
    let kind = entry.data.file_type();
    Ok(if kind.is_dir() {
        "dir".into()
    } else if kind.is_symlink() {
        format!("to {:?}", std::fs::read_link(full)?)
    } else if kind.is_file() {
        let mut sum = 0;
        read(full, |bytes| {
            sum = crc32c::crc32c_append(sum, bytes);
            Ok(())
        })?;
        format!("crc {sum:08x}")
    } else if kind.is_fifo() {
        "fifo".into()
    } else {
        bail!("{} is of a kind that is not compared", full.display())
    })
}

/// Hands a file's bytes on, piece by piece.
pub fn read(full: &Path, mut piece: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut file = File::open(full).with_context(|| format!("open {}", full.display()))?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file
            .read(&mut buffer)
            .with_context(|| format!("read {}", full.display()))?
        {
            0 => return Ok(()),
            n => piece(&buffer[..n])?,
        }
    }
}

/// How two lists differ, in a few lines; `None` if they do not.
pub fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let known: std::collections::HashSet<&str> = expected.lines().collect();
    let there: std::collections::HashSet<&str> = found.lines().collect();
    let missing = expected
        .lines()
        .filter(|line| !there.contains(line))
        .map(|line| format!("expected {line}"));
    let extra = found
        .lines()
        .filter(|line| !known.contains(line))
        .map(|line| format!("found    {line}"));
    let mut all: Vec<String> = missing.chain(extra).collect();
    all.sort_by(|a, b| a[9..].cmp(&b[9..]));
    let more = all.len().saturating_sub(12);
    all.truncate(12);
    if more > 0 {
        all.push(format!("and {more} more lines"));
    }
    Some(all.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_trees_have_equal_lists_and_a_changed_byte_shows() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        super::super::plant::plant(&root).unwrap();
        let before = of(&root).unwrap();
        assert_eq!(difference(&before, &of(&root).unwrap()), None);

        let victim = root.join("sizes/4097");
        let time = victim.metadata().unwrap().modified().unwrap();
        let mut bytes = std::fs::read(&victim).unwrap();
        bytes[4096] ^= 1;
        std::fs::write(&victim, bytes).unwrap();
        File::options()
            .write(true)
            .open(&victim)
            .unwrap()
            .set_modified(time)
            .unwrap();
        let told = difference(&before, &of(&root).unwrap()).unwrap();
        assert!(told.contains("sizes/4097") && told.lines().count() == 2, "{told}");
    }
}
