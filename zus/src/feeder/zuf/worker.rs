// SPDX-License-Identifier: MIT
//! A thread that serves one channel.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

use relay::{Bell, Server, SharedMemory, Slots};

use super::abi::{Channel, WINDOW_OFFSET};
use super::chime::DoorChime;
use super::door::MountDoor;
use crate::engine::Session;
use crate::feeder::desk::Desk;

/// What it works with.
pub(super) struct Worker {
    session: Arc<Session>,
    server: Server,
    chime: Arc<DoorChime>,
    memory: Arc<SharedMemory>,
    window: Range<usize>,
    /// Where it runs.
    cpu: u32,
}

impl Worker {
    /// One for `channel`, that runs on `cpu`.
    pub fn new(session: Arc<Session>, door: Arc<MountDoor>, channel: &Channel, cpu: u32) -> io::Result<Self> {
        let len = usize::try_from(channel.size).unwrap_or(0);
        let memory = Arc::new(SharedMemory::of_device(door.fd()?, channel.offset, len)?);
        let slot = Slots::in_memory(memory.clone(), 0, 1)?
            .get(0)
            .ok_or(io::ErrorKind::InvalidData)?;
        let policy = session.mount().policy().clone();
        let chime = Arc::new(DoorChime::new(door, channel.index, policy.clone()));
        let bell = Bell::chime(chime.clone());
        Ok(Self {
            session,
            server: Server::new(slot, policy, bell.clone(), bell),
            chime,
            window: WINDOW_OFFSET..memory.len(),
            memory,
            cpu,
        })
    }

    /// Starts it.
    pub fn start(self) -> io::Result<JoinHandle<()>> {
        let thread = std::thread::Builder::new().name(format!("zus-zuf-{}", self.cpu));
        thread.spawn(move || {
            if let Err(error) = relay::cpu::pin(self.cpu) {
                tracing::warn!(cpu = self.cpu, %error, "a worker could not be pinned");
            }
            self.run();
        })
    }

    /// Serves until the kernel leaves.
    fn run(mut self) {
        if !self.chime.claim() {
            return;
        }
        let mut desk = Desk::new();
        let window = self
            .memory
            .window(self.window.clone())
            .expect("the range is the memory's own");
        while let Ok(message) = self.server.next(None) {
            self.chime.settle();
            let answer = desk.serve(&self.session, message.as_ref(), window);
            if self.server.reply(answer).is_err() {
                break;
            }
        }
        self.server.close();
        self.chime.settle();
    }
}
