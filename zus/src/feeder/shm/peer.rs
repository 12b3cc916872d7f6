// SPDX-License-Identifier: MIT
//! Who is at the other end of a Unix socket, by the kernel's word.
#![allow(unsafe_code)] // two socket options that no safe crate has

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::raw::{c_int, c_void};

use crate::engine::access::Caller;

/// The process's descriptor; Linux 6.5. `<asm-generic/socket.h>`.
const SO_PEERPIDFD: c_int = 77;

/// Most groups that a process can have: `NGROUPS_MAX`.
const GROUPS_MAX: usize = 65536;

/// The process that connected.
#[derive(Debug)]
pub struct Peer {
    /// Its effective user and groups when it connected.
    pub caller: Caller,
    /// Becomes readable when it ends. A forked child may keep the socket open for longer. `None` where
    /// the kernel is too old to say.
    pub process: Option<OwnedFd>,
}

impl Peer {
    /// The process at the other end of `socket`.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let mut cred = libc::ucred {
            pid: 0,
            uid: 0,
            gid: 0,
        };
        // SAFETY: `ucred` is plain integers.
        let len = unsafe {
            option(
                &socket,
                libc::SO_PEERCRED,
                (&raw mut cred).cast(),
                size_of_val(&cred),
            )
        }?;
        if len != size_of_val(&cred) {
            return Err(io::Error::other("no credentials on the socket"));
        }
        Ok(Self {
            caller: Caller {
                uid: cred.uid,
                gid: cred.gid,
                groups: groups(&socket)?.into(),
                read_only: false,
            },
            process: process(&socket),
        })
    }
}

/// The supplementary groups.
fn groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    let mut groups = vec![0u32; 64];
    loop {
        let room = size_of_val(&groups[..]);
        // SAFETY: the vector's elements are plain integers, `room` bytes of them.
        match unsafe { option(socket, libc::SO_PEERGROUPS, groups.as_mut_ptr().cast(), room) } {
            Ok(len) => {
                groups.truncate(len / size_of::<u32>());
                return Ok(groups);
            }
            Err(e) if e.raw_os_error() == Some(libc::ERANGE) && groups.len() < GROUPS_MAX => {
                groups.resize(GROUPS_MAX, 0);
            }
            Err(e) => return Err(e),
        }
    }
}

fn process(socket: &impl AsFd) -> Option<OwnedFd> {
    let mut fd: c_int = -1;
    // SAFETY: `fd` is a plain integer.
    unsafe { option(socket, SO_PEERPIDFD, (&raw mut fd).cast(), size_of_val(&fd)) }.ok()?;
    // SAFETY: the kernel installed this descriptor for us, close-on-exec; nobody else knows of it.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reads a socket option into `len` bytes at `value`. Returns how many it has.
///
/// # Safety
///
/// `value` is writable for `len` bytes, whatever they become.
unsafe fn option(socket: &impl AsFd, name: c_int, value: *mut c_void, len: usize) -> io::Result<usize> {
    let mut len = len as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `len` bytes at `value`, as the caller allows, and `len` itself.
    match unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, value, &mut len) } {
        0 => Ok(len as usize),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_kernel_tells_who_connected() {
        let (here, _there) = UnixStream::pair().unwrap();
        let peer = Peer::of(&here).unwrap();
        assert_eq!(peer.caller.uid, rustix::process::geteuid().as_raw());
        assert_eq!(peer.caller.gid, rustix::process::getegid().as_raw());
        let mine: Vec<u32> = rustix::process::getgroups()
            .unwrap()
            .iter()
            .map(|gid| gid.as_raw())
            .collect();
        assert_eq!(&*peer.caller.groups, mine);
    }
}
