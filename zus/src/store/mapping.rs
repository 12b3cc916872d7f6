// SPDX-License-Identifier: MIT
//! Mapped memory: the one place where a medium is addresses.

use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use relay::memory::Window;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// A mapping of a whole file, or of no file, readable and writable until it is dropped.
#[derive(Debug)]
pub struct Mapping {
    start: *mut u8,
    len: usize,
}

// SAFETY: the mapping belongs to the value, not to a thread; its bytes are only reached through atomic
// words and `Window`, which tolerates concurrent writers.
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of `file`, which has as many. What is stored goes to the file
    /// (`shared`), or into private memory that takes the place of the file's from then on.
    pub fn of_file(file: &File, len: usize, shared: bool) -> io::Result<Self> {
        if len == 0 {
            return Ok(Self {
                start: ptr::null_mut(),
                len,
            });
        }
        let flags = if shared {
            MapFlags::SHARED
        } else {
            MapFlags::PRIVATE | MapFlags::NORESERVE
        };
        // SAFETY: the kernel chooses the place, so no memory of ours is replaced.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                flags,
                file,
                0,
            )
        }?;
        Ok(Self {
            start: start.cast(),
            len,
        })
    }

    /// Maps `len` zero bytes, more than 0, that take memory once they are stored to.
    pub fn anonymous(len: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the kernel chooses the place, so no memory of ours is replaced.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags) }?;
        Ok(Self {
            start: start.cast(),
            len,
        })
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The `len` bytes at `offset`.
    ///
    /// # Panics
    ///
    /// If they are not all inside.
    #[inline]
    pub fn window(&self, offset: u64, len: u64) -> Window<'_> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len as u64);
        assert!(inside, "{len} bytes at {offset} of {}", self.len);
        // SAFETY: inside the mapping, which lives as long as `self`, and no reference to its bytes
        // is ever made.
        unsafe { Window::from_raw(self.start.add(offset as usize), len as usize) }
    }

    /// The word at `offset`.
    ///
    /// # Panics
    ///
    /// If it is not inside, or not aligned.
    #[inline]
    pub fn word(&self, offset: u64) -> Word<'_> {
        assert!(offset.is_multiple_of(8), "a word at {offset}");
        let start = self.window(offset, 8).as_ptr().cast();
        // SAFETY: mapped for the life of `self`, aligned as just checked (mappings start at pages), and
        // every access to these bytes is atomic or raw.
        Word(unsafe { AtomicU64::from_ptr(start) })
    }
}

/// An aligned word of a mapping.
///
/// All accesses are relaxed: what threads must see of each other is ordered by the locks of whoever
/// owns the medium, and what reaches the medium by flushes and fences.
pub struct Word<'a>(&'a AtomicU64);

impl Word<'_> {
    /// Its value.
    #[inline]
    pub fn load(&self) -> u64 {
        u64::from_le(self.0.load(Ordering::Relaxed))
    }

    /// Replaces it.
    #[inline]
    pub fn store(&self, value: u64) {
        self.0.store(value.to_le(), Ordering::Relaxed);
    }

    /// Clears and sets bits of it.
    #[inline]
    pub fn change(&self, clear: u64, set: u64) {
        if clear != 0 {
            self.0.fetch_and(!clear.to_le(), Ordering::Relaxed);
        }
        if set != 0 {
            self.0.fetch_or(set.to_le(), Ordering::Relaxed);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: mapped by us with this length; the borrow checker has seen all windows end.
            let unmapped = unsafe { munmap(self.start.cast(), self.len) };
            debug_assert!(unmapped.is_ok());
        }
    }
}
