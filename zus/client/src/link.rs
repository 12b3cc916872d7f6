// SPDX-License-Identifier: MIT
//! A connection: the slots that the server gave, by CPU, and what ends with them.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use relay::{Bell, Policy, Slots, Snapshot, Stats, Strategy};
use zus_protocol::shm::Waiting;

use crate::channel::Channel;
use crate::connect::Welcome;
use crate::node::Forgotten;
use crate::pool::{Claim, Pool};
use crate::watch::Watch;

/// A connection, shared by all that use it.
pub(crate) struct Link {
    lanes: Vec<Pool<Channel>>,
    /// Which lane is whose, by CPU number; empty at the end for CPUs that came later.
    lane_of_cpu: Vec<u32>,
    stats: Vec<Arc<Stats>>,
    /// The longest READ and WRITE, in bytes.
    pub max_data: usize,
    /// Permission bits that new inodes do not get.
    pub umask: u32,
    /// References to be given back together.
    pub forgotten: Forgotten,
    _watch: Watch,
}

impl Link {
    /// The connection that `welcome` describes and `socket` keeps alive.
    pub fn new(socket: OwnedFd, welcome: Welcome) -> io::Result<Self> {
        let Welcome {
            init,
            geometry,
            lanes,
            layout,
            memory,
            bells,
        } = welcome;
        let bells = bells
            .into_iter()
            .map(Bell::eventfd)
            .collect::<io::Result<Vec<_>>>()?;
        let slots = Slots::in_memory(Arc::clone(&memory), 0, layout.slots() as usize)?;
        let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
        adopt(&policy, &geometry.waiting);

        let mut stats = Vec::new();
        let mut pools = Vec::new();
        let mut lane_of_cpu = Vec::new();
        for (index, lane) in lanes.iter().enumerate() {
            let mut channels = Vec::new();
            for slot in lane.first..lane.first + lane.slots {
                let slot_ref = slots.get(slot as usize).expect("the geometry was checked");
                let bell = bells[lane.bell as usize].clone();
                let end = relay::Client::new(slot_ref, Arc::clone(&policy), bell, Bell::futex());
                stats.push(Arc::clone(end.stats()));
                channels.push(Channel::new(end, Arc::clone(&memory), layout.window(slot)));
            }
            channels.truncate(crate::pool::MAX);
            pools.push(Pool::new(channels));
            let cpu = lane.cpu as usize;
            if cpu < CPUS_MAX {
                if lane_of_cpu.len() <= cpu {
                    lane_of_cpu.resize(cpu + 1, NO_LANE);
                }
                lane_of_cpu[cpu] = index as u32;
            }
        }
        let watched = (0..slots.len()).filter_map(|slot| slots.get(slot)).collect();
        Ok(Self {
            lanes: pools,
            lane_of_cpu,
            stats,
            max_data: (geometry.window_len as usize).min(init.max_write.max(4096) as usize),
            umask: umask(),
            forgotten: Forgotten::default(),
            _watch: Watch::start(socket, watched, policy)?,
        })
    }

    /// A channel of the lane of the CPU that we are on.
    #[inline]
    pub fn channel(&self) -> Claim<'_, Channel> {
        let cpu = relay::cpu::current() as usize;
        let lane = match self.lane_of_cpu.get(cpu) {
            Some(&lane) if lane != NO_LANE => lane as usize,
            _ => cpu % self.lanes.len(),
        };
        self.lanes[lane].claim()
    }

    /// What all slots have counted.
    pub fn stats(&self) -> Snapshot {
        self.stats
            .iter()
            .map(|stats| stats.snapshot())
            .fold(Snapshot::default(), |sum, one| Snapshot {
                handoffs: sum.handoffs + one.handoffs,
                polls: sum.polls + one.polls,
                yields: sum.yields + one.yields,
                parks: sum.parks + one.parks,
                wakes: sum.wakes + one.wakes,
                timeouts: sum.timeouts + one.timeouts,
            })
    }
}

/// More CPUs than Linux has.
const CPUS_MAX: usize = 1 << 16;
const NO_LANE: u32 = u32::MAX;

/// Waits from now on as the server says.
pub(crate) fn adopt(policy: &Policy, waiting: &Waiting) {
    // A strategy that we do not know: parking is never wrong.
    policy.set_strategy(waiting.name().parse().unwrap_or(Strategy::Park));
    policy.set_window(Duration::from_nanos(waiting.spin_ns));
}

/// This process's umask. It cannot be asked for without changing it, but it can be read.
fn umask() -> u32 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
            u32::from_str_radix(line.trim(), 8).ok()
        })
        .unwrap_or(0o022)
}
