// SPDX-License-Identifier: MIT
//! The `zus` command: makes, mounts, unmounts and watches file systems. Exit status 0: done; 1: not done,
//! and one line on standard error says why; 2: not understood.
#![deny(unsafe_code)]

mod cli;
mod control;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zus: {}", cli::one_line(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
