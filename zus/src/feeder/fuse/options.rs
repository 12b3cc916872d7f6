// SPDX-License-Identifier: MIT
//! How to mount.

use super::MountError;

/// So many workers at least: while one sleeps in an fsync, another answers.
const LEAST: usize = 2;

/// How to mount. The defaults are those of a mount for everybody on all CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuseOptions {
    /// What is mounted, for /proc/mounts and df(1): the path of an image, say.
    pub source: String,
    /// Nothing can be changed through this mount.
    pub read_only: bool,
    /// Set-user-ID and set-group-ID bits have no effect.
    pub no_suid: bool,
    /// Device files cannot be opened.
    pub no_dev: bool,
    /// Nothing can be executed.
    pub no_exec: bool,
    /// Shown in /proc/mounts. (Reading does not change the time of last reading through any mount.)
    pub no_atime: bool,
    /// Every write is followed by an fsync.
    pub synchronous: bool,
    /// Other users than the server's may use it. Each is checked by the kernel against the permissions.
    pub allow_other: bool,
    /// On which CPUs to serve; as many workers on each as `workers_per_cpu`. None: on all that this process
    /// may use.
    pub cpus: Option<Vec<u32>>,
    /// How many requests one CPU can be busy with, or asleep in (an fsync, a page of the image that is
    /// on the disk), before another waits. There are two workers at least, on whatever CPUs.
    pub workers_per_cpu: usize,
}

impl Default for FuseOptions {
    fn default() -> Self {
        Self {
            source: "zufs".into(),
            read_only: false,
            no_suid: false,
            no_dev: false,
            no_exec: false,
            no_atime: false,
            synchronous: false,
            allow_other: true,
            cpus: None,
            workers_per_cpu: 1,
        }
    }
}

impl FuseOptions {
    /// The CPU of each worker.
    pub(super) fn cpus(&self) -> Result<Vec<u32>, MountError> {
        let allowed = relay::cpu::allowed();
        let wanted = self.cpus.as_deref().unwrap_or(&allowed);
        if let Some(&cpu) = wanted.iter().find(|cpu| !allowed.contains(cpu)) {
            return Err(MountError::NoCpu { cpu, allowed });
        }
        if wanted.is_empty() || self.workers_per_cpu == 0 {
            return Err(MountError::NoWorkers);
        }
        // All CPUs first, so that the workers that wait first are on different ones.
        let rounds = self.workers_per_cpu.max(LEAST.div_ceil(wanted.len()));
        let rounds = std::iter::repeat_n(wanted, rounds);
        Ok(rounds.flatten().copied().collect())
    }
}
