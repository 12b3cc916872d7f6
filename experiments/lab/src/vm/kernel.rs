// SPDX-License-Identifier: MIT
//! The kernels that the module is held to, and where Debian has them.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::apt::Apt;

/// A stock Debian kernel, generic flavour (the cloud flavour lacks pmem, 9p and more).
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Kernel {
    /// The kernel of Debian 13.
    #[value(name = "6.12")]
    V6_12,
    /// The kernel of Debian 13's backports.
    #[value(name = "7.3")]
    V7_3,
}

impl Kernel {
    /// All of them, oldest first.
    pub const ALL: [Kernel; 2] = [Kernel::V6_12, Kernel::V7_3];

    /// Its short name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::V6_12 => "6.12",
            Kernel::V7_3 => "7.3",
        }
    }

    /// The suite that has it.
    pub fn suite(self) -> &'static str {
        match self {
            Kernel::V6_12 => "trixie",
            Kernel::V7_3 => "trixie-backports",
        }
    }

    /// Its release as `uname -r` gives it, from what Debian has today.
    pub fn release(self, apt: &Apt) -> Result<String> {
        let image = apt
            .depends(self.suite(), "linux-image-amd64")?
            .iter()
            .find_map(|name| name.strip_prefix("linux-image-").map(str::to_owned))
            .with_context(|| format!("{} names no kernel image", self.suite()))?;
        ensure!(
            image.starts_with(&format!("{}.", self.name())),
            "{} has moved on to kernel {image}: {} must be fetched elsewhere or retired",
            self.suite(),
            self.name()
        );
        Ok(image)
    }

    /// The packages that hold its image and modules, which are unpacked and not installed.
    pub fn packages(self, release: &str) -> Vec<String> {
        match self {
            Kernel::V6_12 => vec![format!("linux-image-{release}")],
            Kernel::V7_3 => ["binary", "base", "modules"]
                .iter()
                .map(|part| format!("linux-{part}-{release}"))
                .collect(),
        }
    }

    /// Where in a tree of those packages the bootable image stands.
    pub fn vmlinuz(self, release: &str) -> String {
        match self {
            Kernel::V6_12 => format!("boot/vmlinuz-{release}"),
            Kernel::V7_3 => format!("usr/lib/modules/{release}/vmlinuz"),
        }
    }
}
