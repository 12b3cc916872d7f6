// SPDX-License-Identifier: MIT
//! The thread that sleeps on the connection: it learns when the server ends, and when the mount is given
//! another strategy.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::sys::signal::SigSet;
use relay::{Bell, Policy, Side, SlotRef};
use rustix::net::{RecvFlags, Shutdown};
use zerocopy::FromBytes;
use zus_protocol::shm::Notice;

use crate::link::adopt;

/// A connection that is watched. Dropping it hangs up.
pub(crate) struct Watch {
    socket: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches `socket`. When the server ends, its side of all `slots` is buried, so that whoever waits
    /// there learns it; `policy` follows what the server says.
    pub fn start(socket: OwnedFd, slots: Vec<SlotRef>, policy: Arc<Policy>) -> io::Result<Self> {
        let socket = Arc::new(socket);
        let thread = std::thread::Builder::new()
            .name("libzus".into())
            .stack_size(128 << 10)
            .spawn({
                let socket = Arc::clone(&socket);
                move || {
                    // Signals are for the application's own threads.
                    let _ = SigSet::all().thread_block();
                    listen(&socket, &policy);
                    for slot in &slots {
                        relay::bury(slot, Side::Server, &Bell::futex());
                    }
                }
            })?;
        Ok(Self {
            socket,
            thread: Some(thread),
        })
    }
}

/// Hears the server until it ends.
fn listen(socket: &OwnedFd, policy: &Policy) {
    let mut packet = [0; 256];
    loop {
        match rustix::net::recv(socket, &mut packet, RecvFlags::empty()) {
            Ok((0, _)) => return,
            Ok((len, _)) => {
                if let Ok((notice, _)) = Notice::read_from_prefix(&packet[..len])
                    && notice.kind == Notice::WAITING
                {
                    adopt(policy, &notice.waiting);
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Ends the thread's wait, too.
        let _ = rustix::net::shutdown(&*self.socket, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
