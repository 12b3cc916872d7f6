// SPDX-License-Identifier: MIT
//! The `zus` command: one file for each of its commands, and what they share.

mod attend;
mod background;
mod check;
mod feeding;
mod image;
mod kernel;
mod live;
mod log;
mod memory;
mod mkfs;
mod mount;
mod options;
mod point;
mod remount;
mod serve;
mod signals;
mod size;
mod status;
mod umount;

use anyhow::Result;

/// zufs: a file system served from user space.
///
/// Make an image, mount it, use it, unmount it:
///
///   zus mkfs disk.img --size 1G
///   zus mount disk.img /mnt
///   zus status
///   zus umount /mnt
#[derive(clap::Parser)]
#[command(name = "zus", version, verbatim_doc_comment, subcommand_required = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Mkfs(mkfs::Mkfs),
    Check(check::Check),
    Mount(mount::Mount),
    Remount(remount::Remount),
    Umount(umount::Umount),
    Status(status::Status),
    Serve(kernel::Serve),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// What went wrong, beginning with the name of the thing.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Mkfs(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Mount(command) => command.run(),
            Command::Remount(command) => command.run(),
            Command::Umount(command) => command.run(),
            Command::Status(command) => command.run(),
            Command::Serve(command) => command.run(),
        }
    }
}

/// `text` without line breaks, which file names may have.
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
