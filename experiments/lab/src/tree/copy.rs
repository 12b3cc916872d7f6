// SPDX-License-Identifier: MIT
//! Copies a tree, or the first part of a large one, with everything that a list shows.

use super::manifest::{self, Links};
use super::walk::{Entry, walk};
use anyhow::{Context, Result};
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// Larger ones are left out: many files say more than one.
const FILE_LIMIT: u64 = 16 << 20;

#[derive(clap::Args)]
pub struct Arguments {
    /// What to copy, until a limit is reached
    from: PathBuf,
    /// Where to; must not exist
    to: PathBuf,
    /// Where the list of what was read goes
    manifest: PathBuf,
    /// Copy at most so many files
    #[arg(long, default_value_t = 4000)]
    files: u64,
    /// Copy at most so many bytes
    #[arg(long, default_value_t = 120 << 20)]
    bytes: u64,
}

/// Copies, printing `FILES BYTES` now and then.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { from, to, .. } = arguments;
    let mut copied = Copied::default();
    let mut links = Links::default();
    let mut dirs = Vec::new();
    walk(from, &mut |entry| {
        let size = if entry.data.is_file() {
            entry.data.size()
        } else {
            0
        };
        if copied.files >= arguments.files || copied.bytes + size > arguments.bytes {
            return Ok(false);
        }
        let kind = entry.data.file_type();
        if size > FILE_LIMIT || !(kind.is_dir() || kind.is_file() || kind.is_symlink()) {
            return Ok(true);
        }
        let (source, target) = (from.join(&entry.path), to.join(&entry.path));
        let content = match links.seen(&entry) {
            Some(first) => {
                fs::hard_link(to.join(&first), &target)?;
                format!("is {}", first.display())
            }
            None => {
                let content = make(&source, &target, &entry)?;
                if !kind.is_dir() {
                    dress(&target, &entry)?;
                }
                content
            }
        };
        copied.list += &manifest::line(&entry, &content);
        if kind.is_dir() {
            dirs.push((target, entry));
        } else {
            copied.files += 1;
            copied.bytes += size;
            if copied.files.is_multiple_of(50) {
                println!("{} {}", copied.files, copied.bytes);
                std::io::stdout().flush()?;
            }
        }
        Ok(true)
    })?;
    // Last, or what is made inside would change their times again.
    dirs.iter()
        .rev()
        .try_for_each(|(target, entry)| dress(target, entry))?;
    println!("{} {}", copied.files, copied.bytes);
    Ok(fs::write(&arguments.manifest, copied.list)?)
}

#[derive(Default)]
struct Copied {
    files: u64,
    bytes: u64,
    list: String,
}

/// Makes the copy of one entry and says what it consists of.
fn make(source: &Path, target: &Path, entry: &Entry) -> Result<String> {
    let named = || format!("make {}", target.display());
    let kind = entry.data.file_type();
    if kind.is_dir() {
        fs::create_dir(target).with_context(named)?;
        return Ok("dir".into());
    }
    if kind.is_symlink() {
        symlink(fs::read_link(source)?, target).with_context(named)?;
        return manifest::content(source, entry);
    }
    let mut copy = File::create_new(target).with_context(named)?;
    let mut sum = 0;
    manifest::read(source, |bytes| {
        sum = crc32c::crc32c_append(sum, bytes);
        copy.write_all(bytes)
            .with_context(|| format!("write {}", target.display()))
    })?;
    Ok(format!("crc {sum:08x}"))
}

/// Gives the copy its owner, mode and times.
fn dress(target: &Path, entry: &Entry) -> Result<()> {
    let data = &entry.data;
    let named = || format!("set the attributes of {}", target.display());
    lchown(target, Some(data.uid()), Some(data.gid())).with_context(named)?;
    if !data.is_symlink() {
        fs::set_permissions(target, fs::Permissions::from_mode(data.mode() & 0o7777)).with_context(named)?;
    }
    let read = TimeSpec::new(data.atime(), data.atime_nsec());
    let written = TimeSpec::new(data.mtime(), data.mtime_nsec());
    utimensat(AT_FDCWD, target, &read, &written, UtimensatFlags::NoFollowSymlink).with_context(named)
}
