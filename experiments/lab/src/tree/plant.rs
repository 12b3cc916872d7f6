// SPDX-License-Identifier: MIT
//! A tree with one of everything: awkward sizes, names, modes and times; links, holes, a fifo.

use anyhow::Result;
use nix::sys::stat::Mode;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Sizes around the borders that file systems have.
const SIZES: [usize; 14] = [
    0, 1, 100, 511, 4095, 4096, 4097, 8191, 65_536, 65_537, 131_073, 1_048_575, 1_048_577, 5_000_011,
];

/// Plants it at `root`, which must not exist.
pub fn plant(root: &Path) -> Result<()> {
    fs::create_dir(root)?;
    let mut seed = 1;

    let sizes = root.join("sizes");
    fs::create_dir(&sizes)?;
    for size in SIZES {
        file(&sizes.join(size.to_string()), size, &mut seed)?;
    }

    let many = root.join("many");
    fs::create_dir(&many)?;
    for number in 0..600 {
        file(&many.join(format!("{number:05}")), number * 7 % 3000, &mut seed)?;
    }

    let mut deep = root.to_owned();
    for level in 0..24 {
        deep.push(format!("level-{level}"));
        fs::create_dir(&deep)?;
        file(&deep.join("leaf"), level, &mut seed)?;
    }

    let names = root.join("names");
    fs::create_dir(&names)?;
    for name in [
        "-dash",
        " blank ",
        "new\nline",
        "ünïcode-☃",
        "a.b.c",
        "*",
        "\\",
        "…",
    ] {
        file(&names.join(name), 10, &mut seed)?;
    }
    file(&names.join("n".repeat(255)), 255, &mut seed)?;

    let modes = root.join("modes");
    fs::create_dir(&modes)?;
    for mode in [0o000, 0o400, 0o644, 0o755, 0o777, 0o1755, 0o2755, 0o4755, 0o7777] {
        let path = modes.join(format!("{mode:04o}"));
        file(&path, 64, &mut seed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }

    let times = root.join("times");
    fs::create_dir(&times)?;
    for (name, seconds, nanos) in [
        ("zero", 0, 0),
        ("one-ns", 1, 1),
        ("late", 4_102_444_800, 999_999_999),
    ] {
        let path = times.join(name);
        file(&path, 5, &mut seed)?;
        File::options()
            .write(true)
            .open(&path)?
            .set_modified(UNIX_EPOCH + Duration::new(seconds, nanos))?;
    }

    let links = root.join("links");
    fs::create_dir(&links)?;
    symlink("../sizes/4096", links.join("relative"))?;
    symlink("nowhere", links.join("dangling"))?;
    symlink("t".repeat(4000), links.join("long"))?;
    file(&links.join("first"), 3000, &mut seed)?;
    for name in ["second", "third"] {
        fs::hard_link(links.join("first"), links.join(name))?;
    }

    let mut sparse = File::create(root.join("sparse"))?;
    for at in [0, 1 << 20, (3 << 20) + 5] {
        sparse.seek(SeekFrom::Start(at))?;
        sparse.write_all(b"island")?;
    }
    sparse.set_len(8 << 20)?;

    nix::unistd::mkfifo(&root.join("fifo"), Mode::from_bits_truncate(0o640))?;
    fs::create_dir(root.join("empty"))?;
    Ok(())
}

/// A file whose bytes follow from the seed, the same on every machine.
fn file(path: &Path, size: usize, seed: &mut u64) -> Result<()> {
    let mut bytes = Vec::with_capacity(size + 8);
    // The name takes part, or files of one size could be exchanged unseen.
    *seed ^= u64::from(crc32c::crc32c(path.file_name().unwrap_or_default().as_bytes()));
    while bytes.len() < size {
        // xorshift64
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        bytes.extend_from_slice(&seed.to_le_bytes());
    }
    bytes.truncate(size);
    Ok(fs::write(path, bytes)?)
}
