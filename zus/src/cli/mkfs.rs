// SPDX-License-Identifier: MIT
//! `zus mkfs`: makes an image with an empty file system.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use zus::fs::pmemfs::{MkfsError, MkfsOptions, mkfs};

use super::{image, size};

/// Make an image with an empty file system.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  zus mkfs disk.img --size 1G
  zus mkfs disk.img --size 512M --force     what was in it is gone
  zus mkfs /dev/pmem0 --force               all of a device

An image takes space on its disk only where something was written.
Its root directory belongs to whoever makes it.")]
pub struct Mkfs {
    /// The file, which is made if it is not there; or a block device.
    image: PathBuf,
    /// Its size: a number and K, M, G or T (powers of 1024); unless given, the size that it has.
    #[arg(short, long, allow_hyphen_values = true)]
    size: Option<String>,
    /// Overwrite what is there.
    #[arg(short, long)]
    force: bool,
}

impl Mkfs {
    pub fn run(&self) -> Result<()> {
        let len = self.len()?;
        let is_new = fs::symlink_metadata(&self.image).is_err();
        let owner = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let options = MkfsOptions {
            force: self.force,
            owner,
        };
        mkfs(&self.image, len, &options).map_err(|error| {
            if is_new && matches!(error, MkfsError::Failed { .. }) {
                // Half a file system is of no use to anybody.
                let _ = fs::remove_file(&self.image);
            }
            let path = self.image.canonicalize().unwrap_or_else(|_| self.image.clone());
            image::explain(&path, error.into())
        })
    }

    /// The size asked for, or that of what is there.
    fn len(&self) -> Result<u64> {
        if let Some(size) = &self.size {
            return size::parse(size);
        }
        let shown = self.image.display();
        match File::open(&self.image).and_then(|mut file| file.seek(SeekFrom::End(0))) {
            Ok(0) => bail!("{shown}: empty; say how large it is to be, as with --size 1G"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("{shown}: not there yet; say how large it is to be, as with --size 1G")
            }
            result => result.with_context(|| shown.to_string()),
        }
    }
}
