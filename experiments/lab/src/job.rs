// SPDX-License-Identifier: MIT
//! A child process that cannot outlive its purpose.
//!
//! Each runs in a process group of its own, reads nothing, writes into a log file and has a time limit.
//! When the limit passes, or the end is asked for, the whole group is killed: a suite's children too. No
//! pipe is involved, so neither a talkative child nor a grandchild that keeps a descriptor can stop us.

use crate::stop::{self, Interrupted};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a killed group may take to go: the kernel may be in the middle of a write.
const GRACE: Duration = Duration::from_secs(10);

/// A file that children write to and that a person reads when something failed.
#[derive(Clone)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// Starts the file anew.
    pub fn create(path: &Path) -> Result<Log> {
        File::create(path).with_context(|| format!("create {}", path.display()))?;
        Ok(Log {
            path: path.to_owned(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line.
    pub fn line(&self, text: &str) -> Result<()> {
        Ok(writeln!(self.open()?, "{text}")?)
    }

    /// The last lines.
    pub fn tail(&self, lines: usize) -> String {
        let text = std::fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn open(&self) -> Result<File> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .with_context(|| format!("open {}", self.path.display()))
    }
}

/// A command to run.
pub struct Job {
    command: Command,
    shown: String,
    limit: Duration,
}

impl Job {
    /// `program` with a limit of two minutes.
    pub fn new(program: impl AsRef<OsStr>) -> Job {
        let mut command = Command::new(&program);
        command.stdin(Stdio::null()).process_group(0);
        Job {
            command,
            shown: short(program.as_ref()),
            limit: Duration::from_secs(120),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Job {
        self.shown.push(' ');
        self.shown.push_str(&arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Job {
        args.into_iter().fold(self, Job::arg)
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Job {
        self.command.env(name, value);
        self
    }

    /// Runs it in `dir`.
    pub fn dir(mut self, dir: &Path) -> Job {
        self.command.current_dir(dir);
        self
    }

    /// Kills it after `seconds`.
    pub fn limit(mut self, seconds: u64) -> Job {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Runs it; an exit status other than zero is an error.
    pub fn run(self, log: &Log) -> Result<()> {
        self.start(log)?.success(|| ())
    }

    /// Runs it and returns what it wrote to its standard output, which is in the log too.
    pub fn text(self, log: &Log) -> Result<String> {
        let shown = self.shown.clone();
        let (status, text) = self.capture(log)?;
        check(&shown, status)?;
        Ok(text)
    }

    /// Runs it and returns how it ended and what it wrote to its standard output.
    pub fn capture(mut self, log: &Log) -> Result<(ExitStatus, String)> {
        let output = tempfile::tempfile()?;
        let running = self.spawn(log, output.try_clone()?, log.open()?)?;
        captured(running, output, log)
    }

    /// Runs it and returns how it ended and everything that it said, errors too.
    pub fn told(mut self, log: &Log) -> Result<(ExitStatus, String)> {
        let output = tempfile::tempfile()?;
        let running = self.spawn(log, output.try_clone()?, output.try_clone()?)?;
        captured(running, output, log)
    }

    /// Starts it; the guard kills it if it is dropped before it ended.
    pub fn start(mut self, log: &Log) -> Result<Running> {
        self.spawn(log, log.open()?, log.open()?)
    }

    fn spawn(&mut self, log: &Log, output: File, errors: File) -> Result<Running> {
        stop::check()?;
        log.line(&format!("$ {}", self.shown))?;
        self.command.stdout(output).stderr(errors);
        let child = self
            .command
            .spawn()
            .with_context(|| format!("start {}", self.shown))?;
        Ok(Running {
            child,
            shown: self.shown.clone(),
            deadline: Instant::now() + self.limit,
            limit: self.limit,
            reaped: false,
        })
    }
}

/// A child while it runs.
pub struct Running {
    child: Child,
    shown: String,
    deadline: Instant,
    limit: Duration,
    reaped: bool,
}

impl Running {
    /// Sends a signal to the process itself, not to its children.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(nix::sys::signal::kill(self.pid(), signal)?)
    }

    /// How it ended, if it has. It stays a zombie until it is reaped: its number, which is also its
    /// group's, cannot be given to anybody else before the group was killed.
    pub fn ended(&self) -> Result<Option<WaitStatus>> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        Ok(match waitid(Id::Pid(self.pid()), flags)? {
            WaitStatus::StillAlive => None,
            ended => Some(ended),
        })
    }

    /// Waits for the end; an exit status other than zero is an error.
    pub fn success(self, tick: impl FnMut()) -> Result<()> {
        let shown = self.shown.clone();
        check(&shown, self.wait(tick)?)
    }

    /// Waits for the end, calling `tick` several times a second.
    pub fn wait(mut self, mut tick: impl FnMut()) -> Result<ExitStatus> {
        let mut nap = Duration::from_millis(1);
        let ended = loop {
            if let Some(ended) = self.ended()? {
                break ended;
            }
            if stop::requested() {
                return Err(Interrupted.into());
            }
            if Instant::now() >= self.deadline {
                bail!(
                    "`{}` was killed: not done after {} s",
                    self.shown,
                    self.limit.as_secs()
                );
            }
            tick();
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(50));
        };
        tick();
        if !matches!(ended, WaitStatus::Exited(_, 0)) {
            // It failed and may have left children at work. After a success they are meant to stay: a
            // server in the background.
            let _ = killpg(self.pid(), Signal::SIGKILL);
        }
        self.reaped = true;
        Ok(self.child.wait()?)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        // A hint first: cargo and fio remove their temporary files.
        let _ = killpg(self.pid(), Signal::SIGTERM);
        let polite = Instant::now() + Duration::from_secs(1);
        while matches!(self.ended(), Ok(None)) && Instant::now() < polite + GRACE {
            if Instant::now() >= polite {
                let _ = killpg(self.pid(), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = killpg(self.pid(), Signal::SIGKILL);
        // Not `wait`: one that even SIGKILL could not end must not hold us.
        let _ = self.child.try_wait();
    }
}

fn captured(running: Running, mut output: File, log: &Log) -> Result<(ExitStatus, String)> {
    let status = running.wait(|| ());
    let mut text = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut text)?;
    log.open()?.write_all(&text)?;
    Ok((status?, String::from_utf8_lossy(&text).into_owned()))
}

fn check(shown: &str, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    match (status.code(), status.signal()) {
        (Some(code), _) => bail!("`{shown}` ended with exit status {code}"),
        (None, signal) => bail!("`{shown}` was ended by signal {}", signal.unwrap_or_default()),
    }
}

/// The last part of a path: what a person would type.
fn short(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    name.to_string_lossy().into_owned()
}
