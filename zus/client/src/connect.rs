// SPDX-License-Identifier: MIT
//! Finding a server and shaking hands with it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use relay::memory::SharedMemory;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType,
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};
use zus_protocol::shm::{self, Geometry, Hello, Lane, Layout};
use zus_protocol::{InHeader, InitIn, InitOut, MAJOR, MINOR, Opcode, OutHeader, registry};

use crate::Client;
use crate::link::Link;

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct Connector {
    slots_per_cpu: u32,
}

impl Connector {
    /// As the server thinks fit.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations can be under way from one CPU; the server may allow fewer. More threads than
    /// that wait for each other.
    pub fn slots_per_cpu(mut self, slots: u32) -> Self {
        self.slots_per_cpu = slots;
        self
    }

    /// Connects to the server of the mount at `path`, or whose data socket `path` is.
    ///
    /// # Errors
    /// `NotFound` if no server is known to serve that directory, or only one of another kind;
    /// `ECONNREFUSED` if it is gone; else what the server says why it refuses.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<Client> {
        let path = path.as_ref();
        let address = data_socket(path)?;
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", address.display()));
        let link = self.link(&address).map_err(named)?;
        Ok(Client::new(Arc::new(link)))
    }

    fn link(&self, path: &Path) -> io::Result<Link> {
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        rustix::net::send(&socket, &self.greeting(), SendFlags::NOSIGNAL)?;
        let welcome = Welcome::receive(&socket)?;
        Link::new(socket, welcome)
    }

    fn greeting(&self) -> Vec<u8> {
        let header = InHeader {
            len: (size_of::<InHeader>() + size_of::<InitIn>()) as u32,
            opcode: Opcode::Init as u32,
            unique: 1,
            ..InHeader::new_zeroed()
        };
        let init = InitIn {
            major: MAJOR,
            minor: MINOR,
            ..InitIn::new_zeroed()
        };
        let hello = Hello {
            magic: shm::MAGIC,
            version: shm::VERSION,
            features: shm::FEATURES,
            slots_per_cpu: self.slots_per_cpu,
            reserved: [0; 3],
        };
        [header.as_bytes(), init.as_bytes(), hello.as_bytes()].concat()
    }
}

/// The data socket that serves `path`.
fn data_socket(path: &Path) -> io::Result<PathBuf> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    if std::fs::metadata(path).map_err(named)?.file_type().is_socket() {
        return Ok(path.to_owned());
    }
    let dir = path.canonicalize().map_err(named)?;
    let not_found = |what: &str| {
        let message = format!("{}: {what}", path.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    };
    let entry = registry::find(&dir).ok_or_else(|| not_found("no zufs server is known to serve it"))?;
    if !entry.alive() {
        return Err(not_found("its server has died"));
    }
    entry
        .data
        .ok_or_else(|| not_found("is served through the kernel, not over shared memory"))
}

/// What the server gave.
pub(crate) struct Welcome {
    pub init: InitOut,
    pub geometry: Geometry,
    pub lanes: Vec<Lane>,
    pub layout: Layout,
    pub memory: Arc<SharedMemory>,
    pub bells: Vec<OwnedFd>,
}

impl Welcome {
    fn receive(socket: &OwnedFd) -> io::Result<Self> {
        let mut packet = vec![0; shm::PACKET_MAX];
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(shm::BELLS_MAX + 1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [io::IoSliceMut::new(&mut packet)];
        let received = rustix::net::recvmsg(socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let mut passed: Vec<OwnedFd> = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            })
            .flatten()
            .collect();
        let (init, geometry, lanes) = parse(&packet[..received.bytes])?;
        let layout = geometry.check(&lanes).map_err(strange)?;
        if passed.len() != geometry.bells as usize + 1 {
            return Err(strange("another number of descriptors than announced"));
        }
        let bells = passed.split_off(1);
        let memory = passed.pop().ok_or_else(|| strange("no memory"))?;
        Ok(Self {
            init,
            geometry,
            lanes,
            layout,
            memory: Arc::new(SharedMemory::from_fd(memory, layout.memory_len())?),
            bells,
        })
    }
}

fn parse(packet: &[u8]) -> io::Result<(InitOut, Geometry, Vec<Lane>)> {
    if packet.is_empty() {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset));
    }
    let short = || strange("its answer is too short");
    let (header, rest) = OutHeader::read_from_prefix(packet).map_err(|_| short())?;
    if header.error != 0 {
        return Err(refused(-i64::from(header.error), rest));
    }
    let (init, rest) = InitOut::read_from_prefix(rest).map_err(|_| short())?;
    if header.len as usize != size_of::<OutHeader>() + size_of::<InitOut>() || init.major != MAJOR {
        return Err(strange("it speaks another protocol"));
    }
    let (geometry, rest) = Geometry::read_from_prefix(rest).map_err(|_| short())?;
    let mut lanes = vec![Lane::new_zeroed(); rest.len() / size_of::<Lane>()];
    if size_of_val(&lanes[..]) != rest.len() {
        return Err(short());
    }
    lanes.as_mut_bytes().copy_from_slice(rest);
    Ok((init, geometry, lanes))
}

/// The server's refusal, with its own words if they are text.
fn refused(errno: i64, text: &[u8]) -> io::Error {
    let error = io::Error::from_raw_os_error(errno.clamp(1, 4095) as i32);
    let text = String::from_utf8_lossy(&text[..text.len().min(256)]).replace(char::is_control, " ");
    match text.is_empty() {
        true => error,
        false => io::Error::new(error.kind(), text),
    }
}

fn strange(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("no zufs server, or a strange one: {what}"),
    )
}
