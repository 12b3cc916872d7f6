// SPDX-License-Identifier: MIT
//! The one place where errors become errno.

use crate::engine::Refusal;
use crate::fs::Error;

/// The errno of a file system's error, as the FUSE protocol wants it: positive.
pub fn errno(error: Error) -> i32 {
    match error {
        Error::NotFound => libc::ENOENT,
        Error::Exists => libc::EEXIST,
        Error::NotDirectory => libc::ENOTDIR,
        Error::IsDirectory => libc::EISDIR,
        Error::NotEmpty => libc::ENOTEMPTY,
        Error::NoSpace => libc::ENOSPC,
        Error::TooManyLinks => libc::EMLINK,
        Error::TooLarge => libc::EFBIG,
        Error::NameTooLong => libc::ENAMETOOLONG,
        Error::Invalid => libc::EINVAL,
        Error::Stale => libc::ESTALE,
        Error::NotOwner => libc::EPERM,
        Error::Denied => libc::EACCES,
        Error::ReadOnly => libc::EROFS,
        Error::NoData => libc::ENXIO,
        Error::Unsupported => libc::EOPNOTSUPP,
        Error::Io => libc::EIO,
    }
}

/// The errno of a request that was refused, positive.
pub fn refusal(refusal: Refusal) -> i32 {
    match refusal {
        Refusal::Fs(error) => errno(error),
        Refusal::Malformed => libc::EINVAL,
        Refusal::BadHandle => libc::EBADF,
        Refusal::TooManyHandles => libc::EMFILE,
        Refusal::NoSuchOperation => libc::ENOSYS,
        Refusal::Version => libc::EPROTO,
    }
}
