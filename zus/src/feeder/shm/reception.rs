// SPDX-License-Identifier: MIT
//! What is made for a client: a session, memory, bells, and the packet that describes them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use relay::{Bell, Server, SharedMemory, Slots};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use zerocopy::FromBytes;
use zus_protocol::OutHeader;
use zus_protocol::shm::{self, Geometry, Lane, Layout, Waiting};

use super::ShmOptions;
use super::client::{Client, Kept};
use super::handshake::{self, Greeting, Refusal};
use super::options::Plan;
use super::peer::Peer;
use crate::engine::access::Caller;
use crate::engine::{Access, Answer, Mount, Reply, Session};

/// Makes what clients get.
pub(super) struct Reception {
    mount: Arc<Mount>,
    options: ShmOptions,
    plan: Plan,
}

/// The slots of a client, by worker.
pub(super) type ByWorker = Vec<Vec<(Server, Kept)>>;

impl Reception {
    pub fn new(mount: Arc<Mount>, options: ShmOptions, plan: Plan) -> Self {
        Self { mount, options, plan }
    }

    pub fn options(&self) -> &ShmOptions {
        &self.options
    }

    /// How all wait.
    pub fn waiting(&self) -> Waiting {
        let policy = self.mount.policy();
        let spin_ns = u64::try_from(policy.window().as_nanos()).unwrap_or(u64::MAX);
        Waiting::new(policy.strategy().name(), spin_ns)
    }

    /// What `peer` gets, which has greeted so.
    pub fn share(&self, peer: &Peer, greeting: &Greeting<'_>) -> Result<Share, Refusal> {
        let exhausted = |e: io::Error| Refusal::Exhausted(e.to_string());
        let wanted = greeting.hello.slots_per_cpu;
        let per_cpu = self.plan.slots_per_cpu(wanted, self.options.slots_per_cpu);
        let slots = per_cpu * self.plan.lanes.len() as u32;
        let layout = Layout::new(slots, shm::WINDOW_LEN as u32).expect("a plan keeps within bounds");
        let memory = Arc::new(SharedMemory::create("zus-shm", layout.memory_len()).map_err(exhausted)?);
        let row = Slots::in_memory(Arc::clone(&memory), 0, slots as usize).map_err(exhausted)?;
        let bells = self.plan.workers.iter().map(|_| Bell::new_eventfd());
        let bells = bells.collect::<io::Result<Vec<_>>>().map_err(exhausted)?;
        let lane = |(index, &(cpu, worker)): (usize, &(u32, usize))| Lane {
            cpu,
            bell: worker as u32,
            first: index as u32 * per_cpu,
            slots: per_cpu,
        };
        let lanes: Vec<Lane> = self.plan.lanes.iter().enumerate().map(lane).collect();

        let caller = Caller {
            read_only: self.options.read_only,
            ..peer.caller.clone()
        };
        let session = self.mount.session(Access::Client(caller));
        let init = shake_hands(&session, greeting.init, &memory, &layout)?;
        let geometry = Geometry {
            magic: shm::MAGIC,
            version: shm::VERSION,
            features: greeting.hello.features & shm::FEATURES,
            memory_len: layout.memory_len() as u64,
            window_len: shm::WINDOW_LEN as u32,
            slots,
            lanes: lanes.len() as u32,
            bells: bells.len() as u32,
            waiting: self.waiting(),
        };
        Ok(Share {
            welcome: Welcome {
                packet: handshake::welcome(init.bytes(), &geometry, &lanes),
                memory,
                bells,
            },
            session,
            row,
            layout,
            lanes,
            mount: Arc::clone(&self.mount),
        })
    }
}

/// The FUSE part of the handshake.
fn shake_hands(
    session: &Session,
    init: &[u8],
    memory: &SharedMemory,
    layout: &Layout,
) -> Result<Reply, Refusal> {
    let mut reply = Reply::new();
    let window = memory
        .window(layout.window(0))
        .expect("the layout fits the memory");
    match session.handle(init, window, &mut reply) {
        Answer::Reply { .. } => match OutHeader::read_from_prefix(reply.bytes()) {
            Ok((header, _)) if header.error == 0 => Ok(reply),
            Ok((header, _)) => Err(Refusal::Init(-header.error)),
            Err(_) => Err(Refusal::Malformed("an INIT without a proper answer")),
        },
        Answer::None => Err(Refusal::Malformed("an INIT without an answer")),
    }
}

/// What was made for somebody who is not a client yet.
pub(super) struct Share {
    welcome: Welcome,
    session: Session,
    row: Slots,
    layout: Layout,
    lanes: Vec<Lane>,
    mount: Arc<Mount>,
}

impl Share {
    /// Makes it a client's, whose socket is `socket`.
    pub fn with(self, id: u64, uid: u32, socket: OwnedFd) -> (Arc<Client>, ByWorker, Welcome) {
        let memory = Arc::clone(&self.welcome.memory);
        let client = Arc::new(Client::new(id, uid, self.session, memory, socket));
        let bells = &self.welcome.bells;
        let mut slots: ByWorker = bells.iter().map(|_| Vec::new()).collect();
        for lane in &self.lanes {
            let worker = lane.bell as usize;
            for slot in lane.first..lane.first + lane.slots {
                let slot_ref = self.row.get(slot as usize).expect("the row has that many");
                let policy = Arc::clone(self.mount.policy());
                let server = Server::new(slot_ref, policy, bells[worker].clone(), Bell::futex());
                slots[worker].push((server, Kept::new(Arc::clone(&client), self.layout.window(slot))));
            }
        }
        (client, slots, self.welcome)
    }
}

/// The packet, and what is passed with it.
pub(super) struct Welcome {
    packet: Vec<u8>,
    memory: Arc<SharedMemory>,
    bells: Vec<Bell>,
}

impl Welcome {
    pub fn send(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut fds = vec![self.memory.fd()];
        fds.extend(self.bells.iter().filter_map(Bell::fd));
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(shm::BELLS_MAX + 1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::Error::other("too many descriptors for one message"));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        rustix::net::sendmsg(socket, &[io::IoSlice::new(&self.packet)], &mut ancillary, flags)?;
        Ok(())
    }
}
