// SPDX-License-Identifier: MIT
//! Reading directories.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;

use zerocopy::{FromBytes, IntoBytes};
use zus_protocol::{Dirent, Opcode, OpenOut, ReadIn, ReleaseIn, rec_align};

use crate::node::Node;
use crate::path::os;
use crate::stat::FileKind;

/// How much is read at once, in bytes.
const BATCH: usize = 32 << 10;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The inode that it names.
    pub ino: u64,
    /// What that is.
    pub kind: FileKind,
    /// Its name.
    pub name: OsString,
}

/// The entries of a directory, "." and ".." left out.
pub struct ReadDir {
    node: Node,
    fh: u64,
    /// Records that were read and not given out yet.
    batch: Vec<u8>,
    at: usize,
    /// Where the next batch starts.
    cookie: u64,
    done: bool,
}

impl ReadDir {
    pub(crate) fn new(node: Node, open: &OpenOut) -> Self {
        Self {
            node,
            fh: open.fh,
            batch: Vec::new(),
            at: 0,
            cookie: 0,
            done: false,
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let link = &self.node.link;
        let read = ReadIn {
            fh: self.fh,
            offset: self.cookie,
            size: link.max_data.min(BATCH) as u32,
            ..Default::default()
        };
        let mut channel = link.channel();
        let answer = channel.call(Opcode::Readdir, self.node.ino, &[read.as_bytes()], 0)?;
        let data = answer.data()?;
        self.batch.resize(data.len(), 0);
        data.read(0, &mut self.batch);
        self.at = 0;
        Ok(())
    }

    fn entry(&mut self) -> io::Result<Option<DirEntry>> {
        loop {
            if self.at >= self.batch.len() {
                self.read()?;
                if self.batch.is_empty() {
                    return Ok(None);
                }
            }
            let (record, cookie, len) = record(&self.batch[self.at..]).ok_or_else(|| os(libc::EPROTO))?;
            self.at += len;
            self.cookie = cookie;
            if record.name != "." && record.name != ".." {
                return Ok(Some(record));
            }
        }
    }
}

/// The first record of `batch`, the cookie behind it, and its length.
fn record(batch: &[u8]) -> Option<(DirEntry, u64, usize)> {
    let (head, rest) = Dirent::read_from_prefix(batch).ok()?;
    let name = rest.get(..head.namelen as usize)?;
    let entry = DirEntry {
        ino: head.ino,
        kind: FileKind::of_mode(head.type_ << 12),
        name: OsString::from_vec(name.to_vec()),
    };
    Some((entry, head.off, rec_align(size_of::<Dirent>() + name.len())))
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let entry = self.entry().transpose();
        self.done = !matches!(entry, Some(Ok(_)));
        entry
    }
}

impl Drop for ReadDir {
    fn drop(&mut self) {
        let release = ReleaseIn {
            fh: self.fh,
            ..Default::default()
        };
        let mut channel = self.node.link.channel();
        // Nobody could do anything about it.
        let _ = channel.call(Opcode::Releasedir, self.node.ino, &[release.as_bytes()], 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_apart_and_broken_ones_refused() {
        let head = Dirent {
            ino: 7,
            off: 3,
            namelen: 5,
            type_: libc::S_IFDIR >> 12,
        };
        let bytes = [head.as_bytes(), b"hello\0\0\0"].concat();
        let (entry, cookie, len) = record(&bytes).unwrap();
        assert_eq!((entry.ino, cookie, len), (7, 3, 32));
        assert_eq!(
            (entry.kind, entry.name.to_str()),
            (FileKind::Directory, Some("hello"))
        );
        assert!(record(&bytes[..28]).is_none());
        assert!(record(&bytes[..20]).is_none());
    }
}
