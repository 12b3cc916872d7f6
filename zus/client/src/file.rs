// SPDX-License-Identifier: MIT
//! Open files.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zerocopy::IntoBytes;
use zus_protocol::{
    AttrOut, FallocateIn, FsyncIn, GetattrIn, LseekIn, LseekOut, Opcode, OpenOut, ReadIn, ReleaseIn,
    SetattrIn, WriteIn, WriteOut, fattr, fsync, getattr,
};

use crate::link::Link;
use crate::node::Node;
use crate::path::os;
use crate::stat::Stat;

/// An open file. Shared by as many threads as like; [`pread`](Self::pread) and [`pwrite`](Self::pwrite) do
/// not touch its position. Closed when dropped.
pub struct File {
    node: Node,
    fh: u64,
    flags: u32,
    position: Mutex<Position>,
    open: bool,
}

/// Where the next read or write is.
enum Position {
    At(u64),
    /// At the end, wherever that is: an append came last.
    End,
}

impl File {
    /// The file that an answer to OPEN or CREATE gave.
    pub(crate) fn new(node: Node, open: &OpenOut, flags: u32) -> Self {
        Self {
            node,
            fh: open.fh,
            flags,
            position: Mutex::new(Position::At(0)),
            open: true,
        }
    }

    #[inline]
    fn link(&self) -> &Arc<Link> {
        &self.node.link
    }

