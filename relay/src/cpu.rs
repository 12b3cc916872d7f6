// SPDX-License-Identifier: MIT
//! The CPUs: which one this thread is on, which there are, and pinning.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// The CPU that this thread runs on: a guess the moment it is returned, unless the thread is pinned.
/// Costs a few nanoseconds: glibc reads it from the thread's `rseq` area.
#[inline]
pub fn current() -> u32 {
    // SAFETY: takes no arguments and cannot fail where `getcpu` exists (any Linux since 2.6.19); a
    // failure would read as the CPU u32::MAX, which no thread is on.
    let cpu = unsafe { libc::sched_getcpu() };
    cpu as u32
}

/// The CPUs that are online, in ascending order; those that this thread may use where sysfs is not
/// there.
pub fn online() -> Vec<u32> {
    std::fs::read_to_string("/sys/devices/system/cpu/online")
        .ok()
        .and_then(|list| parse_list(list.trim()))
        .unwrap_or_else(allowed)
}

/// The CPUs that this thread may use, in ascending order: never empty.
pub fn allowed() -> Vec<u32> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .map(|cpu| cpu as u32)
            .collect(),
        // A machine with more CPUs than the set holds.
        Err(_) => vec![current()],
    }
}

/// Pins this thread to `cpu`.
///
/// # Errors
///
/// `InvalidInput` if there is no such CPU; else what `sched_setaffinity` says.
pub fn pin(cpu: u32) -> io::Result<()> {
    pin_to(&[cpu])
}

/// Confines this thread to `cpus`.
///
/// # Errors
///
/// As [`pin`], also if `cpus` is empty.
pub fn pin_to(cpus: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu as usize >= CpuSet::MAX_CPU {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("there is no CPU {cpu}"),
            ));
        }
        set.set(cpu as usize);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// The kernel's list format: `0-3,8`.
fn parse_list(list: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        match part.split_once('-') {
            Some((first, last)) => cpus.extend(first.parse().ok()?..=last.parse::<u32>().ok()?),
            None => cpus.push(part.parse().ok()?),
        }
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_understood() {
        assert_eq!(parse_list("0"), Some(vec![0]));
        assert_eq!(parse_list("0-2,5,7-8"), Some(vec![0, 1, 2, 5, 7, 8]));
        assert_eq!(parse_list(""), None);
        assert_eq!(parse_list("0-x"), None);
    }

    #[test]
    fn a_pinned_thread_is_where_it_was_pinned() {
        std::thread::spawn(|| {
            for cpu in allowed() {
                pin(cpu).unwrap();
                assert_eq!(current(), cpu);
                assert_eq!(allowed(), [cpu]);
            }
            assert!(pin(1 << 20).is_err());
            assert!(pin_to(&[]).is_err());
        })
        .join()
        .unwrap();
    }
}
