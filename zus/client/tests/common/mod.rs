// SPDX-License-Identifier: MIT
//! A server in this process, and a file system that keeps what is written to it.
#![allow(dead_code, unused_imports)] // each test uses a part of it

pub mod ramfs;
mod role;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libzus::{Client, Connector};
use relay::{Policy, Strategy};
use tempfile::TempDir;
use zus::engine::Mount;
use zus::feeder::shm::{Shm, ShmOptions};

use ramfs::Ramfs;
pub use role::Role;

/// Longer than anything takes on the slowest machine, shorter than patience lasts.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// How long waiters may spin.
const SPIN: Duration = Duration::from_micros(50);

/// A server.
pub struct Server {
    pub shm: Shm,
    pub fs: Arc<Ramfs>,
    dir: TempDir,
}

impl Server {
    /// One that waits by `park`.
    pub fn start() -> Self {
        Self::with(Strategy::Park, ShmOptions::default())
    }

    pub fn with(strategy: Strategy, options: ShmOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Also for tests that connect as another user.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let fs = Arc::new(Ramfs::new());
        let mount = Mount::new(Arc::clone(&fs) as Arc<_>, Arc::new(Policy::new(strategy, SPIN)));
        let shm = Shm::listen(mount, &dir.path().join("data"), &options).unwrap();
        Self { shm, fs, dir }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn client(&self) -> Client {
        Client::connect(self.socket()).unwrap()
    }

    pub fn client_with(&self, slots_per_cpu: u32) -> Client {
        let connector = Connector::new().slots_per_cpu(slots_per_cpu);
        connector.connect(self.socket()).unwrap()
    }

    /// Waits until nobody is connected and nothing is held: which must come soon.
    pub fn wait_until_idle(&self) {
        wait_for("all clients' things to be freed", || {
            self.shm.clients() == 0 && self.fs.held() == 0
        });
    }
}

/// Waits for what must come.
pub fn wait_for(what: &str, mut come: impl FnMut() -> bool) {
    let start = Instant::now();
    while !come() {
        assert!(start.elapsed() < WATCHDOG, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The errno of a result that must be an error.
pub fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    let error = result.unwrap_err();
    error
        .raw_os_error()
        .unwrap_or_else(|| panic!("no errno in {error:?}"))
}

/// Lets children that are started from now on have the descriptor `fd` too.
pub fn inherit(fd: i32) {
    use std::os::fd::BorrowedFd;
    // The descriptor that listed the others may be closed by now.
    if !std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists() {
        return;
    }
    // SAFETY: only flags of it are changed; if it was closed in between, that is an error and no more.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty());
}

/// Whether a socket tells the process at its other end: Linux 6.5 does.
pub fn kernel_tells_processes() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0u32), numbers.next().unwrap_or(0u32)) >= (6, 5)
}
