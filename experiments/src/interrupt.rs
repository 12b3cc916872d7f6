// SPDX-License-Identifier: MIT
//! Ctrl-C ends a run in order: the experiment notices between two rounds, and its guards unmount and
//! stop what it started. Should an operation be stuck, the guards' own list is worked off from here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a shell expects of a program that Ctrl-C ended.
pub const EXIT_STATUS: u8 = 130;

/// How long a run may take to end in order before it is ended from here. An arm is done in a second.
const PATIENCE: Duration = Duration::from_secs(5);

// Relaxed: the flag passes nothing on but itself.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A run that was ended by a signal, as an error that travels up to `main`.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// From here on SIGINT, SIGTERM and SIGHUP interrupt instead of killing.
///
/// # Errors
///
/// If the handlers cannot be set.
pub fn watch() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot handle signals")?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            if INTERRUPTED.swap(true, Relaxed) {
                continue; // The first one is being obeyed.
            }
            thread::spawn(|| {
                thread::sleep(PATIENCE);
                undo_all();
                std::process::exit(EXIT_STATUS.into());
            });
        }
    })?;
    Ok(())
}

/// An error once a signal has come: to be asked wherever a run can stop.
///
/// # Errors
///
/// [`Interrupted`].
pub fn check() -> Result<(), Interrupted> {
    if INTERRUPTED.load(Relaxed) {
        Err(Interrupted)
    } else {
        Ok(())
    }
}

type Undo = Box<dyn FnOnce() + Send>;

static UNDO: Mutex<BTreeMap<u64, Undo>> = Mutex::new(BTreeMap::new());

/// Something on this machine to be undone at the end, whichever end it is: when dropped, or by the
/// signals' thread if the run is stuck. Exactly once.
#[derive(Debug)]
pub struct Leftover(u64);

impl Leftover {
    /// Registers it.
    pub fn new(undo: impl FnOnce() + Send + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Relaxed); // only its being different matters
        list().insert(key, Box::new(undo));
        Self(key)
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let undo = list().remove(&self.0);
        if let Some(undo) = undo {
            undo();
        }
    }
}

/// The latest first, as guards would be dropped.
fn undo_all() {
    while let Some((_, undo)) = { list().pop_last() } {
        undo();
    }
}

fn list() -> std::sync::MutexGuard<'static, BTreeMap<u64, Undo>> {
    // A panic elsewhere is no reason to leave things behind.
    UNDO.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};

    #[test]
    fn a_leftover_is_undone_once_and_in_reverse() {
        let (send, undone) = mpsc::channel();
        let send = Arc::new(send);
        let leave = |name: &'static str| {
            let send = Arc::clone(&send);
            Leftover::new(move || send.send(name).unwrap())
        };
        let (first, second, third) = (leave("server"), leave("mount"), leave("file"));
        drop(third);
        undo_all();
        drop((first, second));
        assert_eq!(undone.try_iter().collect::<Vec<_>>(), ["file", "mount", "server"]);
    }
}
