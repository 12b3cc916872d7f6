// SPDX-License-Identifier: MIT
//! The other side: builds messages by hand and takes replies apart.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use relay::memory::Window;
use relay::{Policy, Strategy};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use zus::engine::access::Caller;
use zus::engine::{Access, Answer, Mount, Reply, Session};
use zus::fs::FileSystem;
use zus::fs::nullfs::Nullfs;
use zus_protocol::{EntryOut, InHeader, MknodIn, Opcode, OutHeader, ROOT_ID, ReadIn, StatfsOut, WriteIn};

/// Bytes in the data window.
pub const WINDOW: usize = 64 << 10;

pub fn mount(fs: impl FileSystem + 'static) -> Arc<Mount> {
    Mount::new(
        Arc::new(fs),
        Arc::new(Policy::new(Strategy::Park, Default::default())),
    )
}

pub fn caller(uid: u32) -> Access {
    Access::Client(Caller {
        uid,
        gid: uid,
        groups: [].into(),
        read_only: false,
    })
}

/// An errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What a request came to: the body of the reply, and the data behind it.
pub type Outcome = Result<(Vec<u8>, Vec<u8>), Errno>;

/// A client and its session.
pub struct Peer {
    pub session: Session,
    unique: Cell<u64>,
    reply: RefCell<Reply>,
}

impl Peer {
    pub fn kernel() -> Self {
        Self::of(&mount(Nullfs::new()), Access::Kernel)
    }

    pub fn of(mount: &Arc<Mount>, access: Access) -> Self {
        Self {
            session: mount.session(access),
            unique: Cell::new(0),
            reply: RefCell::new(Reply::new()),
        }
    }

    /// Sends a message as it is. None: it was not answered.
    pub fn send(&self, message: &[u8], data: &mut [u8]) -> Option<(OutHeader, Vec<u8>, usize)> {
        let mut reply = self.reply.borrow_mut();
        match self.session.handle(message, Window::private(data), &mut reply) {
            Answer::None => None,
            Answer::Reply { data_len } => {
                let (header, body) = OutHeader::read_from_prefix(reply.bytes()).expect("a whole header");
                assert_eq!(
                    header.len as usize,
                    reply.bytes().len() + data_len,
                    "a reply knows its length"
                );
                assert!(data_len <= data.len(), "data are inside the window");
                assert!(
                    (-511..=0).contains(&header.error),
                    "an errno that the kernel takes"
                );
                assert!(header.error == 0 || body.is_empty() && data_len == 0);
                Some((header, body.to_vec(), data_len))
            }
        }
    }

    /// Asks for `opcode` on `ino`, with what follows the header in `parts` and the data of a WRITE.
    pub fn ask(&self, opcode: Opcode, ino: u64, parts: &[&[u8]], data: &[u8]) -> Outcome {
        let unique = self.unique.get() + 1;
        self.unique.set(unique);
        let message = message(opcode as u32, unique, ino, parts, data.len());
        let mut window = vec![0xaa; WINDOW.max(data.len())];
        window[..data.len()].copy_from_slice(data);
        let (header, body, data_len) = self.send(&message, &mut window).expect("an answer");
        assert_eq!(header.unique, unique);
        match header.error {
            0 => Ok((body, window[..data_len].to_vec())),
            error => Err(Errno(-error)),
        }
    }

    /// The same, of which only the reply's struct is of interest.
    pub fn get<T>(&self, opcode: Opcode, ino: u64, parts: &[&[u8]]) -> Result<T, Errno>
    where
        T: FromBytes + KnownLayout + Immutable,
    {
        let (body, _) = self.ask(opcode, ino, parts, &[])?;
        Ok(T::read_from_prefix(&body).expect("a whole struct").0)
    }

    /// The same, where nothing is of interest but that it worked.
    pub fn run(&self, opcode: Opcode, ino: u64, parts: &[&[u8]]) -> Result<(), Errno> {
        self.ask(opcode, ino, parts, &[]).map(drop)
    }

    pub fn lookup(&self, parent: u64, name: &str) -> Result<EntryOut, Errno> {
        self.get(Opcode::Lookup, parent, &[&cstr(name)])
    }

    pub fn mknod(&self, parent: u64, name: &str, mode: u32) -> Result<EntryOut, Errno> {
        let mknod = MknodIn {
            mode,
            ..Default::default()
        };
        self.get(Opcode::Mknod, parent, &[mknod.as_bytes(), &cstr(name)])
    }

    /// A regular file in the root.
    pub fn file(&self, name: &str) -> u64 {
        self.mknod(ROOT_ID, name, libc::S_IFREG | 0o644)
            .expect("a file")
            .nodeid
    }

    pub fn read(&self, ino: u64, fh: u64, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let read = ReadIn {
            fh,
            offset,
            size,
            ..Default::default()
        };
        let (_, data) = self.ask(Opcode::Read, ino, &[read.as_bytes()], &[])?;
        Ok(data)
    }

    pub fn write(&self, ino: u64, write: WriteIn, data: &[u8]) -> Result<u32, Errno> {
        let write = WriteIn {
            size: data.len() as u32,
            ..write
        };
        let (body, _) = self.ask(Opcode::Write, ino, &[write.as_bytes()], data)?;
        Ok(zus_protocol::WriteOut::read_from_bytes(&body)
            .expect("a whole struct")
            .size)
    }

    pub fn forget(&self, ino: u64, count: u64) {
        let message = message(Opcode::Forget as u32, 0, ino, &[count.as_bytes()], 0);
        assert!(self.send(&message, &mut []).is_none(), "FORGET is never answered");
    }

    /// How many inodes there are, the root among them.
    pub fn inodes(&self) -> u64 {
        let statfs: StatfsOut = self.get(Opcode::Statfs, ROOT_ID, &[]).expect("STATFS");
        statfs.st.files - statfs.st.ffree
    }
}

/// A string as it stands in a message.
pub fn cstr(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

/// A whole message but for the data of a WRITE, of which there are `data_len` bytes.
pub fn message(opcode: u32, unique: u64, ino: u64, parts: &[&[u8]], data_len: usize) -> Vec<u8> {
    let body = parts.concat();
    let header = InHeader {
        len: (size_of::<InHeader>() + body.len() + data_len) as u32,
        opcode,
        unique,
        nodeid: ino,
        uid: 1000,
        gid: 100,
        pid: 1,
        ..Default::default()
    };
    [header.as_bytes(), &body].concat()
}
