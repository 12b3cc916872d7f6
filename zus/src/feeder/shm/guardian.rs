// SPDX-License-Identifier: MIT
//! The thread at the door: lets clients in, tells them what changes, and sees them out, whichever way they
//! go. It sleeps on one epoll and is no part of any operation.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use relay::memory::Window;
use relay::{Bell, Server, SharedMemory, Slots};
use rustix::event::{EventfdFlags, epoll};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use zerocopy::IntoBytes;
use zus_protocol::OutHeader;
use zus_protocol::shm::{self, Geometry, Lane, Layout, Notice, Waiting};

use super::client::{Client, Kept};
use super::handshake::{self, Greeting, Refusal};
use super::options::Plan;
use super::peer::Peer;
use super::socket::Socket;
use super::worker::Worker;
use super::{ShmError, ShmOptions};
use crate::engine::{Access, Answer, Mount, Reply};

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most clients that have not said it yet.
const VISITORS_MAX: usize = 64;
/// How long to leave the door alone when the server has no descriptor for who knocks.
const PAUSE: Duration = Duration::from_millis(100);

/// Tokens of what the guardian watches besides clients, whose are their ids and, with [`PROCESS`], their
/// processes'.
const DOOR: u64 = 0;
const CALL: u64 = 1;
const FIRST_ID: u64 = 2;
const PROCESS: u64 = 1 << 63;

/// What others want of the guardian.
pub(super) struct Calls {
    stop: AtomicBool,
    waiting: AtomicBool,
    fd: OwnedFd,
}

impl Calls {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            stop: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            fd: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Asks it to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.ring();
    }

    /// Asks it to tell all clients how to wait from now on.
    pub fn tell_waiting(&self) {
        self.waiting.store(true, Ordering::Release);
        self.ring();
    }

    fn ring(&self) {
        // Fails only when the counter is full: then it rings as loud as it can.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
    }
}

/// The clients, as those outside see them.
pub(super) type Clients = Arc<Mutex<HashMap<u64, Arc<Client>>>>;

/// Somebody who has connected and not yet said what it wants.
struct Visitor {
    socket: OwnedFd,
    peer: Peer,
    since: Instant,
}

/// The guardian.
pub(super) struct Guardian {
    mount: Arc<Mount>,
    options: ShmOptions,
    plan: Plan,
    workers: Arc<[Worker]>,
    socket: Socket,
    calls: Arc<Calls>,
    epoll: OwnedFd,
    visitors: HashMap<u64, Visitor>,
    clients: Clients,
    /// Become readable when the clients' processes end.
    processes: HashMap<u64, OwnedFd>,
    next_id: u64,
    /// Until when the door is left alone.
    paused: Option<Instant>,
}

