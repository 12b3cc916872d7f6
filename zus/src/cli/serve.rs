// SPDX-License-Identifier: MIT
//! stand-in
use super::background::Announce;
use super::options::Options;
use std::path::PathBuf;
pub struct Plan {
    pub image: Option<PathBuf>,
    pub dir: PathBuf,
    pub fs: String,
    pub options: Options,
    pub verbose: bool,
    pub runtime_dir: PathBuf,
}
pub fn run(_: Plan, _: bool, a: &mut dyn Announce) -> anyhow::Result<()> {
    a.ready()
}
