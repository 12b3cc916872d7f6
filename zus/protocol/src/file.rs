// SPDX-License-Identifier: MIT
//! Operations on open files.

mirror! {
    /// OPEN and OPENDIR.
    OpenIn = "fuse_open_in", since 33 {
        /// `O_*` of open(2), without those for creating.
        flags: u32,
        /// See [`open`].
        open_flags: u32,
    }

    /// CREATE: the name follows.
    CreateIn = "fuse_create_in", since 33 {
        /// `O_*` of open(2).
        flags: u32,
        /// Permissions.
        mode: u32,
        /// The creator's.
        umask: u32,
        /// See [`open`].
        open_flags: u32,
    }

    /// Reply to OPEN and OPENDIR, and the end of that to CREATE.
    OpenOut = "fuse_open_out", since 0 {
        /// The handle.
        fh: u64,
        /// See [`fopen`].
        open_flags: u32,
        /// 0.
        padding: u32,
    }

    /// RELEASE and RELEASEDIR.
    ReleaseIn = "fuse_release_in", since 8 {
        /// The handle.
        fh: u64,
        /// `O_*` of open(2).
        flags: u32,
        /// Of file locks: not ours.
        release_flags: u32,
        /// Owner of file locks.
        lock_owner: u64,
    }

    /// FLUSH: a descriptor was closed, one of perhaps several.
    FlushIn = "fuse_flush_in", since 7 {
        /// The handle.
        fh: u64,
        /// 0.
        unused: u32,
        /// 0.
        padding: u32,
        /// Owner of file locks.
        lock_owner: u64,
    }

    /// READ, READDIR and READDIRPLUS.
    ReadIn = "fuse_read_in", since 9 {
        /// The handle.
        fh: u64,
        /// Where, in bytes; in a directory, the cookie of the last entry seen.
        offset: u64,
        /// How much, in bytes.
        size: u32,
        /// Of file locks: not ours.
        read_flags: u32,
        /// Owner of file locks.
        lock_owner: u64,
        /// `O_*` of open(2).
        flags: u32,
        /// 0.
        padding: u32,
    }

    /// WRITE: the data follow.
    WriteIn = "fuse_write_in", since 9 {
        /// The handle.
        fh: u64,
        /// Where, in bytes.
        offset: u64,
        /// How much, in bytes.
        size: u32,
        /// See [`mod@write`].
        write_flags: u32,
        /// Owner of file locks.
        lock_owner: u64,
        /// `O_*` of open(2).
        flags: u32,
        /// 0.
        padding: u32,
    }

    /// Reply to WRITE.
    WriteOut = "fuse_write_out", since 0 {
        /// How much was written, in bytes.
        size: u32,
        /// 0.
        padding: u32,
    }

    /// FSYNC and FSYNCDIR.
    FsyncIn = "fuse_fsync_in", since 0 {
        /// The handle.
        fh: u64,
        /// See [`fsync`].
        fsync_flags: u32,
        /// 0.
        padding: u32,
    }

    /// FALLOCATE.
    FallocateIn = "fuse_fallocate_in", since 19 {
        /// The handle.
        fh: u64,
        /// Where, in bytes.
        offset: u64,
        /// How much, in bytes.
        length: u64,
        /// `FALLOC_FL_*` of fallocate(2).
        mode: u32,
        /// 0.
        padding: u32,
    }

    /// LSEEK: only for SEEK_DATA and SEEK_HOLE.
    LseekIn = "fuse_lseek_in", since 24 {
        /// The handle.
        fh: u64,
        /// From where, in bytes.
        offset: u64,
        /// `SEEK_*` of lseek(2).
        whence: u32,
        /// 0.
        padding: u32,
    }

    /// Reply to LSEEK.
    LseekOut = "fuse_lseek_out", since 24 {
        /// Where it is, in bytes.
        offset: u64,
    }
}

constants! {
    /// [`OpenOut::open_flags`](crate::OpenOut::open_flags).
    fopen: u32 = "FOPEN_" {
        /// Bypass the page cache.
        DIRECT_IO = 1 << 0,
        /// What the page cache has of the file is still true.
        KEEP_CACHE = 1 << 1,
        /// What was read of the directory may be cached.
        CACHE_DIR = 1 << 3,
        /// No FLUSH at close.
        NOFLUSH = 1 << 5,
        /// Direct writes inside the file may run at the same time.
        PARALLEL_DIRECT_WRITES = 1 << 6,
    }
}

constants! {
    /// [`OpenIn::open_flags`](crate::OpenIn::open_flags).
    open: u32 = "FUSE_OPEN_" {
        /// With O_TRUNC: as [`fattr::KILL_SUIDGID`](crate::fattr::KILL_SUIDGID).
        KILL_SUIDGID = 1 << 0,
    }
}

constants! {
    /// [`WriteIn::write_flags`](crate::WriteIn::write_flags).
    write: u32 = "FUSE_WRITE_" {
        /// Written back from the page cache: the handle is a guess.
        CACHE = 1 << 0,
        /// `lock_owner` is filled.
        LOCKOWNER = 1 << 1,
        /// As [`fattr::KILL_SUIDGID`](crate::fattr::KILL_SUIDGID).
        KILL_SUIDGID = 1 << 2,
    }
}

constants! {
    /// [`FsyncIn::fsync_flags`](crate::FsyncIn::fsync_flags).
    fsync: u32 = "FUSE_FSYNC_" {
        /// The data, and of the attributes only what finding them takes.
        FDATASYNC = 1 << 0,
    }
}
