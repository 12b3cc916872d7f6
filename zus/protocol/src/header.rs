// SPDX-License-Identifier: MIT
//! What every message begins with.

use crate::{Opcode, WriteIn};

mirror! {
    /// The beginning of each request.
    InHeader = "fuse_in_header", since 38 {
        /// Bytes in the whole request, this header and all data included.
        len: u32,
        /// What is asked for: an [`Opcode`], if known.
        opcode: u32,
        /// Names this request in its reply.
        unique: u64,
        /// The inode it is about.
        nodeid: u64,
        /// The asking user.
        uid: u32,
        /// The asking group.
        gid: u32,
        /// The asking process.
        pid: u32,
        /// Bytes of extensions at the end of the request, in units of 8.
        total_extlen: u16,
        /// 0.
        padding: u16,
    }

    /// The beginning of each reply.
    OutHeader = "fuse_out_header", since 0 {
        /// Bytes in the whole reply, this header and all data included.
        len: u32,
        /// 0, or the errno, negative.
        error: i32,
        /// That of the request.
        unique: u64,
    }
}

/// How many bytes of a request are to be copied into private memory before it is looked at: all of it,
/// but of a WRITE only what stands before the data.
pub fn private_len(header: &InHeader) -> usize {
    if header.opcode == Opcode::Write as u32 {
        (header.len as usize).min(size_of::<InHeader>() + size_of::<WriteIn>())
    } else {
        header.len as usize
    }
}
