// SPDX-License-Identifier: MIT
//! The messages of zufs: those of the FUSE protocol, mirrored from `<linux/fuse.h>`.
//!
//! Structs and constants keep the C names without the prefix that their module supplies: `fuse_in_header`
//! is [`InHeader`], `FATTR_MODE` is [`fattr::MODE`]. [`layout`] lists all of them, and a test compares that
//! list with the system's C header. What a message means, who sends it and under which locks stands in
//! `docs/protocol`.
//!
//! A request is [`InHeader`], then the operation's own struct, then names (each ended by NUL) or data. A
//! reply is [`OutHeader`], then the operation's result. Numbers are in the byte order of the machine.
#![deny(unsafe_code)]

#[macro_use]
mod mirror;

mod attr;
mod dir;
mod file;
mod handshake;
mod header;
mod name;
mod opcode;
mod space;

pub mod layout;
pub mod registry;
pub mod shm;

pub use attr::{Attr, AttrOut, EntryOut, GetattrIn, SetattrIn, Statx, StatxIn, StatxOut, SxTime};
pub use attr::{fattr, getattr};
pub use dir::{Dirent, Direntplus, rec_align};
pub use file::{
    CreateIn, FallocateIn, FlushIn, FsyncIn, LseekIn, LseekOut, OpenIn, OpenOut, ReadIn, ReleaseIn, WriteIn,
    WriteOut,
};
pub use file::{fopen, fsync, open, write};
pub use handshake::{InitIn, InitOut, MAJOR, MIN_READ_BUFFER, MINOR, OLDEST_MINOR, init};
pub use header::{InHeader, OutHeader, private_len};
pub use name::{BatchForgetIn, ForgetIn, ForgetOne, LinkIn, MkdirIn, MknodIn, ROOT_ID, Rename2In, RenameIn};
pub use opcode::{Opcode, PRIVATE};
pub use space::{AccessIn, InterruptIn, Kstatfs, StatfsOut, SyncfsIn};
