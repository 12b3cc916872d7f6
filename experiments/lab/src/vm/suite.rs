// SPDX-License-Identifier: MIT
//! What the kernel module promises, checked inside a guest: `cargo lab vm -- lab zuf`.
//!
//! One program, because in an emulated machine each process start is dear. The host side fails the run if
//! the guest's kernel complains, whatever stands here.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::process::{Pid, Signal, kill_process};

const STRATEGIES: [&str; 5] = ["waitqueue", "park", "yield", "spin", "hybrid"];
const THREADS: usize = 4;
/// Operations that each strategy has to bear.
const OPERATIONS: u64 = 20_000;
const MOUNTS: usize = 200;
/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const POINT: &str = "/tmp/zuf";

type Check = fn() -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    (
        "every strategy bears a mixed load, and changes under it",
        strategies,
    ),
    (
        "a server that is killed under load leaves errors and a mount that goes",
        server_killed,
    ),
    (
        "applications that are killed leave the mount to the others",
        applications_killed,
    ),
    (
        "an operation that is given up holds its inode until the server is done with it",
        orphan,
    ),
    ("abort frees all who wait for a server that never answers", abort),
    (
        "umount -f frees all who wait for a server that never answers",
        force,
    ),
    ("a processor can go and come under load", hotplug),
    ("mounting and unmounting leaves nothing", mounts),
    ("what cannot be is refused with the right error", refusals),
    ("the module goes", unload),
];

