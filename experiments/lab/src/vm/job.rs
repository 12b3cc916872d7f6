// SPDX-License-Identifier: MIT
//! What a guest is given to do: an archive that its kernel unpacks after the image's own.

use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cpio::Cpio;
use super::image::Image;
use super::place::Place;

/// The command, each word ended by a NUL.
pub const ARGV: &str = "job/argv";
/// The module, if it is to be loaded.
pub const MODULE: &str = "job/zuf.ko";
/// The folder of the project's programs.
pub const PROGRAMS: &str = "job/bin";

/// Packs the job in `dir`, behind the image's archive, and returns what the kernel is to unpack.
pub fn pack(
    place: &Place,
    dir: &Path,
    image: &Image,
    module: Option<&Path>,
    argv: &[String],
) -> Result<PathBuf> {
    let path = dir.join("initrd");
    fs::copy(&image.initrd, &path).with_context(|| image.initrd.display().to_string())?;
    let mut cpio = Cpio::new(BufWriter::new(File::options().append(true).open(&path)?));
    cpio.copy("init", &std::env::current_exe().context("finding this program")?)?;
    let mut words = argv.join("\0").into_bytes();
    words.push(0);
    cpio.file(ARGV, 0o644, &words)?;
    if let Some(module) = module {
        cpio.copy(MODULE, module)?;
    }
    for program in programs(&place.target.join("release"))? {
        if let Some(name) = program.file_name() {
            cpio.copy(&format!("{PROGRAMS}/{}", name.to_string_lossy()), &program)?;
        }
    }
    cpio.finish()?;
    Ok(path)
}

/// The project's binaries, as cargo left them.
fn programs(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry?.path();
        let meta = fs::metadata(&path)?;
        if meta.is_file() && meta.permissions().mode() & 0o111 != 0 && path.extension().is_none() {
            found.push(path);
        }
    }
    Ok(found)
}
