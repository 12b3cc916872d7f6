// SPDX-License-Identifier: MIT
//! One worker, many slots: polls them all while hot, sleeps on one epoll of their bells.

use crate::clock;
use crate::error::WaitError;
use crate::message::Message;
use crate::policy::Policy;
use crate::presence::Peer;
use crate::server::Server;
use crate::stats::Stats;
use crate::wait::Wait;
use rustix::event::{EventfdFlags, epoll};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::time::Instant;

/// How many ends one poll looks at: many more than are hot at a time, and few enough that a hot one is not
/// kept waiting behind them.
const GLANCE: usize = 64;
/// How often in a row the same end is served before the others are looked at.
const STREAK: u32 = 16;

/// Names one end in a [`Poller`]; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    index: u32,
    generation: u32,
}

/// What came to a worker.
#[derive(Debug)]
pub enum Event<T> {
    /// An operation, to be answered with [`Poller::reply`], now or after others.
    Request(Token, Message),
    /// A client has left, or is lost: its end is out of the poller and closed, and here is what the
    /// worker kept with it.
    Ended(Token, T, WaitError),
    /// Somebody rang [`Control::ring`].
    Rung,
}

/// The server's ends of many slots, of one client or many, served by one thread. `T` is what the
/// worker keeps with each.
///
/// No client can hurt another: each has a bell of its own, which is watched by its edges, so that one
/// that is kept ringing wakes the worker once a ring and hides nobody else's.
#[derive(Debug)]
pub struct Poller<T> {
    policy: Arc<Policy>,
    ends: Ends<T>,
}

/// What the worker waits for.
#[derive(Debug)]
struct Ends<T> {
    entries: Vec<Entry<T>>,
    epoll: OwnedFd,
    control: Control,
    /// Where the next look around starts: behind where the last one ended, so that none starves.
    cursor: usize,
    /// The end served last: the one most likely to come again, and looked at first.
    last: usize,
    /// How often it was served without a look around.
    streak: u32,
    stats: Arc<Stats>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    used: Option<(Server, T)>,
}

/// Wakes the worker of a [`Poller`] from other threads. Clones ring the same one.
#[derive(Clone, Debug)]
pub struct Control(Arc<ControlBell>);

#[derive(Debug)]
struct ControlBell {
    rung: AtomicBool,
    fd: OwnedFd,
}

impl Control {
    fn new() -> io::Result<Self> {
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(ControlBell {
            rung: AtomicBool::new(false),
            fd,
        })))
    }

    /// Makes the worker's next wait return [`Event::Rung`], soon. What was written before is seen by
    /// who sees that.
    pub fn ring(&self) {
        // (E) partner in `take`
        self.0.rung.store(true, Release);
        // Fails only when the counter is full: then it rings as loud as it can.
        let _ = rustix::io::write(&self.0.fd, &1u64.to_ne_bytes());
    }

    #[inline]
    fn take(&self) -> bool {
        // (E) partner in `ring`. The load, Relaxed, keeps the line shared while nobody rings.
        self.0.rung.load(Relaxed) && self.0.rung.swap(false, Acquire)
    }
}

impl<T> Poller<T> {
    /// A poller without ends, whose worker waits by `policy`.
    ///
    /// # Errors
    ///
    /// What `epoll_create` or `eventfd` say: too many descriptors.
    pub fn new(policy: Arc<Policy>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let control = Control::new()?;
        watch(&epoll, &control.0.fd)?;
        let ends = Ends {
            entries: Vec::new(),
            epoll,
            control,
            cursor: 0,
            last: 0,
            streak: 0,
            stats: Arc::default(),
        };
        Ok(Self { policy, ends })
    }

    /// A handle by which other threads wake the worker.
    pub fn control(&self) -> Control {
        self.ends.control.clone()
    }

    /// Takes `server` in, with `kept` beside it. It counts with the poller from now on. Its request bell must
    /// be an eventfd; those of one client may share one, those of different clients not, which could keep
    /// each other's from being heard.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the bell is a futex; else what `epoll_ctl` says.
    pub fn add(&mut self, mut server: Server, kept: T) -> io::Result<Token> {
        let Some(fd) = server.end.hears.fd() else {
            let message = "a poller can only watch servers whose request bell is an eventfd";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        watch(&self.ends.epoll, fd)?;
        server.end.count_in(Arc::clone(&self.ends.stats));
        server.end.peer(); // tells the client where it will be served
        let index = match self.ends.entries.iter().position(|entry| entry.used.is_none()) {
            Some(index) => index,
            None => {
                let entry = Entry {
                    generation: 0,
                    used: None,
                };
                self.ends.entries.push(entry);
                self.ends.entries.len() - 1
            }
        };
        let entry = &mut self.ends.entries[index];
        entry.used = Some((server, kept));
        Ok(Token {
            index: index as u32,
            generation: entry.generation,
        })
    }

    /// Takes an end out: dropped, it closes.
    pub fn remove(&mut self, token: Token) -> Option<(Server, T)> {
        self.ends.entry(token)?;
        self.ends.take_out(token.index as usize)
    }

    /// What is kept with an end.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        self.ends.entry(token).map(|(_, kept)| kept)
    }

