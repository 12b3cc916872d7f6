// SPDX-License-Identifier: MIT
//! One client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use relay::memory::Window;
use zerocopy::FromBytes;
use zus_protocol::{InHeader, Opcode, ROOT_ID};

use super::access::Caller;
use super::handles::Handles;
use super::references::References;
use super::{Answer, Mount, Open, Refusal, Reply, Request, perform, permit};
use crate::error;
use crate::fs::{Error, FileSystem, Ino};

/// Who a client is.
#[derive(Clone, Debug)]
pub enum Access {
    /// The kernel. It checks permissions itself and says in each request for whom it asks.
    Kernel,
    /// A process, known by what the kernel says about the other end of its socket. What it says about
    /// itself counts for nothing.
    Client(Caller),
}

/// One client of a mount: who it is and what it holds. Shared by all threads that serve it. Dropping it
/// gives back all that the client held.
pub struct Session {
    mount: Arc<Mount>,
    access: Access,
    pub(super) references: References,
    pub(super) handles: Handles,
    /// Whether OPEN need not be asked for: offered by the kernel at INIT.
    pub(super) opens_are_free: AtomicBool,
    /// The same of OPENDIR.
    pub(super) opendirs_are_free: AtomicBool,
}

impl Session {
    pub(super) fn new(mount: Arc<Mount>, access: Access) -> Self {
        Self {
            mount,
            access,
            references: References::new(),
            handles: Handles::new(),
            opens_are_free: AtomicBool::new(false),
            opendirs_are_free: AtomicBool::new(false),
        }
    }

    /// The mount that it is a client of.
    pub fn mount(&self) -> &Arc<Mount> {
        &self.mount
    }

    /// Who it is.
    pub fn access(&self) -> &Access {
        &self.access
    }

    pub(super) fn fs(&self) -> &dyn FileSystem {
        self.mount.fs()
    }

    /// Answers a request.
    ///
    /// `message` is a private copy of it, of a WRITE without the data; `data` is where those are, and where
    /// those of READ, READDIR and READDIRPLUS go. Whatever the message holds, this returns: an error in the
    /// reply is the worst.
    pub fn handle(&self, message: &[u8], data: Window<'_>, reply: &mut Reply) -> Answer {
        let Ok((header, body)) = InHeader::read_from_prefix(message) else {
            reply.begin(0);
            return reply.fail(error::refusal(Refusal::Malformed));
        };
        let opcode = Opcode::from_raw(header.opcode);
        reply.begin(header.unique);
        let run = AssertUnwindSafe(|| self.answer(&header, body, data, reply));
        let outcome = catch_unwind(run).unwrap_or_else(|_| {
            // What was asked for is in the log; the panic's own message has gone to standard error.
            let operation = opcode.map_or("unknown operation", Opcode::name);
            tracing::error!(
                opcode = header.opcode,
                ino = header.nodeid,
                "{operation} panicked: answered EIO"
            );
            Err(Error::Io.into())
        });
        // That there is no such operation is an agreement, not an error.
        let failed = outcome
            .as_ref()
            .is_err_and(|refusal| *refusal != Refusal::NoSuchOperation);
        self.mount.counters().record(opcode, failed);
        match outcome {
            Ok(answer) => answer,
            Err(_) if Request::is_unanswered(opcode) => Answer::None,
            Err(refusal) => reply.fail(error::refusal(refusal)),
        }
    }

    fn answer(
        &self,
        header: &InHeader,
        body: &[u8],
        data: Window<'_>,
        reply: &mut Reply,
    ) -> Result<Answer, Refusal> {
        let request = Request::parse(header, body, data.len())?;
        let open = self.open_of(&request)?;
        let _names = match self.access {
            Access::Kernel => None,
            Access::Client(_) => request.directories().map(|dirs| self.mount.naming(dirs)),
        };
        permit::check(&self.access, self.fs(), &request, open.as_ref())?;
        perform::perform(self, &request, open.as_ref(), data, reply)
    }

    /// The handle that a client names; none of the kernel, whose handles are all 0: it knows what it has
    /// open, and an inode that it has open it holds.
    fn open_of(&self, request: &Request<'_>) -> Result<Option<Open>, Refusal> {
        if matches!(self.access, Access::Kernel) {
            return Ok(None);
        }
        if !request.is_about_everything() {
            // An inode number that was guessed is none: on the way to an inode, its directories are checked.
            let second = request.second_ino();
            if let Some(handle) = request.handle() {
                let open = self.handles.get(handle)?;
                return if open.ino == request.ino {
                    Ok(Some(open))
                } else {
                    Err(Refusal::BadHandle)
                };
            }
            if ![Some(request.ino), second]
                .into_iter()
                .flatten()
                .all(|ino| self.holds(ino))
            {
                return Err(Error::Stale.into());
            }
        }
        Ok(None)
    }

    fn holds(&self, ino: Ino) -> bool {
        ino == ROOT_ID || self.references.holds(ino)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let release = AssertUnwindSafe(|| self.references.release(self.mount.fs()));
        if catch_unwind(release).is_err() {
            tracing::error!("giving back what a client held panicked");
        }
    }
}
