// SPDX-License-Identifier: MIT
//! What a mount over shared memory can be told.

use std::fmt;
use std::str::FromStr;

use zus_protocol::shm::{BELLS_MAX, SLOTS_MAX, SLOTS_PER_CPU_MAX};

/// How to serve a mount over shared memory. How workers and clients wait is the mount's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShmOptions {
    /// Which worker serves whom.
    pub placement: Placement,
    /// Nothing can be changed through this mount.
    pub read_only: bool,
    /// Slots for each CPU of each client, unless it asks for fewer or more, up to 16.
    pub slots_per_cpu: u32,
    /// Most clients at a time.
    pub clients: usize,
    /// Most clients of one user at a time.
    pub clients_per_user: usize,
    /// Permissions of the socket: who may connect at all. What a client may do then, its user decides.
    pub mode: u32,
}

impl Default for ShmOptions {
    fn default() -> Self {
        Self {
            placement: Placement::Same,
            read_only: false,
            slots_per_cpu: 4,
            clients: 256,
            clients_per_user: 64,
            mode: 0o666,
        }
    }
}

/// Which worker serves the applications of a CPU. Each worker is pinned to its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// One on each CPU, which serves the applications there.
    Same,
    /// One on each CPU, which serves the applications of the CPU before it.
    Cross,
    /// These CPUs are the workers' alone; each serves its share of the others.
    Pool(Vec<u32>),
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Placement::Same => f.write_str("same"),
            Placement::Cross => f.write_str("cross"),
            Placement::Pool(cpus) => {
                let cpus: Vec<_> = cpus.iter().map(u32::to_string).collect();
                write!(f, "pool:{}", cpus.join("+"))
            }
        }
    }
}

/// A placement that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown placement '{0}' (there are same, cross, and pool:CPU+CPU...)")]
pub struct UnknownPlacement(String);

impl FromStr for Placement {
    type Err = UnknownPlacement;

    fn from_str(text: &str) -> Result<Self, UnknownPlacement> {
        let unknown = || UnknownPlacement(text.to_owned());
        match text {
            "same" => Ok(Placement::Same),
            "cross" => Ok(Placement::Cross),
            _ => {
                let cpus = text.strip_prefix("pool:").ok_or_else(unknown)?;
                let cpus = cpus.split('+').map(|cpu| cpu.parse().map_err(|_| unknown()));
                Ok(Placement::Pool(cpus.collect::<Result<_, _>>()?))
            }
        }
    }
}

/// The workers, and whom each serves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The CPU of each worker.
    pub workers: Vec<u32>,
    /// For each CPU with applications: the CPU, and which worker serves it.
    pub lanes: Vec<(u32, usize)>,
}

impl Plan {
    /// The plan for a machine with the CPUs `online`, of which the server may use `allowed`.
    ///
    /// # Errors
    /// The CPU that a placement names and the server may not use.
    pub fn new(placement: &Placement, online: &[u32], allowed: &[u32]) -> Result<Self, u32> {
        let mut workers: Vec<u32> = match placement {
            Placement::Pool(cpus) => {
                if let Some(&cpu) = cpus.iter().find(|cpu| !allowed.contains(cpu)) {
                    return Err(cpu);
                }
                cpus.clone()
            }
            _ => online
                .iter()
                .copied()
                .filter(|cpu| allowed.contains(cpu))
                .collect(),
        };
        workers.dedup();
        workers.truncate(BELLS_MAX);
        if workers.is_empty() {
            workers = vec![allowed.first().copied().unwrap_or(0)];
        }
        let count = workers.len();
        let lanes = online
            .iter()
            .enumerate()
            .map(|(index, &cpu)| {
                let own = workers.iter().position(|&worker| worker == cpu);
                let worker = match placement {
                    Placement::Same => own.unwrap_or(index % count),
                    Placement::Cross => own.map_or(index, |own| own + 1) % count,
                    Placement::Pool(_) => index % count,
                };
                (cpu, worker)
            })
            .collect();
        Ok(Self { workers, lanes })
    }

    /// How many slots a client gets for each CPU when it wants `wanted` (0: no opinion).
    pub fn slots_per_cpu(&self, wanted: u32, usual: u32) -> u32 {
        let wanted = if wanted == 0 { usual } else { wanted };
        let room = SLOTS_MAX / self.lanes.len().max(1) as u32;
        wanted.min(SLOTS_PER_CPU_MAX).min(room).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_placement_says_who_serves_whom() {
        let plan =
            |placement: &str, allowed: &[u32]| Plan::new(&placement.parse().unwrap(), &[0, 1, 4], allowed);
        let all = [0, 1, 4];
        let same = plan("same", &all).unwrap();
        assert_eq!(same.workers, all);
        assert_eq!(same.lanes, [(0, 0), (1, 1), (4, 2)]);
        let cross = plan("cross", &all).unwrap();
        assert_eq!(cross.lanes, [(0, 1), (1, 2), (4, 0)]);
        let pool = plan("pool:4", &all).unwrap();
        assert_eq!(
            (pool.workers, pool.lanes),
            (vec![4], vec![(0, 0), (1, 0), (4, 0)])
        );
        assert_eq!(plan("pool:2", &all), Err(2));
        // A server confined to one CPU serves the others from there.
        let confined = plan("same", &[1]).unwrap();
        assert_eq!(
            (confined.workers, confined.lanes),
            (vec![1], vec![(0, 0), (1, 0), (4, 0)])
        );
    }

    #[test]
    fn on_one_cpu_every_placement_is_the_same() {
        for placement in ["same", "cross", "pool:0"] {
            let plan = Plan::new(&placement.parse().unwrap(), &[0], &[0]).unwrap();
            assert_eq!((plan.workers, plan.lanes), (vec![0], vec![(0, 0)]), "{placement}");
        }
    }

    #[test]
    fn a_placement_is_written_as_it_is_read_and_an_unknown_one_lists_them() {
        for text in ["same", "cross", "pool:1", "pool:1+3"] {
            assert_eq!(text.parse::<Placement>().unwrap().to_string(), text);
        }
        for text in ["", "pool", "pool:", "pool:x", "other"] {
            let error = text.parse::<Placement>().unwrap_err().to_string();
            assert!(error.contains("same, cross"), "{error}");
        }
    }

    #[test]
    fn slots_are_given_within_bounds() {
        let plan = Plan::new(&Placement::Same, &[0, 1], &[0, 1]).unwrap();
        assert_eq!(plan.slots_per_cpu(0, 4), 4);
        assert_eq!(plan.slots_per_cpu(1, 4), 1);
        assert_eq!(plan.slots_per_cpu(u32::MAX, 4), 16);
        let cpus: Vec<u32> = (0..4096).collect();
        let huge = Plan::new(&Placement::Same, &cpus, &cpus).unwrap();
        assert_eq!(huge.workers.len(), BELLS_MAX);
        assert_eq!(huge.slots_per_cpu(16, 4), 4);
    }
}
