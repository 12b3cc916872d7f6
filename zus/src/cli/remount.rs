// SPDX-License-Identifier: MIT
//! `zus remount`: changes a mount that is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use zus_protocol::registry;

use super::options::{self, Options};
use super::point;
use crate::control::{self, Reply, Request};

/// How long a server may take. A change to `ro` writes out what is not written yet.
const PATIENCE: Duration = Duration::from_secs(120);

/// Change the relay or other options of a mount that is there.
#[derive(clap::Args)]
#[command(after_help = help())]
pub struct Remount {
    /// The mount point.
    dir: PathBuf,
    /// What to change, with commas between; --help lists all.
    #[arg(short, value_name = "OPTIONS", required = true)]
    options: Vec<String>,
}

/// What stands at the end of `--help`.
fn help() -> String {
    const EXAMPLES: &str = "Examples:
  zus remount /mnt/data -o relay=park
  zus remount /mnt/data -o relay=hybrid,spin_us=20
  zus remount /mnt/data -o ro\n\n";
    EXAMPLES.to_owned() + &options::help()
}

impl Remount {
    pub fn run(&self) -> Result<()> {
        remount(&self.dir, &self.options)
    }
}

/// Has the server of `dir` apply `lists` of options.
///
/// # Errors
/// One line: what is wrong with them, that there is no server, or why it refused.
pub fn remount(dir: &Path, lists: &[String]) -> Result<()> {
    let shown = dir.display();
    let options = Options::parse(lists)?;
    if let Some(name) = options.fixed() {
        bail!("option {name} cannot change while mounted");
    }
    let dir = point::find(dir)?;
    let Some(entry) = registry::find(&dir) else {
        bail!("{shown}: not mounted by zus")
    };
    if !entry.alive() {
        bail!(
            "{shown}: its server (pid {}) has died; `zus umount {shown}` cleans up",
            entry.pid
        );
    }
    match control::ask(
        &entry.control,
        &Request::Remount {
            options: lists.join(","),
        },
        PATIENCE,
    ) {
        Ok(Reply::Done) => Ok(()),
        Ok(Reply::Error(error)) => bail!("{shown}: {error}"),
        Ok(Reply::Status(_)) => bail!("{shown}: the server (pid {}) answers something else", entry.pid),
        Err(error) => Err(error).with_context(|| format!("{shown}: the server (pid {})", entry.pid)),
    }
}
