// SPDX-License-Identifier: MIT
//! The command `experiments`: see the library of the same name.

use std::process::ExitCode;

use clap::Parser as _;
use experiments::cli::Cli;
use experiments::interrupt::{self, Interrupted};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match interrupt::watch().and_then(|()| cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("experiments: interrupted");
            interrupt::EXIT_STATUS.into()
        }
        Err(error) => {
            eprintln!("experiments: {error:#}");
            ExitCode::FAILURE
        }
    }
}