impl Guardian {
    pub fn new(
        mount: Arc<Mount>,
        options: ShmOptions,
        plan: Plan,
        workers: Arc<[Worker]>,
        socket: Socket,
        calls: Arc<Calls>,
        clients: Clients,
    ) -> Result<Self, ShmError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let guardian = Self {
            mount,
            options,
            plan,
            workers,
            socket,
            calls,
            epoll,
            visitors: HashMap::new(),
            clients,
            processes: HashMap::new(),
            next_id: FIRST_ID,
            paused: None,
        };
        guardian.watch(guardian.socket.as_fd(), DOOR)?;
        guardian.watch(guardian.calls.fd.as_fd(), CALL)?;
        Ok(guardian)
    }

    /// Keeps the door until it is asked to stop; then sees all out.
    pub fn run(mut self) {
        while !self.calls.stop.load(Ordering::Acquire) {
            self.round();
        }
        self.workers.iter().for_each(Worker::stop);
        self.workers.iter().for_each(Worker::join);
        let clients = std::mem::take(&mut *self.clients.lock().unwrap_or_else(PoisonError::into_inner));
        for client in clients.values() {
            client.hang_up();
        }
    }

    fn watch(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)?)
    }

    fn round(&mut self) {
        let mut events = [const { MaybeUninit::uninit() }; 32];
        let timeout = self.timeout().map(|left| rustix::event::Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        });
        let epoll = self.epoll.as_fd();
        let events = match epoll::wait(epoll, &mut events, timeout.as_ref()) {
            Ok((events, _)) => events
                .iter()
                .map(|event| { event.data }.u64())
                .collect::<Vec<_>>(),
            Err(_) => Vec::new(), // interrupted
        };
        for token in events {
            match token {
                DOOR => self.answer_door(),
                CALL => self.answer_call(),
                id if self.visitors.contains_key(&id) => self.hear(id),
                // A client has nothing more to say: it is gone, or breaks the rules.
                id => self.see_out(id & !PROCESS),
            }
        }
        self.look_at_clock();
    }

    /// How long until something is to be done without being asked.
    fn timeout(&self) -> Option<Duration> {
        let now = Instant::now();
        let visitors = self.visitors.values().map(|visitor| visitor.since + PATIENCE);
        let first = visitors.chain(self.paused).min()?;
        // Rounded up, so that it has passed when we wake.
        Some(first.saturating_duration_since(now) + Duration::from_millis(1))
    }

    fn look_at_clock(&mut self) {
        let now = Instant::now();
        self.visitors.retain(|_, visitor| now < visitor.since + PATIENCE);
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            if let Err(e) = self.watch(self.socket.as_fd(), DOOR) {
                tracing::error!("the door cannot be watched any more: {e}");
            }
        }
    }

    /// Lets those who knock into the hall.
    fn answer_door(&mut self) {
        loop {
            match self.socket.accept() {
                Ok(Some(socket)) => {
                    if let Err(e) = self.admit(socket) {
                        tracing::warn!("a client could not be admitted: {e}");
                    }
                }
                Ok(None) => return,
                Err(e) => {
                    // Out of descriptors: who knocks still does, and would wake us at once.
                    tracing::error!("a client could not be accepted: {e}");
                    let _ = epoll::delete(&self.epoll, &self.socket);
                    self.paused = Some(Instant::now() + PAUSE);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, socket: OwnedFd) -> io::Result<()> {
        let peer = Peer::of(&socket)?;
        let of_user = self
            .visitors
            .values()
            .filter(|other| other.peer.caller.uid == peer.caller.uid);
        if self.visitors.len() >= VISITORS_MAX || of_user.count() >= VISITORS_MAX / 4 {
            return Err(io::Error::other("too many have connected and say nothing"));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.watch(socket.as_fd(), id)?;
        let visitor = Visitor {
            socket,
            peer,
            since: Instant::now(),
        };
        self.visitors.insert(id, visitor);
        Ok(())
    }

    fn answer_call(&mut self) {
        let _ = rustix::io::read(&self.calls.fd, &mut [0u8; 8]);
        if self.calls.waiting.swap(false, Ordering::Acquire) {
            let notice = Notice {
                kind: Notice::WAITING,
                reserved: 0,
                waiting: self.waiting(),
            };
            for client in self
                .clients
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
            {
                // A client that does not listen waits as it did: that is right too, only slower.
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                let _ = rustix::net::send(client.socket(), notice.as_bytes(), flags);
            }
        }
    }

    fn waiting(&self) -> Waiting {
        let policy = self.mount.policy();
        let spin_ns = u64::try_from(policy.window().as_nanos()).unwrap_or(u64::MAX);
        Waiting::new(policy.strategy().name(), spin_ns)
    }

    /// A visitor says what it wants, or leaves.
    fn hear(&mut self, id: u64) {
        let mut packet = [0; 1024];
        let Some(visitor) = self.visitors.get(&id) else {
            return;
        };
        let len = match rustix::net::recv(&visitor.socket, &mut packet, RecvFlags::DONTWAIT) {
            Ok((len, _)) => len,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
            Err(_) => 0,
        };
        let Some(visitor) = self.visitors.remove(&id) else {
            return;
        };
        if len == 0 {
            return;
        }
        let socket = visitor.socket.try_clone();
        let welcomed =
            Greeting::parse(&packet[..len]).and_then(|greeting| self.welcome(id, visitor, &greeting));
        if let (Err(refusal), Ok(socket)) = (welcomed, socket) {
            tracing::info!("a client is refused: {refusal}");
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            let _ = rustix::net::send(&socket, &refusal.packet(), flags);
        }
    }

    /// Makes a visitor a client.
    fn welcome(&mut self, id: u64, visitor: Visitor, greeting: &Greeting<'_>) -> Result<(), Refusal> {
        let exhausted = |e: io::Error| Refusal::Exhausted(e.to_string());
        let Visitor { socket, peer, .. } = visitor;
        let uid = peer.caller.uid;
        self.check_limits(uid)?;

        let per_cpu = self
            .plan
            .slots_per_cpu(greeting.hello.slots_per_cpu, self.options.slots_per_cpu);
        let slots = per_cpu * self.plan.lanes.len() as u32;
        let layout = Layout::new(slots, shm::WINDOW_LEN as u32).expect("a plan keeps within bounds");
        let memory = Arc::new(SharedMemory::create("zus-shm", layout.memory_len()).map_err(exhausted)?);

        let session = self.mount.session(Access::Client(peer.caller));
        let mut reply = Reply::new();
        let window = memory.window(layout.window(0)).unwrap_or(Window::empty());
        let init = match session.handle(greeting.init, window, &mut reply) {
            Answer::Reply { .. } => reply.bytes(),
            Answer::None => return Err(Refusal::Malformed("an INIT that has no answer")),
        };
        if let Some(errno) = error_of(init) {
            return Err(Refusal::Init(errno));
        }

        let bells = (0..self.workers.len())
            .map(|_| Bell::new_eventfd())
            .collect::<io::Result<Vec<_>>>()
            .map_err(exhausted)?;
        let lanes: Vec<Lane> = (0..)
            .zip(&self.plan.lanes)
            .map(|(index, &(cpu, worker))| Lane {
                cpu,
                bell: worker as u32,
                first: index * per_cpu,
                slots: per_cpu,
            })
            .collect();
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
        let packet = handshake::welcome(init, &geometry, &lanes);

        let row = Slots::in_memory(Arc::clone(&memory), 0, slots as usize).map_err(exhausted)?;
        let answer_socket = socket.try_clone().map_err(exhausted)?;
        let client = Arc::new(Client::new(id, uid, session, Arc::clone(&memory), socket));
        let mut shares: Vec<Vec<(Server, Kept)>> = self.workers.iter().map(|_| Vec::new()).collect();
        for (lane, &(_, worker)) in lanes.iter().zip(&self.plan.lanes) {
            for slot in lane.first..lane.first + lane.slots {
                let policy = Arc::clone(self.mount.policy());
                let slot_ref = row.get(slot as usize).expect("the row has that many");
                let server = Server::new(slot_ref, policy, bells[worker].clone(), Bell::futex());
                shares[worker].push((server, Kept::new(Arc::clone(&client), layout.window(slot))));
            }
        }
        if let Some(process) = peer.process {
            self.watch(process.as_fd(), id | PROCESS).map_err(exhausted)?;
            self.processes.insert(id, process);
        }
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Arc::clone(&client));
        for (worker, share) in self.workers.iter().zip(shares) {
            worker.serve(&client, share);
        }
        if let Err(e) = send(&answer_socket, &packet, &memory, &bells) {
            tracing::info!("a client left before it was welcomed: {e}");
            client.hang_up();
        }
        Ok(())
    }

    fn check_limits(&self, uid: u32) -> Result<(), Refusal> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= self.options.clients {
            return Err(Refusal::Full(self.options.clients));
        }
        let of_user = clients.values().filter(|client| client.uid == uid).count();
        if of_user >= self.options.clients_per_user {
            return Err(Refusal::FullForUser(self.options.clients_per_user));
        }
        Ok(())
    }

    /// A client is gone: nothing of it stays.
    fn see_out(&mut self, id: u64) {
        if let Some(process) = self.processes.remove(&id) {
            let _ = epoll::delete(&self.epoll, &process);
        }
        let client = self
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        let Some(client) = client else {
            return;
        };
        // Its process may live on, or a child of it with the same socket: they learn it from this.
        client.hang_up();
        let _ = epoll::delete(&self.epoll, client.socket());
        for worker in self.workers.iter() {
            worker.forget(id);
        }
    }
}

/// The errno of an answer, if it is an error.
fn error_of(answer: &[u8]) -> Option<i32> {
    use zerocopy::FromBytes;
    match OutHeader::read_from_prefix(answer) {
        Ok((header, _)) if header.error == 0 => None,
        Ok((header, _)) => Some(-header.error),
        Err(_) => Some(libc::EIO),
    }
}

/// Sends the welcome, and with it what is shared.
fn send(socket: &OwnedFd, packet: &[u8], memory: &SharedMemory, bells: &[Bell]) -> io::Result<()> {
    let mut fds = vec![memory.fd()];
    fds.extend(bells.iter().filter_map(Bell::fd));
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(shm::BELLS_MAX + 1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::sendmsg(socket, &[io::IoSlice::new(packet)], &mut ancillary, flags)?;
    Ok(())
}
