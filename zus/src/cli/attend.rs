// SPDX-License-Identifier: MIT
//! What happens to a server between the beginning and the end of its mount.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::feeding::How;
use super::live::Live;
use crate::control::{Registration, Reply, Request, Responder};

/// How long a mount point may stay busy after a signal, before it is taken from under its users.
const BUSY: Duration = Duration::from_secs(1);

/// How long operations in flight may take after a second signal.
const HURRY: Duration = Duration::from_secs(3);

/// What happens.
pub enum Event {
    /// A signal that asks for the end.
    Signal,
    /// The mount point is free, the mount perhaps still in use. Whoever asked for that wants to know.
    Detached(Responder),
    /// The mount is gone; whoever asked for that waits for the end.
    Unmounted(Responder),
    /// The feeder brings nothing any more.
    Ended,
}

impl Event {
    /// Who waits for the outcome.
    pub fn responder(self) -> Option<Responder> {
        match self {
            Self::Detached(responder) | Self::Unmounted(responder) => Some(responder),
            Self::Signal | Self::Ended => None,
        }
    }
}

/// A server at work, until it is closed. Threads of the control socket share it, and outlive it.
type Shared = Arc<RwLock<Option<Live>>>;

/// The one who ends a server at work: when dropped, by force.
pub struct Served(Shared);

impl Served {
    /// Takes charge of `live`.
    pub fn new(live: Live) -> Self {
        Self(Arc::new(RwLock::new(Some(live))))
    }

    /// What answers requests from the control socket.
    pub fn answerer(&self, events: Sender<Event>) -> impl Fn(Request, Responder) + Send + Sync + 'static {
        let served = self.0.clone();
        move |request, responder| answer(&served, request, responder, &events)
    }

    /// Closes it, once those who are at it are done.
    ///
    /// # Errors
    /// If not everything could be made durable.
    pub fn close(self) -> Result<()> {
        self.take().map_or(Ok(()), Live::close)
    }

    fn take(&self) -> Option<Live> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the mount, by another thread: in order if it is not busy within `patience`, else by force.
    fn end(&self, patience: Duration) -> Result<()> {
        let served = self.0.clone();
        let end = move || {
            let served = served.read().unwrap_or_else(PoisonError::into_inner);
            let Some(live) = &*served else { return };
            let start = Instant::now();
            while start.elapsed() < patience {
                if live.unmount(How::Clean).is_ok() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
            tracing::warn!("in use: taken from under its users");
            if let Err(error) = live.unmount(How::Force) {
                tracing::error!("unmount: {error:#}");
            }
        };
        thread::Builder::new().name("end".into()).spawn(end)?;
        Ok(())
    }

    /// Closes the image while the mount is still in use.
    fn cut_off(&self) -> Result<()> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map_or(Ok(()), Live::cut_off)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Answers a request from the control socket.
fn answer(served: &RwLock<Option<Live>>, request: Request, responder: Responder, events: &Sender<Event>) {
    let served = served.read().unwrap_or_else(PoisonError::into_inner);
    // Without an answer: whoever asks sees that the server ends.
    let Some(live) = &*served else { return };
    let error = |error: anyhow::Error| Reply::Error(format!("{error:#}"));
    let (how, event): (_, fn(Responder) -> Event) = match request {
        Request::Status => return responder.send(&Reply::Status(Box::new(live.status()))),
        Request::Remount { options } => {
            return responder.send(&live.remount(&options).map_or_else(error, |()| Reply::Done));
        }
        Request::Stop { lazy: true } => (How::Lazy, Event::Detached),
        Request::Stop { lazy: false } => (How::Clean, Event::Unmounted),
    };
    match live.unmount(how) {
        // If nobody takes it, the server has ended, which the other side sees.
        Ok(()) => drop(events.send(event(responder))),
        Err(busy) => responder.send(&error(busy)),
    }
}

/// Which way a mount ended.
pub enum Way {
    /// Nothing comes any more: it can be closed.
    Ended,
    /// Its users were cut off, or could not be; nothing will end but the process.
    CutOff(Result<()>),
}

/// Waits for the end of the mount, and brings it about when asked to. Whoever waits for it is in `waiting`.
pub fn attend(
    served: &Served,
    inbox: &Receiver<Event>,
    registration: &mut Registration,
    waiting: &mut Vec<Responder>,
) -> Way {
    let mut patience = BUSY;
    let mut deadline: Option<Instant> = None;
    loop {
        let event = match deadline {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match event {
            Ok(Event::Ended) | Err(RecvTimeoutError::Disconnected) => return Way::Ended,
            Ok(Event::Unmounted(responder)) => waiting.push(responder),
            Ok(Event::Detached(responder)) => {
                if let Err(error) = registration.detach() {
                    tracing::error!("registry: {error}");
                }
                responder.send(&Reply::Done);
            }
            // It is out of everybody's reach, so that only the end of the process ends it.
            Ok(Event::Signal) if registration.entry().detached => return Way::CutOff(served.cut_off()),
            Ok(Event::Signal) => {
                if deadline.is_some() {
                    return Way::CutOff(Err(anyhow!("ended by a third signal")));
                }
                if patience.is_zero() {
                    deadline = Some(Instant::now() + HURRY);
                }
                if let Err(error) = served.end(patience) {
                    return Way::CutOff(Err(error));
                }
                patience = Duration::ZERO;
            }
            Err(RecvTimeoutError::Timeout) => {
                return Way::CutOff(Err(anyhow!("operations in flight did not end in time")));
            }
        }
    }
}
