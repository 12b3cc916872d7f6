// SPDX-License-Identifier: MIT
//! A client: what it shares with the server, and what it holds there.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use relay::SharedMemory;
use relay::memory::Window;
use rustix::net::Shutdown;

use crate::engine::Session;
use crate::feeder::desk::Desk;

/// A client. The workers that serve it, and the guardian, share it; when the last of them lets go, the
/// session gives back what the client held and its memory is unmapped.
pub(super) struct Client {
    /// Never used again for another.
    pub id: u64,
    /// Its user.
    pub uid: u32,
    session: Session,
    memory: Arc<SharedMemory>,
    /// Its end is the client's end.
    socket: OwnedFd,
}

impl Client {
    pub fn new(id: u64, uid: u32, session: Session, memory: Arc<SharedMemory>, socket: OwnedFd) -> Self {
        Self {
            id,
            uid,
            session,
            memory,
            socket,
        }
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Throws the client out: the guardian hears of it as of any other client's end.
    pub fn hang_up(&self) {
        // Fails only if it has gone by itself.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
    }
}

/// What a worker keeps with a slot.
pub(super) struct Kept {
    pub client: Arc<Client>,
    window: Range<usize>,
}

impl Kept {
    /// The slot of `client` whose window is there.
    pub fn new(client: Arc<Client>, window: Range<usize>) -> Self {
        assert!(window.end <= client.memory.len(), "a window inside the memory");
        Self { client, window }
    }

    #[inline]
    fn window(&self) -> Window<'_> {
        self.client
            .memory
            .window(self.window.clone())
            .expect("checked when it was made")
    }

    /// Answers the message that begins with `inline`. The part of the answer that goes into the slot is
    /// returned, the rest is in the window.
    #[inline]
    pub fn serve<'a>(&self, inline: &[u8], desk: &'a mut Desk) -> &'a [u8] {
        desk.serve(&self.client.session, inline, self.window())
    }
}
