// SPDX-License-Identifier: MIT
//! Clients, through shared memory.

use std::path::PathBuf;
use std::sync::Arc;
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
    let mut options = ShmOptions::new(mount.policy().clone());
    if let Some(placement) = &plan.options.placement {
        options.placement = placement.clone();
    }
    let shm = Arc::new(Shm::listen(mount, &socket, &options)?);
    let feeding = Clients(shm.clone());
    let wait = move || shm.wait();
    Ok((Box::new(feeding), Box::new(wait)))
}

struct Clients(Arc<Shm>);

impl Feeding for Clients {
    fn unmount(&self, how: How) -> Result<()> {
        match (how, self.0.clients()) {
            (How::Clean, 1..) => bail!("busy: clients are connected ({})", self.0.clients()),
            (How::Lazy, 1..) => {
                let shm = self.0.clone();
                thread::Builder::new().name("last-client".into()).spawn(move || {
                    while shm.clients() > 0 {
                        thread::sleep(LOOK);
                    }
                    shm.stop();
                })?;
            }
            _ => self.0.stop(),
        }
        Ok(())
    }

    fn workers(&self) -> Vec<Worker> {
        self.0
            .stats()
            .into_iter()
            .map(|worker| Worker::new(worker.cpu, worker.relay))
            .collect()
    }

    fn set_waiting(&self, strategy: Strategy, window: Duration) {
        self.0.set_strategy(strategy, window);
    }

    fn remount(&self, flags: Flags) -> Result<()> {
        if !flags.is_empty() {
            bail!("through shared memory only relay and spin_us can change");
        }
        Ok(())
    }
}
