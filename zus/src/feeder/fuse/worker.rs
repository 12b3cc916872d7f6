// SPDX-License-Identifier: MIT
//! The threads that serve.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use relay::{Peer, Strategy};
use zerocopy::FromBytes;
use zus_protocol::{Opcode, OutHeader, ReadIn};

use super::device::{Device, Incoming};
use super::follow::{Follow, Seen};
use super::lead::Lead;
use super::{End, MountError};
use crate::engine::{Reply, Session};

/// Transfers of more bytes than this take so long that somebody else should watch the device meanwhile.
const LONG: u32 = 128 << 10;

/// A look whether there is a crowd is a system call: one in so many requests.
const MANY: u32 = 16;

/// Answers the kernel's INIT.
pub(super) fn shake_hands(session: &Session, device: &mut Device) -> Result<(), MountError> {
    let failed = |what: &str| Err(MountError::Handshake(what.into()));
    let Ok(request) = device.sleep_for_next() else {
        return failed("it went away");
    };
    match device.peek(&request) {
        Some((header, _)) if header.opcode == Opcode::Init as u32 => {}
        _ => return failed("its first message is not INIT"),
    }
    let mut reply = Reply::new();
    device.serve(request, session, &mut reply);
    match OutHeader::read_from_prefix(reply.bytes()) {
        Ok((OutHeader { error: 0, .. }, _)) => Ok(()),
        _ => failed("it is older than Linux 5.4"),
    }
}

/// One thread.
pub(super) struct Worker {
    session: Arc<Session>,
    lead: Arc<Lead>,
    device: Device,
    reply: Reply,
    cpu: u32,
    follow: Follow,
    /// Requests since the last one that had to be waited for.
    in_a_row: u32,
}

impl Worker {
    /// One that will serve on `cpu`.
    pub(super) fn new(session: Arc<Session>, lead: Arc<Lead>, device: Device, cpu: u32) -> Self {
        Self {
            session,
            lead,
            device,
            reply: Reply::new(),
            cpu,
            follow: Follow::new(cpu),
            in_a_row: 0,
        }
    }

    pub(super) fn start(self, index: usize) -> Result<JoinHandle<End>, MountError> {
        let cpu = self.cpu;
        let thread = thread::Builder::new().name(format!("zus-fuse-{index}"));
        thread
            .spawn(move || {
                if let Err(error) = relay::cpu::pin(cpu) {
                    tracing::warn!(cpu, %error, "a worker could not be pinned");
                }
                self.run()
            })
            .map_err(MountError::Workers)
    }

    fn run(mut self) -> End {
        let end = loop {
            if let Err(end) = self.turn() {
                break end;
            }
        };
        self.lead.end();
        end
    }

    /// Waits for a request and answers it.
    fn turn(&mut self) -> Result<(), End> {
        let leads = self.lead.take(self.cpu);
        let next = if leads {
            self.device.next()
        } else {
            self.device.sleep_for_next()
        };
        if let Ok(request) = &next {
            self.look_around(request);
        }
        if leads {
            let call = next.as_ref().is_ok_and(|request| self.takes_long(request));
            self.lead.give(call);
        }
        let request = next?;
        let pid = self.device.peek(&request).map_or(0, |(header, _)| header.pid);
        self.device.serve(request, &self.session, &mut self.reply);
        if leads {
            self.follow(pid);
        }
        Ok(())
    }

    /// Looks now and then whether there are more requests than workers. Many in a row that need not be waited
    /// for are a sign of it; but a single application that runs on this CPU looks like that too.
    fn look_around(&mut self, request: &Incoming) {
        let is_crowd = self.lead.is_crowd();
        self.in_a_row = if request.at_once || is_crowd {
            self.in_a_row + 1
        } else {
            0
        };
        if self.in_a_row >= MANY {
            self.in_a_row = 0;
            if is_crowd || self.lead.has_waiting() {
                self.lead.looked(self.device.has_more());
            }
        }
    }

    /// Leads from where the thread is that was served. Not if it spins for ever: it was given a CPU of its
    /// own for that.
    fn follow(&mut self, pid: u32) {
        if pid == 0 || self.session.mount().policy().strategy() == Strategy::Spin {
            return;
        }
        match self.follow.served(pid) {
            Some(Seen::Here) => self.device.application_is(Peer::Here),
            Some(Seen::Elsewhere(_)) => self.device.application_is(Peer::Elsewhere),
            Some(Seen::Settled(cpu)) => {
                self.device.application_is(Peer::Elsewhere);
                self.lead.keep_for(cpu);
            }
            None => {}
        }
    }

    /// Whether somebody else should wait at the device while this request is served, because it waits for the
    /// medium or moves much.
    fn takes_long(&self, request: &Incoming) -> bool {
        let Some((header, body)) = self.device.peek(request) else {
            return false;
        };
        match Opcode::from_raw(header.opcode) {
            Some(Opcode::Fsync | Opcode::Fsyncdir | Opcode::Syncfs | Opcode::Fallocate) => true,
            Some(Opcode::Read) => ReadIn::read_from_prefix(body).is_ok_and(|(read, _)| read.size > LONG),
            _ => header.len > LONG,
        }
    }
}
