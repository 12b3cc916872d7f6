// SPDX-License-Identifier: MIT
//! The operations themselves: 4 KiB at a random place in a file, past the page cache, through the kernel
//! or through shared memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of an operation.
pub const BLOCK: usize = 4096;
/// Blocks of the file: 16 MiB, more than the caches near a CPU hold.
const BLOCKS: u64 = 4096;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A write that is durable when it returns (O_SYNC). The kernel makes two requests of it, WRITE and
    /// FSYNC; a client one.
    Write,
    /// A write that need not be: one request through either.
    WriteOnly,
    /// A read.
    Read,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Write, Self::WriteOnly, Self::Read];

    fn flags(self) -> i32 {
        match self {
            Self::Write | Self::Read => libc::O_SYNC,
            Self::WriteOnly => 0,
        }
    }

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::WriteOnly => "write-only",
            Self::Read => "read",
        }
    }
}

/// A file that blocks are written to and read from.
pub trait Blocks {
    /// Writes at `offset`; the number of bytes.
    fn write(&self, from: &[u8], offset: u64) -> io::Result<usize>;
    /// Reads at `offset`; the number of bytes.
    fn read(&self, to: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Blocks for File {
    #[inline]
    fn write(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        self.write_at(from, offset)
    }

    #[inline]
    fn read(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(to, offset)
    }
}

impl Blocks for libzus::File {
    #[inline]
    fn write(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        self.pwrite(from, offset)
    }

    #[inline]
    fn read(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        self.pread(to, offset)
    }
}

/// The file at `path`, made if it is not there, open past the page cache, and with O_SYNC if `op` is to
/// be durable.
///
/// # Errors
///
/// Those of open(2).
pub fn through_kernel(path: &Path, op: Op) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(libc::O_DIRECT | op.flags()).open(path)
}

/// The same through a client. There is no page cache to pass by.
///
/// # Errors
///
/// The server's.
pub fn through_memory(client: &libzus::Client, op: Op) -> io::Result<libzus::File> {
    let options = libzus::OpenOptions::new().read(true).write(true).create(true);
    client.open("blocks", &options.custom_flags(op.flags()))
}

/// The buffer and the places of one arm.
#[derive(Debug)]
pub struct Walk {
    /// Twice a block, so that one that starts on a block's boundary is in it: O_DIRECT wants that.
    buffer: Vec<u8>,
    start: usize,
    random: u64,
}

impl Walk {
    /// A fresh one.
    pub fn new() -> Self {
        let buffer = vec![0x5a; 2 * BLOCK];
        let start = buffer.as_ptr().align_offset(BLOCK);
        Self {
            buffer,
            start,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Fills a file from its start to its end, and looks whether it keeps what it is given if it should.
    ///
    /// # Errors
    ///
    /// Those of the operations; bytes that come back otherwise.
    pub fn fill(&mut self, file: &impl Blocks, keeps: bool) -> io::Result<()> {
        for block in 0..BLOCKS {
            self.block().fill(block as u8);
            self.once(file, Op::Write, block * BLOCK as u64)?;
        }
        for block in [0, 1, BLOCKS - 1] {
            self.block().fill(0xff);
            self.once(file, Op::Read, block * BLOCK as u64)?;
            if keeps && self.block().iter().any(|&byte| byte != block as u8) {
                return Err(io::Error::other(format!(
                    "block {block} came back with other bytes than were written"
                )));
            }
        }
        Ok(())
    }

    /// One operation at a random block.
    #[inline]
    pub fn step(&mut self, file: &impl Blocks, op: Op) -> io::Result<()> {
        // xorshift: a few instructions, the same walk for every arm.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.once(file, op, self.random % BLOCKS * BLOCK as u64)
    }

    #[inline]
    fn once(&mut self, file: &impl Blocks, op: Op, offset: u64) -> io::Result<()> {
        let done = match op {
            Op::Write | Op::WriteOnly => file.write(self.block(), offset)?,
            Op::Read => file.read(self.block(), offset)?,
        };
        if done == BLOCK {
            Ok(())
        } else {
            Err(short(op, done))
        }
    }

    #[inline]
    fn block(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.start + BLOCK]
    }
}

#[cold]
fn short(op: Op, done: usize) -> io::Error {
    io::Error::other(format!("a {} of {BLOCK} bytes moved {done}", op.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_filled_and_checked_and_walked() {
        let dir = tempfile::tempdir().unwrap();
        // Not every file system takes O_DIRECT; what is tested here is the walk.
        let file = tempfile::tempfile_in(&dir).unwrap();
        let mut walk = Walk::new();
        walk.fill(&file, true).unwrap();
        assert_eq!(file.metadata().unwrap().len(), BLOCKS * BLOCK as u64);
        assert_eq!(walk.block().as_ptr() as usize % BLOCK, 0);
        for op in Op::ALL {
            walk.step(&file, op).unwrap();
        }
        file.set_len(0).unwrap();
        let error = walk.step(&file, Op::Read).unwrap_err().to_string();
        assert_eq!(error, "a read of 4096 bytes moved 0");
    }

    #[test]
    fn a_file_that_does_not_keep_its_bytes_is_noticed() {
        struct Forgets;
        impl Blocks for Forgets {
            fn write(&self, from: &[u8], _: u64) -> io::Result<usize> {
                Ok(from.len())
            }
            fn read(&self, to: &mut [u8], _: u64) -> io::Result<usize> {
                to.fill(0);
                Ok(to.len())
            }
        }
        assert!(Walk::new().fill(&Forgets, false).is_ok());
        assert!(Walk::new().fill(&Forgets, true).is_err());
    }
}
