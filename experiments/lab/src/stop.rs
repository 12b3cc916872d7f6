// SPDX-License-Identifier: MIT
//! The wish to end: Ctrl-C, SIGTERM or a closed terminal.
//!
//! A signal only sets a flag. Whoever waits looks at it ([`crate::job`] does, several times a second),
//! returns [`Interrupted`], and the guards on the way out unmount, kill and remove what is theirs. So
//! there is one way to clean up, whether a command succeeds, fails or is interrupted.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// The command ended because somebody asked for it.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// From here on the three signals only set the flag.
pub fn listen() -> anyhow::Result<()> {
    let flag = SIGNAL.get_or_init(Arc::default);
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(signal, flag.clone(), signal as usize)?;
    }
    Ok(())
}

/// Whether the end was asked for.
pub fn requested() -> bool {
    // Relaxed: the flag carries nothing but itself.
    SIGNAL.get().is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
}

/// An error once the end was asked for.
pub fn check() -> Result<(), Interrupted> {
    if requested() { Err(Interrupted) } else { Ok(()) }
}
