// SPDX-License-Identifier: MIT
//! `zus status`: what is mounted, and how its servers are.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comfy_table::Table;
use serde::Serialize;
use zus_protocol::registry::{self, Entry};

use super::{point, size};
use crate::control::{self, Reply, Request};

/// How long a server may take over its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Show what is mounted, and how its servers are.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  zus status                      one line for each mount
  zus status /mnt/data            one mount, with its operations and workers
  zus status --json | jq '.[].dir'

States: live; detached (unmounted lazily, still in use); silent (runs, but does not answer); dead
(killed: `zus umount DIR` cleans up). With DIR, the exit status is 1 unless it is live.
Root sees the mounts of all users.")]
pub struct Status {
    /// Only what is mounted there, in detail.
    dir: Option<PathBuf>,
    /// As JSON: an array with one object for each mount.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Live,
    Detached,
    Silent,
    Dead,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Detached => "detached",
            Self::Silent => "silent",
            Self::Dead => "DEAD",
        }
    }
}

/// One server: what its entry claims, what we see, what it answers.
#[derive(Serialize)]
struct Server {
    #[serde(flatten)]
    entry: Entry,
    state: State,
    #[serde(flatten)]
    status: Option<control::Status>,
}

impl Server {
    fn ask(entry: Entry) -> Self {
        if !entry.alive() {
            return Self {
                entry,
                state: State::Dead,
                status: None,
            };
        }
        match control::ask(&entry.control, &Request::Status, PATIENCE) {
            Ok(Reply::Status(status)) => {
                let state = if entry.detached {
                    State::Detached
                } else {
                    State::Live
                };
                Self {
                    entry,
                    state,
                    status: Some(*status),
                }
            }
            _ => {
                let state = if entry.alive() { State::Silent } else { State::Dead };
                Self {
                    entry,
                    state,
                    status: None,
                }
            }
        }
    }
}

impl Status {
    pub fn run(&self) -> Result<()> {
        let mut entries = registry::list();
        let dir = self.dir.as_deref().map(point::find).transpose()?;
        if let Some(dir) = &dir {
            entries.retain(|entry| entry.dir == *dir);
        }
        let servers: Vec<Server> = entries.into_iter().map(Server::ask).collect();
        let mut out = io::stdout().lock();
        let written = if self.json {
            serde_json::to_writer_pretty(&mut out, &servers)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out))
        } else {
            show(&mut out, &servers, dir.is_some())
        };
        match written {
            // Whoever reads has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            result => result.context("standard output")?,
        }
        let Some(shown) = self.dir.as_deref().map(std::path::Path::display) else {
            return Ok(());
        };
        match servers.iter().find(|server| server.state != State::Detached) {
            Some(server) if server.state == State::Live => Ok(()),
            Some(server) => bail!(
                "{shown}: the server (pid {}) is {}",
                server.entry.pid,
                server.state.name()
            ),
            None => bail!("{shown}: not mounted"),
        }
    }
}

fn show(out: &mut impl Write, servers: &[Server], in_detail: bool) -> io::Result<()> {
    if servers.is_empty() {
        return if in_detail {
            Ok(())
        } else {
            writeln!(out, "nothing is mounted")
        };
    }
    let mut table = table(&[
        "DIR", "IMAGE", "FS", "FEEDER", "RELAY", "WINDOW", "PID", "UPTIME", "OPS", "ERRORS", "MEMORY",
        "STATE",
    ]);
    for Server { entry, state, status } in servers {
        let of = |show: &dyn Fn(&control::Status) -> String| status.as_ref().map_or("-".into(), show);
        let sum = |part: fn(&control::Operation) -> u64| {
            of(&|status| status.operations.values().map(part).sum::<u64>().to_string())
        };
        table.add_row([
            plain(&entry.dir.to_string_lossy()),
            entry
                .image
                .as_ref()
                .map_or("-".into(), |image| plain(&image.to_string_lossy())),
            plain(&entry.fs)
                + of(&|status| {
                    if status.read_only {
                        ",ro".into()
                    } else {
                        String::new()
                    }
                })
                .trim_matches('-'),
            plain(&entry.feeder),
            of(&|status| plain(&status.strategy)),
            of(&|status| format!("{:.1} µs", status.window_ns as f64 / 1e3)),
            entry.pid.to_string(),
            of(&|status| uptime(status.uptime_s)),
            sum(|operation| operation.requests),
            sum(|operation| operation.errors),
            of(&|status| status.resident_bytes.map_or("-".into(), size::show)),
            state.name().into(),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    let live = servers.iter().filter_map(|server| server.status.as_ref());
    live.filter(|_| in_detail)
        .try_for_each(|status| detail(out, status))
}

fn detail(out: &mut impl Write, status: &control::Status) -> io::Result<()> {
    let mut operations = table(&["OPERATION", "REQUESTS", "ERRORS"]);
    for (name, operation) in &status.operations {
        operations.add_row([
            plain(name),
            operation.requests.to_string(),
            operation.errors.to_string(),
        ]);
    }
    let mut workers = table(&["WORKER", "CPU", "HANDOFFS", "POLLS", "YIELDS", "PARKS", "WAKES"]);
    for (number, worker) in status.workers.iter().enumerate() {
        workers.add_row([
            number.to_string(),
            worker.cpu.to_string(),
            worker.handoffs.to_string(),
            worker.polls.to_string(),
            worker.yields.to_string(),
            worker.parks.to_string(),
            worker.wakes.to_string(),
        ]);
    }
    if let Some(bytes) = status.image_resident_bytes {
        writeln!(
            out,
            "\nOf the image {} are in memory, beside the above.",
            size::show(bytes)
        )?;
    }
    writeln!(out, "\n{}\n\n{}", operations.trim_fmt(), workers.trim_fmt())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    table
}

/// What another process said, without what would move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn uptime(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours}:{minutes:02} h"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptimes_are_short() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (59.9, "59 s"),
            (61.0, "1 min"),
            (3_661.0, "1:01 h"),
            (90_061.0, "1 d 1 h"),
        ] {
            assert_eq!(uptime(seconds), text);
        }
    }

    #[test]
    fn what_others_say_cannot_move_the_cursor() {
        assert_eq!(plain("a\x1b[2Jb\nc"), "a?[2Jb?c");
    }
}
