// SPDX-License-Identifier: MIT
//! The kernel module, in a virtual machine: what `lab zuf` checks in a guest, on each kernel.

use super::step::Bench;
use crate::job::Job;
use anyhow::Result;

/// Setting the guest up the first time takes minutes; the checks themselves two or three, emulated.
const LIMIT_S: u64 = 1800;

/// On the stock 6.12.
pub fn on_6_12(bench: &Bench) -> Result<String> {
    checks(bench, "6.12")
}

/// On the stock 7.3.
pub fn on_7_3(bench: &Bench) -> Result<String> {
    checks(bench, "7.3")
}

fn checks(bench: &Bench, kernel: &str) -> Result<String> {
    let lab = Job::new(std::env::current_exe()?).dir(&bench.place.root);
    lab.args(["vm", "--kernel", kernel, "--timeout", "1200", "--", "lab", "zuf"])
        .limit(LIMIT_S)
        .run(&bench.log)?;
    Ok(format!("zuf.ko on {kernel}"))
}
