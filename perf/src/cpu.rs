// SPDX-License-Identifier: MIT
//! Where a thread runs: which CPUs there are, which two belong to a placement, and pinning.

use std::fmt;
use std::fs;
use std::str::FromStr;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Where the two sides of a hand-off run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// Both on one CPU.
    Same,
    /// On two CPUs, on different cores if the machine has them, close together if it can be chosen.
    Cross,
}

impl Placement {
    /// Both placements, in the order of tables.
    pub const ALL: [Self; 2] = [Self::Same, Self::Cross];
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Same => "same",
            Self::Cross => "cross",
        })
    }
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "same" => Ok(Self::Same),
            "cross" => Ok(Self::Cross),
            _ => Err(format!("unknown placement {name:?}: there are same and cross")),
        }
    }
}

/// The CPUs that a placement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seats {
    /// Of the side that asks, whose time is measured.
    pub caller: usize,
    /// Of the side that answers.
    pub answerer: usize,
}

/// The CPUs that this thread may run on, in order: what `taskset` or a container left of the machine.
pub fn allowed() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return vec![0];
    };
    (0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu).unwrap_or(false))
        .collect()
}

/// The seats for a placement, or `None` where this machine has only one CPU to offer.
///
/// The caller sits on the last CPU, because interrupts tend to land on the first ones.
pub fn seats(placement: Placement) -> Option<Seats> {
    let cpus = allowed();
    let caller = *cpus.last()?;
    let answerer = match placement {
        Placement::Same => caller,
        Placement::Cross => {
            let others = cpus.iter().copied().filter(|&cpu| cpu != caller);
            // The nearest core that is not a sibling: two hyperthreads share what they spin with.
            others.min_by_key(|&cpu| {
                let sibling = in_list("topology/thread_siblings_list", caller, cpu);
                let near = in_list("cache/index3/shared_cpu_list", caller, cpu)
                    || in_list("topology/core_siblings_list", caller, cpu);
                (sibling, !near, caller.abs_diff(cpu))
            })?
        }
    };
    Some(Seats { caller, answerer })
}

/// Whether `other` is in a CPU list that sysfs keeps for `cpu`.
fn in_list(file: &str, cpu: usize, other: usize) -> bool {
    fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/{file}"))
        .is_ok_and(|list| parse_list(&list).contains(&other))
}

/// Parses the kernel's list form, `0-2,5`.
pub fn parse_list(list: &str) -> Vec<usize> {
    let mut cpus = Vec::new();
    for part in list.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

/// This thread on one CPU, until dropped.
#[derive(Debug)]
pub struct Pinned {
    before: Option<CpuSet>,
}

/// Moves this thread to `cpu` and keeps it there while the guard lives. Not being allowed to is an
/// error, since every number taken then would be on another placement than it says.
pub fn pin(cpu: usize) -> std::io::Result<Pinned> {
    let me = Pid::from_raw(0);
    let before = sched_getaffinity(me).ok();
    let mut one = CpuSet::new();
    one.set(cpu)?;
    sched_setaffinity(me, &one)?;
    Ok(Pinned { before })
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The set was in force a moment ago; should its CPUs have gone, staying here is right.
            let _ = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_holds_and_is_undone() {
        let before = allowed();
        let cpu = *before.last().unwrap();
        let pinned = pin(cpu).unwrap();
        assert_eq!(allowed(), [cpu]);
        drop(pinned);
        assert_eq!(allowed(), before);
    }

    #[test]
    fn seats_follow_the_placement() {
        let same = seats(Placement::Same).unwrap();
        assert_eq!(same.caller, same.answerer);
        match seats(Placement::Cross) {
            Some(cross) => assert_ne!(cross.caller, cross.answerer),
            None => assert_eq!(allowed().len(), 1),
        }
    }

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(parse_list("\n"), [0; 0]);
    }
}
