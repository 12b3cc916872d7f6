// SPDX-License-Identifier: MIT
//! The file system as a whole, and the rest.

mirror! {
    /// Space and inodes, as in `struct statfs`.
    Kstatfs = "fuse_kstatfs", since 4 {
        /// All blocks, in units of `frsize`.
        blocks: u64,
        /// Free blocks.
        bfree: u64,
        /// Free blocks for everybody.
        bavail: u64,
        /// All inodes.
        files: u64,
        /// Free inodes.
        ffree: u64,
        /// The I/O size to prefer, in bytes.
        bsize: u32,
        /// The longest name, in bytes.
        namelen: u32,
        /// Bytes in a block.
        frsize: u32,
        /// 0.
        padding: u32,
        /// 0.
        spare: [u32; 6],
    }

    /// Reply to STATFS.
    StatfsOut = "fuse_statfs_out", since 0 {
        /// Space and inodes.
        st: Kstatfs,
    }

    /// ACCESS.
    AccessIn = "fuse_access_in", since 3 {
        /// `R_OK`, `W_OK`, `X_OK` of access(2).
        mask: u32,
        /// 0.
        padding: u32,
    }

    /// INTERRUPT.
    InterruptIn = "fuse_interrupt_in", since 7 {
        /// The request that nobody waits for any more.
        unique: u64,
    }

    /// SYNCFS.
    SyncfsIn = "fuse_syncfs_in", since 34 {
        /// 0.
        padding: u64,
    }
}
