// SPDX-License-Identifier: MIT
//! Answers protocol messages with a file system, whoever brought them.
//!
//! A [`Mount`] is a file system at work: what its feeder and all its clients share. Each client has a
//! [`Session`]: the kernel is one client, each process over shared memory another. A session remembers
//! what its client holds (references to inodes, open handles) and gives it back when it is dropped, so
//! that a client's death frees all it held.
//!
//! ```text
//! message ─► request.rs      private copy → Request: every length and number checked
//!            session.rs      handles and references of this client: does it hold what it names?
//!            access.rs       may this client do that? (the kernel has checked already)
//!            perform/        Request → FileSystem → Reply
//! reply   ◄─ reply.rs        header and small body; data of READ and READDIR are in the window
//! ```
//!
//! **For a feeder.** One [`Session`] per client, shared by all threads that serve it; one [`Reply`] per
//! thread. Copy a request into private memory (of a WRITE only what stands before the data:
//! [`zus_protocol::private_len`]), call [`Session::handle`] with it and the window where data are or go,
//! then send [`Reply::bytes`] and the first `data_len` bytes of that window. Nothing in a message can
//! cause anything but an error in its reply. A panic inside a file system answers EIO.

pub mod access;
mod counters;
mod handles;
mod mount;
mod perform;
mod permit;
mod references;
mod reply;
mod request;
mod session;

pub use counters::{Count, Counters};
pub use handles::Open;
pub use mount::Mount;
pub use reply::{Answer, Reply};
pub use request::{Operation, Refusal, Request};
pub use session::{Access, Session};

/// The longest READ or WRITE, in bytes of data: 256 pages, as much as the kernel puts into one request.
pub const MAX_DATA: usize = 1 << 20;
