// SPDX-License-Identifier: MIT
//! What reading a directory returns: records, each padded to [`rec_align`].

use crate::EntryOut;

mirror! {
    /// A record of READDIR: the name follows, without NUL.
    Dirent = "fuse_dirent", since 0 {
        /// Inode number.
        ino: u64,
        /// Cookie to go on with behind it.
        off: u64,
        /// Bytes in the name.
        namelen: u32,
        /// Kind, as in `d_type`: the upper four bits of `st_mode`.
        type_: u32,
    }

    /// A record of READDIRPLUS: the name follows, without NUL.
    Direntplus = "fuse_direntplus", since 21 {
        /// As LOOKUP would answer; a `nodeid` of 0 gives no attributes and takes no reference.
        entry_out: EntryOut,
        /// As READDIR would answer.
        dirent: Dirent,
    }
}

/// Rounds the length of a record up to what it takes in the reply.
pub const fn rec_align(len: usize) -> usize {
    len.next_multiple_of(8)
}
