// SPDX-License-Identifier: MIT
//! A server at work, as the control socket sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Result, bail};
use relay::Policy;
use rustix::mount::MountFlags;
use zus::engine::Mount;

use super::attend::Event;
use super::feeding::{Chosen, Feeding, How};
use super::image::Opened;
use super::memory;
use super::options::Options;
use super::serve::Plan;
use crate::control::{Operation, Status};

/// A file system, served. Dropped, it is taken from under its users.
pub struct Live {
    opened: Opened,
    mount: Arc<Mount>,
    feeding: Box<dyn Feeding>,
    waiter: Option<JoinHandle<()>>,
    image: Option<PathBuf>,
    since: Instant,
    /// The image was opened so: nothing can make this mount writable.
    opened_read_only: bool,
    /// Relaxed: for showing only.
    read_only: AtomicBool,
}

impl Live {
    /// Serves `opened` through `feeder`, waiting by `policy`. The feeder's end is told to `events`.
    ///
    /// # Errors
    /// One line that names what is in the way.
    pub fn start(
        plan: &Plan,
        opened: Opened,
        policy: Policy,
        feeder: Chosen,
        events: Sender<Event>,
    ) -> Result<Self> {
        let mount = Mount::new(opened.fs(), Arc::new(policy));
        let read_only = plan.options.read_only();
        let (feeding, wait) = feeder.start(mount.clone(), plan)?;
        let mut live = Self {
            opened,
            mount,
            feeding,
            waiter: None,
            image: plan.image.clone(),
            since: Instant::now(),
            opened_read_only: read_only,
            read_only: AtomicBool::new(read_only),
        };
        let wait = move || {
            wait();
            let _ = events.send(Event::Ended);
        };
        live.waiter = Some(thread::Builder::new().name("wait".into()).spawn(wait)?);
        Ok(live)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// One line: above all, that it is busy.
    pub fn unmount(&self, how: How) -> Result<()> {
        self.feeding.unmount(how)
    }

    /// Changes what can be changed: all of `list`, or nothing.
    ///
    /// # Errors
    /// One line that names what cannot be.
    pub fn remount(&self, list: &str) -> Result<()> {
        let options = Options::parse(&[list])?;
        if let Some(name) = options.fixed() {
            bail!("option {name} cannot change while mounted");
        }
        let before = if self.read_only.load(Ordering::Relaxed) {
            MountFlags::RDONLY
        } else {
            MountFlags::empty()
        };
        let read_only = options.flags.apply(before).contains(MountFlags::RDONLY);
        if !read_only && self.opened_read_only {
            bail!("the image was opened read-only; unmount it, then mount it for writing");
        }
        if !options.flags.is_empty() {
            self.feeding.remount(options.flags)?;
            self.read_only.store(read_only, Ordering::Relaxed);
        }
        let policy = self.mount.policy();
        let strategy = options.relay.unwrap_or(policy.strategy());
        let window = options.window.unwrap_or(policy.window());
        self.feeding.set_waiting(strategy, window);
        tracing::info!(%strategy, ?window, read_only, "remounted");
        Ok(())
    }

    /// How it is.
    pub fn status(&self) -> Status {
        let policy = self.mount.policy();
        let operation = |count: zus::engine::Count| {
            (
                count.operation.into(),
                Operation {
                    requests: count.requests,
                    errors: count.errors,
                },
            )
        };
        let resident = memory::resident(self.image.as_deref()).ok();
        Status {
            read_only: self.read_only.load(Ordering::Relaxed),
            strategy: policy.strategy().to_string(),
            window_ns: policy.window().as_nanos() as u64,
            uptime_s: self.since.elapsed().as_secs_f64(),
            operations: self
                .mount
                .counters()
                .snapshot()
                .into_iter()
                .map(operation)
                .collect(),
            workers: self.feeding.workers(),
            resident_bytes: resident.map(|resident| resident.own),
            image_resident_bytes: resident
                .filter(|_| self.image.is_some())
                .map(|resident| resident.image),
        }
    }

    /// Closes it, after the feeder's end.
    ///
    /// # Errors
    /// If not everything could be made durable.
    pub fn close(mut self) -> Result<()> {
        self.join();
        self.opened.close()
    }

    /// Closes the image under its last users, who find it read-only from now on.
    ///
    /// # Errors
    /// If not everything could be made durable.
    pub fn cut_off(&self) -> Result<()> {
        self.opened.close()
    }

    fn join(&mut self) {
        if let Some(waiter) = self.waiter.take()
            && waiter.join().is_err()
        {
            tracing::error!("the feeder panicked");
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // After its own end this finds nothing, or what was left when the connection was cut.
        if let Err(error) = self.feeding.unmount(How::Force) {
            tracing::error!("unmount: {error:#}");
        }
        self.join();
    }
}
