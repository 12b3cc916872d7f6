// SPDX-License-Identifier: MIT
//! Memory shared between processes: a sealed memfd, mapped whole.

use super::Window;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// What the memory must be sealed against: whoever holds the descriptor could else cut the file
/// under us, and our next access would be a SIGBUS.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// A memfd of fixed size, mapped readable and writable for as long as this lives.
///
/// Nothing in it is ever a Rust reference to plain bytes: it is reached through [`Window`]s, or as
/// [`Slots`](crate::Slots), which are atomics throughout.
#[derive(Debug)]
pub struct SharedMemory {
    start: NonNull<u8>,
    len: usize,
    fd: OwnedFd,
}

// SAFETY: the struct is an address range and a descriptor, neither bound to a thread.
unsafe impl Send for SharedMemory {}
// SAFETY: it gives out windows and atomics only, both made for concurrent use.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// New zeroed memory of `len` bytes under `name` (seen in `/proc/PID/maps`), sealed against
    /// growing and shrinking.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a length of 0; else what `memfd_create`, `ftruncate` or `mmap` say.
    pub fn create(name: &str, len: usize) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know NOEXEC_SEAL.
        let fd = rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| rustix::fs::memfd_create(name, flags))?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        rustix::fs::fcntl_add_seals(&fd, SEALS)?;
        Self::map(fd, 0, len)
    }

    /// The memory of `len` bytes that another process made and passed as `fd`.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is not of exactly that size or not sealed against growing and shrinking;
    /// else as [`SharedMemory::create`].
    pub fn from_fd(fd: OwnedFd, len: usize) -> io::Result<Self> {
        let size = rustix::fs::fstat(&fd)?.st_size;
        if usize::try_from(size) != Ok(len) {
            let message = format!("shared memory of {size} bytes where {len} were announced");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        // A file that cannot be sealed answers EINVAL: it is no memfd.
        let seals = rustix::fs::fcntl_get_seals(&fd).unwrap_or(SealFlags::empty());
        if !seals.contains(SealFlags::SHRINK | SealFlags::GROW) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "shared memory is not sealed",
            ));
        }
        Self::map(fd, 0, len)
    }

    /// The `len` bytes that the device behind `fd` offers at `offset`: memory that its driver made to be
    /// shared, and leaves in place for as long as it is mapped.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a file that is no character device, or a length of 0; else what `mmap` says.
    pub fn of_device(fd: OwnedFd, offset: u64, len: usize) -> io::Result<Self> {
        let mode = rustix::fs::fstat(&fd)?.st_mode;
        if rustix::fs::FileType::from_raw_mode(mode) != rustix::fs::FileType::CharacterDevice {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no character device"));
        }
        Self::map(fd, offset, len)
    }

    fn map(fd: OwnedFd, offset: u64, len: usize) -> io::Result<Self> {
        if len == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "shared memory of no bytes",
            ));
        }
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &fd,
                offset,
            )?
        };
        let start = NonNull::new(start.cast()).expect("mmap never returns address 0 unasked");
        Ok(Self { start, len, fd })
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Always false: memory of no bytes cannot be made.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes in `range`, or `None` if that reaches outside.
    pub fn window(&self, range: Range<usize>) -> Option<Window<'_>> {
        // SAFETY: the mapping is readable and writable for the life of `self`, whose borrow the
        // window carries; no reference to plain bytes in it is ever made.
        unsafe { Window::from_raw(self.start.as_ptr(), self.len) }.slice(range)
    }

    /// The descriptor, for passing to the other process.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Where it starts.
    #[cfg(not(loom))]
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the range is the mapping made in `map`. Windows borrow `self` and slots hold it by
        // `Arc`, so none is left. The call cannot fail for a range that we mapped.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_mappings_are_one_memory() {
        let here = SharedMemory::create("relay-test", 8192).unwrap();
        let fd = here.fd().try_clone_to_owned().unwrap();
        let there = SharedMemory::from_fd(fd, 8192).unwrap();
        here.window(4000..4200).unwrap().write(0, b"seen by both");
        let mut bytes = [0; 12];
        there.window(0..8192).unwrap().read(4000, &mut bytes);
        assert_eq!(&bytes, b"seen by both");
    }

    #[test]
    fn it_cannot_be_cut_under_its_users() {
        let memory = SharedMemory::create("relay-test", 8192).unwrap();
        assert!(rustix::fs::ftruncate(memory.fd(), 4096).is_err());
        assert!(rustix::fs::ftruncate(memory.fd(), 16384).is_err());
    }

    #[test]
    fn a_wrong_size_and_an_unsealed_file_are_refused() {
        let memory = SharedMemory::create("relay-test", 8192).unwrap();
        let fd = memory.fd().try_clone_to_owned().unwrap();
        let error = SharedMemory::from_fd(fd, 4096).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("relay-test", flags).unwrap();
        rustix::fs::ftruncate(&fd, 4096).unwrap();
        let error = SharedMemory::from_fd(fd, 4096).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(SharedMemory::create("relay-test", 0).is_err());
    }

    #[test]
    fn a_window_outside_is_refused() {
        let memory = SharedMemory::create("relay-test", 4096).unwrap();
        assert!(memory.window(0..4097).is_none());
        assert!(memory.window(4096..4096).unwrap().is_empty());
    }
}
