// SPDX-License-Identifier: MIT
//! `zus mount`: checks what it is given, and starts a server for it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use zus::mountinfo;
use zus_protocol::registry;

use super::background::{self, ToCommand, ToPerson};
use super::options::{self, Options};
use super::point;
use super::serve::{self, Plan};
use crate::control;

/// The file systems that are compiled in.
pub const FILE_SYSTEMS: [&str; 2] = ["pmemfs", "nullfs"];

/// Mount an image: returns when the directory is usable; a server goes on in the background.
#[derive(clap::Args)]
#[command(
    override_usage = "zus mount [OPTIONS] IMAGE DIR\n       zus mount -o remount,OPTIONS DIR",
    after_help = help()
)]
pub struct Mount {
    /// The image; `none` for a file system that has none.
    image: PathBuf,
    /// The directory where it is to appear.
    dir: Option<PathBuf>,
    /// Mount options, with commas between; --help lists all.
    #[arg(short, value_name = "OPTIONS")]
    options: Vec<String>,
    /// The file system: pmemfs or nullfs.
    #[arg(long, short = 't', default_value = FILE_SYSTEMS[0])]
    fs: String,
    /// Serve until the mount ends, and log to standard error.
    #[arg(long, short)]
    foreground: bool,
    /// Log to FILE instead of zus.log in the runtime directory.
    #[arg(long, value_name = "FILE", conflicts_with = "foreground")]
    log: Option<PathBuf>,
    /// Say what was chosen: feeder, strategy, window.
    #[arg(long, short)]
    verbose: bool,
    /// This process is the server that the command started.
    #[arg(long, hide = true)]
    server: bool,
}

/// What stands at the end of `--help`.
fn help() -> String {
    const EXAMPLES: &str = "Examples:
  zus mount disk.img /mnt
  zus mount disk.img /mnt -o relay=hybrid,noatime
  zus mount disk.img /mnt -o ro --foreground     until Ctrl-C, log to the terminal
  zus mount --fs nullfs none /mnt                keeps nothing: for measurements
  zus mount -o remount,relay=park /mnt

SIGTERM ends a server in order: it unmounts, finishes and closes the image.
ZUS_LOG=debug says more in the log.\n\n";
    EXAMPLES.to_owned() + &options::help()
}

impl Mount {
    pub fn run(&self) -> Result<()> {
        let options = Options::parse(&self.options)?;
        if options.remount {
            return super::remount::remount(self.dir.as_ref().unwrap_or(&self.image), &self.options);
        }
        let Some(dir) = &self.dir else {
            clap::Error::raw(
                ErrorKind::MissingRequiredArgument,
                "mount needs IMAGE and DIR; see zus mount --help\n",
            )
            .exit()
        };
        let runtime_dir = registry::runtime_dir();
        control::make_runtime_dir(&runtime_dir).with_context(|| runtime_dir.display().to_string())?;
        let plan = Plan {
            image: self.image()?,
            dir: usable(dir)?,
            fs: self.fs.clone(),
            options,
            verbose: self.verbose,
            runtime_dir,
        };
        if self.server {
            return self.serve(plan, &mut ToCommand::new()?);
        }
        if self.foreground {
            super::log::start();
            return serve::run(&plan, true, &mut ToPerson);
        }
        let log = match &self.log {
            Some(log) => std::path::absolute(log).with_context(|| format!("log {}", log.display()))?,
            None => plan.runtime_dir.join("zus.log"),
        };
        background::start(&self.again(&plan), &log)
    }

    /// In the background.
    fn serve(&self, plan: Plan, command: &mut ToCommand) -> Result<()> {
        super::log::start();
        let result = serve::run(&plan, false, command);
        if let Err(error) = &result {
            command.failed(error);
        }
        result
    }

    /// The image, absolute and there; or none if that is right.
    fn image(&self) -> Result<Option<PathBuf>> {
        let shown = self.image.display();
        let none = self.image == Path::new("none");
        match self.fs.as_str() {
            "nullfs" if none => Ok(None),
            "nullfs" => bail!("{shown}: nullfs has no image; say none"),
            "pmemfs" if none => bail!("pmemfs needs an image; zus mkfs makes one"),
            "pmemfs" => match self.image.canonicalize() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    bail!("{shown}: no such image; zus mkfs makes one")
                }
                result => result.map(Some).with_context(|| shown.to_string()),
            },
            other => bail!(
                "unknown file system {other:?}; there are: {}",
                FILE_SYSTEMS.join(", ")
            ),
        }
    }

    /// The arguments for the server: the same, but independent of where the command stands.
    fn again(&self, plan: &Plan) -> Vec<OsString> {
        let mut args: Vec<OsString> = ["mount", "--server", "--fs"].map(Into::into).to_vec();
        args.push(OsString::from(&self.fs));
        args.extend(self.verbose.then(|| "--verbose".into()));
        for list in &self.options {
            args.extend(["-o".into(), OsString::from(list)]);
        }
        args.push("--".into());
        args.push(plan.image.as_ref().map_or("none".into(), OsString::from));
        args.push(plan.dir.clone().into());
        args
    }
}

/// The mount point `dir`, absolute and without symbolic links, if something can be mounted there.
fn usable(dir: &Path) -> Result<PathBuf> {
    let shown = dir.display();
    let path = point::find(dir)?;
    let served = registry::find(&path).filter(|entry| entry.alive());
    if let Some(mounted) = mountinfo::at(&path).context("/proc/self/mountinfo")? {
        if !mounted.is_zufs() {
            bail!("{shown}: busy: {} is mounted there", mounted.kind);
        }
        if served.is_none() && point::is_dead(&path) {
            bail!(
                "{shown}: busy: the server of what is mounted there has died; zus umount {shown} cleans up"
            );
        }
    }
    if let Some(entry) = served {
        let image = entry.image.map_or(entry.fs, |image| image.display().to_string());
        bail!(
            "{shown}: busy: {image} is mounted there already (pid {})",
            entry.pid
        );
    }
    let meta = path.metadata().with_context(|| shown.to_string())?;
    if !meta.is_dir() {
        bail!("{shown}: not a directory");
    }
    Ok(path)
}
