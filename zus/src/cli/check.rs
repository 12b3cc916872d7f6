// SPDX-License-Identifier: MIT
//! `zus check`: looks whether an image is in order.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail};
use zus::fs::pmemfs::{Pmemfs, check};
use zus::store::{Access, Image};

use super::image;

/// Look whether all in an image fits together; changes nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  zus check disk.img
  zus check disk.img && cp disk.img backup.img

Exit status 0: all fits together. 1: something does not, a line each on standard output; or the image cannot
be read, or is mounted. What a killed server had begun and the next mount finishes is no damage.")]
pub struct Check {
    /// The image, which must not be mounted.
    image: PathBuf,
    /// Say only what is wrong.
    #[arg(long, short)]
    quiet: bool,
}

impl Check {
    pub fn run(&self) -> Result<()> {
        let shown = self.image.display();
        let path = self.image.canonicalize().with_context(|| shown.to_string())?;
        let explain = |error: Error| image::explain(&path, error);
        let image = Image::open(&self.image, Access::Snapshot).map_err(|error| explain(error.into()))?;
        let image = Arc::new(image);
        // Done in the snapshot only: what the last mount committed is replayed.
        drop(Pmemfs::mount(Box::new(image.clone()), &self.image, true)?);
        let report = check(&*image);
        if !report.is_sound() {
            report
                .problems
                .iter()
                .for_each(|problem| println!("{}", super::one_line(problem)));
            bail!("{shown}: damaged (problems: {})", report.count);
        }
        if !self.quiet {
            let files = report.inodes - report.directories;
            let state = if report.clean {
                ""
            } else {
                "; its last server did not end in order"
            };
            println!(
                "{shown}: sound: {files} files, {} directories{state}",
                report.directories
            );
        }
        Ok(())
    }
}
