// SPDX-License-Identifier: MIT
//! Operations on names, and references to inodes.

/// The node number of the root directory.
pub const ROOT_ID: u64 = 1;

mirror! {
    /// FORGET: has no reply.
    ForgetIn = "fuse_forget_in", since 0 {
        /// How many references are given back.
        nlookup: u64,
    }

    /// One of a BATCH_FORGET.
    ForgetOne = "fuse_forget_one", since 16 {
        /// The inode.
        nodeid: u64,
        /// How many references are given back.
        nlookup: u64,
    }

    /// BATCH_FORGET: this many [`ForgetOne`] follow. Has no reply.
    BatchForgetIn = "fuse_batch_forget_in", since 16 {
        /// How many.
        count: u32,
        /// 0.
        dummy: u32,
    }

    /// MKNOD: the name follows.
    MknodIn = "fuse_mknod_in", since 12 {
        /// Kind and permissions.
        mode: u32,
        /// Device number, of devices.
        rdev: u32,
        /// The creator's.
        umask: u32,
        /// 0.
        padding: u32,
    }

    /// MKDIR: the name follows.
    MkdirIn = "fuse_mkdir_in", since 12 {
        /// Permissions.
        mode: u32,
        /// The creator's.
        umask: u32,
    }

    /// RENAME: old and new name follow.
    RenameIn = "fuse_rename_in", since 0 {
        /// The directory of the new name.
        newdir: u64,
    }

    /// RENAME2: old and new name follow.
    Rename2In = "fuse_rename2_in", since 23 {
        /// The directory of the new name.
        newdir: u64,
        /// `RENAME_*` of renameat2(2).
        flags: u32,
        /// 0.
        padding: u32,
    }

    /// LINK: the new name follows; `nodeid` is its directory.
    LinkIn = "fuse_link_in", since 0 {
        /// The inode that gets a further name.
        oldnodeid: u64,
    }
}
