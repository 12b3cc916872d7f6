// SPDX-License-Identifier: MIT
//! What a client asks for, taken apart and checked. A message may hold anything; a [`Request`] has whole
//! structs, names that are names, and data that are there.

use zerocopy::{FromBytes, Immutable, KnownLayout};
use zus_protocol::{
    BatchForgetIn, CreateIn, FallocateIn, FlushIn, ForgetIn, ForgetOne, FsyncIn, GetattrIn, InHeader, InitIn,
    LinkIn, LseekIn, MkdirIn, MknodIn, Opcode, OpenIn, ReadIn, ReleaseIn, Rename2In, RenameIn, SetattrIn,
    StatxIn, WriteIn,
};

use crate::fs::{Error, Ino, Name};

/// Why a request is answered with an error. Becomes an errno in `error.rs` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file system says so.
    #[error(transparent)]
    Fs(#[from] Error),
    /// The message contradicts itself or stops too early.
    #[error("malformed message")]
    Malformed,
    /// No handle of this client, or not one for this operation.
    #[error("bad handle")]
    BadHandle,
    /// The client has as many open files as it can have.
    #[error("too many open files")]
    TooManyHandles,
    /// There is no such operation here. The kernel remembers that and does not ask again.
    #[error("no such operation")]
    NoSuchOperation,
    /// The other side speaks a protocol that is not ours.
    #[error("protocol version not supported")]
    Version,
}

/// A request of the right form.
#[derive(Debug)]
pub struct Request<'a> {
    /// Names it in the reply.
    pub unique: u64,
    /// The inode it is about; a directory, for operations on names.
    pub ino: Ino,
    /// The user for whom the kernel asks. Of a client over shared memory its own words: worth nothing.
    pub uid: u32,
    /// The group for whom the kernel asks.
    pub gid: u32,
    /// What is asked for.
    pub operation: Operation<'a>,
}

