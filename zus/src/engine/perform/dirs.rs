// SPDX-License-Identifier: MIT
//! Reading directories: records are put into the data window one behind the other.

use std::sync::atomic::Ordering;

use relay::memory::Window;
use zerocopy::IntoBytes;
use zus_protocol::{Dirent, Direntplus, EntryOut, OpenIn, OpenOut, ReadIn, fopen, rec_align};

use super::Context;
use super::attrs::type_bits;
use crate::engine::{Answer, Open, Refusal};
use crate::fs::{DirEntry, Error, Kind, Name};

/// The longest record: that of READDIRPLUS with the longest name.
const LONGEST: usize = rec_align(size_of::<Direntplus>() + Name::MAX);

impl Context<'_> {
    pub(super) fn opendir(&mut self, o: &OpenIn) -> Result<Answer, Refusal> {
        if self.is_kernel() && self.session.opendirs_are_free.load(Ordering::Relaxed) {
            return Err(Refusal::NoSuchOperation);
        }
        let ino = self.request.ino;
        if self.session.fs().getattr(ino)?.kind != Kind::Directory {
            return Err(Error::NotDirectory.into());
        }
        let mut out = OpenOut {
            open_flags: fopen::KEEP_CACHE | fopen::CACHE_DIR,
            ..Default::default()
        };
        if !self.is_kernel() {
            out.fh = self.give_handle(ino, o.flags, true)?;
        }
        self.reply.push(&out);
        self.done()
    }

    fn listing(&self, o: &ReadIn) -> Result<Records<'_>, Refusal> {
        if self.open.is_some_and(|open: &Open| !open.directory) {
            return Err(Refusal::BadHandle);
        }
        let window = self.data.slice(0..o.size as usize).ok_or(Refusal::Malformed)?;
        Ok(Records { window, len: 0 })
    }

    pub(super) fn readdir(&mut self, o: &ReadIn) -> Result<Answer, Refusal> {
        let mut records = self.listing(o)?;
        let mut too_small = false;
        self.session
            .fs()
            .readdir(self.request.ino, o.offset, &mut |entry| {
                let fits = records.push(&[dirent(entry).as_bytes()], entry.name);
                too_small = !fits && records.len == 0;
                fits
            })?;
        self.listed(records.len, too_small)
    }

    pub(super) fn readdirplus(&mut self, o: &ReadIn) -> Result<Answer, Refusal> {
        let mut records = self.listing(o)?;
        // Names first, inodes after: a file system is not called from inside its own call.
        let mut found: Vec<(Dirent, Range)> = Vec::new();
        let mut names: Vec<u8> = Vec::new();
        let mut room = records.window.len();
        let mut too_small = false;
        self.session
            .fs()
            .readdir(self.request.ino, o.offset, &mut |entry| {
                let len = rec_align(size_of::<Direntplus>() + entry.name.len());
                let fits = entry.name.len() <= Name::MAX && len <= room;
                if fits {
                    room -= len;
                    let start = names.len();
                    names.extend_from_slice(entry.name);
                    found.push((dirent(entry), start..names.len()));
                }
                too_small = !fits && found.is_empty();
                fits
            })?;
        for (dirent, range) in found {
            let name = &names[range];
            let entry_out = self.look_into(name);
            let fits = records.push(&[entry_out.as_bytes(), dirent.as_bytes()], name);
            debug_assert!(fits, "room was counted");
        }
        let len = records.len;
        self.listed(len, too_small)
    }

    /// What LOOKUP would say of an entry; nothing of "." and ".." (which take no reference) and of what has
    /// just gone.
    fn look_into(&self, name: &[u8]) -> EntryOut {
        let Ok(name) = Name::new(name) else {
            return EntryOut::default();
        };
        match self.session.fs().lookup(self.request.ino, name) {
            Ok(entry) => self.session.tell(&entry),
            Err(_) => EntryOut::default(),
        }
    }

    fn listed(&mut self, len: usize, too_small: bool) -> Result<Answer, Refusal> {
        if too_small {
            return Err(Error::Invalid.into());
        }
        Ok(self.reply.end(len))
    }
}

type Range = std::ops::Range<usize>;

/// The records so far.
struct Records<'a> {
    window: Window<'a>,
    len: usize,
}

impl Records<'_> {
    /// Adds one, if there is room.
    fn push(&mut self, parts: &[&[u8]], name: &[u8]) -> bool {
        let mut record = [0; LONGEST];
        let mut len = 0;
        for part in parts.iter().chain([&name]) {
            let Some(place) = record.get_mut(len..len + part.len()) else {
                return false; // a name that is none: a file system's mistake ends the listing here
            };
            place.copy_from_slice(part);
            len += part.len();
        }
        let len = rec_align(len);
        if len > self.window.len() - self.len {
            return false;
        }
        self.window.write(self.len, &record[..len]);
        self.len += len;
        true
    }
}

fn dirent(entry: &DirEntry<'_>) -> Dirent {
    Dirent {
        ino: entry.ino,
        off: entry.cookie,
        namelen: entry.name.len() as u32,
        type_: type_bits(entry.kind) >> 12,
    }
}
