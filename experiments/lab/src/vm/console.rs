// SPDX-License-Identifier: MIT
//! What the guest says, and what the host concludes from it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Texts of the kernel after which the guest is not to be trusted any more.
const FATAL: &[&str] = &[
    "Kernel panic",
    "BUG: ",
    "Oops",
    "general protection fault",
    "soft lockup",
    "hard LOCKUP",
    "detected stall",
    "rcu: INFO:",
    "INFO: task ",
];

/// Texts of the kernel that name a fault which the guest survives.
const SPLATS: &[&str] = &[
    "WARNING:",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "UBSAN:",
    "BUG kmalloc",
    "Bad page state",
];

/// A file that another program appends to.
pub struct Follow {
    path: PathBuf,
    file: Option<File>,
    seen: Vec<u8>,
}

impl Follow {
    /// Follows the file, from its beginning, once it is there.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            seen: Vec::new(),
        }
    }

    /// Reads what is new, hands it to `sink` too, and says whether there was any.
    pub fn pull(&mut self, sink: Option<&mut dyn Write>) -> bool {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let start = self.seen.len();
        if let Some(file) = &mut self.file {
            // An error leaves what has been read so far, which is all that there is to say.
            let _ = file.read_to_end(&mut self.seen);
        }
        let new = &self.seen[start..];
        if let Some(sink) = sink {
            let _ = sink.write_all(new).and_then(|()| sink.flush());
        }
        !new.is_empty()
    }

    /// All that has been read.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).replace('\r', "")
    }
}

/// Why a run failed without an exit status of the command's own.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The kernel said so.
    #[error("the guest's kernel failed")]
    Kernel,
    /// Not a sign of life for a while.
    #[error("the guest went silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// Alive, but not done in time.
    #[error("the command was not done in {} s", .0.as_secs())]
    Late(Duration),
    /// The emulator ended, the command had not.
    #[error("the guest ended without a word on the command")]
    Ended,
}

/// The four lines of a guest.
pub struct Console {
    kernel: Follow,
    stdout: Follow,
    stderr: Follow,
    control: Follow,
    verbose: bool,
    alive: Instant,
}

impl Console {
    /// Follows the files in `dir`; the kernel's messages are passed on too if `verbose`.
    pub fn new(dir: &Path, verbose: bool) -> Self {
        let follow = |name: &str| Follow::new(dir.join(name));
        Self {
            kernel: follow("console"),
            stdout: follow("stdout"),
            stderr: follow("stderr"),
            control: follow("control"),
            verbose,
            alive: Instant::now(),
        }
    }

    /// Passes on what is new.
    pub fn pull(&mut self) {
        let mut said = self.stdout.pull(Some(&mut std::io::stdout()));
        said |= self.stderr.pull(Some(&mut std::io::stderr()));
        said |= self.control.pull(None);
        let mut errors = std::io::stderr();
        said |= self
            .kernel
            .pull(if self.verbose { Some(&mut errors) } else { None });
        if said {
            self.alive = Instant::now();
        }
    }

    /// How long the guest has said nothing at all.
    pub fn silence(&self) -> Duration {
        self.alive.elapsed()
    }

    /// Whether userland is up.
    pub fn is_up(&self) -> bool {
        self.control.text().lines().any(|line| line == "up")
    }

    /// The command's exit status, once it is known.
    pub fn exit(&self) -> Option<u8> {
        self.control
            .text()
            .lines()
            .find_map(|line| line.strip_prefix("exit ")?.parse().ok())
    }

    /// Whether the kernel has said something after which waiting is pointless.
    pub fn is_dead(&self) -> bool {
        let text = self.kernel.text();
        FATAL.iter().any(|fatal| text.contains(fatal))
    }

    /// Whether the kernel has named any fault.
    pub fn has_splat(&self) -> bool {
        let text = self.kernel.text();
        self.is_dead() || SPLATS.iter().any(|splat| text.contains(splat))
    }

    /// The kernel's last words: from its first complaint on, or else the last lines.
    pub fn last_words(&self) -> String {
        let text = self.kernel.text();
        let lines: Vec<&str> = text.lines().collect();
        let complaint = |line: &&str| FATAL.iter().chain(SPLATS).any(|word| line.contains(word));
        let last = lines.len().saturating_sub(30);
        let first = lines
            .iter()
            .position(complaint)
            .map_or(last, |at| at.saturating_sub(2));
        let end = lines.len().min(first + 120);
        lines[first..end].join("\n")
    }
}
