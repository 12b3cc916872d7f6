// SPDX-License-Identifier: MIT
//! A folder that Debian packages are unpacked into, and commands run in it as their root.
//!
//! The packages' own install scripts are not run: nothing here needs more than what
//! `Tree::unpack` does in their place. So no root rights are needed either: another user's
//! commands run in a user namespace.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::place::Place;

/// The mounts that a command in a tree sees, then the command itself.
const ENTER: &str = r#"
root=$1; project=$2; shift 2
mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/project"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount --bind "$project" "$root/project"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C "$@"
"#;

/// An unpacked set of packages.
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The tree at `root`, whether it has been unpacked or not.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it holds just what `wanted` describes, a text that `finish` left behind.
    pub fn holds(&self, wanted: &str) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == wanted)
    }

    /// Says that the tree is complete and holds what `wanted` describes.
    pub fn finish(&self, wanted: &str) -> Result<()> {
        Ok(fs::write(self.stamp(), wanted)?)
    }

    fn stamp(&self) -> PathBuf {
        let mut name = self.root.clone().into_os_string();
        name.push(".holds");
        name.into()
    }

    /// Empties the tree and unpacks `debs` into it.
    pub fn unpack(&self, debs: &[PathBuf]) -> Result<()> {
        let _ = fs::remove_file(self.stamp());
        if self.root.exists() {
            fs::remove_dir_all(&self.root).with_context(|| format!("emptying {}", self.root.display()))?;
        }
        for dir in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(self.root.join("usr").join(dir))?;
            symlink(format!("usr/{dir}"), self.root.join(dir))?;
        }
        for deb in debs {
            self.unpack_one(deb)
                .with_context(|| format!("unpacking {}", deb.display()))?;
        }
        // What the install scripts of base-passwd and libc-bin would do.
        for (master, file) in [("passwd.master", "passwd"), ("group.master", "group")] {
            let master = self.root.join("usr/share/base-passwd").join(master);
            if master.exists() {
                fs::copy(master, self.root.join("etc").join(file))?;
            }
        }
        // And that of mawk.
        if self.root.join("usr/bin/mawk").exists() {
            symlink("mawk", self.root.join("usr/bin/awk"))?;
        }
        let status = Command::new("/sbin/ldconfig")
            .arg("-r")
            .arg(&self.root)
            .status()
            .context("ldconfig")?;
        ensure!(status.success(), "ldconfig -r {}: {status}", self.root.display());
        Ok(())
    }

    fn unpack_one(&self, deb: &Path) -> Result<()> {
        let mut package = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(deb)
            .stdout(Stdio::piped())
            .spawn()
            .context("dpkg-deb")?;
        let Some(pipe) = package.stdout.take() else {
            bail!("dpkg-deb has no output")
        };
        let unpacked = Command::new("tar")
            .args(["-x", "--keep-directory-symlink", "--no-same-owner", "-C"])
            .arg(&self.root)
            .stdin(pipe)
            .status()
            .context("tar")?;
        let read = package.wait()?;
        ensure!(
            read.success() && unpacked.success(),
            "dpkg-deb: {read}, tar: {unpacked}"
        );
        Ok(())
    }

    /// A command that runs with this tree as its root and the project at `/project`.
    ///
    /// It and its children end when the returned command does.
    pub fn command(&self, place: &Place, program: &str) -> Command {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--",
                "/bin/sh",
                "-ec",
                ENTER,
                "enter",
            ])
            .arg(&self.root)
            .arg(&place.project)
            .arg(program);
        command
    }
}
