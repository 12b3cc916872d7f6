// SPDX-License-Identifier: MIT
//! The feeder of clients in shared memory: user space to user space, no system call while hot.
//!
//! ```text
//! socket.rs     where clients knock                    ┐
//! peer.rs       who they are, by the kernel's word     │ guardian.rs: the thread at the door
//! handshake.rs  the bytes of greeting and welcome      │
//! reception.rs  what is made for a client              ┘
//! client.rs     what a client shares and holds: a message out of slot and window, its answer back
//! worker.rs     a thread on a CPU that answers the slots of many clients
//! options.rs    what a mount can be told: placement, limits
//! ```
//!
//! `docs/shm.md` tells who writes what, who may end what, and who trusts whom.

mod client;
mod guardian;
mod handshake;
mod options;
mod peer;
mod reception;
mod socket;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use relay::{Snapshot, Strategy};
use rustix::process::Resource;

pub use options::{Placement, ShmOptions, UnknownPlacement};

use crate::engine::Mount;
use guardian::{Calls, Clients, Guardian};
use options::Plan;
use reception::Reception;
use socket::Socket;
use worker::Worker;

/// Why a mount over shared memory does not come about.
#[derive(Debug, thiserror::Error)]
pub enum ShmError {
    /// The placement names a CPU that this server may not use.
    #[error("CPU {0} is offline, or not for this process to use")]
    NoCpu(u32),
    /// The socket.
    #[error("cannot listen for clients: {0}")]
    Socket(#[source] io::Error),
    /// Threads, descriptors.
    #[error("cannot serve clients: {0}")]
    Resources(#[from] io::Error),
}

/// What a worker has done.
#[derive(Clone, Copy, Debug)]
pub struct WorkerStats {
    /// The CPU that it is pinned to.
    pub cpu: u32,
    /// Its counters.
    pub relay: Snapshot,
}

/// A mount that is served over shared memory. Dropping it ends it.
pub struct Shm {
    mount: Arc<Mount>,
    path: PathBuf,
    workers: Arc<[Worker]>,
    clients: Clients,
    calls: Arc<Calls>,
    guardian: Option<JoinHandle<()>>,
}

/// Ends a mount from any thread. Does nothing if it has ended.
#[derive(Clone)]
pub struct Stopper(Arc<Calls>);

impl Stopper {
    /// Asks the mount to end: operations at hand are completed, then all clients are disconnected. Returns
    /// at once.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Shm {
    /// Serves `mount` to clients that connect to `socket`, a path of at most 107 bytes. A socket that a dead
    /// server left there is replaced.
    ///
    /// # Errors
    /// A CPU that is not there, a socket that cannot be made, threads or descriptors that cannot be had.
    pub fn listen(mount: Arc<Mount>, socket: &Path, options: &ShmOptions) -> Result<Self, ShmError> {
        let plan = Plan::new(&options.placement, &relay::cpu::online(), &relay::cpu::allowed())
            .map_err(ShmError::NoCpu)?;
        raise_descriptor_limit();
        let door = Socket::listen(socket, options.mode).map_err(ShmError::Socket)?;
        let start = |&cpu: &u32| Worker::start(cpu, Arc::clone(mount.policy()));
        let workers: Arc<[Worker]> = plan.workers.iter().map(start).collect::<io::Result<_>>()?;
        let calls = Arc::new(Calls::new()?);
        let clients = Clients::default();
        let reception = Reception::new(Arc::clone(&mount), options.clone(), plan);
        let guardian = Guardian::new(
            reception,
            Arc::clone(&workers),
            door,
            Arc::clone(&calls),
            clients.clone(),
        )?;
        let guardian = std::thread::Builder::new()
            .name("zus-shm-door".into())
            .spawn(move || guardian.run())?;
        tracing::info!(socket = %socket.display(), workers = workers.len(), "listening");
        Ok(Self {
            mount,
            path: socket.to_owned(),
            workers,
            clients,
            calls,
            guardian: Some(guardian),
        })
    }

    /// Where clients connect.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it serves.
    pub fn served(&self) -> &Arc<Mount> {
        &self.mount
    }

    /// For ending it from another thread, which [`wait`](Self::wait) then notices.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.calls))
    }

    /// Changes how all wait, workers and clients, while they run. (Of a change of the mount's policy alone,
    /// clients would not hear.)
    pub fn set_strategy(&self, strategy: Strategy, window: Duration) {
        self.mount.policy().set_strategy(strategy);
        self.mount.policy().set_window(window);
        self.calls.tell_waiting();
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        self.clients.count()
    }

    /// What each worker's waiting has cost so far.
    pub fn stats(&self) -> Vec<WorkerStats> {
        let stats = |worker: &Worker| WorkerStats {
            cpu: worker.cpu,
            relay: worker.stats.snapshot(),
        };
        self.workers.iter().map(stats).collect()
    }

    /// Serves until somebody stops it, then makes everything durable.
    pub fn wait(mut self) {
        self.finish();
    }

    /// Waits until the last operation is done.
    fn finish(&mut self) {
        let Some(guardian) = self.guardian.take() else {
            return;
        };
        if guardian.join().is_err() {
            tracing::error!("the guardian panicked");
        }
        if let Err(error) = self.mount.fs().sync() {
            tracing::error!(%error, "the last sync failed");
        }
    }
}

/// Lets this process have as many descriptors as it may: each client takes one for each worker and four more,
/// and the usual limit of 1024 is there for programs that use select(2).
fn raise_descriptor_limit() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(e) = rustix::process::setrlimit(Resource::Nofile, limit) {
            tracing::warn!("the limit on open files stays as it is: {e}");
        }
    }
}

impl Drop for Shm {
    fn drop(&mut self) {
        self.calls.stop();
        self.finish();
    }
}
