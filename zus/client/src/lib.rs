// SPDX-License-Identifier: MIT
//! libzus: files of a zufs server over shared memory, without a system call while hot.
//!
//! A [`Client`] is a connection to one mount; it is shared by as many threads as like. Its operations are
//! those of POSIX, with paths from the root of the mount:
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let client = libzus::Client::connect("/mnt/data")?;
//! client.mkdir("logs", 0o755)?;
//! let log = client.create("logs/today", 0o644)?;
//! log.pwrite(b"hello", 0)?;
//! log.fsync()?;
//! for entry in client.readdir("logs")? {
//!     println!("{:?}", entry?.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Errors are [`std::io::Error`]s with the errno that the system call of that name would give. When the
//! server dies or ends, every operation, also one in flight, fails with `ENOTCONN`: connect again.
//!
//! **Limits.** A client belongs to the process that made it: after a fork, the child must connect for
//! itself. It acts with the rights, and the umask, that the process had when it connected. There are no current directory, no
//! file locks and no `mmap`.
#![deny(unsafe_code)]

mod channel;
mod client;
mod connect;
mod dir;
mod file;
mod link;
mod node;
mod open;
mod path;
mod pool;
mod stat;
mod watch;

pub use client::Client;
pub use connect::Connector;
pub use dir::{DirEntry, ReadDir};
pub use file::File;
pub use open::OpenOptions;
pub use stat::{FileKind, SpaceUsed, Stat, Time};
