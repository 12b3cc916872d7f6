// SPDX-License-Identifier: MIT
//! One worker's end of the connection: what it waits for, reads from and answers to.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relay::memory::Window;
use relay::{Peer, Policy, Stats, Strategy, Wait};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::{Errno, read, writev};
use zerocopy::FromBytes;
use zus_protocol::{InHeader, private_len};

use super::clone::clone_device;
use super::{End, MountError};
use crate::engine::{Answer, MAX_DATA, Reply, Session};

/// Room for a message before its data, and for aligning these.
const HEAD: usize = 4096;

/// Data go to a multiple of this in the buffer: a cache line.
const ALIGN: usize = 64;

/// Who slept for less than this has not slept: the request was there.
const WINK: Duration = Duration::from_micros(2);

/// How many waits in a row are not spun in, at most, because spinning has not paid.
const PATIENCE: u32 = 1000;

/// A request that was read.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Its length in the buffer, in bytes.
    len: usize,
    /// It came through the descriptor that blocks, and is answered there.
    by_sleeping: bool,
    /// It was there before anybody had to wait for it.
    pub(super) at_once: bool,
}

/// One worker's end of the connection.
#[derive(Debug)]
pub(super) struct Device {
    sleeping: Arc<OwnedFd>,
    polling: Arc<OwnedFd>,
    /// Message, then data. Allocated as zero pages, so that what no request reaches takes no memory.
    buffer: Vec<u8>,
    policy: Arc<Policy>,
    stats: Arc<Stats>,
    /// What the last sleep brought.
    slept: Option<Result<Incoming, End>>,
    /// Looks since this wait began.
    looks: u32,
    spin: Spin,
}

/// Whether spinning pays: not if the application is on this CPU, where it only comes on when we sleep. Where
/// it is is known from time to time only, so spinning that brought nothing is not tried again for ever more
/// waits.
#[derive(Debug)]
struct Spin {
    /// Where the application was last seen.
    application: Peer,
    /// Waits yet to pass without spinning.
    pause: u32,
    /// The last such number.
    last_pause: u32,
    /// Whether this wait spins.
    is_on: bool,
}

impl Device {
    /// The one that shakes hands: before that, there is nothing to clone.
    pub(super) fn first(device: OwnedFd, policy: Arc<Policy>) -> Self {
        let device = Arc::new(device);
        Self::new(device.clone(), device, policy)
    }

    /// A worker's, of the same connection.
    pub(super) fn clone_of(first: &Self, policy: Arc<Policy>) -> Result<Self, MountError> {
        let clone = |flags| clone_device(&first.sleeping, flags);
        let failed = |error: Errno| MountError::Workers(error.into());
        let sleeping = clone(OFlags::empty()).map_err(failed)?;
        let polling = clone(OFlags::NONBLOCK).map_err(failed)?;
        Ok(Self::new(Arc::new(sleeping), Arc::new(polling), policy))
    }

    fn new(sleeping: Arc<OwnedFd>, polling: Arc<OwnedFd>, policy: Arc<Policy>) -> Self {
        Self {
            sleeping,
            polling,
            buffer: vec![0; HEAD + MAX_DATA],
            policy,
            stats: Arc::default(),
            slept: None,
            looks: 0,
            spin: Spin {
                application: Peer::Unknown,
                pause: 0,
                last_pause: 0,
                is_on: false,
            },
        }
    }

    /// A descriptor of the same connection, to ask about it.
    pub(super) fn connection(&self) -> Result<OwnedFd, MountError> {
        clone_device(&self.sleeping, OFlags::NONBLOCK).map_err(|error| MountError::Workers(error.into()))
    }

