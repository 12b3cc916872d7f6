// SPDX-License-Identifier: MIT
//! A mount for one test, on a directory of its own; both go with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use relay::{Policy, Strategy};
use rustix::mount::{UnmountFlags, unmount};
use zus::engine::Mount;
use zus::feeder::fuse::{Fuse, FuseOptions, How, UnmountError};
use zus::fs::FileSystem;

/// A file system at work, waiting by `strategy`.
pub fn at_work(fs: impl FileSystem + 'static, strategy: Strategy) -> Arc<Mount> {
    let policy = Policy::new(strategy, Duration::from_micros(20));
    Mount::new(Arc::new(fs), Arc::new(policy))
}

/// An empty directory that goes with this.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "zus-fuse-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a temporary directory");
        Self(path.canonicalize().expect("its path"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.0);
        if !std::thread::panicking() {
            removed.expect("nothing is mounted there any more");
        }
    }
}

/// Whether this process can mount; if not, says so.
pub fn can_mount() -> bool {
    let why = if !rustix::process::geteuid().is_root() {
        "not root"
    } else if !Path::new("/dev/fuse").exists() {
        "no /dev/fuse (`modprobe fuse`)"
    } else {
        return true;
    };
    eprintln!("SKIPPED: cannot mount: {why}");
    false
}

/// A mount on a directory of its own.
pub struct Mounted {
    fuse: Option<Fuse>,
    dir: TempDir,
}

impl Mounted {
    pub fn new(mount: Arc<Mount>, options: &FuseOptions) -> Option<Self> {
        if !can_mount() {
            return None;
        }
        watch();
        let dir = TempDir::new();
        let fuse = Fuse::mount(mount, dir.path(), options).expect("a mount");
        Some(Self {
            fuse: Some(fuse),
            dir,
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn fuse(&self) -> &Fuse {
        self.fuse.as_ref().expect("it is there until it is taken")
    }

    /// The mount without its directory, which stays for as long as `self`.
    pub fn take(&mut self) -> Fuse {
        self.fuse.take().expect("it is there until it is taken")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Before its directory.
        drop(self.fuse.take());
    }
}

/// Unmounts what nobody uses any more. Another test may be between fork and exec: its child has every
/// file of this process open for that moment.
pub fn unmount_clean(fuse: &Fuse) {
    loop {
        match fuse.stopper().unmount(How::Clean) {
            Err(UnmountError::Busy(_)) => std::thread::sleep(Duration::from_millis(1)),
            result => return result.expect("it can be unmounted"),
        }
    }
}

/// Ends the test program if it takes much longer than it ever should. Its mounts are cut off first: a
/// process that dies while it waits for an answer from itself would wait for ever.
fn watch() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_secs(120));
            eprintln!("a test hangs: giving up");
            let mine = std::env::temp_dir().join(format!("zus-fuse-{}-", std::process::id()));
            let mine = mine.to_str().expect("a plain path").to_owned();
            let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
            for point in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
                if point.starts_with(&mine) {
                    let _ = unmount(point, UnmountFlags::FORCE);
                    let _ = unmount(point, UnmountFlags::DETACH);
                }
            }
            std::process::abort();
        });
    });
}
