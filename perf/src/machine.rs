// SPDX-License-Identifier: MIT
//! What a number was taken on: it stands in every result. A fact that cannot be read is null.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::utsname::uname;
use serde::{Deserialize, Serialize};

use crate::counters::Counters;
use crate::cpu;
use crate::usage::Task;

/// Facts on this machine, as this process may use it. It says nothing of who it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel release.
    pub kernel: Option<String>,
    /// How the kernel was built: number, preemption model, date.
    pub kernel_version: Option<String>,
    /// Architecture.
    pub arch: String,
    /// CPU model.
    pub cpu_model: Option<String>,
    /// CPUs online.
    pub cpus: Option<usize>,
    /// CPUs that this process may use, by number.
    pub cpus_allowed: Vec<usize>,
    /// Whether two of them can be one core's hyperthreads.
    pub smt: Option<bool>,
    /// Hypervisor; null on bare metal.
    pub hypervisor: Option<String>,
    /// Where the kernel's time comes from.
    pub clocksource: Option<String>,
    /// Frequency governor of the first CPU.
    pub governor: Option<String>,
    /// Driver of the idle states: how deep a halted CPU sleeps.
    pub idle_driver: Option<String>,
    /// What the kernel does against each CPU vulnerability that affects this CPU.
    pub mitigations: BTreeMap<String, String>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Load average over a minute, when this was asked: on a quiet machine near 0.
    pub load: Option<f64>,
    /// Whether perf-event counts context switches here.
    pub counts_switches: bool,
    /// Whether it counts CPU cycles.
    pub counts_cycles: bool,
    /// Whether it counts instructions.
    pub counts_instructions: bool,
}

impl Machine {
    /// Asks now.
    pub fn describe() -> Self {
        let system = uname().ok();
        let text = |part: &std::ffi::OsStr| part.to_str().map(str::to_owned);
        let counts = Counters::start(&[Task::current_thread()]).read();
        let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
        Self {
            kernel: system.as_ref().and_then(|system| text(system.release())),
            kernel_version: system.as_ref().and_then(|system| text(system.version())),
            arch: std::env::consts::ARCH.to_owned(),
            cpu_model: field(&cpuinfo, "model name").or_else(|| field(&cpuinfo, "CPU part")),
            cpus: read("/sys/devices/system/cpu/online").map(|list| cpu::parse_list(&list).len()),
            cpus_allowed: cpu::allowed(),
            smt: read("/sys/devices/system/cpu/smt/active").map(|active| active == "1"),
            hypervisor: hypervisor(&cpuinfo),
            clocksource: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            idle_driver: read("/sys/devices/system/cpu/cpuidle/current_driver"),
            mitigations: mitigations(),
            memory_bytes: read("/proc/meminfo").and_then(|text| {
                field(&text, "MemTotal")?
                    .strip_suffix(" kB")?
                    .trim()
                    .parse::<u64>()
                    .ok()?
                    .checked_mul(1024)
            }),
            load: read("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
            counts_switches: counts.context_switches.is_some(),
            counts_cycles: counts.cycles.is_some(),
            counts_instructions: counts.instructions.is_some(),
        }
    }

    /// In one line, for a person.
    pub fn headline(&self) -> String {
        let unknown = || "unknown".to_owned();
        let mut line = format!(
            "Linux {}, {} CPU(s) {}",
            self.kernel.clone().unwrap_or_else(unknown),
            self.cpus_allowed.len(),
            self.cpu_model.clone().unwrap_or_else(unknown),
        );
        if let Some(hypervisor) = &self.hypervisor {
            line += &format!(" under {hypervisor}");
        }
        if let Some(bytes) = self.memory_bytes {
            line += &format!(", {:.0} GiB", bytes as f64 / f64::from(1 << 30));
        }
        line
    }
}

/// A file of one line, trimmed.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The value after `name :` on a line.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn hypervisor(cpuinfo: &str) -> Option<String> {
    let flagged = || {
        field(cpuinfo, "flags")?
            .split(' ')
            .any(|flag| flag == "hypervisor")
            .then_some(())
    };
    read("/sys/hypervisor/type").or_else(|| {
        flagged()?;
        // The CPU only says that there is one; the board usually names it.
        Some(match read("/sys/class/dmi/id/sys_vendor") {
            Some(vendor) => format!("a hypervisor ({vendor})"),
            None => "a hypervisor".to_owned(),
        })
    })
}

fn mitigations() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir("/sys/devices/system/cpu/vulnerabilities") else {
        return BTreeMap::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let state = read(entry.path().to_str()?)?;
            (state != "Not affected").then_some((entry.file_name().into_string().ok()?, state))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_and_a_cpu() {
        let machine = Machine::describe();
        assert!(machine.kernel.is_some());
        assert!(!machine.cpus_allowed.is_empty());
        assert!(machine.headline().contains("CPU(s)"));
    }

    #[test]
    fn a_fact_that_is_missing_is_null() {
        let json = serde_json::to_value(Machine::default()).unwrap();
        for name in ["kernel", "hypervisor", "governor", "memory_bytes"] {
            assert!(json[name].is_null(), "{name}");
        }
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 2\nmodel name\t: Some CPU @ 2:1\n";
        assert_eq!(field(text, "model name").unwrap(), "Some CPU @ 2:1");
        assert_eq!(field(text, "name"), None);
    }
}