    /// How many ends it holds.
    pub fn len(&self) -> usize {
        self.ends
            .entries
            .iter()
            .filter(|entry| entry.used.is_some())
            .count()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and no other.
    #[inline]
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Event<T>, WaitError> {
        self.policy
            .wait(&mut self.ends, deadline)
            .ok_or(WaitError::TimedOut)
    }

    /// Answers the operation taken from `token`.
    ///
    /// # Errors
    ///
    /// `Closed` if there is no such end any more; else those of [`Server::reply`].
    #[inline]
    pub fn reply(&mut self, token: Token, reply: &[u8]) -> Result<(), WaitError> {
        match self.ends.entry(token) {
            Some((server, _)) => server.reply(reply),
            None => Err(WaitError::Closed),
        }
    }

    /// Whether the client has given up the operation taken from `token`, or is gone.
    pub fn is_abandoned(&mut self, token: Token) -> bool {
        self.ends
            .entry(token)
            .is_none_or(|(server, _)| server.is_abandoned())
    }

    /// What the worker has done, all ends together, from when they were added.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.ends.stats
    }
}

impl<T> Ends<T> {
    fn take_out(&mut self, index: usize) -> Option<(Server, T)> {
        let entry = &mut self.entries[index];
        let used = entry.used.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        if let Some(fd) = used.0.end.hears.fd() {
            let mut others = self.entries.iter().filter_map(|entry| entry.used.as_ref());
            let shared = others.any(|(other, _)| {
                let other = other.end.hears.fd();
                other.is_some_and(|other| other.as_raw_fd() == fd.as_raw_fd())
            });
            if !shared {
                // Fails only for a descriptor that is not watched, and this one is.
                let _ = epoll::delete(&self.epoll, fd);
            }
        }
        Some(used)
    }

    fn entry(&mut self, token: Token) -> Option<&mut (Server, T)> {
        let entry = self.entries.get_mut(token.index as usize)?;
        entry
            .used
            .as_mut()
            .filter(|_| entry.generation == token.generation)
    }

    /// What came to the end at `index`, if something did.
    #[inline]
    fn look(&mut self, index: usize) -> Option<Event<T>> {
        let Entry {
            generation,
            used: Some((server, _)),
        } = self.entries.get_mut(index)?
        else {
            return None;
        };
        // Who works on an operation already waits for nothing.
        if !server.end.is_idle() {
            return None;
        }
        let taken = server.end.poll()?;
        let token = Token {
            index: index as u32,
            generation: *generation,
        };
        match server.take(taken) {
            Ok(message) => Some(Event::Request(token, message)),
            Err(why) => {
                let (server, kept) = self.take_out(index)?;
                drop(server);
                Some(Event::Ended(token, kept, why))
            }
        }
    }
}

impl<T> Wait for Ends<T> {
    type Item = Event<T>;

    #[inline]
    fn poll(&mut self) -> Option<Event<T>> {
        if self.control.take() {
            return Some(Event::Rung);
        }
        if self.streak < STREAK
            && let Some(event) = self.look(self.last)
        {
            self.streak += 1;
            return Some(event);
        }
        self.streak = 0;
        for _ in 0..self.entries.len().min(GLANCE) {
            if self.cursor >= self.entries.len() {
                self.cursor = 0;
            }
            let index = self.cursor;
            self.cursor += 1;
            if let Some(event) = self.look(index) {
                self.last = index;
                return Some(event);
            }
        }
        None
    }

    fn peer(&mut self) -> Peer {
        match self
            .entries
            .get_mut(self.last)
            .and_then(|entry| entry.used.as_mut())
        {
            Some((server, _)) => server.end.peer(),
            None => Peer::Unknown,
        }
    }

    #[cold]
    fn sleep(&mut self, deadline: Option<Instant>) {
        // Announce in all; each announcement is a recheck too.
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if let Some((server, _)) = &mut entry.used
                && server.end.is_idle()
                && !server.end.announce()
            {
                self.cursor = index;
                return;
            }
        }
        if self.control.0.rung.load(Relaxed) {
            return;
        }
        self.stats.park();
        let timeout = match deadline.map(clock::until) {
            Some(None) => return,
            left => left.flatten(),
        };
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 64];
        // Which bells rang does not matter: the caller polls all.
        let _ = epoll::wait(&self.epoll, &mut events, timeout.as_ref());
        // The announcements stand until each is taken by a publication. A client that comes while we are
        // awake rings once for nothing; one that does not come costs nothing at the next sleep.
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// Watches `fd` by its edges: each ring is an event, though nobody drains the counter.
fn watch(epoll: &OwnedFd, fd: impl AsFd) -> io::Result<()> {
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    match epoll::add(epoll, fd, epoll::EventData::new_u64(0), flags) {
        // A bell that several slots share is watched already.
        Err(rustix::io::Errno::EXIST) => Ok(()),
        other => Ok(other?),
    }
}
