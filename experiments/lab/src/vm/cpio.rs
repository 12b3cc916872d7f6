// SPDX-License-Identifier: MIT
//! Writes the archives that a kernel unpacks into its first root ("newc" cpio).
//! Several of them may follow one another in one file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Bytes to which every archive, and every entry in it, is padded.
const ALIGN: usize = 4;

/// An archive under construction.
pub struct Cpio<W> {
    sink: W,
    written: usize,
    inode: u32,
}

impl<W: Write> Cpio<W> {
    /// Begins one.
    pub fn new(sink: W) -> Self {
        Self {
            sink,
            written: 0,
            inode: 0,
        }
    }

    /// Adds a directory, whose parent must have been added.
    pub fn dir(&mut self, name: &str) -> io::Result<()> {
        self.entry(name, 0o040_755, &[])
    }

    /// Adds a file with `contents` and the permission bits `mode`.
    pub fn file(&mut self, name: &str, mode: u32, contents: &[u8]) -> io::Result<()> {
        self.entry(name, 0o100_000 | mode, contents)
    }

    /// Adds a copy of the file at `path`, executable.
    pub fn copy(&mut self, name: &str, path: &Path) -> io::Result<()> {
        self.file(name, 0o755, &fs::read(path)?)
    }

    /// Ends it.
    pub fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let len = u32::try_from(contents.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let name_len = name.len() as u32 + 1;
        // inode, mode, uid, gid, links, time, length, device, special device, name's length, check sum
        let fields = [self.inode, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, name_len, 0];
        let mut header = b"070701".to_vec();
        for field in fields {
            write!(header, "{field:08x}")?;
        }
        header.extend(name.as_bytes());
        header.push(0);
        self.padded(&header)?;
        self.padded(contents)
    }

    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)?;
        self.written += bytes.len();
        let padding = self.written.next_multiple_of(ALIGN) - self.written;
        self.written += padding;
        self.sink.write_all(&[0; ALIGN][..padding])
    }
}

#[cfg(test)]
mod tests {
    use super::Cpio;

    #[test]
    fn entries_are_aligned_and_the_archive_ends_in_its_trailer() {
        let mut cpio = Cpio::new(Vec::new());
        cpio.dir("a").unwrap();
        cpio.file("a/bc", 0o755, b"12345").unwrap();
        let bytes = cpio.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        // Entry one: 110 bytes of header and "a\0" are 112. Entry two follows at once.
        assert_eq!(&bytes[112..118], b"070701");
        assert_eq!(&bytes[112 + 14..112 + 22], b"000081ed");
        // Its header and "a/bc\0" end at 115, so its contents are at 116.
        assert_eq!(&bytes[112 + 116..112 + 121], b"12345");
        assert!(bytes.windows(10).any(|name| name == b"TRAILER!!!"));
    }
}
