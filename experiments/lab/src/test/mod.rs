// SPDX-License-Identifier: MIT
//! `cargo lab test`: every step in turn, one line each, a log file each, one closing line.

mod crash;
mod expected;
mod fio;
mod fsx;
mod full;
mod house;
mod interrupt;
mod life;
mod module;
mod need;
mod pjdfstest;
mod refusals;
mod session;
mod source;
mod step;
mod steps;
mod strategies;
mod stress;

pub use session::run;

/// The relay strategies that a mount can be given.
const STRATEGIES: [&str; 5] = ["waitqueue", "park", "yield", "spin", "hybrid"];

/// Which steps to run, and how.
#[derive(clap::Args)]
pub struct Arguments {
    /// Steps to run, in this order; without any, every one that `--list` does not call long
    names: Vec<String>,
    /// Show the steps and what they check
    #[arg(long)]
    list: bool,
    /// Install nothing, neither from Debian nor from crates.io
    #[arg(long)]
    no_install: bool,
}
