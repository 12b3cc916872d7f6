// SPDX-License-Identifier: MIT
//! fs4k
/// q
pub const QUESTION: &str = "What does a 4 KiB operation cost through each feeder, by strategy and placement?";
use crate::experiment::{Outcome, Setting};
/// r
pub fn run(_: &Setting) -> anyhow::Result<Outcome> {
    anyhow::bail!("x")
}
