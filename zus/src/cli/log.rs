// SPDX-License-Identifier: MIT
//! The server's log: standard error, which in the background is a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Above this size in bytes a log is set aside when a server starts.
const LARGE: u64 = 8 << 20;

/// Opens the log `path` to append to it: servers share it, so each line is written at once and says whose it
/// is. One that has grown large is kept under the name `path.old`.
///
/// # Errors
/// As opening a file.
pub fn open(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > LARGE) {
        std::fs::rename(path, path.with_extension("old"))?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Logs to standard error from now on, panics too. `ZUS_LOG` says what: a level, or levels for parts, as
/// `warn,zus::feeder=debug`; unless it says otherwise, `info`.
pub fn start() {
    let wanted = std::env::var("ZUS_LOG").unwrap_or_default();
    let (targets, error) = match wanted.parse::<Targets>() {
        Ok(targets) if !wanted.trim().is_empty() => (targets, None),
        Ok(_) => (Targets::new().with_default(tracing::Level::INFO), None),
        Err(error) => (Targets::new().with_default(tracing::Level::INFO), Some(error)),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_timer(TimeAndPid);
    // Only a second call could fail, and there is none to lose anything by.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .try_init();
    if let Some(error) = error {
        tracing::warn!("ZUS_LOG: {error}");
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name().unwrap_or("?"), "{panic}");
    }));
}

struct TimeAndPid;

impl FormatTime for TimeAndPid {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        SystemTime.format_time(to)?;
        write!(to, " [{}]", std::process::id())
    }
}
