// SPDX-License-Identifier: MIT
//! The handshake: what is asked of the kernel, and why. `docs/protocol` has the consequences.

use std::sync::atomic::Ordering;

use zus_protocol::{InitIn, InitOut, MAJOR, MINOR, OLDEST_MINOR, init};

use super::Context;
use crate::engine::{Answer, MAX_DATA, Refusal};

/// What is taken of what the kernel offers.
///
/// The server is the only one who changes the file system, and does so only when this kernel asks. So
/// everything that lets the kernel keep what it knows is taken: attributes and names for ever (the times
/// in the replies), pages until we say otherwise (EXPLICIT_INVAL_DATA), symbolic links, and opening a file
/// without asking. What is not taken:
///
/// - WRITEBACK_CACHE: write(2) would return before the server has the data, and what had returned would
///   be lost when the server dies.
/// - DONT_MASK, ATOMIC_O_TRUNC, POSIX_LOCKS, FLOCK_LOCKS: umask, O_TRUNC and file locks are in good hands
///   with the kernel, which takes its own locks for them.
/// - HANDLE_KILLPRIV: V2 says when a set-ID bit is to go instead of leaving it to guesses about the
///   caller's capabilities, and spares a look at `security.capability` at every write.
/// - ASYNC_DIO: makes each direct read and write, also one that is waited for, a background request.
const WANTED: u64 = init::ASYNC_READ
    | init::EXPORT_SUPPORT
    | init::BIG_WRITES
    | init::DO_READDIRPLUS
    | init::READDIRPLUS_AUTO
    | init::NO_OPEN_SUPPORT
    | init::PARALLEL_DIROPS
    | init::ABORT_ERROR
    | init::MAX_PAGES
    | init::CACHE_SYMLINKS
    | init::NO_OPENDIR_SUPPORT
    | init::EXPLICIT_INVAL_DATA
    | init::HANDLE_KILLPRIV_V2
    | init::INIT_EXT;

/// A client over shared memory keeps nothing of its own and opens what it uses.
const WANTED_OF_CLIENTS: u64 = init::BIG_WRITES | init::MAX_PAGES | init::DO_READDIRPLUS | init::INIT_EXT;

/// Read-ahead and direct I/O of several files at a time; the kernel's default is 12.
const MAX_BACKGROUND: u16 = 64;

const PAGE: usize = 4096;

impl Context<'_> {
    pub(super) fn init(&mut self, offer: &InitIn) -> Result<Answer, Refusal> {
        if offer.major > MAJOR {
            // The kernel tries again with our version.
            self.reply.push(&InitOut {
                major: MAJOR,
                minor: MINOR,
                ..Default::default()
            });
            return self.done();
        }
        if offer.major < MAJOR || offer.minor < OLDEST_MINOR {
            tracing::error!(
                major = offer.major,
                minor = offer.minor,
                "this FUSE is too old: Linux 5.4 or later is needed"
            );
            return Err(Refusal::Version);
        }
        let extended = u32::from(offer.flags & init::INIT_EXT as u32 != 0);
        let offered = u64::from(offer.flags) | u64::from(offer.flags2 * extended) << 32;
        let wanted = if self.is_kernel() {
            WANTED
        } else {
            WANTED_OF_CLIENTS
        };
        let taken = offered & wanted;
        // Relaxed: a worker that sees the old value answers one OPEN more, with a handle of 0.
        self.session
            .opens_are_free
            .store(taken & init::NO_OPEN_SUPPORT != 0, Ordering::Relaxed);
        self.session
            .opendirs_are_free
            .store(taken & init::NO_OPENDIR_SUPPORT != 0, Ordering::Relaxed);
        let max_write = self.data.len().min(MAX_DATA);
        self.reply.push(&InitOut {
            major: MAJOR,
            minor: MINOR.min(offer.minor),
            max_readahead: offer.max_readahead,
            flags: taken as u32,
            max_background: MAX_BACKGROUND,
            congestion_threshold: MAX_BACKGROUND / 4 * 3,
            max_write: max_write as u32,
            time_gran: 1,
            max_pages: max_write.div_ceil(PAGE) as u16,
            flags2: (taken >> 32) as u32,
            ..Default::default()
        });
        self.done()
    }
}
