// SPDX-License-Identifier: MIT
//! A medium that bytes are stored to: an image file today, persistent memory later.
//!
//! All stores of a file system go through the one trait [`Store`]. That is where its order is made
//! (flush, fence), where a crash checker listens, and the only way down to memory.

mod image;
#[allow(unsafe_code)] // the one file whose job it is
mod mapping;
mod memory;

use relay::memory::Window;

pub use image::{Access, Image, ImageError};
pub use memory::Memory;

/// Why a medium did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The host has no space left for what would be stored.
    #[error("no space left on the host")]
    NoSpace,
    /// The medium failed.
    #[error("the medium failed")]
    Io,
}

/// A medium of [`len`](Store::len) bytes that can be loaded from and stored to like memory.
///
/// **Order.** What one thread stores reaches the medium in any order, until it has been
/// [flushed](Store::flush) and a [fence](Store::fence) by the same thread has followed. An aligned word
/// ([`store`](Store::store), [`change`](Store::change)) is never torn; longer stores may be, at words.
///
/// **Space.** A range is [reserved](Store::reserve) before anything is stored to it. What was never
/// stored to reads as zeroes.
///
/// **Panics.** Ranges outside the medium are bugs of the caller, who checks what it read before it follows
/// it: every method panics on them.
pub trait Store: Send + Sync {
    /// Its size in bytes.
    fn len(&self) -> u64;

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word at `offset`, a multiple of 8.
    fn load(&self, offset: u64) -> u64;

    /// Copies the bytes at `offset` to `to`.
    fn read(&self, offset: u64, to: &mut [u8]);

    /// Copies the bytes at `offset` to all of `to`.
    fn copy_to(&self, offset: u64, to: Window<'_>);

    /// Stores `word` at `offset`, a multiple of 8, at once.
    fn store(&self, offset: u64, word: u64);

    /// In the word at `offset`, a multiple of 8, clears the bits in `clear` and sets those in `set`, at once
    /// and without losing what other threads change in it.
    fn change(&self, offset: u64, clear: u64, set: u64);

    /// Stores `bytes` at `offset`.
    fn write(&self, offset: u64, bytes: &[u8]);

    /// Stores all of `from` at `offset`.
    fn copy_from(&self, offset: u64, from: Window<'_>);

    /// Stores `len` zero bytes at `offset`.
    fn zero(&self, offset: u64, len: u64);

    /// Sends what this thread stored to the range on its way to the medium.
    fn flush(&self, offset: u64, len: u64);

    /// Whatever this thread flushed before is on the medium before whatever it stores afterwards.
    fn fence(&self);

    /// Makes sure that the host has space for the range. Cheap once it has.
    fn reserve(&self, offset: u64, len: u64) -> Result<(), Error>;

    /// Returns when everything that was stored, flushed and fenced before survives a loss of power.
    fn sync(&self) -> Result<(), Error>;

    /// Lets others have the medium. Nothing is stored to it afterwards.
    fn release(&self) {}
}

impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    fn len(&self) -> u64 {
        (**self).len()
    }
    fn load(&self, offset: u64) -> u64 {
        (**self).load(offset)
    }
    fn read(&self, offset: u64, to: &mut [u8]) {
        (**self).read(offset, to);
    }
    fn copy_to(&self, offset: u64, to: Window<'_>) {
        (**self).copy_to(offset, to);
    }
    fn store(&self, offset: u64, word: u64) {
        (**self).store(offset, word);
    }
    fn change(&self, offset: u64, clear: u64, set: u64) {
        (**self).change(offset, clear, set);
    }
    fn write(&self, offset: u64, bytes: &[u8]) {
        (**self).write(offset, bytes);
    }
    fn copy_from(&self, offset: u64, from: Window<'_>) {
        (**self).copy_from(offset, from);
    }
    fn zero(&self, offset: u64, len: u64) {
        (**self).zero(offset, len);
    }
    fn flush(&self, offset: u64, len: u64) {
        (**self).flush(offset, len);
    }
    fn fence(&self) {
        (**self).fence();
    }
    fn reserve(&self, offset: u64, len: u64) -> Result<(), Error> {
        (**self).reserve(offset, len)
    }
    fn sync(&self) -> Result<(), Error> {
        (**self).sync()
    }
    fn release(&self) {
        (**self).release();
    }
}
