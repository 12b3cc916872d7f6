// SPDX-License-Identifier: MIT
//! What is said over the control socket, and what `zus status --json` shows of a living server.

use std::collections::BTreeMap;

use relay::Snapshot;
use serde::{Deserialize, Serialize};

/// What a server is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "lowercase")]
pub enum Request {
    /// To tell how it is.
    Status,
    /// To change what can be changed while mounted.
    Remount {
        /// As behind `-o`.
        options: String,
    },
    /// To unmount, finish and end.
    Stop {
        /// Also if the mount is in use; it then ends with its last user.
        lazy: bool,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// Done, or being done.
    Done,
    /// How it is.
    Status(Box<Status>),
    /// Not done, and why: one line.
    Error(String),
}

/// How a server is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Whether changes are refused.
    pub read_only: bool,
    /// The relay's strategy.
    pub strategy: String,
    /// The longest spin of a strategy that spins and then sleeps, in nanoseconds.
    pub window_ns: u64,
    /// How long it has served, in seconds.
    pub uptime_s: f64,
    /// The operations that were asked for, by name.
    pub operations: BTreeMap<String, Operation>,
    /// The threads that answer.
    pub workers: Vec<Worker>,
    /// Memory resident beside the image, in bytes.
    pub resident_bytes: Option<u64>,
    /// Of the image, how much is resident, in bytes. Page cache: the kernel takes it back when it must.
    pub image_resident_bytes: Option<u64>,
}

/// How often one operation was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// How often in all.
    pub requests: u64,
    /// How often it was answered with an error.
    pub errors: u64,
}

/// One worker, and how it has waited for its operations; the counters are those of [`relay::Snapshot`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The CPU that it is bound to.
    pub cpu: u32,
    /// Operations that came to it.
    pub handoffs: u64,
    /// Looks that showed nothing.
    pub polls: u64,
    /// Times that it gave way to others without sleeping.
    pub yields: u64,
    /// Times that it went to sleep.
    pub parks: u64,
    /// Times that it had to wake the other side.
    pub wakes: u64,
    /// Waits that ended at their deadline.
    pub timeouts: u64,
}

impl Worker {
    /// The worker on `cpu`, whose counters show `relay`.
    pub fn new(cpu: u32, relay: Snapshot) -> Self {
        let Snapshot {
            handoffs,
            polls,
            yields,
            parks,
            wakes,
            timeouts,
        } = relay;
        Self {
            cpu,
            handoffs,
            polls,
            yields,
            parks,
            wakes,
            timeouts,
        }
    }
}
