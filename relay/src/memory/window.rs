// SPDX-License-Identifier: MIT
//! Raw memory that somebody else may write at any time: client memory, application pages, a mapped
//! image. It is never a Rust reference, only a [`Window`]: bounds are checked here, once, and bytes
//! are copied by instructions that the compiler cannot see through, so a racing peer can change
//! *what* is copied and nothing else.

use std::marker::PhantomData;
use std::ops::Range;

/// A bounded range of raw memory, shared with whoever else maps it.
///
/// `'a` is the life of the mapping. Copying a window copies the handle, not the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    start: *mut u8,
    len: usize,
    mapping: PhantomData<&'a ()>,
}

// SAFETY: a window only ever copies bytes, with instructions that tolerate concurrent writers; which
// thread does so does not matter.
unsafe impl Send for Window<'_> {}
// SAFETY: as for `Send`: there is no state in the handle that a second thread could disturb.
unsafe impl Sync for Window<'_> {}

impl<'a> Window<'a> {
    /// A window over `len` bytes at `start`.
    ///
    /// # Safety
    ///
    /// For all of `'a`, `start..start + len` is mapped readable and writable, and no Rust reference
    /// to any byte in it is used while the window is.
    pub unsafe fn from_raw(start: *mut u8, len: usize) -> Self {
        Self {
            start,
            len,
            mapping: PhantomData,
        }
    }

    /// A window over memory that is ours alone: how a transport that copies (`/dev/fuse`) and a test
    /// speak the same language as shared memory.
    pub fn private(bytes: &'a mut [u8]) -> Self {
        // SAFETY: the exclusive borrow lasts for `'a`, so the bytes are mapped and nobody else's.
        unsafe { Self::from_raw(bytes.as_mut_ptr(), bytes.len()) }
    }

    /// A window of no bytes.
    pub fn empty() -> Self {
        // SAFETY: no byte is ever accessed.
        unsafe { Self::from_raw(std::ptr::NonNull::dangling().as_ptr(), 0) }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part of it in `range`, or `None` if that reaches outside.
    pub fn slice(&self, range: Range<usize>) -> Option<Window<'a>> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        // SAFETY: inside a range that this window's maker vouched for.
        Some(unsafe { Self::from_raw(self.start.add(range.start), range.end - range.start) })
    }

    /// Copies `to.len()` bytes at `offset` out of it.
    ///
    /// # Panics
    ///
    /// If the range reaches outside: callers have checked lengths from outside before they come here.
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        let from = self
            .slice(offset..offset + to.len())
            .expect("read inside the window");
        // SAFETY: both ranges are mapped for `to.len()` bytes and cannot overlap: `to` is exclusive.
        unsafe { copy(from.start, to.as_mut_ptr(), to.len()) }
    }

    /// Copies `from` into it at `offset`.
    ///
    /// # Panics
    ///
    /// As [`Window::read`].
    pub fn write(&self, offset: usize, from: &[u8]) {
        let to = self
            .slice(offset..offset + from.len())
            .expect("write inside the window");
        // SAFETY: both ranges are mapped for `from.len()` bytes; `from` is not in the window, since
        // no reference to a window's bytes exists.
        unsafe { copy(from.as_ptr(), to.start, from.len()) }
    }

    /// Copies all of `from` into the start of it.
    ///
    /// # Panics
    ///
    /// If `from` is longer.
    pub fn copy_from(&self, from: Window<'_>) {
        assert!(
            from.len <= self.len,
            "copy of {} bytes into {}",
            from.len,
            self.len
        );
        // SAFETY: both ranges are mapped. Should they overlap, which bytes arrive is unspecified,
        // but every access stays inside the two.
        unsafe { copy(from.start, self.start, from.len) }
    }

    /// Fills it with zero bytes.
    pub fn zero(&self) {
        // SAFETY: the whole range is mapped writable.
        unsafe { zero(self.start, self.len) }
    }

    /// Where it starts: for handing to a system call, which copies as raw as we do.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start
    }
}

/// Copies `len` bytes upwards.
///
/// # Safety
///
/// `from` is readable and `to` writable for `len` bytes.
#[inline]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller vouches for both ranges; DF is clear by the ABI. `rep movsb` is the fast
    // path of every x86-64 CPU since 2012 (ERMS) and is opaque: a racing write is no undefined
    // behaviour of ours.
    unsafe {
        std::arch::asm!("rep movsb", inout("rcx") len => _, inout("rsi") from => _, inout("rdi") to => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for i in 0..len {
        // SAFETY: the caller vouches for both ranges.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) }
    }
}

/// Writes `len` zero bytes.
///
/// # Safety
///
/// `to` is writable for `len` bytes.
unsafe fn zero(to: *mut u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as in `copy`.
    unsafe {
        std::arch::asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") 0u8,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for i in 0..len {
        // SAFETY: the caller vouches for the range.
        unsafe { to.add(i).write_volatile(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_in_and_come_out() {
        let mut memory = [0u8; 16];
        let window = Window::private(&mut memory);
        window.write(3, b"relay");
        let mut out = [0u8; 5];
        window.read(3, &mut out);
        assert_eq!(&out, b"relay");
        window.slice(4..6).unwrap().zero();
        window.read(3, &mut out);
        assert_eq!(&out, b"r\0\0ay");
    }

    #[test]
    fn a_slice_outside_is_refused() {
        let mut memory = [0u8; 16];
        let window = Window::private(&mut memory);
        assert!(window.slice(0..17).is_none());
        let reversed = std::ops::Range { start: 9, end: 8 };
        assert!(window.slice(reversed).is_none());
        assert!(window.slice(16..16).is_some());
    }
}
