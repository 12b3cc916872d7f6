// SPDX-License-Identifier: MIT
//! The bytes of the handshake: a client's wishes out of its packet, and the answer into one.

use zerocopy::{FromBytes, IntoBytes};
use zus_protocol::shm::{self, Geometry, Hello, Lane};
use zus_protocol::{InHeader, InitIn, Opcode, OutHeader};

/// Why a client is turned away.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not speak this protocol.
    #[error("this is no zufs client: {0}")]
    Malformed(&'static str),
    /// It speaks another version of it.
    #[error("the client speaks version {0} of the shared-memory transport, this server {v}", v = shm::VERSION)]
    Version(u32),
    /// The mount has as many clients as it may have.
    #[error("{0} clients are connected: that is the limit of this mount")]
    Full(usize),
    /// The user has as many clients as one may have.
    #[error("{0} clients of this user are connected: that is the limit of this mount")]
    FullForUser(usize),
    /// The server could not make what the client needs.
    #[error("the server has no memory or descriptors left: {0}")]
    Exhausted(String),
    /// The file system's own handshake failed.
    #[error("the file system refused the client, errno {0}")]
    Init(i32),
}

impl Refusal {
    /// Its errno.
    pub fn errno(&self) -> i32 {
        match self {
            Refusal::Malformed(_) => libc::EPROTO,
            Refusal::Version(_) => libc::EPROTONOSUPPORT,
            Refusal::Full(_) | Refusal::FullForUser(_) => libc::EUSERS,
            Refusal::Exhausted(_) => libc::ENOMEM,
            Refusal::Init(errno) => *errno,
        }
    }

    /// The packet that says so.
    pub fn packet(&self) -> Vec<u8> {
        let text = self.to_string();
        let header = OutHeader {
            len: size_of::<OutHeader>() as u32,
            error: -self.errno(),
            unique: 0,
        };
        [header.as_bytes(), text.as_bytes()].concat()
    }
}

/// What a client says first.
#[derive(Debug)]
pub struct Greeting<'a> {
    /// Its INIT message.
    pub init: &'a [u8],
    /// What it wants of shared memory.
    pub hello: Hello,
}

impl<'a> Greeting<'a> {
    /// The greeting in a client's first packet.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Refusal> {
        const INIT_LEN: usize = size_of::<InHeader>() + size_of::<InitIn>();
        let (header, _) = InHeader::read_from_prefix(packet).map_err(|_| Refusal::Malformed("no header"))?;
        if header.opcode != Opcode::Init as u32 {
            return Err(Refusal::Malformed("its first message is not INIT"));
        }
        if header.len as usize != INIT_LEN || packet.len() < INIT_LEN {
            return Err(Refusal::Malformed("an INIT of the wrong length"));
        }
        let (init, rest) = packet.split_at(INIT_LEN);
        let (hello, _) = Hello::read_from_prefix(rest).map_err(|_| Refusal::Malformed("no greeting"))?;
        if hello.magic != shm::MAGIC {
            return Err(Refusal::Malformed("another magic number"));
        }
        // A later version may have a longer greeting; it begins the same.
        if hello.version != shm::VERSION {
            return Err(Refusal::Version(hello.version));
        }
        if rest.len() != size_of::<Hello>() {
            return Err(Refusal::Malformed("a greeting of the wrong length"));
        }
        Ok(Self { init, hello })
    }
}

/// The packet that welcomes a client.
pub fn welcome(init: &[u8], geometry: &Geometry, lanes: &[Lane]) -> Vec<u8> {
    [init, geometry.as_bytes(), lanes.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    fn packet(change: impl Fn(&mut InHeader, &mut Hello)) -> Vec<u8> {
        let mut header = InHeader {
            len: (size_of::<InHeader>() + size_of::<InitIn>()) as u32,
            opcode: Opcode::Init as u32,
            ..InHeader::new_zeroed()
        };
        let mut hello = Hello {
            magic: shm::MAGIC,
            version: shm::VERSION,
            features: 0,
            slots_per_cpu: 3,
            reserved: [0; 3],
        };
        change(&mut header, &mut hello);
        [
            header.as_bytes(),
            InitIn::new_zeroed().as_bytes(),
            hello.as_bytes(),
        ]
        .concat()
    }

    #[test]
    fn a_greeting_is_understood() {
        let packet = packet(|_, _| {});
        let greeting = Greeting::parse(&packet).unwrap();
        assert_eq!(greeting.hello.slots_per_cpu, 3);
        assert_eq!(greeting.init.len(), packet.len() - size_of::<Hello>());
    }

    #[test]
    fn each_wrong_greeting_gets_its_own_answer() {
        let good = packet(|_, _| {});
        for len in 0..good.len() {
            let refusal = Greeting::parse(&good[..len]).unwrap_err();
            assert_eq!(refusal.errno(), libc::EPROTO, "{len}: {refusal}");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(Greeting::parse(&longer).unwrap_err().errno(), libc::EPROTO);
        let version = packet(|_, hello| hello.version = 7);
        assert_eq!(Greeting::parse(&version).unwrap_err(), Refusal::Version(7));
        let magic = packet(|_, hello| hello.magic = 7);
        assert!(matches!(Greeting::parse(&magic), Err(Refusal::Malformed(_))));
        let opcode = packet(|header, _| header.opcode = Opcode::Getattr as u32);
        assert!(matches!(Greeting::parse(&opcode), Err(Refusal::Malformed(_))));
        let len = packet(|header, _| header.len = u32::MAX);
        assert!(matches!(Greeting::parse(&len), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_refusal_says_why() {
        let packet = Refusal::Full(256).packet();
        let (header, text) = OutHeader::read_from_prefix(&packet).unwrap();
        assert_eq!(header.error, -libc::EUSERS);
        assert_eq!(
            text,
            b"256 clients are connected: that is the limit of this mount"
        );
    }
}
