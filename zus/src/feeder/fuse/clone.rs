// SPDX-License-Identifier: MIT
//! Further descriptors of one connection.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io;
use rustix::ioctl::{Setter, ioctl, opcode};

/// Opens the device.
pub(super) fn open_device(flags: OFlags) -> io::Result<OwnedFd> {
    open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC | flags, Mode::empty())
}

/// A descriptor of the connection of `device`, with flags of its own. A reply goes to the descriptor from
/// which its request was read.
pub(super) fn clone_device(device: &OwnedFd, flags: OFlags) -> io::Result<OwnedFd> {
    const FUSE_DEV_IOC_CLONE: rustix::ioctl::Opcode = opcode::read::<u32>(229, 0);
    let clone = open_device(flags)?;
    // SAFETY: FUSE_DEV_IOC_CLONE reads a u32, the number of a descriptor, through its argument (despite
    // its name, which says that it writes one) and changes no memory of ours.
    unsafe {
        let from = Setter::<FUSE_DEV_IOC_CLONE, u32>::new(device.as_raw_fd() as u32);
        ioctl(&clone, from)?;
    }
    Ok(clone)
}
