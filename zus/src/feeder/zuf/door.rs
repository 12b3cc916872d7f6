// SPDX-License-Identifier: MIT
//! /dev/zuf, as calls.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io;
use rustix::ioctl::{Getter, Setter, Updater, ioctl, opcode};
use zerocopy::FromZeros;

use super::abi::{self, AddFs, Attach, Channel, Event, Ready, Register, Wait};

const PATH: &str = "/dev/zuf";

const REGISTER: rustix::ioctl::Opcode = opcode::read_write::<Register>(abi::MAGIC, 1);
const ADD_FS: rustix::ioctl::Opcode = opcode::write::<AddFs>(abi::MAGIC, 2);
const NEXT: rustix::ioctl::Opcode = opcode::read::<Event>(abi::MAGIC, 3);
const ATTACH: rustix::ioctl::Opcode = opcode::write::<Attach>(abi::MAGIC, 4);
const CHANNEL: rustix::ioctl::Opcode = opcode::read_write::<Channel>(abi::MAGIC, 5);
const READY: rustix::ioctl::Opcode = opcode::write::<Ready>(abi::MAGIC, 6);
const WAIT: rustix::ioctl::Opcode = opcode::write::<Wait>(abi::MAGIC, 7);

/// Sends a struct through the door.
macro_rules! send {
    ($opcode:ident, $fd:expr, $what:expr) => {
        // SAFETY: the opcode was made from the struct that the module reads through its argument, and it
        // changes no memory of ours.
        unsafe { ioctl($fd, Setter::<$opcode, _>::new($what)) }
    };
}

fn open_door() -> io::Result<OwnedFd> {
    open(PATH, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

/// A server's descriptor.
#[derive(Debug)]
pub struct Door(OwnedFd);

impl Door {
    /// Opens it and registers. `PROTO`: the module speaks another version.
    pub fn register() -> io::Result<Self> {
        let fd = open_door()?;
        let mut what = Register {
            major: abi::MAJOR,
            minor: abi::MINOR,
            flags: 0,
            reserved: 0,
        };
        // SAFETY: the opcode was made from the struct that the module reads and writes through its argument;
        // any bytes are a valid one.
        unsafe { ioctl(&fd, Updater::<REGISTER, _>::new(&mut what))? };
        Ok(Self(fd))
    }

    /// Serves the type `name` from now on.
    pub fn add_fs(&self, name: &str) -> io::Result<()> {
        let mut what = AddFs::new_zeroed();
        let room = what.name.get_mut(..name.len()).ok_or(io::Errno::NAMETOOLONG)?;
        room.copy_from_slice(name.as_bytes());
        send!(ADD_FS, &self.0, what)
    }

    /// Waits for the next event.
    pub fn next(&self) -> io::Result<Event> {
        // SAFETY: the opcode was made from the struct that the module writes through its argument; any bytes
        // are a valid one.
        unsafe { ioctl(&self.0, Getter::<NEXT, Event>::new()) }
    }

    /// Answers the event that asked for `mount`: 0, or why not.
    pub fn ready(&self, mount: u64, error: i32) -> io::Result<()> {
        let what = Ready {
            mount,
            error,
            reserved: 0,
        };
        send!(READY, &self.0, what)
    }

    /// A descriptor of `mount`.
    pub fn attach(&self, mount: u64) -> io::Result<MountDoor> {
        let fd = open_door()?;
        let what = Attach {
            mount,
            server: self.0.as_fd().as_raw_fd(),
            reserved: 0,
        };
        send!(ATTACH, &fd, what)?;
        Ok(MountDoor(fd))
    }
}

/// A mount's descriptor. The mount ends with the last copy.
#[derive(Debug)]
pub struct MountDoor(OwnedFd);

impl MountDoor {
    /// A further channel, for applications on `cpu`.
    pub fn channel(&self, cpu: u32, flags: u32) -> io::Result<Channel> {
        let mut what = Channel {
            cpu,
            flags,
            ..Channel::new_zeroed()
        };
        // SAFETY: the opcode was made from the struct that the module reads and writes through its argument;
        // any bytes are a valid one.
        unsafe { ioctl(&self.0, Updater::<CHANNEL, _>::new(&mut what))? };
        Ok(what)
    }

    /// Rings, sleeps, or both. `NOTCONN`: the mount has ended.
    #[inline]
    pub fn wait(&self, channel: u32, flags: u32, expected: u32) -> io::Result<()> {
        let what = Wait {
            channel,
            flags,
            expected,
            reserved: 0,
        };
        send!(WAIT, &self.0, what)
    }

    /// A copy of the descriptor, for mapping.
    pub fn fd(&self) -> std::io::Result<OwnedFd> {
        self.0.try_clone()
    }
}
