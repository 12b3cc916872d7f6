// SPDX-License-Identifier: MIT
//! The guest's side: its first program.
//!
//! It mounts the disk, loads the module, runs the command, gives a sign of life every two
//! seconds, reports the exit status on the control line and powers the machine off.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::mount::{MountFlags, mount, mount_bind, mount_move};
use rustix::process::WaitOptions;
use rustix::system::{RebootCommand, finit_module, reboot};
use rustix::termios::{OptionalActions, tcdrain, tcgetattr, tcsetattr};

use super::boot::PORTS;
use super::image::DISK_MODULES;
use super::job;

const BEAT: Duration = Duration::from_secs(2);
/// What a shell answers for a command that it could not run.
const CANNOT_RUN: u8 = 127;
/// `finit_module` is to decompress the file (`MODULE_INIT_COMPRESSED_FILE`).
const COMPRESSED: i32 = 4;

/// Does the job and ends the machine. The kernel panics if it returns, which ends it too.
pub fn run() -> Result<()> {
    ensure!(
        std::process::id() == 1,
        "`lab guest` is the first program of a virtual machine and of nothing else"
    );
    mount("dev", "/dev", "devtmpfs", MountFlags::empty(), None)?;
    for number in 0..PORTS.len() {
        // Else each line end would grow by a carriage return.
        let port = port(number)?;
        let mut line = tcgetattr(&port)?;
        line.make_raw();
        tcsetattr(&port, OptionalActions::Now, &line)?;
    }
    let mut control = port(3)?;
    writeln!(control, "up")?;
    let mut beat = control.try_clone()?;
    thread::spawn(move || {
        while writeln!(beat, "beat").is_ok() {
            thread::sleep(BEAT);
        }
    });
    let exit = match enter_disk().and_then(|()| prepare()).and_then(|()| work()) {
        Ok(exit) => exit,
        Err(error) => {
            writeln!(port(2)?, "vm: {error:#}")?;
            CANNOT_RUN
        }
    };
    // The lines are slow, and what is still on its way is lost with the machine.
    for number in 0..PORTS.len() {
        tcdrain(&port(number)?)?;
    }
    writeln!(control, "exit {exit}")?;
    tcdrain(&control)?;
    rustix::fs::sync();
    reboot(RebootCommand::PowerOff)?;
    Ok(())
}

fn port(number: usize) -> Result<File> {
    let path = format!("/dev/ttyS{number}");
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .context(path)
}

/// Makes the disk the root, with the job in `/job`.
fn enter_disk() -> Result<()> {
    let mut modules: Vec<PathBuf> = fs::read_dir(Path::new("/").join(DISK_MODULES))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    modules.sort();
    for path in modules {
        finit_module(File::open(&path)?, c"", COMPRESSED).with_context(|| path.display().to_string())?;
    }
    let none = MountFlags::empty();
    mount("/dev/vda", "/disk", "ext4", none, None).context("mounting the disk")?;
    mount_bind("/job", "/disk/job")?;
    mount_move("/dev", "/disk/dev")?;
    mount("proc", "/disk/proc", "proc", none, None)?;
    mount("sys", "/disk/sys", "sysfs", none, None)?;
    mount("tmp", "/disk/tmp", "tmpfs", none, None)?;
    std::env::set_current_dir("/disk")?;
    mount_move(".", "/")?;
    rustix::process::chroot(".")?;
    std::env::set_current_dir("/")?;
    Ok(())
}

/// Brings the kernel to where the command finds it.
fn prepare() -> Result<()> {
    // From here on every complaint of the kernel is to be seen.
    fs::write("/proc/sys/kernel/printk", "7")?;
    fs::write("/proc/sys/kernel/hung_task_timeout_secs", "30")?;
    must(Command::new("/sbin/modprobe").args(["-a", "nd_e820", "nd_pmem", "fuse"]))?;
    let none = MountFlags::empty();
    mount("debug", "/sys/kernel/debug", "debugfs", none, None)?;
    mount("trace", "/sys/kernel/tracing", "tracefs", none, None)?;
    let module = Path::new("/").join(job::MODULE);
    if module.exists() {
        finit_module(File::open(&module)?, c"", 0).context("loading zuf.ko")?;
    }
    Ok(())
}

fn work() -> Result<u8> {
    let argv = fs::read(Path::new("/").join(job::ARGV))?;
    let mut words: Vec<OsString> = argv
        .split(|byte| *byte == 0)
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    // Each word ends in a NUL, so an empty one follows the last.
    words.pop();
    let (program, args) = words.split_first().context("an empty command")?;
    // `env` finds the program in the path that it is to have.
    let path = format!("PATH=/{}:/usr/sbin:/usr/bin:/sbin:/bin", job::PROGRAMS);
    let child = Command::new("/usr/bin/env")
        .args(["-i", "-C", "/tmp", &path, "HOME=/tmp", "LC_ALL=C.UTF-8"])
        .arg(program)
        .args(args)
        .stdout(port(1)?)
        .stderr(port(2)?)
        .spawn()
        .context("running the command")?;
    wait_for(child.id())
}

/// Waits for the command and buries whatever orphans end meanwhile.
fn wait_for(child: u32) -> Result<u8> {
    loop {
        let Some((pid, status)) = rustix::process::wait(WaitOptions::empty())? else {
            continue;
        };
        if pid.as_raw_nonzero().get().cast_unsigned() == child {
            let status = ExitStatus::from_raw(status.as_raw());
            let code = status.code().or(status.signal().map(|signal| 128 + signal));
            return Ok(code
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(CANNOT_RUN));
        }
    }
}

fn must(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
