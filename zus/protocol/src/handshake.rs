// SPDX-License-Identifier: MIT
//! The handshake.

/// Major version of the protocol.
pub const MAJOR: u32 = 7;
/// The minor version that is mirrored here.
pub const MINOR: u32 = 39;
/// The oldest minor version of a peer that is understood: that of Linux 5.4, the first in which all
/// structs have the form they have here or a shorter one that is told apart by its length.
pub const OLDEST_MINOR: u32 = 31;
/// A read from /dev/fuse must offer at least this many bytes.
pub const MIN_READ_BUFFER: usize = 8192;

mirror! {
    /// INIT.
    InitIn = "fuse_init_in", since 36 {
        /// Major version of the peer.
        major: u32,
        /// Minor version of the peer.
        minor: u32,
        /// The longest read-ahead, in bytes.
        max_readahead: u32,
        /// Lower half of what the peer offers: see [`init`].
        flags: u32,
        /// Upper half, if [`init::INIT_EXT`] is offered.
        flags2: u32,
        /// 0.
        unused: [u32; 11],
    }

    /// Reply to INIT.
    InitOut = "fuse_init_out", since 36 {
        /// Our major version.
        major: u32,
        /// Our minor version.
        minor: u32,
        /// The longest read-ahead, in bytes.
        max_readahead: u32,
        /// Lower half of what was offered and is used: see [`init`].
        flags: u32,
        /// How many requests that nobody waits for may be under way.
        max_background: u16,
        /// From how many of them on the peer counts as congested.
        congestion_threshold: u16,
        /// The longest WRITE, in bytes of data.
        max_write: u32,
        /// The unit of times, in nanoseconds.
        time_gran: u32,
        /// The longest transfer, in pages.
        max_pages: u16,
        /// Of DAX windows: not ours.
        map_alignment: u16,
        /// Upper half of what was offered and is used.
        flags2: u32,
        /// 0. Later versions find fields of their own here, and 0 means none.
        unused: [u32; 7],
    }
}

constants! {
    /// What is negotiated: offered in [`crate::InitIn`], taken in [`crate::InitOut`].
    init: u64 = "FUSE_" {
        /// Several reads of one file may be under way.
        ASYNC_READ = 1 << 0,
        /// POSIX locks are the server's.
        POSIX_LOCKS = 1 << 1,
        /// OPEN carries O_TRUNC.
        ATOMIC_O_TRUNC = 1 << 3,
        /// LOOKUP of "." and "..".
        EXPORT_SUPPORT = 1 << 4,
        /// WRITE of more than a page.
        BIG_WRITES = 1 << 5,
        /// The umask is the server's to apply.
        DONT_MASK = 1 << 6,
        /// BSD locks are the server's.
        FLOCK_LOCKS = 1 << 10,
        /// Drop cached pages when `mtime` or size are seen to change.
        AUTO_INVAL_DATA = 1 << 12,
        /// READDIRPLUS.
        DO_READDIRPLUS = 1 << 13,
        /// READDIRPLUS only where it helps.
        READDIRPLUS_AUTO = 1 << 14,
        /// Direct I/O is submitted, not waited for.
        ASYNC_DIO = 1 << 15,
        /// Writes end in the page cache.
        WRITEBACK_CACHE = 1 << 16,
        /// OPEN may be answered with ENOSYS: then none is sent any more.
        NO_OPEN_SUPPORT = 1 << 17,
        /// Lookups and reads of one directory may run at the same time.
        PARALLEL_DIROPS = 1 << 18,
        /// The server clears set-ID bits at every write, truncation and change of owner.
        HANDLE_KILLPRIV = 1 << 19,
        /// POSIX ACLs.
        POSIX_ACL = 1 << 20,
        /// Reading the device after an abort says so.
        ABORT_ERROR = 1 << 21,
        /// `max_pages` counts.
        MAX_PAGES = 1 << 22,
        /// READLINK may be cached.
        CACHE_SYMLINKS = 1 << 23,
        /// OPENDIR may be answered with ENOSYS: then none is sent any more.
        NO_OPENDIR_SUPPORT = 1 << 24,
        /// Cached pages are dropped only when the server says so.
        EXPLICIT_INVAL_DATA = 1 << 25,
        /// The server clears set-ID bits when told to.
        HANDLE_KILLPRIV_V2 = 1 << 28,
        /// The longer form of SETXATTR.
        SETXATTR_EXT = 1 << 29,
        /// `flags2` counts.
        INIT_EXT = 1 << 30,
    }
}
