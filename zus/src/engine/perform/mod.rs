// SPDX-License-Identifier: MIT
//! Does what is asked for. One file per kind of operation; here is the table.

mod attrs;
mod dirs;
mod files;
mod init;
mod names;

use relay::memory::Window;
use zerocopy::FromBytes;
use zus_protocol::{ForgetOne, Kstatfs, StatfsOut};

pub(super) use attrs::kind;
pub(super) use names::rename_mode;

use super::access::Caller;
use super::{Access, Answer, Open, Operation, Refusal, Reply, Request, Session};

/// What each operation works with.
struct Context<'a> {
    session: &'a Session,
    request: &'a Request<'a>,
    /// The handle that a client named; always none of the kernel.
    open: Option<&'a Open>,
    data: Window<'a>,
    reply: &'a mut Reply,
}

/// Does what `request` asks for, which was found well formed and allowed.
pub(super) fn perform(
    session: &Session,
    request: &Request<'_>,
    open: Option<&Open>,
    data: Window<'_>,
    reply: &mut Reply,
) -> Result<Answer, Refusal> {
    let mut context = Context {
        session,
        request,
        open,
        data,
        reply,
    };
    let c = &mut context;
    match &request.operation {
        Operation::Init(o) => c.init(o),
        Operation::Destroy => c.destroy(),
        Operation::Forget(o) => c.forget(request.ino, o.nlookup),
        Operation::BatchForget(list) => c.batch_forget(list),
        Operation::Interrupt => c.interrupt(),
        Operation::Statfs => c.statfs(),
        Operation::Syncfs => c.syncfs(),

        Operation::Lookup(name) => c.lookup(*name),
        Operation::LookupSelf => c.lookup_self(),
        Operation::LookupParent => c.lookup_parent(),
        Operation::Symlink { name, target } => c.symlink(*name, target),
        Operation::Mknod(o, name) => c.mknod(o, *name),
        Operation::Mkdir(o, name) => c.mkdir(o, *name),
        Operation::Unlink(name) => c.unlink(*name),
        Operation::Rmdir(name) => c.rmdir(*name),
        Operation::Rename { to, name, new_name } => c.rename(to, *name, *new_name),
        Operation::Link(o, name) => c.link(o, *name),

        Operation::Getattr(_) => c.getattr(),
        Operation::Statx(_) => c.statx(),
        Operation::Setattr(o) => c.setattr(o),
        Operation::Readlink => c.readlink(),

        Operation::Open(o) => c.open(o),
        Operation::Create(o, name) => c.create(o, *name),
        Operation::Read(o) => c.read(o),
        Operation::Write(o) => c.write(o),
        Operation::Flush(_) => c.flush(),
        Operation::Release(o) | Operation::Releasedir(o) => c.release(o),
        Operation::Fsync(o) | Operation::Fsyncdir(o) => c.fsync(o),
        Operation::Lseek(o) => c.lseek(o),
        Operation::Fallocate(o) => c.fallocate(o),

        Operation::Opendir(o) => c.opendir(o),
        Operation::Readdir(o) => c.readdir(o),
        Operation::Readdirplus(o) => c.readdirplus(o),

        Operation::Unknown => Err(Refusal::NoSuchOperation),
    }
}

impl Context<'_> {
    fn is_kernel(&self) -> bool {
        matches!(self.session.access(), Access::Kernel)
    }

    /// The client, if it is one that is not trusted to have checked anything.
    fn caller(&self) -> Option<&Caller> {
        match self.session.access() {
            Access::Kernel => None,
            Access::Client(caller) => Some(caller),
        }
    }

    /// A reply without data in the window.
    fn done(&mut self) -> Result<Answer, Refusal> {
        Ok(self.reply.end(0))
    }

    fn forget(&mut self, ino: u64, count: u64) -> Result<Answer, Refusal> {
        self.session.references.forgotten(ino, count, self.session.fs());
        Ok(Answer::None)
    }

    fn batch_forget(&mut self, mut list: &[u8]) -> Result<Answer, Refusal> {
        while let Ok((one, rest)) = ForgetOne::read_from_prefix(list) {
            self.session
                .references
                .forgotten(one.nodeid, one.nlookup, self.session.fs());
            list = rest;
        }
        Ok(Answer::None)
    }

    /// The kernel is about to go; a client over shared memory says good-bye and leaves all to the drop.
    fn destroy(&mut self) -> Result<Answer, Refusal> {
        if self.is_kernel() {
            self.session.fs().sync()?;
        }
        self.done()
    }

    /// Operations are short, and what has been given to a file system it finishes: nothing can be
    /// interrupted. The answer tells the kernel not to try again.
    fn interrupt(&mut self) -> Result<Answer, Refusal> {
        Err(Refusal::NoSuchOperation)
    }

    fn statfs(&mut self) -> Result<Answer, Refusal> {
        let s = self.session.fs().statfs()?;
        let st = Kstatfs {
            blocks: s.blocks,
            bfree: s.blocks_free,
            bavail: s.blocks_available,
            files: s.files,
            ffree: s.files_free,
            bsize: s.block_size,
            namelen: s.name_max,
            frsize: s.block_size,
            ..Default::default()
        };
        self.reply.push(&StatfsOut { st });
        self.done()
    }

    fn syncfs(&mut self) -> Result<Answer, Refusal> {
        self.session.fs().sync()?;
        self.done()
    }
}
