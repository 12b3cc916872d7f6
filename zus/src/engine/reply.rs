// SPDX-License-Identifier: MIT
//! What is sent back.

use zerocopy::{Immutable, IntoBytes};
use zus_protocol::OutHeader;

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// Not at all: there is nothing to send.
    None,
    /// With [`Reply::bytes`], followed by this many bytes from the start of the data window.
    Reply {
        /// Bytes in the window.
        data_len: usize,
    },
}

/// Where a reply is put together: header and small body. Made once per thread and used again.
#[derive(Debug, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    unique: u64,
}

const HEADER: usize = size_of::<OutHeader>();

impl Reply {
    /// An empty one, with room for the longest body: what a symbolic link holds.
    pub fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(HEADER + libc::PATH_MAX as usize),
            unique: 0,
        }
    }

    /// Header and body.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins a reply to the request called `unique`.
    pub(super) fn begin(&mut self, unique: u64) {
        self.unique = unique;
        self.bytes.clear();
        self.bytes.resize(HEADER, 0);
    }

    /// Adds to the body.
    pub(super) fn push(&mut self, part: &(impl IntoBytes + Immutable)) {
        self.bytes.extend_from_slice(part.as_bytes());
    }

    /// Adds to the body.
    pub(super) fn push_bytes(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    /// Ends it, with `data_len` bytes of data in the window.
    pub(super) fn end(&mut self, data_len: usize) -> Answer {
        self.seal(data_len, 0)
    }

    /// Drops the body and says instead what went wrong.
    pub(super) fn fail(&mut self, errno: i32) -> Answer {
        self.bytes.truncate(HEADER);
        self.seal(0, -errno)
    }

    fn seal(&mut self, data_len: usize, error: i32) -> Answer {
        let header = OutHeader {
            len: (self.bytes.len() + data_len) as u32,
            error,
            unique: self.unique,
        };
        self.bytes[..HEADER].copy_from_slice(header.as_bytes());
        Answer::Reply { data_len }
    }
}
