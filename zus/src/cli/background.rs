// SPDX-License-Identifier: MIT
//! Going into the background, without a fork of a process that may have threads: the command starts itself
//! again as the server, and waits until that says over its standard output that the mount is usable, or
//! why not.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// What a server says to whoever started it.
pub trait Announce {
    /// Something worth knowing.
    fn note(&mut self, text: &str);

    /// The mount is usable.
    ///
    /// # Errors
    /// If nobody waits for it any more: the command was interrupted, so there should be no mount.
    fn ready(&mut self) -> Result<()>;
}

/// Says it to a person.
pub struct ToPerson;

impl Announce for ToPerson {
    fn note(&mut self, text: &str) {
        eprintln!("zus: {text}");
    }

    fn ready(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Says it to the command that waits in [`start`].
pub struct ToCommand;

const READY: &str = "ready";
const NOTE: &str = "note ";
const ERROR: &str = "error ";

impl ToCommand {
    /// Leaves the command's session, and whatever directory it stood in, to be a server of its own.
    ///
    /// # Errors
    /// If this process leads a group of processes: then nothing here was started by [`start`].
    pub fn new() -> Result<Self> {
        rustix::process::setsid().context("this is for the command itself to use")?;
        std::env::set_current_dir("/")?;
        Ok(Self)
    }

    /// The mount failed, because of `error`.
    pub fn failed(&mut self, error: &anyhow::Error) {
        let _ = self.say(ERROR, &super::one_line(&format!("{error:#}")));
    }

    fn say(&self, what: &str, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{what}{text}")?;
        out.flush()
    }
}

impl Announce for ToCommand {
    fn note(&mut self, text: &str) {
        let _ = self.say(NOTE, &super::one_line(text));
    }

    fn ready(&mut self) -> Result<()> {
        self.say(READY, "")
            .context("the command that started this server has ended")?;
        // The command must not wait for the end of its pipe as long as the server lives.
        rustix::stdio::dup2_stdout(File::open("/dev/null")?)?;
        Ok(())
    }
}

/// Starts this program again with `args`, standard error into `log`, and waits until it is ready.
///
/// # Errors
/// What it says; or that it ended without a word.
pub fn start(args: &[OsString], log: &Path) -> Result<()> {
    let program = std::env::current_exe().context("this program's own path")?;
    let file = super::log::open(log).with_context(|| format!("log {}", log.display()))?;
    let mut server = Command::new(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(file)
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let out = server
        .stdout
        .take()
        .ok_or_else(|| anyhow!("no pipe to the server"))?;
    for line in BufReader::new(out).lines() {
        let line = line.context("reading from the server")?;
        if line == READY {
            return Ok(());
        } else if let Some(error) = line.strip_prefix(ERROR) {
            bail!("{error}");
        } else if let Some(note) = line.strip_prefix(NOTE) {
            eprintln!("zus: {note}");
        }
    }
    let status = server.wait().context("waiting for the server")?;
    let how = match status.signal() {
        Some(signal) => format!("was killed by signal {signal}"),
        None => format!("ended with status {}", status.code().unwrap_or_default()),
    };
    bail!(
        "the server {how} before the mount was usable; its log: {}",
        log.display()
    )
}
