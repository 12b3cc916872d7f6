// SPDX-License-Identifier: MIT
//! `cargo lab`: sets a machine up for zufs and shows or tests it there.
//!
//! Read from the bottom up: [`stop`] is the wish to end, [`job`] a child process that a watchdog bounds,
//! [`place`] where everything is, [`mount`] a file system while it is mounted, [`tree`] files to fill it
//! with. Each subcommand is one folder above these.
#![forbid(unsafe_code)]

mod demo;
mod job;
mod mount;
mod place;
mod progress;
mod scratch;
mod stop;
mod test;
mod tree;
mod vm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "cargo lab",
    bin_name = "cargo lab",
    about = "Shows and tests zufs on this machine"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Mount a file system, fill it, verify it, measure it; nothing stays behind but the report
    Demo(demo::Arguments),
    /// Run every test, or the named ones
    Test(test::Arguments),
    /// Plant, copy or list a tree of files (what the other commands run as a child, so that a mount that
    /// hangs can be cut off)
    #[command(hide = true)]
    Tree(tree::Arguments),
    /// Run a command in a virtual machine with zuf.ko loaded
    Vm(vm::Args),
    /// Check in such a machine what zuf.ko promises (`lab vm -- lab zuf`)
    #[command(hide = true)]
    Zuf {
        /// Only the checks whose names contain this
        #[arg(default_value = "")]
        filter: String,
    },
    /// The first program of such a machine
    #[command(hide = true)]
    Guest,
}

fn main() -> ExitCode {
    // The kernel of a virtual machine starts its first program without arguments.
    let is_init = std::process::id() == 1 && std::env::args_os().len() == 1;
    let command = if is_init {
        Command::Guest
    } else {
        Arguments::parse().command
    };
    // The tree helper is a child of another lab and dies by its signals; a guest has nobody to signal it.
    if !matches!(
        command,
        Command::Tree(_) | Command::Vm(_) | Command::Zuf { .. } | Command::Guest
    ) && let Err(error) = stop::listen()
    {
        eprintln!("lab: {error:#}");
        return ExitCode::FAILURE;
    }
    let outcome = match command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Tree(arguments) => tree::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Vm(arguments) => vm::vm(&arguments),
        Command::Zuf { filter } => vm::suite(&filter),
        Command::Guest => vm::guest().map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}
