// SPDX-License-Identifier: MIT
//! `zus check`: looks whether an image is sound.

use std::path::PathBuf;

use anyhow::{Context, Error, Result, bail};
use zus::fs::pmemfs;
use zus::store::{Access, Image, Store};

use super::image;

/// Look whether an image that is not mounted is sound; nothing in it is changed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  zus check disk.img

Exit status: 0 if everything fits together; 1 if not, with a line for each thing that does not, or if the
image cannot be read. What a server that was killed left half done is finished by the next mount; until
then it counts as not sound.")]
pub struct Check {
    /// The image.
    image: PathBuf,
}

impl Check {
    pub fn run(&self) -> Result<()> {
        let path = self.image.canonicalize().with_context(|| self.image.display().to_string())?;
        let store = Image::open(&path, Access::Snapshot).map_err(|error| image::explain(&path, Error::new(error)))?;
        let report = pmemfs::check(&store);
        for problem in &report.problems {
            eprintln!("{problem}");
        }
        let shown = self.image.display();
        if !report.is_sound() {
            bail!("{shown}: {} things do not fit together", report.count);
        }
        let end = if report.clean { "unmounted in order" } else { "not unmounted in order" };
        println!(
            "{shown}: sound; {} inodes ({} directories), {} of {} blocks in use; {end}",
            report.inodes,
            report.directories,
            report.blocks,
            store.len() / 4096,
        );
        Ok(())
    }
}
