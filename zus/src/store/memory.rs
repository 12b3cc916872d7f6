// SPDX-License-Identifier: MIT
//! A medium that is forgotten: for tests, and for file systems that need not last.

use std::io;
use std::sync::atomic::{Ordering, compiler_fence};

use relay::memory::Window;

use super::mapping::Mapping;
use super::{Error, Store};

/// Memory of this process as a medium. It takes as much as was stored to.
#[derive(Debug)]
pub struct Memory(Mapping);

impl Memory {
    /// A medium of `len` zero bytes, more than 0.
    ///
    /// # Errors
    ///
    /// When this process cannot map as much.
    pub fn new(len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Mapping::anonymous(len).map(Self)
    }
}

impl Store for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn load(&self, offset: u64) -> u64 {
        self.0.word(offset).load()
    }
    fn read(&self, offset: u64, to: &mut [u8]) {
        self.0.window(offset, to.len() as u64).read(0, to);
    }
    fn copy_to(&self, offset: u64, to: Window<'_>) {
        to.copy_from(self.0.window(offset, to.len() as u64));
    }
    fn store(&self, offset: u64, word: u64) {
        self.0.word(offset).store(word);
    }
    fn change(&self, offset: u64, clear: u64, set: u64) {
        self.0.word(offset).change(clear, set);
    }
    fn write(&self, offset: u64, bytes: &[u8]) {
        self.0.window(offset, bytes.len() as u64).write(0, bytes);
    }
    fn copy_from(&self, offset: u64, from: Window<'_>) {
        self.0.window(offset, from.len() as u64).copy_from(from);
    }
    fn zero(&self, offset: u64, len: u64) {
        self.0.window(offset, len).zero();
    }
    fn flush(&self, _: u64, _: u64) {}
    fn fence(&self) {
        compiler_fence(Ordering::SeqCst);
    }
    fn reserve(&self, _: u64, _: u64) -> Result<(), Error> {
        Ok(())
    }
    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        let memory = Memory::new(1 << 45).unwrap(); // far more than there is: takes nothing yet
        memory.write(4093, b"across");
        let mut bytes = [0; 8];
        memory.read(4092, &mut bytes);
        assert_eq!(&bytes, b"\0across\0");
        memory.store(1 << 44, 0xf0);
        memory.change(1 << 44, 0x30, 0x07);
        assert_eq!(memory.load(1 << 44), 0xc7);
        memory.zero(4094, 2);
        memory.read(4092, &mut bytes);
        assert_eq!(&bytes, b"\0a\0\0oss\0");
    }

    #[test]
    #[should_panic(expected = "8 bytes at")]
    fn a_range_outside_is_a_bug() {
        Memory::new(4096).unwrap().store(4096, 1);
    }
}
