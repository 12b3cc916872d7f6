// SPDX-License-Identifier: MIT
//! Operations on open files.

use std::sync::atomic::Ordering;

use zus_protocol::{
    FallocateIn, FsyncIn, LseekIn, LseekOut, OpenIn, OpenOut, ReadIn, ReleaseIn, WriteIn, WriteOut, fopen,
    fsync, write,
};

use super::Context;
use crate::engine::{Answer, Open, Refusal};
use crate::fs::{Error, FallocateMode, Ino, Kind, Seek, SetAttr, SetTime};

/// The largest offset of a file, in bytes: that of `loff_t`.
const MAX_OFFSET: u64 = i64::MAX as u64;

impl Context<'_> {
    /// Opens an inode for a client.
    pub(super) fn give_handle(&self, ino: Ino, flags: u32, directory: bool) -> Result<u64, Refusal> {
        let flags = flags as i32;
        let handle = self.session.handles.open(Open {
            ino,
            flags,
            directory,
        })?;
        self.session.references.opened(ino);
        Ok(handle)
    }

    pub(super) fn open(&mut self, o: &OpenIn) -> Result<Answer, Refusal> {
        // The kernel then opens files by itself and asks no more, not even when they are closed.
        if self.is_kernel() && self.session.opens_are_free.load(Ordering::Relaxed) {
            return Err(Refusal::NoSuchOperation);
        }
        let ino = self.request.ino;
        let attr = self.session.fs().getattr(ino)?;
        let writes = o.flags as i32 & libc::O_ACCMODE != libc::O_RDONLY;
        match attr.kind {
            Kind::Directory if writes => return Err(Error::IsDirectory.into()),
            Kind::File | Kind::Directory => {}
            _ => return Err(Error::Invalid.into()),
        }
        let mut out = OpenOut {
            open_flags: fopen::KEEP_CACHE | fopen::NOFLUSH,
            ..Default::default()
        };
        if !self.is_kernel() {
            if o.flags as i32 & libc::O_TRUNC != 0 {
                self.truncate()?;
            }
            out.fh = self.give_handle(ino, o.flags, false)?;
        }
        self.reply.push(&out);
        self.done()
    }

    fn truncate(&self) -> Result<(), Refusal> {
        self.drop_set_id()?;
        let changes = SetAttr {
            size: Some(0),
            mtime: Some(SetTime::Now),
            ..Default::default()
        };
        self.session.fs().setattr(self.request.ino, &changes)?;
        Ok(())
    }

    /// A client may use a file as it opened it; of the kernel, nothing is known here and all is in order.
    fn may(&self, how: fn(&Open) -> bool) -> Result<(), Refusal> {
        match self.open {
            Some(open) if !how(open) => Err(Refusal::BadHandle),
            _ => Ok(()),
        }
    }

    pub(super) fn read(&mut self, o: &ReadIn) -> Result<Answer, Refusal> {
        self.may(Open::readable)?;
        let size = o.size as usize;
        let window = self.data.slice(0..size).ok_or(Refusal::Malformed)?;
        if o.offset > MAX_OFFSET {
            return Err(Error::Invalid.into());
        }
        let read = self.session.fs().read(self.request.ino, o.offset, window)?;
        if read > size {
            tracing::error!(
                ino = self.request.ino,
                read,
                size,
                "more was read than there was room for"
            );
            return Err(Error::Io.into());
        }
        Ok(self.reply.end(read))
    }

    pub(super) fn write(&mut self, o: &WriteIn) -> Result<Answer, Refusal> {
        self.may(Open::writable)?;
        let (fs, ino) = (self.session.fs(), self.request.ino);
        let size = o.size as usize;
        let window = self.data.slice(0..size).ok_or(Refusal::Malformed)?;
        if o.write_flags & write::KILL_SUIDGID != 0 || !self.is_kernel() {
            self.drop_set_id()?;
        }
        let flags = self.open.map_or(0, |open| open.flags) | o.flags as i32;
        let appending = !self.is_kernel() && flags & libc::O_APPEND != 0;
        let _exclusion = appending.then(|| self.session.mount().appending(ino));
        let offset = if appending {
            fs.getattr(ino)?.size
        } else {
            o.offset
        };
        // A write that reaches beyond the last offset stops there, as on every file system.
        let room = MAX_OFFSET.saturating_sub(offset).min(size as u64) as usize;
        if room == 0 && size > 0 {
            return Err(Error::TooLarge.into());
        }
        let window = window.slice(0..room).ok_or(Refusal::Malformed)?;
        // After a synchronous write the kernel sends FSYNC, which is then the one that waits for the
        // medium; a client over shared memory does not.
        let sync = !self.is_kernel() && flags & libc::O_DSYNC != 0;
        let written = fs.write(ino, offset, window, sync)?;
        if written > room {
            tracing::error!(ino, written, room, "more was written than there was");
            return Err(Error::Io.into());
        }
        self.reply.push(&WriteOut {
            size: written as u32,
            ..Default::default()
        });
        self.done()
    }

    /// Nothing waits for a close: what was written is with the file system.
    pub(super) fn flush(&mut self) -> Result<Answer, Refusal> {
        if self.is_kernel() {
            return Err(Refusal::NoSuchOperation);
        }
        self.done()
    }

    pub(super) fn release(&mut self, o: &ReleaseIn) -> Result<Answer, Refusal> {
        if !self.is_kernel() {
            let open = self.session.handles.close(o.fh)?;
            self.session.references.closed(open.ino, self.session.fs());
        }
        self.done()
    }

    pub(super) fn fsync(&mut self, o: &FsyncIn) -> Result<Answer, Refusal> {
        let data_only = o.fsync_flags & fsync::FDATASYNC != 0;
        self.session.fs().fsync(self.request.ino, data_only)?;
        self.done()
    }

    pub(super) fn lseek(&mut self, o: &LseekIn) -> Result<Answer, Refusal> {
        let what = match o.whence as i32 {
            libc::SEEK_DATA => Seek::Data,
            libc::SEEK_HOLE => Seek::Hole,
            _ => return Err(Error::Invalid.into()),
        };
        let offset = match self.session.fs().seek(self.request.ino, o.offset, what) {
            // The kernel then takes each file for one piece of data.
            Err(Error::Unsupported) => return Err(Refusal::NoSuchOperation),
            found => found?,
        };
        self.reply.push(&LseekOut { offset });
        self.done()
    }

    pub(super) fn fallocate(&mut self, o: &FallocateIn) -> Result<Answer, Refusal> {
        self.may(Open::writable)?;
        let keep_size = o.mode as i32 & libc::FALLOC_FL_KEEP_SIZE != 0;
        let mode = match o.mode as i32 & !libc::FALLOC_FL_KEEP_SIZE {
            0 => FallocateMode::Reserve { keep_size },
            libc::FALLOC_FL_PUNCH_HOLE if keep_size => FallocateMode::PunchHole,
            libc::FALLOC_FL_ZERO_RANGE => FallocateMode::Zero { keep_size },
            _ => return Err(Error::Unsupported.into()),
        };
        if o.length == 0 {
            return Err(Error::Invalid.into());
        }
        if o.offset.checked_add(o.length).is_none_or(|end| end > MAX_OFFSET) {
            return Err(Error::TooLarge.into());
        }
        self.session
            .fs()
            .fallocate(self.request.ino, o.offset, o.length, mode)?;
        self.done()
    }
}
