// SPDX-License-Identifier: MIT
//! Whether KVM really runs a guest here.
//!
//! A /dev/kvm that opens proves little: inside a virtual machine it may refuse registers or
//! stop at the first instruction it does not know. So a guest is booted with it, once.

use std::fs::{self, OpenOptions};
use std::time::Duration;

use anyhow::Result;

use super::boot::Machine;
use super::image::Image;
use super::place::Place;
use super::run;
use super::tools::Tools;

const TRIAL: Duration = Duration::from_secs(20);

/// Answers from the last trial, or makes one.
pub fn kvm_works(place: &Place, tools: &Tools, image: &Image) -> Result<bool> {
    if OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(false);
    }
    let host = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let known = place.vm().join("kvm");
    let question = format!("{}: ", host.trim());
    if let Ok(text) = fs::read_to_string(&known)
        && let Some(answer) = text.strip_prefix(&question)
    {
        return Ok(answer == "works");
    }
    eprintln!("vm: trying KVM, once");
    let machine = Machine {
        cpus: 1,
        numa: 1,
        icount: false,
        kvm: true,
        verbose: false,
    };
    let command = ["true".to_owned()];
    let verdict = run::run(place, tools, image, &machine, None, &command, (TRIAL, false))?;
    let works = matches!(verdict.result, Ok(0));
    let answer = if works { "works" } else { "fails" };
    eprintln!(
        "vm: KVM {answer} here: guests are {}",
        if works { "run by it" } else { "emulated" }
    );
    fs::write(known, format!("{question}{answer}"))?;
    Ok(works)
}
