// SPDX-License-Identifier: MIT
//! A folder of its own for each test, with its own registry, which leaves nothing mounted and nothing
//! running behind, also when the test fails.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use zus_protocol::registry;

/// No test waits longer than this for anything.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// Whether this machine lets us mount through /dev/fuse; if not, says loudly which test is skipped.
pub fn can_mount(test: &str) -> bool {
    let open = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let reason = match open {
        Err(error) => format!("/dev/fuse: {error}"),
        Ok(_) if !rustix::process::geteuid().is_root() => "not root".into(),
        Ok(_) => return true,
    };
    eprintln!("SKIPPED: {test}: {reason}");
    false
}

/// Whether we are root; if not, says loudly which test is skipped.
pub fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: {test}: not root");
    }
    root
}

/// `#[test]` functions that mount begin with this.
macro_rules! needs {
    ($check:ident) => {
        if !$crate::scene::$check(std::thread::current().name().unwrap_or("a test")) {
            return;
        }
    };
}
pub(crate) use needs;

/// What a command came to.
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Outcome {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It was done.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "out: {}err: {}", self.out, self.err);
        self
    }

    /// It was not done, the exit status is 1, and one line on standard error has all of `parts` in it.
    #[track_caller]
    pub fn fails(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "out: {}err: {}", self.out, self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.starts_with("zus: "), "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "no {part:?} in: {}", self.err);
        }
        self
    }
}

/// A test's own folder, registry and mounts.
pub struct Scene {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Scene {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("zus-test-").tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::create_dir(path.join("mnt")).unwrap();
        Self { folder, path }
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The usual mount point.
    pub fn mnt(&self) -> PathBuf {
        self.path("mnt")
    }

    /// The `zus` program, told of this scene's registry.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zus"));
        command
            .args(args)
            .current_dir(&self.path)
            .env("ZUS_RUNTIME_DIR", self.path("run"))
            .stdin(Stdio::null());
        command
    }

    /// Runs `zus` to its end.
    pub fn zus<S: AsRef<OsStr>>(&self, args: &[S]) -> Outcome {
        Outcome::of(self.command(args).output().unwrap())
    }

    /// An image of `size`, called `name`.
    #[track_caller]
    pub fn image(&self, name: &str, size: &str) -> PathBuf {
        self.zus(&["mkfs", name, "--size", size]).ok();
        self.path(name)
    }

    /// An image of 64 MiB called `img`, mounted at `mnt`.
    #[track_caller]
    pub fn mounted() -> Self {
        let scene = Self::new();
        scene.image("img", "64M");
        scene.zus(&["mount", "img", "mnt"]).ok();
        scene
    }

    /// What `zus status --json` says, of one mount each.
    #[track_caller]
    pub fn status(&self) -> Vec<Value> {
        serde_json::from_str(&self.zus(&["status", "--json"]).ok().out).unwrap()
    }

    /// The process id of the only server.
    #[track_caller]
    pub fn server(&self) -> Pid {
        let status = self.status();
        assert_eq!(status.len(), 1, "{status:?}");
        Pid::from_raw(status[0]["pid"].as_i64().unwrap() as i32).unwrap()
    }

    /// Sends `signal` to the only server and waits until it has ended.
    #[track_caller]
    pub fn end_server(&self, signal: Signal) {
        let pid = self.server();
        kill_process(pid, signal).unwrap();
        wait_until("the server has ended", || !runs(pid));
    }

    /// Whether something is mounted at `dir`.
    pub fn is_mounted(&self, dir: &Path) -> bool {
        mounts_below(&self.path).iter().any(|mount| mount == dir)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Order: servers first, for a dead server's mount point is never busy for long.
        let registries = ["run", "run2", "nobody/run"].map(|name| self.path(name));
        for (_, entry) in registries.iter().flat_map(|dir| registry::list_in(dir)) {
            if entry.alive()
                && let Some(pid) = Pid::from_raw(entry.pid as i32)
            {
                let _ = kill_process(pid, Signal::KILL);
                wait_until("the killed server has ended", || !runs(pid));
            }
        }
        for mount in mounts_below(&self.path).iter().rev() {
            let _ = unmount(mount, UnmountFlags::DETACH);
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path("run/zus.log")).unwrap_or_default();
            eprintln!("log of the server in {}:\n{log}", self.folder.path().display());
        }
    }
}

/// Whether the process still runs.
pub fn runs(pid: Pid) -> bool {
    registry::start_time(pid.as_raw_nonzero().get() as u32).is_some()
}

/// Waits until `is` holds.
#[track_caller]
pub fn wait_until(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < WATCHDOG, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The mount points below `path`, in the order in which they were made.
fn mounts_below(path: &Path) -> Vec<PathBuf> {
    let all = zus::mountinfo::all().unwrap();
    all.into_iter()
        .map(|mounted| mounted.dir)
        .filter(|dir| dir.starts_with(path))
        .collect()
}

/// A command run as a user without any rights, `nobody`; the program is copied to where it may read it.
pub fn as_nobody(scene: &Scene, args: &[&str]) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let program = scene.path("zus");
    if !program.exists() {
        // By another process: a descriptor of ours, open for writing, could be in a child of another test.
        Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_zus"))
            .arg(&program)
            .status()
            .unwrap();
    }
    fs::set_permissions(scene.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let run = scene.path("nobody");
    fs::create_dir_all(&run).unwrap();
    std::os::unix::fs::chown(&run, Some(65534), Some(65534)).unwrap();
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(scene.path(""))
        .env("ZUS_RUNTIME_DIR", run.join("run"));
    Outcome::of(
        command
            .uid(65534)
            .gid(65534)
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    )
}
