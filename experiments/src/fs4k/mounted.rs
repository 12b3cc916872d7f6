// SPDX-License-Identifier: MIT
//! A server with a file open on it, and its strategy for the length of an arm.

use std::fs::File;
use std::thread::sleep;
use std::time::Duration;

use perf::cpu::Placement;
use relay::Strategy;

use super::blocks::Op;
use super::server::Server;

/// How long clients may take to hear of another strategy.
const HEARD: Duration = Duration::from_millis(2);

/// What brings operations to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeder {
    /// /dev/fuse.
    Fuse,
    /// Shared memory.
    Shm,
}

impl Feeder {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fuse, Self::Shm];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fuse => "fuse",
            Self::Shm => "shm",
        }
    }
}

/// A file open on a server.
pub enum Open {
    /// Through the kernel.
    Kernel(Files<File>),
    /// Through shared memory, over a connection.
    Memory(libzus::Client, Box<Files<libzus::File>>),
}

/// One file, open twice.
pub struct Files<F> {
    /// With O_SYNC.
    pub synced: F,
    /// Without.
    pub plain: F,
}

impl<F> Files<F> {
    /// The one for `op`.
    pub fn of(&self, op: Op) -> &F {
        match op {
            Op::WriteOnly => &self.plain,
            Op::Write | Op::Read => &self.synced,
        }
    }
}

/// One server with a file open on it. The file is dropped first: a mount in use is not unmounted.
pub struct Mounted {
    /// How it is fed.
    pub feeder: Feeder,
    /// The file system.
    pub fs: &'static str,
    /// Where the server's worker sits, seen from the caller.
    pub placement: Placement,
    /// The file.
    pub open: Open,
    /// The server.
    pub server: Server,
}

/// What a server waits by while others are measured: it costs nothing.
pub const IDLE: Strategy = Strategy::Park;

/// A server set to a strategy; idle again when dropped.
pub struct Set<'a>(&'a Server);

impl Mounted {
    /// Sets the strategy for as long as the result lives.
    ///
    /// # Errors
    ///
    /// The server's.
    pub fn set(&self, strategy: Strategy) -> anyhow::Result<Set<'_>> {
        let set = Set(&self.server);
        self.server.set_strategy(strategy)?;
        sleep(HEARD);
        Ok(set)
    }

    /// Blocking and waking calls of both sides until now.
    pub fn calls(&self) -> Option<u64> {
        let own = match &self.open {
            // Through the kernel the caller makes one call, the operation itself.
            Open::Kernel(_) => 0,
            Open::Memory(client, _) => {
                let stats = client.stats();
                stats.parks + stats.wakes
            }
        };
        Some(own + self.server.calls()?)
    }
}

impl Drop for Set<'_> {
    fn drop(&mut self) {
        // If the server does not answer, the next arm says so.
        let _ = self.0.set_strategy(IDLE);
    }
}
