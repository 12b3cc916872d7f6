// SPDX-License-Identifier: MIT
//! The machine: QEMU's command line.

use std::path::Path;
use std::process::Command;

use super::image::Image;
use super::place::Place;
use super::tools::Tools;

/// What the guest's machine is like.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Processors.
    pub cpus: u32,
    /// NUMA nodes among which processors and memory are divided.
    pub numa: u32,
    /// One virtual nanosecond per instruction, so that the guest's clock counts them.
    pub icount: bool,
    /// Whether KVM runs the guest; else emulation.
    pub kvm: bool,
    /// Whether the kernel says what it does while it boots.
    pub verbose: bool,
}

/// The names of the guest's serial lines, in their order.
pub const PORTS: [&str; 4] = ["console", "stdout", "stderr", "control"];

/// MiB of memory, of which 512 MiB at 1 GiB are simulated pmem.
const MEMORY: u32 = 2048;
const PMEM: &str = "memmap=512M!1G";

impl Machine {
    /// QEMU, to be started: its serial lines go to files in `dir`, named as in `PORTS`.
    pub fn command(&self, place: &Place, tools: &Tools, image: &Image, initrd: &Path, dir: &Path) -> Command {
        let mut qemu = tools.command(place, "nice");
        let file = |path: &Path| place.inside(path).display().to_string();
        qemu.args(["-n", "5", "qemu-system-x86_64"]);
        qemu.args([
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-M",
            "q35",
        ]);
        match (self.kvm, self.icount) {
            (true, _) => qemu.args(["-accel", "kvm", "-cpu", "host"]),
            // Nehalem: emulating what newer processors can do costs time.
            (false, false) => qemu.args(["-accel", "tcg,thread=multi", "-cpu", "Nehalem"]),
            (false, true) => {
                qemu.args(["-accel", "tcg,thread=single", "-cpu", "Nehalem"]);
                qemu.args(["-icount", "shift=0,sleep=off"])
            }
        };
        qemu.args(["-smp", &self.cpus.to_string(), "-m", &format!("{MEMORY}M")]);
        for node in 0..self.numa.max(1) {
            self.add_node(&mut qemu, node);
        }
        qemu.args(["-device", "virtio-blk-pci,drive=root", "-drive"]);
        qemu.arg(format!(
            "if=none,format=raw,id=root,file={},snapshot=on,cache=unsafe",
            file(&image.disk)
        ));
        for port in PORTS {
            qemu.args([
                "-chardev",
                &format!("file,id={port},path={}", file(&dir.join(port))),
            ]);
            qemu.args(["-serial", &format!("chardev:{port}")]);
        }
        // no_timer_check: on a busy host an emulated timer can be too late for that check, which panics.
        let quiet = if self.verbose { "ignore_loglevel" } else { "quiet" };
        qemu.args(["-kernel", &file(&image.vmlinuz), "-initrd", &file(initrd)]);
        qemu.arg("-append");
        qemu.arg(format!(
            "console=ttyS0 rdinit=/init {quiet} mitigations=off no_timer_check panic=-1 oops=panic {PMEM}"
        ));
        qemu
    }

    fn add_node(&self, qemu: &mut Command, node: u32) {
        if self.numa <= 1 {
            return;
        }
        let size = MEMORY / self.numa;
        qemu.args([
            "-object",
            &format!("memory-backend-ram,id=node{node},size={size}M"),
        ]);
        qemu.args(["-numa", &format!("node,nodeid={node},memdev=node{node}")]);
        for cpu in (0..self.cpus).filter(|cpu| cpu % self.numa == node) {
            qemu.args(["-numa", &format!("cpu,node-id={node},socket-id=0,core-id={cpu}")]);
        }
    }
}
