// SPDX-License-Identifier: MIT
//! The socket at which clients knock.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// A listening socket of type `SOCK_SEQPACKET` and its file, which goes with it.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    path: PathBuf,
    /// Device and inode of the file, so that we remove our own only.
    file: (u64, u64),
}

impl Socket {
    /// Listens at `path`. A socket file that nobody listens at any more is replaced.
    ///
    /// # Errors
    /// `AddrInUse` if somebody does listen there, or the file is no socket; else as bind(2).
    pub fn listen(path: &Path, mode: u32) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path).map_err(|_| {
            let message = format!("{}: too long for a socket's path", path.display());
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
        let fd = seqpacket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        match rustix::net::bind(&fd, &address) {
            Err(rustix::io::Errno::ADDRINUSE) => {
                remove_dead(path, &address)?;
                rustix::net::bind(&fd, &address)?;
            }
            other => other?,
        }
        let meta = fs::symlink_metadata(path)?;
        let socket = Self {
            fd,
            path: path.to_owned(),
            file: (meta.dev(), meta.ino()),
        };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        rustix::net::listen(&socket.fd, 64)?;
        Ok(socket)
    }

    /// The next client, if one is knocking.
    pub fn accept(&self) -> io::Result<Option<OwnedFd>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match rustix::net::accept_with(&self.fd, flags) {
            Ok(fd) => Ok(Some(fd)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {
                Ok(None)
            }
            Err(e) => Err(e.into()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn seqpacket(flags: SocketFlags) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// Removes a socket file whose server is gone.
fn remove_dead(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    let in_use = |what| io::Error::new(io::ErrorKind::AddrInUse, format!("{}: {what}", path.display()));
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(in_use("is there, and is no socket"));
    }
    let probe = seqpacket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    match rustix::net::connect(&probe, address) {
        Err(rustix::io::Errno::CONNREFUSED) => fs::remove_file(path),
        _ => Err(in_use("another server listens there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_servers_socket_is_replaced_and_a_living_ones_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let living = Socket::listen(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = Socket::listen(&path, 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);

        // As if killed: the descriptor goes, the file stays.
        let Socket { fd, .. } = &living;
        rustix::net::shutdown(fd, rustix::net::Shutdown::Both).unwrap();
        let successor = Socket::listen(&path, 0o666).unwrap();
        drop(living);
        assert!(path.exists(), "the successor's file was removed");
        drop(successor);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        fs::write(&path, "precious").unwrap();
        let error = Socket::listen(&path, 0o666).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let long = dir.path().join("x".repeat(120));
        assert_eq!(
            Socket::listen(&long, 0o666).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
