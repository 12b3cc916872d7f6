// SPDX-License-Identifier: MIT
//! Where everything is: the workspace, its target folder, the programs that it builds.

use crate::job::{Job, Log};
use anyhow::{Context, Result, anyhow};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The paths of one checkout.
pub struct Place {
    /// The workspace's root.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Place {
    /// Finds them from where this program was built and runs.
    pub fn find() -> Result<Place> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .ok_or_else(|| anyhow!("lab does not know its checkout: run it as `cargo lab`"))?;
        let root = Path::new(&package)
            .ancestors()
            .nth(2)
            .context("the package has no workspace")?
            .to_owned();
        // target/release/lab
        let own = std::env::current_exe()?;
        let target = own
            .ancestors()
            .nth(2)
            .context("lab is not in a target folder")?
            .to_owned();
        Ok(Place { root, target })
    }

    /// A program of ours, in release form.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// A program that was installed for the tests.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.target.join("tools/bin").join(name)
    }

    /// A fresh log file under the target folder.
    pub fn log(&self, command: &str, name: &str) -> Result<Log> {
        let dir = self.target.join("lab").join(command);
        std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        Log::create(&dir.join(format!("{name}.log")))
    }

    /// Cargo, run in the workspace.
    pub fn cargo(&self) -> Job {
        Job::new(cargo()).dir(&self.root).env("CARGO_TERM_COLOR", "never")
    }

    /// Builds the programs in release form.
    pub fn build(&self, log: &Log) -> Result<()> {
        self.cargo()
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "zus",
                "--package",
                "experiments",
            ])
            .limit(1200)
            .run(log)
    }
}

/// The cargo that runs us.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether file systems can be mounted here; if not, why not.
pub fn can_mount() -> Result<(), &'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Err("mounting needs root");
    }
    match std::fs::File::options().read(true).write(true).open("/dev/fuse") {
        Ok(_) => Ok(()),
        Err(_) => Err("/dev/fuse cannot be opened"),
    }
}

/// A command in the search path.
pub fn which(name: &str) -> Option<PathBuf> {
    // A user's PATH often lacks the administrator's folders.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(extra)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}
