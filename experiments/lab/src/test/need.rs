// SPDX-License-Identifier: MIT
//! What a step needs from the machine, and how it comes there.

use crate::job::{Job, Log};
use crate::place::{Place, can_mount, cargo, which};
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// One thing that must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Root and /dev/fuse.
    Mounting,
    /// A command, and the Debian package that has it.
    Command(&'static str, &'static str),
    /// A program from crates.io, in exactly this version: (program, package, version).
    Crate(&'static str, &'static str, &'static str),
    /// A part of the Rust toolchain: (cargo subcommand, rustup's name for it).
    Component(&'static str, &'static str),
}

impl Need {
    /// Why it is not met, if it is not.
    pub fn missing(self, place: &Place, log: &Log) -> Option<String> {
        match self {
            Need::Mounting => can_mount().err().map(str::to_owned),
            Need::Command(name, package) => which(name)
                .is_none()
                .then(|| format!("no {name} here (Debian package {package})")),
            Need::Crate(program, package, version) => (!installed(place, program, package, version))
                .then(|| format!("{package} {version} is not installed")),
            Need::Component(command, name) => {
                let there = Job::new(cargo()).args([command, "--version"]).run(log).is_ok();
                (!there).then(|| format!("this toolchain has no {name} (rustup component add {name})"))
            }
        }
    }
}

/// The Debian packages that are missing among `needs`.
pub fn missing_packages<'a>(needs: impl Iterator<Item = &'a Need>) -> BTreeSet<&'static str> {
    needs
        .filter_map(|need| match need {
            Need::Command(name, package) if which(name).is_none() => Some(*package),
            _ => None,
        })
        .collect()
}

/// The command that installs Debian packages.
pub fn install_command(packages: &BTreeSet<&str>) -> String {
    let names: Vec<&str> = packages.iter().copied().collect();
    format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        names.join(" ")
    )
}

/// Installs Debian packages, as root.
pub fn install_packages(packages: &BTreeSet<&str>, log: &Log) -> Result<()> {
    let apt = || {
        Job::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .limit(600)
    };
    apt().args(["update"]).run(log)?;
    apt()
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages.iter())
        .run(log)
}

/// The programs from crates.io that are missing among `needs`.
pub fn missing_crates<'a>(place: &Place, needs: impl Iterator<Item = &'a Need>) -> Vec<Need> {
    let mut missing = Vec::new();
    for need in needs {
        if let Need::Crate(program, package, version) = *need
            && !installed(place, program, package, version)
            && !missing.contains(need)
        {
            missing.push(*need);
        }
    }
    missing
}

/// Installs one program under the target folder.
pub fn install_crate(place: &Place, package: &str, version: &str, log: &Log) -> Result<()> {
    // Unoptimized and without debug information: it is built more often than it is waited for. A folder
    // of its own, or the workspace's own builds would be invalidated by other features and flags.
    place
        .cargo()
        .args([
            "install",
            "--debug",
            "--locked",
            "--config",
            "profile.dev.debug=0",
            "--root",
        ])
        .arg(place.target.join("tools"))
        .arg("--target-dir")
        .arg(place.target.join("tools/build"))
        .args(["--version", &format!("={version}"), package])
        .limit(1200)
        .run(log)
        .with_context(|| format!("install {package} {version}"))
}

/// Whether this very version is there: cargo keeps a list beside what it installs.
fn installed(place: &Place, program: &str, package: &str, version: &str) -> bool {
    let list = std::fs::read_to_string(place.target.join("tools/.crates.toml")).unwrap_or_default();
    list.contains(&format!("\"{package} {version} (")) && place.tool(program).is_file()
}
