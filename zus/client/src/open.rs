// SPDX-License-Identifier: MIT
//! How to open a file.

use std::io;

use crate::path::os;

/// How to open a file: as [`std::fs::OpenOptions`], with the permissions of a new file beside it.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    flags: i32,
    mode: u32,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! switches {
    ($( $(#[$doc:meta])* $name:ident; )*) => {
        $( $(#[$doc])*
        pub fn $name(mut self, $name: bool) -> Self {
            self.$name = $name;
            self
        } )*
    };
}

impl OpenOptions {
    /// Nothing is set but the mode, 0o666.
    pub fn new() -> Self {
        Self {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            flags: 0,
            mode: 0o666,
        }
    }

    switches! {
        /// For reading.
        read;
        /// For writing.
        write;
        /// For writing at the end, wherever that is when a write comes.
        append;
        /// Empties it first.
        truncate;
        /// Makes it if it is not there.
        create;
        /// Makes it, and fails with `EEXIST` if it, or a symbolic link of its name, is there.
        create_new;
    }

    /// Permissions of a new file, before the umask.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Further flags of open(2), of which `O_SYNC`, `O_DSYNC` and `O_NOATIME` mean something here.
    pub fn custom_flags(mut self, flags: i32) -> Self {
        self.flags = flags;
        self
    }

    pub(crate) fn creates(&self) -> bool {
        self.create || self.create_new
    }

    pub(crate) fn creates_only(&self) -> bool {
        self.create_new
    }

    pub(crate) fn truncates(&self) -> bool {
        self.truncate
    }

    pub(crate) fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// The flags for OPEN and CREATE.
    pub(crate) fn flags(&self) -> io::Result<u32> {
        let access = match (self.read, self.write || self.append) {
            (true, false) => libc::O_RDONLY,
            (false, true) => libc::O_WRONLY,
            (true, true) => libc::O_RDWR,
            (false, false) => return Err(os(libc::EINVAL)),
        };
        if access == libc::O_RDONLY && (self.truncate || self.creates()) {
            return Err(os(libc::EINVAL));
        }
        let ours = libc::O_ACCMODE | libc::O_CREAT | libc::O_EXCL | libc::O_TRUNC | libc::O_APPEND;
        let append = if self.append { libc::O_APPEND } else { 0 };
        Ok((access | append | self.flags & !ours) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_together_is_refused() {
        let flags = |options: OpenOptions| options.flags().map_err(|e| e.raw_os_error().unwrap());
        let new = OpenOptions::new;
        assert_eq!(flags(new()), Err(libc::EINVAL));
        assert_eq!(flags(new().read(true).truncate(true)), Err(libc::EINVAL));
        assert_eq!(flags(new().read(true)), Ok(libc::O_RDONLY as u32));
        assert_eq!(
            flags(new().append(true)),
            Ok((libc::O_WRONLY | libc::O_APPEND) as u32)
        );
        let sync = new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_SYNC | libc::O_TRUNC);
        assert_eq!(flags(sync), Ok((libc::O_RDWR | libc::O_SYNC) as u32));
    }
}
