// SPDX-License-Identifier: MIT
//! What can be asked for.

use std::ops::RangeInclusive;

/// Where operations of our own are numbered, far from those of the FUSE protocol. None is in use yet.
/// Only feeders of ours carry them: /dev/fuse passes what its kernel passes.
pub const PRIVATE: RangeInclusive<u32> = 0x10000..=0x1ffff;

macro_rules! opcodes {
    ($( $(#[$doc:meta])* $name:ident = $value:literal, $c:literal, since $since:literal; )*) => {
        /// An operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Opcode {
            $( $(#[$doc])* $name = $value, )*
        }

        impl Opcode {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Opcode] = &[$( Opcode::$name, )*];

            /// The operation numbered `raw`, if it is one that the protocol has.
            pub fn from_raw(raw: u32) -> Option<Self> {
                match raw {
                    $( $value => Some(Opcode::$name), )*
                    _ => None,
                }
            }

            /// Its name, as in C without the prefix: "LOOKUP".
            pub fn name(self) -> &'static str {
                match self {
                    $( Opcode::$name => $c, )*
                }
            }
        }

        /// The opcodes, as the probe sees them.
        pub(crate) const LAYOUT: &[crate::layout::Operation] = &[$(
            crate::layout::Operation { name: concat!("FUSE_", $c), since: $since, value: $value },
        )*];
    };
}

opcodes! {
    /// Finds a name in a directory.
    Lookup = 1, "LOOKUP", since 0;
    /// Gives references back. No reply.
    Forget = 2, "FORGET", since 0;
    /// Attributes.
    Getattr = 3, "GETATTR", since 0;
    /// Changes attributes.
    Setattr = 4, "SETATTR", since 0;
    /// What a symbolic link holds.
    Readlink = 5, "READLINK", since 0;
    /// Makes a symbolic link: its name and what it holds follow.
    Symlink = 6, "SYMLINK", since 0;
    /// Makes a file, pipe, socket or device.
    Mknod = 8, "MKNOD", since 0;
    /// Makes a directory.
    Mkdir = 9, "MKDIR", since 0;
    /// Removes a name.
    Unlink = 10, "UNLINK", since 0;
    /// Removes a directory.
    Rmdir = 11, "RMDIR", since 0;
    /// Moves a name.
    Rename = 12, "RENAME", since 0;
    /// Adds a name.
    Link = 13, "LINK", since 0;
    /// Opens a file.
    Open = 14, "OPEN", since 0;
    /// Reads a file.
    Read = 15, "READ", since 0;
    /// Writes a file.
    Write = 16, "WRITE", since 0;
    /// Space and inodes.
    Statfs = 17, "STATFS", since 0;
    /// The last user of an open file is gone.
    Release = 18, "RELEASE", since 0;
    /// Makes a file durable.
    Fsync = 20, "FSYNC", since 0;
    /// Sets an extended attribute.
    Setxattr = 21, "SETXATTR", since 0;
    /// Gets an extended attribute.
    Getxattr = 22, "GETXATTR", since 0;
    /// Lists extended attributes.
    Listxattr = 23, "LISTXATTR", since 0;
    /// Removes an extended attribute.
    Removexattr = 24, "REMOVEXATTR", since 0;
    /// A descriptor was closed.
    Flush = 25, "FLUSH", since 0;
    /// The handshake.
    Init = 26, "INIT", since 0;
    /// Opens a directory.
    Opendir = 27, "OPENDIR", since 2;
    /// Reads a directory.
    Readdir = 28, "READDIR", since 2;
    /// The last user of an open directory is gone.
    Releasedir = 29, "RELEASEDIR", since 2;
    /// Makes a directory durable.
    Fsyncdir = 30, "FSYNCDIR", since 2;
    /// Tests a POSIX lock.
    Getlk = 31, "GETLK", since 7;
    /// Takes a lock.
    Setlk = 32, "SETLK", since 7;
    /// Takes a lock and waits for it.
    Setlkw = 33, "SETLKW", since 7;
    /// access(2), when the server checks permissions.
    Access = 34, "ACCESS", since 3;
    /// Makes and opens a file.
    Create = 35, "CREATE", since 3;
    /// Nobody waits for that request any more.
    Interrupt = 36, "INTERRUPT", since 7;
    /// Where on the device a block of a file is.
    Bmap = 37, "BMAP", since 8;
    /// The end.
    Destroy = 38, "DESTROY", since 8;
    /// ioctl(2).
    Ioctl = 39, "IOCTL", since 11;
    /// poll(2).
    Poll = 40, "POLL", since 11;
    /// Answers a notification that asked for data.
    NotifyReply = 41, "NOTIFY_REPLY", since 15;
    /// Many FORGETs. No reply.
    BatchForget = 42, "BATCH_FORGET", since 16;
    /// fallocate(2).
    Fallocate = 43, "FALLOCATE", since 19;
    /// Reads a directory and looks up what is in it.
    Readdirplus = 44, "READDIRPLUS", since 21;
    /// Moves or swaps names.
    Rename2 = 45, "RENAME2", since 23;
    /// Finds data or a hole.
    Lseek = 46, "LSEEK", since 24;
    /// copy_file_range(2).
    CopyFileRange = 47, "COPY_FILE_RANGE", since 28;
    /// Of DAX windows.
    Setupmapping = 48, "SETUPMAPPING", since 31;
    /// Of DAX windows.
    Removemapping = 49, "REMOVEMAPPING", since 31;
    /// Makes everything durable.
    Syncfs = 50, "SYNCFS", since 34;
    /// Makes a file without a name.
    Tmpfile = 51, "TMPFILE", since 37;
    /// Attributes, birth included.
    Statx = 52, "STATX", since 39;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_operation_name_each_other() {
        for &opcode in Opcode::ALL {
            assert_eq!(Opcode::from_raw(opcode as u32), Some(opcode));
            assert!(
                !PRIVATE.contains(&(opcode as u32)),
                "{} in the private range",
                opcode.name()
            );
        }
        assert_eq!(Opcode::from_raw(7), None);
    }
}
