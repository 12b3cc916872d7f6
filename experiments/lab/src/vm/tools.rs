// SPDX-License-Identifier: MIT
//! The compiler, the kernels' headers and the emulator, of the release that the kernels are of.

use anyhow::{Result, ensure};

use super::apt::Apt;
use super::kernel::Kernel;
use super::place::Place;
use super::tree::Tree;

const PACKAGES: &[&str] = &[
    "bash",
    "coreutils",
    "dash",
    "e2fsprogs",
    "findutils",
    "gcc",
    "gcc-14",
    "grep",
    "kmod",
    "libc6-dev",
    "make",
    "mawk",
    "qemu-system-x86",
    "sed",
    "seabios",
    "sparse",
];

/// A tree with the tools in it.
pub struct Tools {
    tree: Tree,
}

impl Tools {
    /// Fetches and unpacks them unless they are there.
    pub fn prepare(place: &Place, apt: &Apt) -> Result<Self> {
        let mut packages: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
        for kernel in Kernel::ALL {
            packages.push(format!("linux-headers-{}", kernel.release(apt)?));
        }
        let tools = Self {
            tree: Tree::at(place.vm().join("tools")),
        };
        let wanted = packages.join("\n");
        if !tools.tree.holds(&wanted) {
            eprintln!("vm: fetching compiler, headers and emulator (about 1 GB when unpacked)");
            tools.tree.unpack(&apt.fetch("trixie", &packages)?)?;
            tools.tree.finish(&wanted)?;
        }
        Ok(tools)
    }

    /// A command of theirs.
    pub fn command(&self, place: &Place, program: &str) -> std::process::Command {
        self.tree.command(place, program)
    }

    /// Runs one to its end; what it prints is passed on.
    pub fn run(&self, place: &Place, program: &str, args: &[&str]) -> Result<()> {
        let status = self.command(place, program).args(args).status()?;
        ensure!(status.success(), "{program} {}: {status}", args.join(" "));
        Ok(())
    }
}
