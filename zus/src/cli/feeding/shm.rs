// SPDX-License-Identifier: MIT
//! Clients, through shared memory.

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use relay::Strategy;
use zus::engine::Mount;
use zus::feeder::shm::{Shm, ShmOptions};

use super::{Feeding, How, Started};
use crate::cli::options::Flags;
use crate::cli::serve::Plan;
use crate::control::Worker;

/// How often a mount that was taken away lazily looks whether its last client has gone.
const LOOK: Duration = Duration::from_millis(100);

pub fn start(mount: Arc<Mount>, plan: &Plan, socket: PathBuf) -> Result<Started> {
    let mut options = ShmOptions {
        read_only: plan.options.read_only(),
        ..ShmOptions::default()
    };
    if let Some(placement) = &plan.options.placement {
        options.placement = placement.clone();
    }
    let shm = Shm::listen(mount, &socket, &options)?;
    let (end, asked) = mpsc::channel();
    let clients = Clients {
        shm: Arc::new(Mutex::new(Some(shm))),
        end,
    };
    let shm = clients.shm.clone();
    let wait = move || {
        // Nothing but us ends it; if nobody can ask any more, that is asking.
        let _ = asked.recv();
        if let Some(shm) = lock(&shm).take() {
            shm.stopper().stop();
            shm.wait();
        }
    };
    Ok((Box::new(clients), Box::new(wait)))
}

struct Clients {
    /// None once it has been asked to end.
    shm: Arc<Mutex<Option<Shm>>>,
    end: Sender<()>,
}

impl Feeding for Clients {
    fn unmount(&self, how: How) -> Result<()> {
        let clients = count(&self.shm);
        let end = self.end.clone();
        // Whoever is not there any more to be asked has ended.
        let ask = move || {
            let _ = end.send(());
        };
        match how {
            How::Clean if clients > 0 => bail!("busy: clients are connected ({clients})"),
            How::Lazy if clients > 0 => {
                let shm = self.shm.clone();
                thread::Builder::new().name("last-client".into()).spawn(move || {
                    while count(&shm) > 0 {
                        thread::sleep(LOOK);
                    }
                    ask();
                })?;
            }
            How::Clean | How::Lazy | How::Force => ask(),
        }
        Ok(())
    }

    fn workers(&self) -> Vec<Worker> {
        let stats = lock(&self.shm).as_ref().map(Shm::stats).unwrap_or_default();
        stats
            .into_iter()
            .map(|worker| Worker::new(worker.cpu, worker.relay))
            .collect()
    }

    fn set_waiting(&self, strategy: Strategy, window: Duration) {
        if let Some(shm) = &*lock(&self.shm) {
            shm.set_strategy(strategy, window);
        }
    }

    fn remount(&self, flags: Flags) -> Result<()> {
        if !flags.is_empty() {
            bail!("through shared memory only relay and spin_us can change");
        }
        Ok(())
    }
}

fn lock(shm: &Mutex<Option<Shm>>) -> MutexGuard<'_, Option<Shm>> {
    shm.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(shm: &Mutex<Option<Shm>>) -> usize {
    lock(shm).as_ref().map_or(0, Shm::clients)
}
