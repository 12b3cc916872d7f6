// SPDX-License-Identifier: MIT
//! Builds `zuf.ko` for a kernel, in a copy of `kmod/`, so that the sources stay clean.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::place::Place;
use super::tools::Tools;

/// Builds it and returns its path. Every warning is an error.
pub fn build(place: &Place, tools: &Tools, release: &str) -> Result<PathBuf> {
    let dir = place.vm().join("build").join(release);
    mirror(&place.project.join("kmod"), &dir)?;
    let inside = place.inside(&dir);
    let output = tools
        .command(place, "make")
        .args(["-s", "-j2", "-C", &format!("/usr/src/linux-headers-{release}")])
        .arg(format!("M={}", inside.display()))
        .args([
            "W=1",
            "C=1",
            "CHECK=sparse",
            "CF=-Wsparse-error",
            "KCFLAGS=-Werror",
            "modules",
        ])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "zuf.ko does not build for {release}:\n{said}"
    );
    // sparse has no way to make each of its warnings an error.
    ensure!(
        !said.contains("warning:"),
        "zuf.ko builds with warnings for {release}:\n{said}"
    );
    let module = dir.join("zuf.ko");
    ensure!(module.exists(), "make left no {}", module.display());
    Ok(module)
}

/// Makes `copy` hold the files of `source`, touching only those that differ.
fn mirror(source: &Path, copy: &Path) -> Result<()> {
    fs::create_dir_all(copy)?;
    for entry in fs::read_dir(source).with_context(|| source.display().to_string())? {
        let entry = entry?;
        let to = copy.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            mirror(&entry.path(), &to)?;
        } else {
            let contents = fs::read(entry.path())?;
            if fs::read(&to).ok().as_ref() != Some(&contents) {
                fs::write(&to, contents)?;
            }
        }
    }
    // A file that is gone must not be built any more; make's own products stay.
    for entry in fs::read_dir(copy)? {
        let path = entry?.path();
        let is_source = path.extension().is_some_and(|it| it == "c" || it == "h");
        let generated = path.to_string_lossy().ends_with(".mod.c");
        if is_source && !generated && !source.join(path.file_name().unwrap_or_default()).exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
