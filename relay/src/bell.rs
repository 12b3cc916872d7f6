// SPDX-License-Identifier: MIT
//! How a sleeper is woken: by the futex of the word it sleeps on, or by an eventfd.

use crate::clock;
use crate::futex::{Futex, Scope};
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

/// The bell of one direction: the publisher of a block rings it, the other side sleeps by it. Both
/// are given the same one; clones are of the handle.
///
/// Never ring an eventfd that somebody you do not trust holds as well: whoever holds it can make it
/// blocking and fill its counter, and the next ring would never return. (Sleeping by one is safe.)
/// So the direction towards an untrusted client is a futex, which nobody can make block.
#[derive(Clone, Debug)]
pub struct Bell(Kind);

/// A bell of another kind: something that wakes and is woken by other means than futex and eventfd.
pub trait Chime: std::fmt::Debug + Send + Sync {
    /// Wakes the one that sleeps by this bell, soon.
    fn ring(&self);

    /// Sleeps while the word slept on is `expected`, until rung, or less.
    fn sleep(&self, expected: u32);
}

#[derive(Clone, Debug)]
enum Kind {
    Futex,
    Chime(Arc<dyn Chime>),
    Eventfd { fd: Arc<OwnedFd>, blocking: bool },
}

impl Bell {
    /// The futex of the word itself: nothing to set up, and the cheapest for one sleeper on one slot.
    pub fn futex() -> Self {
        Self(Kind::Futex)
    }

    /// A bell of the caller's own making. It sleeps without a deadline: only for ends that wait without
    /// one.
    pub fn chime(chime: Arc<dyn Chime>) -> Self {
        Self(Kind::Chime(chime))
    }

    /// The eventfd `fd`, in whatever mode it is: where it is non-blocking, ringing never blocks;
    /// where it is blocking (only between sides that trust each other), sleeping without a deadline
    /// is one system call rather than two.
    ///
    /// # Errors
    ///
    /// What `fcntl` says if it is no open descriptor.
    pub fn eventfd(fd: OwnedFd) -> io::Result<Self> {
        let blocking = !rustix::fs::fcntl_getfl(&fd)?.contains(rustix::fs::OFlags::NONBLOCK);
        Ok(Self(Kind::Eventfd {
            fd: Arc::new(fd),
            blocking,
        }))
    }

    /// A new non-blocking eventfd.
    ///
    /// # Errors
    ///
    /// What `eventfd` says: too many descriptors.
    pub fn new_eventfd() -> io::Result<Self> {
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Kind::Eventfd {
            fd: Arc::new(fd),
            blocking: false,
        }))
    }

    /// A new blocking eventfd, for two sides that trust each other.
    ///
    /// # Errors
    ///
    /// As [`Bell::new_eventfd`].
    pub fn new_blocking_eventfd() -> io::Result<Self> {
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Self(Kind::Eventfd {
            fd: Arc::new(fd),
            blocking: true,
        }))
    }

    /// The eventfd, if it is one: for passing to the other process, or to an epoll.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Kind::Futex | Kind::Chime(_) => None,
            Kind::Eventfd { fd, .. } => Some(fd.as_fd()),
        }
    }

    /// Wakes the one that sleeps by this bell, on `word`.
    #[cold]
    pub(crate) fn ring(&self, word: &Futex, scope: Scope) {
        match &self.0 {
            Kind::Futex => word.wake(scope),
            Kind::Chime(chime) => chime.ring(),
            // Fails only with EAGAIN, when the counter is full: then it rings as loud as it can.
            Kind::Eventfd { fd, .. } => drop(rustix::io::write(fd, &1u64.to_ne_bytes())),
        }
    }

    /// Sleeps while `word` is `expected`, until rung or `deadline`, or less.
    #[cold]
    pub(crate) fn sleep(&self, word: &Futex, expected: u32, scope: Scope, deadline: Option<Instant>) {
        let (fd, blocking) = match &self.0 {
            Kind::Futex => return word.wait(expected, scope, deadline),
            Kind::Chime(chime) => return chime.sleep(expected),
            Kind::Eventfd { fd, blocking } => (fd, *blocking),
        };
        if !blocking || deadline.is_some() {
            let timeout = match deadline.map(clock::until) {
                Some(None) => return,
                left => left.flatten(),
            };
            let mut fds = [PollFd::new(fd, PollFlags::IN)];
            if !matches!(rustix::event::poll(&mut fds, timeout.as_ref()), Ok(1)) {
                return;
            }
        }
        // Interrupted or drained by nobody else: the caller looks at the word in any case.
        let _ = rustix::io::read(fd, &mut [0u8; 8]);
    }
}
