// SPDX-License-Identifier: MIT
//! The threads that serve.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use relay::Strategy;
use zerocopy::FromBytes;
use zus_protocol::{Opcode, OutHeader, ReadIn};

use super::device::{Device, Incoming};
use super::lead::Lead;
use super::{End, MountError};
use crate::engine::{Reply, Session};

/// Transfers of more bytes than this take so long that somebody else should watch the device meanwhile.
const LONG: u32 = 128 << 10;

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
    if device.serve(request, session, &mut reply).is_err() {
        return failed("it went away");
    }
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
}

impl Worker {
    pub(super) fn new(session: Arc<Session>, lead: Arc<Lead>, device: Device) -> Self {
        Self {
            session,
            lead,
            device,
            reply: Reply::new(),
        }
    }

    /// Starts it on `cpu`.
    pub(super) fn start(self, index: usize, cpu: u32) -> Result<JoinHandle<End>, MountError> {
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
        let policy = self.session.mount().policy().clone();
        let needs_lead = || policy.strategy() != Strategy::Park;
        let leads = needs_lead();
        if leads {
            self.lead.take(needs_lead);
        } else if self.lead.has_waiting() {
            self.lead.dismiss();
        }
        let next = self.device.next();
        if leads {
            let call = next.as_ref().is_ok_and(|request| self.needs_help(request));
            self.lead.give(call);
        }
        self.device.serve(next?, &self.session, &mut self.reply)
    }

    /// Whether somebody else should wait at the device while this request is served: because it waits for
    /// the medium or moves much, or because more requests are there already.
    fn needs_help(&self, request: &Incoming) -> bool {
        if !self.lead.has_waiting() {
            return false;
        }
        self.takes_long(request) || (request.at_once && self.device.has_more())
    }

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
