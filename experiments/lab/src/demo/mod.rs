// SPDX-License-Identifier: MIT
//! `cargo lab demo`.

use anyhow::Result;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_: &Arguments) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
