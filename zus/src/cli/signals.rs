// SPDX-License-Identifier: MIT
//! The signals that end a server.

use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::attend::Event;

/// Reports each signal that asks for the end, from now on. In the background nobody's terminal can hang up:
/// SIGHUP means nothing there.
///
/// # Errors
/// As installing handlers and starting a thread.
pub fn watch(foreground: bool, events: Sender<Event>) -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).context("signals")?;
    let thread = thread::Builder::new().name("signals".into());
    let report = move || {
        for signal in signals.forever() {
            let asks = signal != SIGHUP || foreground;
            if asks && events.send(Event::Signal).is_err() {
                break;
            }
        }
    };
    thread.spawn(report).context("signals")?;
    Ok(())
}