/// Runs the checks whose names contain `filter`.
pub fn run(filter: &str) -> Result<ExitCode> {
    fs::create_dir_all(POINT)?;
    let mut failed = 0;
    for (name, check) in CHECKS.iter().filter(|(name, _)| name.contains(filter)) {
        let start = Instant::now();
        let result = check();
        // Whatever a failed check left behind is not the next one's.
        while unmount(POINT, UnmountFlags::FORCE | UnmountFlags::DETACH).is_ok() {}
        match result {
            Ok(()) => println!("ok   {:5.1} s  {name}", start.elapsed().as_secs_f64()),
            Err(error) => {
                failed += 1;
                println!("FAIL {:5.1} s  {name}: {error:#}", start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A server process, killed with its owner.
struct Server(Child);

impl Server {
    fn start() -> Result<Self> {
        let mut child = Command::new("zus")
            .arg("serve")
            .env("ZUS_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("zus serve")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let server = Self(child);
        ensure!(line.starts_with("serving"), "the server says: {line}");
        Ok(server)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.0), signal)?;
        // All its threads are to have heard of it.
        sleep(Duration::from_millis(200));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mount_it(relay: &str) -> Result<()> {
    let options = CString::new(format!("relay={relay}"))?;
    mount("none", POINT, "nullfs", MountFlags::empty(), options.as_c_str()).context("mount")
}

fn unmount_it() -> Result<()> {
    unmount(POINT, UnmountFlags::empty()).context("umount")
}

/// Files of the one mount in sysfs.
fn state_dir() -> Result<PathBuf> {
    let mut dirs = fs::read_dir("/sys/fs/zuf/mounts")?;
    Ok(dirs.next().context("no mount in /sys/fs/zuf/mounts")??.path())
}

fn stat(name: &str) -> Result<u64> {
    let text = fs::read_to_string(state_dir()?.join("stats"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {name} in stats"))?.parse()?)
}

/// Operations of all kinds in a directory of one's own.
fn round(dir: &Path) -> std::io::Result<()> {
    let file = dir.join("file");
    fs::create_dir_all(dir)?;
    let handle = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&file)?;
    handle.write_all_at(&[7; 4096], 0)?;
    handle.write_all_at(&[7; 100_000], 4096)?;
    let mut bytes = [1; 4096];
    handle.read_exact_at(&mut bytes, 8192)?;
    let len = handle.metadata()?.len();
    assert_eq!(len, 4096 + 100_000, "the size of what was written");
    handle.sync_all()?;
    handle.set_len(10)?;
    let names = fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
    assert_eq!(names.len(), 1, "the names in the directory");
    fs::remove_file(&file)?;
    match fs::metadata(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(_) => panic!("a file that was removed is there"),
    }
    fs::remove_dir(dir)
}

/// Threads that run rounds until told to stop, or an error.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<std::io::Result<()>>>,
}

impl Load {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = |index: usize| {
            let stop = stop.clone();
            thread::spawn(move || {
                let dir = Path::new(POINT).join(index.to_string());
                while !stop.load(Relaxed) {
                    round(&dir)?;
                }
                Ok(())
            })
        };
        Self {
            threads: (0..THREADS).map(thread).collect(),
            stop: stop.clone(),
        }
    }

    /// Each thread's end, all of which come within `PATIENCE`.
    fn finish(self) -> Result<Vec<std::io::Result<()>>> {
        self.stop.store(true, Relaxed);
        let start = Instant::now();
        while !self.threads.iter().all(|thread| thread.is_finished()) {
            ensure!(start.elapsed() < PATIENCE, "a thread of the load is stuck");
            sleep(Duration::from_millis(10));
        }
        self.threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("the load found wrong data"))
            })
            .collect()
    }
}

fn strategies() -> Result<()> {
    let _server = Server::start()?;
    mount_it("park")?;
    let load = Load::start();
    for strategy in STRATEGIES {
        let options = CString::new(format!("relay={strategy}"))?;
        mount_remount(POINT, MountFlags::empty(), options.as_c_str())?;
        let shown = fs::read_to_string("/proc/mounts")?;
        ensure!(
            shown.contains(&format!("relay={strategy}")),
            "{strategy} is not in /proc/mounts"
        );
        let wanted = stat("handoffs")? + OPERATIONS;
        until(strategy, || Ok(stat("handoffs")? >= wanted))?;
    }
    for end in load.finish()? {
        end?;
    }
    unmount_it()
}

fn server_killed() -> Result<()> {
    for strategy in STRATEGIES {
        let mut server = Server::start()?;
        mount_it(strategy)?;
        let load = Load::start();
        sleep(Duration::from_millis(300));
        server.0.kill()?;
        server.0.wait()?;
        for end in load.finish()? {
            let error = end
                .err()
                .with_context(|| format!("{strategy}: work without a server"))?;
            ensure!(error.kind() == ErrorKind::NotConnected, "{strategy}: {error}");
        }
        ensure!(
            fs::metadata(Path::new(POINT).join("x")).is_err(),
            "{strategy}: a name without a server"
        );
        unmount_it()?;
    }
    // And a new server is as good as the first.
    let _server = Server::start()?;
    mount_it("hybrid")?;
    round(&Path::new(POINT).join("again"))?;
    unmount_it()
}

/// A process that writes for ever.
fn writer(name: &str) -> Result<Child> {
    let file = File::create(Path::new(POINT).join(name))?;
    Ok(Command::new("cat").arg("/dev/zero").stdout(file).spawn()?)
}

fn applications_killed() -> Result<()> {
    let _server = Server::start()?;
    mount_it("hybrid")?;
    for turn in 0..30 {
        let mut child = writer(&format!("w{}", turn % 3))?;
        sleep(Duration::from_millis(5 + turn * 7 % 40));
        child.kill()?;
        child.wait()?;
    }
    round(&Path::new(POINT).join("after"))?;
    unmount_it()
}

/// Waits until `what` holds.
fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !holds()? {
        ensure!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn orphan() -> Result<()> {
    let server = Server::start()?;
    mount_it("park")?;
    let mut child = writer("file")?;
    server.signal(Signal::STOP)?;
    sleep(Duration::from_millis(200));
    child.kill()?;
    child.wait()?;
    until("an orphan", || Ok(stat("orphans")? == 1))?;
    // The fence: this waits for the orphan, not for a lock of the dead.
    let cat = thread::spawn(|| fs::metadata(Path::new(POINT).join("file")).map(|meta| meta.len()));
    let write = thread::spawn(|| -> std::io::Result<()> {
        OpenOptions::new()
            .append(true)
            .open(Path::new(POINT).join("file"))?
            .write_all(b"more")
    });
    sleep(Duration::from_millis(100));
    ensure!(!write.is_finished(), "a write went ahead of the server");
    server.signal(Signal::CONT)?;
    until("the fence falls", || Ok(write.is_finished() && cat.is_finished()))?;
    write.join().map_err(|_| anyhow::anyhow!("panic"))??;
    unmount_it()
}

/// A server that does not answer, an application that waits for it.
fn stuck() -> Result<(Server, thread::JoinHandle<std::io::Result<fs::Metadata>>)> {
    let server = Server::start()?;
    mount_it("hybrid")?;
    server.signal(Signal::STOP)?;
    let waits = thread::spawn(|| fs::metadata(Path::new(POINT).join("name")));
    sleep(Duration::from_millis(200));
    ensure!(!waits.is_finished(), "an answer from a stopped server");
    Ok((server, waits))
}

fn freed(waits: thread::JoinHandle<std::io::Result<fs::Metadata>>) -> Result<()> {
    until("who waits is freed", || Ok(waits.is_finished()))?;
    match waits.join() {
        Ok(Err(error)) if error.kind() == ErrorKind::NotConnected => Ok(()),
        other => bail!("{other:?}"),
    }
}

fn abort() -> Result<()> {
    let (_server, waits) = stuck()?;
    fs::write(state_dir()?.join("abort"), "1")?;
    freed(waits)?;
    ensure!(
        fs::read_to_string(state_dir()?.join("state"))?.trim() == "aborted",
        "the state does not tell"
    );
    unmount_it()
}

fn force() -> Result<()> {
    let (_server, waits) = stuck()?;
    let _ = unmount(POINT, UnmountFlags::FORCE);
    freed(waits)?;
    until("umount", || {
        Ok(unmount(POINT, UnmountFlags::empty()).is_ok() || state_dir().is_err())
    })
}

fn hotplug() -> Result<()> {
    const CPU: &str = "/sys/devices/system/cpu/cpu1/online";
    ensure!(
        Path::new(CPU).exists(),
        "this check needs a second processor that can go"
    );
    let _server = Server::start()?;
    mount_it("hybrid")?;
    let load = Load::start();
    for turn in 0..6 {
        sleep(Duration::from_millis(200));
        fs::write(CPU, if turn % 2 == 0 { "0" } else { "1" })?;
    }
    for end in load.finish()? {
        end?;
    }
    unmount_it()
}

fn mounts() -> Result<()> {
    let _server = Server::start()?;
    for turn in 0..MOUNTS {
        mount_it(STRATEGIES[turn % STRATEGIES.len()])?;
        fs::create_dir(Path::new(POINT).join("dir"))?;
        unmount_it()?;
    }
    until("/sys/fs/zuf/mounts is empty", || Ok(state_dir().is_err()))
}

fn refusals() -> Result<()> {
    let errno =
        |options: &'static std::ffi::CStr| mount("none", POINT, "nullfs", MountFlags::empty(), options).err();
    ensure!(
        errno(c"") == Some(rustix::io::Errno::NOTCONN),
        "no server: {:?}",
        errno(c"")
    );
    let _server = Server::start()?;
    ensure!(
        errno(c"relay=dance") == Some(rustix::io::Errno::INVAL),
        "a strategy that there is not"
    );
    ensure!(
        errno(c"dance") == Some(rustix::io::Errno::INVAL),
        "an option that there is not"
    );
    let mut second = Command::new("zus")
        .arg("serve")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut said = String::new();
    second
        .stderr
        .take()
        .context("no errors")?
        .read_to_string(&mut said)?;
    ensure!(
        !second.wait()?.success() && said.contains("another server"),
        "a second server: {said}"
    );
    Ok(())
}

fn unload() -> Result<()> {
    until("rmmod", || {
        Ok(Command::new("rmmod")
            .arg("zuf")
            .stderr(Stdio::null())
            .status()?
            .success())
    })?;
    let slabs = fs::read_to_string("/proc/slabinfo")?;
    ensure!(!slabs.contains("zuf_inode"), "inodes are left behind");
    Ok(())
}
