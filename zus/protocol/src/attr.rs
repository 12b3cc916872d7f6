// SPDX-License-Identifier: MIT
//! Attributes of inodes.

mirror! {
    /// The attributes of an inode.
    Attr = "fuse_attr", since 32 {
        /// Inode number.
        ino: u64,
        /// Size in bytes.
        size: u64,
        /// Space taken, in units of 512 bytes.
        blocks: u64,
        /// Last read, in seconds since 1970: a signed number.
        atime: u64,
        /// Last change of the contents.
        mtime: u64,
        /// Last change of the inode.
        ctime: u64,
        /// Nanoseconds of `atime`.
        atimensec: u32,
        /// Nanoseconds of `mtime`.
        mtimensec: u32,
        /// Nanoseconds of `ctime`.
        ctimensec: u32,
        /// Kind and permissions, as in `st_mode`.
        mode: u32,
        /// Number of names.
        nlink: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Device number, of devices.
        rdev: u32,
        /// The I/O size to prefer; 0: no opinion.
        blksize: u32,
        /// Marks submounts and DAX: not ours.
        flags: u32,
    }

    /// Reply to GETATTR and SETATTR.
    AttrOut = "fuse_attr_out", since 0 {
        /// How long the attributes may be cached, in seconds.
        attr_valid: u64,
        /// And nanoseconds.
        attr_valid_nsec: u32,
        /// 0.
        dummy: u32,
        /// The attributes.
        attr: Attr,
    }

    /// Reply to LOOKUP, MKNOD, MKDIR, SYMLINK and LINK, and the beginning of that to CREATE.
    EntryOut = "fuse_entry_out", since 0 {
        /// Inode number; 0: there is no such name, and that may be cached.
        nodeid: u64,
        /// Distinguishes inodes that have the same number at different times.
        generation: u64,
        /// How long the name may be cached, in seconds.
        entry_valid: u64,
        /// How long the attributes may be cached, in seconds.
        attr_valid: u64,
        /// Nanoseconds of `entry_valid`.
        entry_valid_nsec: u32,
        /// Nanoseconds of `attr_valid`.
        attr_valid_nsec: u32,
        /// The attributes.
        attr: Attr,
    }

    /// GETATTR.
    GetattrIn = "fuse_getattr_in", since 0 {
        /// See [`getattr`].
        getattr_flags: u32,
        /// 0.
        dummy: u32,
        /// The handle, if the flags say so.
        fh: u64,
    }

    /// SETATTR.
    SetattrIn = "fuse_setattr_in", since 23 {
        /// Which of the fields count: see [`fattr`].
        valid: u32,
        /// 0.
        padding: u32,
        /// Handle.
        fh: u64,
        /// Size in bytes.
        size: u64,
        /// Owner of file locks.
        lock_owner: u64,
        /// Last read, in seconds since 1970: a signed number.
        atime: u64,
        /// Last change of the contents.
        mtime: u64,
        /// Last change of the inode.
        ctime: u64,
        /// Nanoseconds of `atime`.
        atimensec: u32,
        /// Nanoseconds of `mtime`.
        mtimensec: u32,
        /// Nanoseconds of `ctime`.
        ctimensec: u32,
        /// Kind and permissions.
        mode: u32,
        /// 0.
        unused4: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// 0.
        unused5: u32,
    }

    /// A time in [`Statx`].
    SxTime = "fuse_sx_time", since 39 {
        /// Seconds since 1970.
        tv_sec: i64,
        /// Nanoseconds.
        tv_nsec: u32,
        /// 0.
        __reserved: i32,
    }

    /// Attributes, as statx(2) has them.
    Statx = "fuse_statx", since 39 {
        /// Which fields are filled: `STATX_*`.
        mask: u32,
        /// The I/O size to prefer.
        blksize: u32,
        /// `STATX_ATTR_*`.
        attributes: u64,
        /// Number of names.
        nlink: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Kind and permissions.
        mode: u16,
        /// 0.
        __spare0: [u16; 1],
        /// Inode number.
        ino: u64,
        /// Size in bytes.
        size: u64,
        /// Space taken, in units of 512 bytes.
        blocks: u64,
        /// Which of `attributes` are known.
        attributes_mask: u64,
        /// Last read.
        atime: SxTime,
        /// Birth.
        btime: SxTime,
        /// Last change of the inode.
        ctime: SxTime,
        /// Last change of the contents.
        mtime: SxTime,
        /// Major device number, of devices.
        rdev_major: u32,
        /// Minor device number, of devices.
        rdev_minor: u32,
        /// Filled by the kernel.
        dev_major: u32,
        /// Filled by the kernel.
        dev_minor: u32,
        /// 0.
        __spare2: [u64; 14],
    }

    /// STATX.
    StatxIn = "fuse_statx_in", since 39 {
        /// See [`getattr`].
        getattr_flags: u32,
        /// 0.
        reserved: u32,
        /// The handle, if the flags say so.
        fh: u64,
        /// `AT_STATX_*`.
        sx_flags: u32,
        /// `STATX_*`: what is wanted.
        sx_mask: u32,
    }

    /// Reply to STATX.
    StatxOut = "fuse_statx_out", since 39 {
        /// How long the attributes may be cached, in seconds.
        attr_valid: u64,
        /// And nanoseconds.
        attr_valid_nsec: u32,
        /// 0.
        flags: u32,
        /// 0.
        spare: [u64; 2],
        /// The attributes.
        stat: Statx,
    }
}

constants! {
    /// [`SetattrIn::valid`](crate::SetattrIn::valid).
    fattr: u32 = "FATTR_" {
        /// `mode`.
        MODE = 1 << 0,
        /// `uid`.
        UID = 1 << 1,
        /// `gid`.
        GID = 1 << 2,
        /// `size`.
        SIZE = 1 << 3,
        /// `atime`.
        ATIME = 1 << 4,
        /// `mtime`.
        MTIME = 1 << 5,
        /// `fh`.
        FH = 1 << 6,
        /// With ATIME: the server's present.
        ATIME_NOW = 1 << 7,
        /// With MTIME: the server's present.
        MTIME_NOW = 1 << 8,
        /// `lock_owner`.
        LOCKOWNER = 1 << 9,
        /// `ctime`.
        CTIME = 1 << 10,
        /// Clear the set-user-ID bit, and the set-group-ID bit of what the group may execute.
        KILL_SUIDGID = 1 << 11,
    }
}

constants! {
    /// [`GetattrIn::getattr_flags`](crate::GetattrIn::getattr_flags).
    getattr: u32 = "FUSE_GETATTR_" {
        /// `fh` is filled.
        FH = 1 << 0,
    }
}