    /// What its waiting has cost.
    pub(super) fn stats_handle(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// Where the application was seen.
    pub(super) fn application_is(&mut self, at: Peer) {
        self.spin.application = at;
    }

    /// The next request, waited for as the policy says; an error when there will be none.
    pub(super) fn next(&mut self) -> Result<Incoming, End> {
        self.looks = 0;
        self.spin.begin();
        let policy = self.policy.clone();
        let next = policy.wait(self, None).unwrap_or(Err(End::Unmounted));
        self.stats.handoff();
        next
    }

    /// The next request, slept for.
    pub(super) fn sleep_for_next(&mut self) -> Result<Incoming, End> {
        let next = loop {
            self.stats.park();
            if let Some(next) = self.read(true) {
                break next;
            }
        };
        self.stats.handoff();
        next
    }

    /// Whether another request is there.
    pub(super) fn has_more(&self) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut fds = [PollFd::new(&*self.polling, PollFlags::IN)];
        poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0) && fds[0].revents().contains(PollFlags::IN)
    }

    /// Header and body of a request.
    pub(super) fn peek(&self, request: &Incoming) -> Option<(InHeader, &[u8])> {
        InHeader::read_from_prefix(&self.buffer[..request.len]).ok()
    }

    /// Has a request answered.
    pub(super) fn serve(&mut self, request: Incoming, session: &Session, reply: &mut Reply) {
        let header = self.peek(&request).map(|(header, _)| header);
        let message_len = header
            .map_or(request.len, |header| private_len(&header))
            .min(request.len);
        // The data of a WRITE follow its message; others' go to the rest of the buffer, aligned.
        let (start, end) = if message_len < request.len {
            (message_len, request.len)
        } else {
            (
                request.len.next_multiple_of(ALIGN).min(self.buffer.len()),
                self.buffer.len(),
            )
        };
        let (message, data) = self.buffer.split_at_mut(start);
        let data = &mut data[..end - start];
        let answer = session.handle(&message[..message_len], Window::private(data), reply);
        let Answer::Reply { data_len } = answer else {
            return;
        };
        let device = if request.by_sleeping {
            &self.sleeping
        } else {
            &self.polling
        };
        let parts = [IoSlice::new(reply.bytes()), IoSlice::new(&data[..data_len])];
        match writev(&**device, &parts) {
            Ok(_) => {}
            // Nobody waits for it any more; if that is because all has ended, the next read says so.
            Err(Errno::NOENT | Errno::NODEV | Errno::CONNABORTED) => {}
            Err(error) => {
                // The request stays unanswered and its caller waits: cutting it off is for the administrator.
                let opcode = header.map(|header| header.opcode);
                tracing::error!(%error, ?opcode, "the kernel did not take a reply");
            }
        }
    }

    /// Reads a request. None: there is none, or not any more.
    fn read(&mut self, by_sleeping: bool) -> Option<Result<Incoming, End>> {
        let device = if by_sleeping {
            &self.sleeping
        } else {
            &self.polling
        };
        let mut result = read(&**device, &mut self.buffer[..]);
        if result == Err(Errno::CONNABORTED) {
            // Also said of a request that was on its way when the end came, however it came. Asked again,
            // there is no request.
            result = read(&**device, &mut self.buffer[..]);
        }
        match result {
            Ok(len) => Some(Ok(Incoming {
                len,
                by_sleeping,
                at_once: self.looks == 0,
            })),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOENT) => None,
            Err(Errno::NODEV) => Some(Err(End::Unmounted)),
            Err(Errno::CONNABORTED) => Some(Err(End::Aborted)),
            Err(error) => Some(Err(End::Failed(error.into()))),
        }
    }
}

impl Spin {
    fn begin(&mut self) {
        self.is_on = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
    }

    /// This wait is going to sleep.
    fn sleeps(&mut self) {
        if self.is_on {
            self.last_pause = (self.last_pause * 2 + 1).min(PATIENCE);
            self.pause = self.last_pause;
        }
    }

    /// This wait ended before it slept.
    fn pays(&mut self) {
        self.last_pause = 0;
    }
}

impl Wait for Device {
    type Item = Result<Incoming, End>;

    fn poll(&mut self) -> Option<Self::Item> {
        if let Some(slept) = self.slept.take() {
            return Some(slept);
        }
        // Who is going to sleep anyway finds in the same system call what is there already.
        match self.policy.strategy() {
            Strategy::Park => return None,
            Strategy::Hybrid if self.spin.application == Peer::Here => return None,
            _ => {}
        }
        let item = self.read(false);
        if item.is_some() && self.looks > 0 {
            self.spin.pays();
        }
        self.looks = self.looks.saturating_add(1);
        item
    }

    fn peer(&mut self) -> Peer {
        if self.spin.is_on {
            Peer::Elsewhere
        } else {
            Peer::Unknown
        }
    }

    fn sleep(&mut self, _deadline: Option<Instant>) {
        self.stats.park();
        self.looks = self.looks.saturating_add(1);
        self.spin.sleeps();
        if self.policy.strategy() == Strategy::Waitqueue {
            let mut fds = [PollFd::new(&*self.polling, PollFlags::IN)];
            // An error or a signal: the read that follows finds out.
            let _ = poll(&mut fds, None);
        } else {
            let asleep = Instant::now();
            self.slept = self.read(true);
            if let Some(Ok(request)) = &mut self.slept {
                request.at_once = asleep.elapsed() < WINK;
            }
        }
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