/// What is asked for.
#[derive(Debug)]
#[allow(missing_docs)] // each is described at the opcode and the struct that it holds
pub enum Operation<'a> {
    Init(InitIn),
    Destroy,
    Lookup(Name<'a>),
    /// LOOKUP of ".": an inode by its number.
    LookupSelf,
    /// LOOKUP of "..".
    LookupParent,
    Forget(ForgetIn),
    BatchForget(&'a [u8]),
    Getattr(GetattrIn),
    Statx(StatxIn),
    Setattr(SetattrIn),
    Readlink,
    Symlink {
        name: Name<'a>,
        target: &'a [u8],
    },
    Mknod(MknodIn, Name<'a>),
    Mkdir(MkdirIn, Name<'a>),
    Unlink(Name<'a>),
    Rmdir(Name<'a>),
    /// RENAME and RENAME2.
    Rename {
        to: Rename2In,
        name: Name<'a>,
        new_name: Name<'a>,
    },
    Link(LinkIn, Name<'a>),
    Open(OpenIn),
    Create(CreateIn, Name<'a>),
    Read(ReadIn),
    Write(WriteIn),
    Statfs,
    Release(ReleaseIn),
    Flush(FlushIn),
    Fsync(FsyncIn),
    Opendir(OpenIn),
    Readdir(ReadIn),
    Readdirplus(ReadIn),
    Releasedir(ReleaseIn),
    Fsyncdir(FsyncIn),
    Lseek(LseekIn),
    Fallocate(FallocateIn),
    Syncfs,
    Interrupt,
    /// Everything else.
    Unknown,
}

impl<'a> Request<'a> {
    /// Takes a message apart. `data_len` is the length of the window where the data of a WRITE stand.
    pub fn parse(header: &InHeader, body: &'a [u8], data_len: usize) -> Result<Self, Refusal> {
        let opcode = Opcode::from_raw(header.opcode);
        let data = if opcode == Some(Opcode::Write) {
            WriteIn::read_from_prefix(body).map_or(0, |(write, _)| write.size as usize)
        } else {
            0
        };
        if data > data_len || size_of::<InHeader>() + body.len() + data != header.len as usize {
            return Err(Refusal::Malformed);
        }
        let operation = match opcode {
            Some(opcode) => Operation::parse(opcode, Body(body))?,
            None => Operation::Unknown,
        };
        Ok(Self {
            unique: header.unique,
            ino: header.nodeid,
            uid: header.uid,
            gid: header.gid,
            operation,
        })
    }

    /// Whether nobody waits for a reply to `opcode`, not even to hear that it was malformed.
    pub(super) fn is_unanswered(opcode: Option<Opcode>) -> bool {
        matches!(
            opcode,
            Some(Opcode::Forget | Opcode::BatchForget | Opcode::NotifyReply)
        )
    }

    /// The handle that it names, if operations of its kind do.
    pub fn handle(&self) -> Option<u64> {
        use zus_protocol::{fattr, getattr};
        match &self.operation {
            Operation::Getattr(o) => (o.getattr_flags & getattr::FH != 0).then_some(o.fh),
            Operation::Statx(o) => (o.getattr_flags & getattr::FH != 0).then_some(o.fh),
            Operation::Setattr(o) => (o.valid & fattr::FH != 0).then_some(o.fh),
            Operation::Read(o) | Operation::Readdir(o) | Operation::Readdirplus(o) => Some(o.fh),
            Operation::Write(o) => Some(o.fh),
            Operation::Release(o) | Operation::Releasedir(o) => Some(o.fh),
            Operation::Flush(o) => Some(o.fh),
            Operation::Fsync(o) | Operation::Fsyncdir(o) => Some(o.fh),
            Operation::Lseek(o) => Some(o.fh),
            Operation::Fallocate(o) => Some(o.fh),
            _ => None,
        }
    }

    /// Whether `ino` means the file system, or nothing at all, and not an inode.
    pub(super) fn is_about_everything(&self) -> bool {
        matches!(
            self.operation,
            Operation::Init(_)
                | Operation::Destroy
                | Operation::BatchForget(_)
                | Operation::Statfs
                | Operation::Syncfs
                | Operation::Interrupt
                | Operation::Unknown
        )
    }

    /// The directory in which it changes a name, if it does, and the second one of a RENAME.
    pub(super) fn directories(&self) -> Option<(Ino, Ino)> {
        match &self.operation {
            Operation::Symlink { .. }
            | Operation::Mknod(..)
            | Operation::Mkdir(..)
            | Operation::Create(..)
            | Operation::Link(..)
            | Operation::Unlink(_)
            | Operation::Rmdir(_) => Some((self.ino, self.ino)),
            Operation::Rename { to, .. } => Some((self.ino, to.newdir)),
            _ => None,
        }
    }

    /// The second inode that it names, if operations of its kind do.
    pub fn second_ino(&self) -> Option<Ino> {
        match &self.operation {
            Operation::Rename { to, .. } => Some(to.newdir),
            Operation::Link(from, _) => Some(from.oldnodeid),
            _ => None,
        }
    }
}

impl<'a> Operation<'a> {
    fn parse(opcode: Opcode, mut body: Body<'a>) -> Result<Self, Refusal> {
        Ok(match opcode {
            Opcode::Init => Self::Init(body.init()?),
            Opcode::Destroy => Self::Destroy,
            Opcode::Lookup => match body.string()? {
                b"." => Self::LookupSelf,
                b".." => Self::LookupParent,
                name => Self::Lookup(Name::new(name)?),
            },
            Opcode::Forget => Self::Forget(body.take()?),
            Opcode::BatchForget => Self::BatchForget(body.forgets()?),
            Opcode::Getattr => Self::Getattr(body.take()?),
            Opcode::Statx => Self::Statx(body.take()?),
            Opcode::Setattr => Self::Setattr(body.take()?),
            Opcode::Readlink => Self::Readlink,
            Opcode::Symlink => Self::Symlink {
                name: body.name()?,
                target: body.target()?,
            },
            Opcode::Mknod => Self::Mknod(body.take()?, body.name()?),
            Opcode::Mkdir => Self::Mkdir(body.take()?, body.name()?),
            Opcode::Unlink => Self::Unlink(body.name()?),
            Opcode::Rmdir => Self::Rmdir(body.name()?),
            Opcode::Rename => {
                let RenameIn { newdir } = body.take()?;
                let to = Rename2In {
                    newdir,
                    ..Default::default()
                };
                Self::Rename {
                    to,
                    name: body.name()?,
                    new_name: body.name()?,
                }
            }
            Opcode::Rename2 => Self::Rename {
                to: body.take()?,
                name: body.name()?,
                new_name: body.name()?,
            },
            Opcode::Link => Self::Link(body.take()?, body.name()?),
            Opcode::Open => Self::Open(body.take()?),
            Opcode::Create => Self::Create(body.take()?, body.name()?),
            Opcode::Read => Self::Read(body.take()?),
            Opcode::Write => Self::Write(body.take()?),
            Opcode::Statfs => Self::Statfs,
            Opcode::Release => Self::Release(body.take()?),
            Opcode::Flush => Self::Flush(body.take()?),
            Opcode::Fsync => Self::Fsync(body.take()?),
            Opcode::Opendir => Self::Opendir(body.take()?),
            Opcode::Readdir => Self::Readdir(body.take()?),
            Opcode::Readdirplus => Self::Readdirplus(body.take()?),
            Opcode::Releasedir => Self::Releasedir(body.take()?),
            Opcode::Fsyncdir => Self::Fsyncdir(body.take()?),
            Opcode::Lseek => Self::Lseek(body.take()?),
            Opcode::Fallocate => Self::Fallocate(body.take()?),
            Opcode::Syncfs => Self::Syncfs,
            Opcode::Interrupt => Self::Interrupt,
            _ => Self::Unknown,
        })
    }
}

/// What follows the header, not yet looked at.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    /// The next struct.
    fn take<T: FromBytes + KnownLayout + Immutable>(&mut self) -> Result<T, Refusal> {
        let (value, rest) = T::read_from_prefix(self.0).map_err(|_| Refusal::Malformed)?;
        self.0 = rest;
        Ok(value)
    }

    /// INIT grew: peers up to 7.35 send its first four fields.
    fn init(&mut self) -> Result<InitIn, Refusal> {
        const SHORT: usize = 16;
        let mut whole = [0; size_of::<InitIn>()];
        let len = self.0.len().min(whole.len());
        if len < SHORT {
            return Err(Refusal::Malformed);
        }
        whole[..len].copy_from_slice(&self.0[..len]);
        Ok(zerocopy::transmute!(whole))
    }

    /// The next string, without the NUL that ends it.
    fn string(&mut self) -> Result<&'a [u8], Refusal> {
        let end = self
            .0
            .iter()
            .position(|&byte| byte == 0)
            .ok_or(Refusal::Malformed)?;
        let (string, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Ok(string)
    }

    /// The next string, which is a name.
    fn name(&mut self) -> Result<Name<'a>, Refusal> {
        Ok(Name::new(self.string()?)?)
    }

    /// The next string, which a symbolic link is to hold.
    fn target(&mut self) -> Result<&'a [u8], Refusal> {
        match self.string()? {
            b"" => Err(Error::NotFound.into()),
            target if target.len() >= libc::PATH_MAX as usize => Err(Error::NameTooLong.into()),
            target => Ok(target),
        }
    }

    /// The array of a BATCH_FORGET, a whole number of [`ForgetOne`].
    fn forgets(&mut self) -> Result<&'a [u8], Refusal> {
        let BatchForgetIn { count, .. } = self.take()?;
        let len = (count as usize)
            .checked_mul(size_of::<ForgetOne>())
            .ok_or(Refusal::Malformed)?;
        self.0.get(..len).ok_or(Refusal::Malformed)
    }
}
