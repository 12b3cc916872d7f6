// SPDX-License-Identifier: MIT
//! How the two sides of a channel wake each other: through the door.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use relay::{Chime, Policy, Strategy};

use super::abi::{WAIT_RING, WAIT_SLEEP};
use super::door::MountDoor;

/// Both bells of a channel. Used by its one thread only.
///
/// Who replies and then sleeps enters the kernel once for both: where the strategy says that sleep comes
/// next, ringing is put off until then. [`settle`](Self::settle) makes up for a sleep that did not come.
#[derive(Debug)]
pub(super) struct DoorChime {
    door: Arc<MountDoor>,
    channel: u32,
    policy: Arc<Policy>,
    /// A ring that was put off. Relaxed: one thread.
    owed: AtomicBool,
}

impl DoorChime {
    pub fn new(door: Arc<MountDoor>, channel: u32, policy: Arc<Policy>) -> Self {
        Self {
            door,
            channel,
            policy,
            owed: AtomicBool::new(false),
        }
    }

    /// Becomes the thread that serves the channel. `false`: the mount has ended.
    pub fn claim(&self) -> bool {
        loop {
            match self.door.wait(self.channel, 0, 0) {
                Ok(()) => return true,
                // The mount is not ready yet: the one that starts the threads says so next.
                Err(rustix::io::Errno::AGAIN) => std::thread::yield_now(),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Rings if that was put off.
    #[inline]
    pub fn settle(&self) {
        if self.owed.load(Relaxed) {
            self.enter(WAIT_RING, 0);
        }
    }

    /// Errors are seen in the slot: a mount that has ended has buried its side.
    fn enter(&self, flags: u32, expected: u32) {
        self.owed.store(false, Relaxed);
        let _ = self.door.wait(self.channel, flags, expected);
    }
}

impl Chime for DoorChime {
    fn ring(&self) {
        if matches!(self.policy.strategy(), Strategy::Park | Strategy::Waitqueue) {
            self.owed.store(true, Relaxed);
        } else {
            self.enter(WAIT_RING, 0);
        }
    }

    fn sleep(&self, expected: u32) {
        let ring = if self.owed.load(Relaxed) { WAIT_RING } else { 0 };
        self.enter(WAIT_SLEEP | ring, expected);
    }
}
