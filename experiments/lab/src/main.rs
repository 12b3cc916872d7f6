// SPDX-License-Identifier: MIT
//! `cargo lab`: sets machines up for zufs.

mod vm;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo lab", about = "Sets machines up for zufs", version)]
enum Cli {
    /// Run a command in a virtual machine with zuf.ko loaded.
    Vm(vm::Args),
    /// The first program of such a machine.
    #[command(hide = true)]
    Guest,
}

fn main() -> ExitCode {
    // The kernel starts its first program without arguments.
    let arguments: Vec<_> = std::env::args_os().collect();
    let is_init = std::process::id() == 1 && arguments.len() == 1;
    let cli = if is_init {
        Cli::Guest
    } else {
        Cli::parse_from(arguments)
    };
    let result = match cli {
        Cli::Vm(args) => vm::vm(&args),
        Cli::Guest => vm::guest().map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}
