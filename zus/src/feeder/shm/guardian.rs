// SPDX-License-Identifier: MIT
//! The thread at the door: lets clients in, tells them what changes, and sees them out, whichever way they
//! go. It sleeps on one epoll and is no part of any operation.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, Timespec, epoll};
use rustix::net::{RecvFlags, SendFlags};
use zerocopy::IntoBytes;
use zus_protocol::shm::Notice;

use super::client::Client;
use super::handshake::{Greeting, Refusal};
use super::peer::Peer;
use super::reception::{Reception, Share};
use super::socket::Socket;
use super::worker::Worker;

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

/// The clients, by id: the guardian's to change.
#[derive(Clone, Default)]
pub(super) struct Clients(Arc<Mutex<HashMap<u64, Arc<Client>>>>);

impl Clients {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }
}

/// Somebody who has connected and not yet said what it wants.
struct Visitor {
    socket: OwnedFd,
    peer: Peer,
    since: Instant,
}

/// The guardian.
pub(super) struct Guardian {
    reception: Reception,
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
        reception: Reception,
        workers: Arc<[Worker]>,
        socket: Socket,
        calls: Arc<Calls>,
        clients: Clients,
    ) -> io::Result<Self> {
        let guardian = Self {
            reception,
            workers,
            socket,
            calls,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
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
        let clients = std::mem::take(&mut *self.clients.lock());
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
        let timeout = self.timeout().map(|left| Timespec {
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
                waiting: self.reception.waiting(),
            };
            for client in self.clients.lock().values() {
                // A client that does not listen waits as it did: that is right too, only slower.
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                let _ = rustix::net::send(client.socket(), notice.as_bytes(), flags);
            }
        }
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
        let shared = Greeting::parse(&packet[..len]).and_then(|greeting| {
            self.check_limits(visitor.peer.caller.uid)?;
            self.reception.share(&visitor.peer, &greeting)
        });
        match shared {
            Ok(share) => self.let_in(id, visitor, share),
            Err(refusal) => refuse(visitor.socket.as_fd(), &refusal),
        }
    }

    /// Makes a visitor a client.
    fn let_in(&mut self, id: u64, visitor: Visitor, share: Share) {
        let Visitor { socket, peer, .. } = visitor;
        if let Some(process) = &peer.process
            && let Err(e) = self.watch(process.as_fd(), id | PROCESS)
        {
            return refuse(socket.as_fd(), &Refusal::Exhausted(e.to_string()));
        }
        let (client, slots, welcome) = share.with(id, peer.caller.uid, socket);
        if let Some(process) = peer.process {
            self.processes.insert(id, process);
        }
        self.clients.lock().insert(id, Arc::clone(&client));
        for (worker, slots) in self.workers.iter().zip(slots) {
            worker.serve(&client, slots);
        }
        if let Err(e) = welcome.send(client.socket()) {
            tracing::info!("a client left before it was welcomed: {e}");
            client.hang_up();
        }
    }

    fn check_limits(&self, uid: u32) -> Result<(), Refusal> {
        let clients = self.clients.lock();
        let options = self.reception.options();
        if clients.len() >= options.clients {
            return Err(Refusal::Full(options.clients));
        }
        let of_user = clients.values().filter(|client| client.uid == uid).count();
        if of_user >= options.clients_per_user {
            return Err(Refusal::FullForUser(options.clients_per_user));
        }
        Ok(())
    }

    /// A client is gone: nothing of it stays.
    fn see_out(&mut self, id: u64) {
        if let Some(process) = self.processes.remove(&id) {
            let _ = epoll::delete(&self.epoll, &process);
        }
        let Some(client) = self.clients.lock().remove(&id) else {
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

/// Turns a visitor away, and says why.
fn refuse(socket: BorrowedFd<'_>, refusal: &Refusal) {
    tracing::info!("a client is refused: {refusal}");
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _ = rustix::net::send(socket, &refusal.packet(), flags);
}
