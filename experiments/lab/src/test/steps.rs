// SPDX-License-Identifier: MIT
//! The table of steps, quick ones first.

use super::need::Need::{self, Command, Component, Crate, Mounting};
use super::step::Step;
use super::{
    crash, fio, fsx, full, house, interrupt, life, module, pjdfstest, refusals, source, strategies, stress,
};

const GIT: Need = Command("git", "git");
const FIO: Need = Command("fio", "fio");
const PJDFSTEST: Need = Crate("pjdfstest", "pjdfstest", "0.2.2");
const FSX: Need = Crate("fsx", "fsx", "0.3.2");

/// Every step there is.
pub const ALL: &[Step] = &[
    step(
        "house",
        "licence lines, file lengths, no markers, no paths of one machine",
        &[GIT],
        house::run,
    ),
    step(
        "fmt",
        "the code is formatted",
        &[Component("fmt", "rustfmt")],
        source::fmt,
    ),
    step(
        "clippy",
        "no warnings",
        &[Component("clippy", "clippy")],
        source::clippy,
    ),
    step("unit", "the tests of every crate", &[], source::unit),
    step(
        "loom",
        "the relay's states, in every order of events",
        &[],
        source::loom,
    ),
    step(
        "doc",
        "the documentation builds and its links lead somewhere",
        &[],
        source::doc,
    ),
    step(
        "deny",
        "licences, bans and sources of what we depend on",
        &[Crate("cargo-deny", "cargo-deny", "0.20.2")],
        source::deny,
    ),
    step(
        "pjdfstest",
        "POSIX, call by call, on a mounted pmemfs",
        &[Mounting, PJDFSTEST],
        pjdfstest::run,
    ),
    step(
        "fsx",
        "random reads, writes, maps and truncates against a model",
        &[Mounting, FSX],
        fsx::run,
    ),
    step(
        "fio",
        "random writes with checksums, read back after a second mount",
        &[Mounting, FIO],
        fio::run,
    ),
    step(
        "stress-ng",
        "the file system stressors, verifying",
        &[Mounting, Command("stress-ng", "stress-ng")],
        stress::run,
    ),
    step(
        "tar",
        "a tree goes in and out through tar",
        &[Mounting, Command("tar", "tar")],
        life::tar,
    ),
    step(
        "rsync",
        "a tree goes in and out through rsync",
        &[Mounting, Command("rsync", "rsync")],
        life::rsync,
    ),
    step(
        "git",
        "a repository is cloned into the mount, works there and is sound",
        &[Mounting, GIT],
        life::git,
    ),
    step(
        "cargo-build",
        "a small crate is built and run inside the mount",
        &[Mounting, Command("cc", "gcc")],
        life::cargo_build,
    ),
    step(
        "strategies",
        "each relay strategy, changed under load: some of pjdfstest, fsx",
        &[Mounting, FSX, PJDFSTEST],
        strategies::run,
    ),
    step(
        "refusals",
        "bad input gets one clear line, and loses nothing",
        &[Mounting],
        refusals::run,
    ),
    step(
        "full",
        "no room in the image, no room on its host",
        &[Mounting],
        full::run,
    ),
    step(
        "crash",
        "SIGTERM and SIGKILL of the server under load",
        &[Mounting],
        crash::run,
    ),
    step(
        "interrupt",
        "an interrupted demo leaves nothing behind",
        &[Mounting],
        interrupt::run,
    ),
    long(
        "soak",
        "fsx for a million operations on each relay strategy",
        &[Mounting, FSX],
        fsx::soak,
    ),
    long(
        "vm-6.12",
        "the kernel module in a virtual machine, on Debian's 6.12",
        &[Command("cc", "gcc")],
        module::on_6_12,
    ),
    long(
        "vm-7.3",
        "the same on Debian's 7.3",
        &[Command("cc", "gcc")],
        module::on_7_3,
    ),
];

type Run = fn(&super::step::Bench) -> anyhow::Result<String>;

const fn step(name: &'static str, about: &'static str, needs: &'static [Need], run: Run) -> Step {
    Step {
        name,
        about,
        by_default: true,
        needs,
        run,
    }
}

const fn long(name: &'static str, about: &'static str, needs: &'static [Need], run: Run) -> Step {
    Step {
        name,
        about,
        by_default: false,
        needs,
        run,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_steps_have_one_name() {
        let mut names: Vec<_> = super::ALL.iter().map(|step| step.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), super::ALL.len());
    }
}
