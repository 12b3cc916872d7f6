// SPDX-License-Identifier: MIT
//! zuf.ko: the kernel module brings the messages, through the relay.
//!
//! A [`Zuf`] registers with the module and names file system types; from then on mount(8) of such a type
//! reaches [`Zuf::serve`], which has the file system made and starts a thread for each channel. One server
//! serves any number of mounts. A mount ends when the kernel buries its side of the slots: at umount, at an
//! abort, at this server's end.
//!
//! - `abi`, `door`: what goes through /dev/zuf
//! - `chime`: how the two sides of a slot wake each other
//! - `worker`: the thread that serves a channel

mod abi;
mod chime;
#[allow(unsafe_code)] // ioctls
mod door;
mod worker;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::io::Errno;

use self::abi::{CHANNEL_RESERVE, EVENT_MOUNT, EVENT_POLICY, Event, MOUNT_READ_ONLY};
use self::door::Door;
use self::worker::Worker;
use crate::engine::{Access, Mount};

/// What mount(8) asks for.
#[derive(Clone, Debug)]
pub struct MountRequest {
    /// The type.
    pub fs: String,
    /// What is to be mounted.
    pub source: String,
    /// Nothing is to be changed through it.
    pub read_only: bool,
}

/// Where the threads run that serve the applications of a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// There.
    #[default]
    Same,
    /// On the next CPU.
    Cross,
}

/// How many threads, and where.
#[derive(Clone, Debug)]
pub struct ZufOptions {
    /// Where.
    pub placement: Placement,
    /// Channels of each CPU, beside the one in reserve for memory reclaim.
    pub channels_per_cpu: u32,
}

impl Default for ZufOptions {
    fn default() -> Self {
        Self {
            placement: Placement::Same,
            channels_per_cpu: 2,
        }
    }
}

/// Makes the file system that a mount asks for; an errno, positive, if it cannot.
pub type Make = dyn Fn(&MountRequest) -> Result<Arc<Mount>, i32> + Send + Sync;

/// A server of mounts that the module hands over.
pub struct Zuf {
    door: Door,
    options: ZufOptions,
    make: Box<Make>,
    mounts: Mutex<HashMap<u64, Weak<Mount>>>,
}

impl Zuf {
    /// Registers with the module as the server of the types `names`.
    ///
    /// # Errors
    ///
    /// Which step failed: above all that there is no module, or that another server has a name.
    pub fn register(names: &[&str], options: ZufOptions, make: Box<Make>) -> io::Result<Self> {
        let say = |what: String| move |error: Errno| io::Error::new(io::Error::from(error).kind(), what);
        let door = Door::register().map_err(|error| {
            say(match error {
                Errno::NOENT | Errno::NXIO | Errno::NODEV => "/dev/zuf: zuf.ko is not loaded".into(),
                Errno::ACCESS | Errno::PERM => "/dev/zuf: serving mounts needs root".into(),
                Errno::PROTO => "/dev/zuf: zuf.ko speaks another version of the protocol".into(),
                _ => format!("/dev/zuf: {error}"),
            })(error)
        })?;
        for name in names {
            door.add_fs(name).map_err(|error| {
                say(match error {
                    Errno::EXIST => format!("{name}: another server serves it already"),
                    _ => format!("{name}: {error}"),
                })(error)
            })?;
        }
        Ok(Self {
            door,
            options,
            make,
            mounts: Mutex::default(),
        })
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    ///
    /// What the door says.
    pub fn serve(&self) -> io::Result<()> {
        loop {
            match self.door.next() {
                Ok(event) if event.kind == EVENT_MOUNT => self.mount(&event)?,
                Ok(event) if event.kind == EVENT_POLICY => self.apply(&event),
                Ok(event) => tracing::warn!(kind = event.kind, "the module has news that are not understood"),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes a mount ready, or refuses it.
    fn mount(&self, event: &Event) -> io::Result<()> {
        let request = MountRequest {
            fs: abi::text(&event.fs),
            source: abi::text(&event.source),
            read_only: event.flags & MOUNT_READ_ONLY != 0,
        };
        let started = (self.make)(&request).and_then(|mount| {
            set_policy(&mount, event);
            self.start(event.mount, &mount)
                .map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
        });
        let (error, threads) = match started {
            Ok(threads) => (0, threads),
            Err(error) => (error, Vec::new()),
        };
        match self.door.ready(event.mount, error) {
            Ok(()) => {}
            // mount(8) did not wait for it.
            Err(Errno::NOENT | Errno::ALREADY) => {}
            Err(error) => tracing::error!(%error, "a mount could not be made ready"),
        }
        if error == 0 {
            tracing::info!(fs = request.fs, source = request.source, "mounted");
            attend(event.mount, threads)?;
        }
        Ok(())
    }

    fn start(&self, id: u64, mount: &Arc<Mount>) -> io::Result<Vec<JoinHandle<()>>> {
        let door = Arc::new(self.door.attach(id)?);
        let session = Arc::new(mount.session(Access::Kernel));
        let cpus = relay::cpu::online();
        let mut workers = Vec::new();
        for (index, &cpu) in cpus.iter().enumerate() {
            let runs_on = match self.options.placement {
                Placement::Same => cpu,
                Placement::Cross => cpus[(index + 1) % cpus.len()],
            };
            let reserve = std::iter::once(CHANNEL_RESERVE);
            for flags in reserve.chain((0..self.options.channels_per_cpu).map(|_| 0)) {
                let channel = door.channel(cpu, flags)?;
                workers.push(Worker::new(session.clone(), door.clone(), &channel, runs_on)?);
            }
        }
        let mut mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        mounts.retain(|_, mount| mount.strong_count() > 0);
        mounts.insert(id, Arc::downgrade(mount));
        workers.into_iter().map(Worker::start).collect()
    }

    /// A remount has changed how to wait.
    fn apply(&self, event: &Event) {
        let mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mount) = mounts.get(&event.mount).and_then(Weak::upgrade) {
            set_policy(&mount, event);
        }
    }
}

fn set_policy(mount: &Mount, event: &Event) {
    mount.policy().set_strategy(event.strategy());
    // 0: as calibrated.
    if event.spin_ns > 0 {
        mount.policy().set_window(Duration::from_nanos(event.spin_ns));
    }
}

/// Waits for the end of a mount in a thread of its own: the session, and what it holds, end with the last of
/// the threads that serve it.
fn attend(id: u64, threads: Vec<JoinHandle<()>>) -> io::Result<()> {
    thread::Builder::new().name("zus-zuf-end".into()).spawn(move || {
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!(mount = id, "a worker panicked");
            }
        }
        tracing::info!(mount = id, "unmounted");
    })?;
    Ok(())
}
