// SPDX-License-Identifier: MIT
//! Trees of files: planted, copied, and listed with a checksum each, so that two can be compared.
//!
//! These run as children of the other subcommands (see [`crate::job`]): a file system that hangs holds
//! the child, and the child can be killed.

mod copy;
mod manifest;
mod plant;
mod walk;

pub use manifest::difference;

use crate::job::Job;
use anyhow::{Context, Result};
use clap::Subcommand;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a small tree with one of everything in it
    Plant { dir: PathBuf },
    /// Copy trees, and write down what was read
    Copy(copy::Arguments),
    /// Write down what a tree holds
    List { dir: PathBuf, manifest: PathBuf },
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Plant { dir } => plant::plant(dir).with_context(|| format!("plant {}", dir.display())),
        Command::Copy(arguments) => copy::run(arguments),
        Command::List { dir, manifest } => Ok(std::fs::write(manifest, manifest::of(dir)?)?),
    }
}

/// The child that does one of the above.
pub fn job<const N: usize>(what: &str, paths: [&Path; N]) -> Result<Job> {
    Ok(Job::new(std::env::current_exe()?)
        .args(["tree", what])
        .args(paths))
}

/// Whether at least `count` entries are below `dir`.
pub fn holds(dir: &Path, count: usize) -> bool {
    let mut seen = 0;
    // A tree that cannot be read through is none that can be copied.
    let walked = walk::walk(dir, &mut |_| {
        seen += 1;
        Ok(seen < count)
    });
    walked.is_ok() && seen >= count
}