    /// Reads at `offset` until `to` is full or the file ends. Returns the number of bytes.
    pub fn pread(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < to.len() {
            let part = &mut to[done..];
            let wanted = part.len().min(self.link().max_data);
            let got = match self.read_part(&mut part[..wanted], offset.wrapping_add(done as u64)) {
                Ok(got) => got,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            done += got;
            if got < wanted {
                break;
            }
        }
        Ok(done)
    }

    #[inline]
    fn read_part(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = ReadIn {
            fh: self.fh,
            offset,
            size: to.len() as u32,
            flags: self.flags,
            ..Default::default()
        };
        let mut channel = self.link().channel();
        let answer = channel.call(Opcode::Read, self.node.ino, &[read.as_bytes()], 0)?;
        let data = answer.data()?;
        let to = to.get_mut(..data.len()).ok_or_else(|| os(libc::EPROTO))?;
        data.read(0, to);
        Ok(to.len())
    }

    /// Writes all of `from` at `offset` (at the end of a file opened to append). Returns the number of bytes,
    /// fewer only if an error came after some, such as a full medium.
    pub fn pwrite(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < from.len() {
            let part = &from[done..];
            let part = &part[..part.len().min(self.link().max_data)];
            let got = match self.write_part(part, offset.wrapping_add(done as u64)) {
                Ok(got) => got,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            done += got;
            if got < part.len() {
                break;
            }
        }
        Ok(done)
    }

    #[inline]
    fn write_part(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        let write = WriteIn {
            fh: self.fh,
            offset,
            size: from.len() as u32,
            flags: self.flags,
            ..Default::default()
        };
        let mut channel = self.link().channel();
        channel.window().write(0, from);
        let answer = channel.call(Opcode::Write, self.node.ino, &[write.as_bytes()], from.len())?;
        let out: WriteOut = answer.body()?;
        match out.size as usize {
            size if size <= from.len() => Ok(size),
            _ => Err(os(libc::EPROTO)),
        }
    }

    /// Reads at the position, and moves it.
    pub fn read(&self, to: &mut [u8]) -> io::Result<usize> {
        let mut position = self.position();
        let at = self.resolve(&mut position)?;
        let got = self.pread(to, at)?;
        *position = Position::At(at + got as u64);
        Ok(got)
    }

    /// Writes at the position, and moves it.
    pub fn write(&self, from: &[u8]) -> io::Result<usize> {
        let mut position = self.position();
        if self.appends() {
            let got = self.pwrite(from, 0)?;
            *position = Position::End;
            return Ok(got);
        }
        let at = self.resolve(&mut position)?;
        let got = self.pwrite(from, at)?;
        *position = Position::At(at + got as u64);
        Ok(got)
    }

    /// Moves the position. Returns where it is then, in bytes from the start.
    pub fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        let mut position = self.position();
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.resolve(&mut position)?, by),
            SeekFrom::End(by) => (self.stat()?.size, by),
        };
        let at = base
            .checked_add_signed(by)
            .filter(|&at| i64::try_from(at).is_ok());
        let at = at.ok_or_else(|| os(libc::EINVAL))?;
        *position = Position::At(at);
        Ok(at)
    }

    /// The next data at or behind `offset`; `ENXIO` if there are none.
    pub fn seek_data(&self, offset: u64) -> io::Result<u64> {
        self.lseek(offset, libc::SEEK_DATA)
    }

    /// The next hole at or behind `offset`, the end of the file included; `ENXIO` behind that.
    pub fn seek_hole(&self, offset: u64) -> io::Result<u64> {
        self.lseek(offset, libc::SEEK_HOLE)
    }

    fn lseek(&self, offset: u64, whence: i32) -> io::Result<u64> {
        let lseek = LseekIn {
            fh: self.fh,
            offset,
            whence: whence as u32,
            padding: 0,
        };
        let mut channel = self.link().channel();
        let out: LseekOut = channel
            .call(Opcode::Lseek, self.node.ino, &[lseek.as_bytes()], 0)?
            .body()?;
        Ok(out.offset)
    }

    /// Its attributes.
    pub fn stat(&self) -> io::Result<Stat> {
        let getattr = GetattrIn {
            getattr_flags: getattr::FH,
            fh: self.fh,
            ..Default::default()
        };
        let mut channel = self.link().channel();
        let out: AttrOut = channel
            .call(Opcode::Getattr, self.node.ino, &[getattr.as_bytes()], 0)?
            .body()?;
        Ok(Stat::from(&out.attr))
    }

    /// Cuts it off at `size` bytes, or extends it with a hole.
    pub fn truncate(&self, size: u64) -> io::Result<()> {
        let setattr = SetattrIn {
            valid: fattr::SIZE | fattr::FH,
            fh: self.fh,
            size,
            ..Default::default()
        };
        let mut channel = self.link().channel();
        channel.call(Opcode::Setattr, self.node.ino, &[setattr.as_bytes()], 0)?;
        Ok(())
    }

    /// Reserves, frees or zeroes a range, as fallocate(2); `mode` is a sum of `FALLOC_FL_*`.
    pub fn fallocate(&self, mode: i32, offset: u64, length: u64) -> io::Result<()> {
        let fallocate = FallocateIn {
            fh: self.fh,
            offset,
            length,
            mode: mode as u32,
            padding: 0,
        };
        let mut channel = self.link().channel();
        channel.call(Opcode::Fallocate, self.node.ino, &[fallocate.as_bytes()], 0)?;
        Ok(())
    }

    /// Makes its contents and attributes durable.
    pub fn fsync(&self) -> io::Result<()> {
        self.sync(0)
    }

    /// Makes its contents durable, and of the attributes what finding them takes.
    pub fn fdatasync(&self) -> io::Result<()> {
        self.sync(fsync::FDATASYNC)
    }

    fn sync(&self, fsync_flags: u32) -> io::Result<()> {
        let fsync = FsyncIn {
            fh: self.fh,
            fsync_flags,
            padding: 0,
        };
        let mut channel = self.link().channel();
        channel.call(Opcode::Fsync, self.node.ino, &[fsync.as_bytes()], 0)?;
        Ok(())
    }

    /// Closes it, and says if that failed, which dropping does not.
    pub fn close(mut self) -> io::Result<()> {
        self.release()
    }

    fn release(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        let release = ReleaseIn {
            fh: self.fh,
            flags: self.flags,
            ..Default::default()
        };
        let mut channel = self.link().channel();
        channel.call(Opcode::Release, self.node.ino, &[release.as_bytes()], 0)?;
        Ok(())
    }

    fn appends(&self) -> bool {
        self.flags & libc::O_APPEND as u32 != 0
    }

    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position in bytes from the start.
    fn resolve(&self, position: &mut Position) -> io::Result<u64> {
        match *position {
            Position::At(at) => Ok(at),
            Position::End => Ok(self.stat()?.size),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.release();
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File")
            .field("ino", &self.node.ino)
            .field("fh", &self.fh)
            .finish_non_exhaustive()
    }
}

impl Read for &File {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        File::read(self, to)
    }
}

impl Write for &File {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        File::write(self, from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // nothing is held back here
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        File::seek(self, to)
    }
}

impl Read for File {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        File::read(self, to)
    }
}

impl Write for File {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        File::write(self, from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        File::seek(self, to)
    }
}
