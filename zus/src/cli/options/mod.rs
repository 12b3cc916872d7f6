// SPDX-License-Identifier: MIT
//! What stands behind `-o`.

mod flags;

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use relay::Strategy;
use rustix::mount::MountFlags;
use zus::feeder::shm::Placement;

pub use flags::Flags;

/// Mount options, as one or several `-o` gave them; of several that contradict each other the last counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Change a living mount instead of making one.
    pub remount: bool,
    /// How the two sides of the relay wait.
    pub relay: Option<Strategy>,
    /// The longest spin of a strategy that spins and then sleeps; calibrated unless given.
    pub window: Option<Duration>,
    /// What brings the operations.
    pub feeder: Option<Feeder>,
    /// Threads that answer them, for each CPU.
    pub workers: Option<usize>,
    /// The CPUs on which they are.
    pub cpus: Option<Vec<u32>>,
    /// Which of them answers whom, over shared memory.
    pub placement: Option<Placement>,
    /// The kernel's own options.
    pub flags: Flags,
}

/// What brings the operations to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeder {
    /// The best that there is: `fuse` if this process may mount through it, else `shm`.
    Auto,
    /// The kernel, through /dev/fuse.
    Fuse,
    /// Clients, through shared memory.
    Shm,
}

impl Feeder {
    const ALL: [(&str, Self); 3] = [("auto", Self::Auto), ("fuse", Self::Fuse), ("shm", Self::Shm)];
}

impl FromStr for Feeder {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, feeder)| *feeder)
            .ok_or_else(|| anyhow!("unknown feeder {text:?}; there are: {}", names()))
    }
}

/// The options with a value, as help and errors show them.
const VALUED: [(&str, &str, &str); 6] = [
    ("relay", "STRATEGY", "how both sides wait for each other"),
    (
        "spin_us",
        "N",
        "longest spin in microseconds; unless given, what sleeping costs, as measured here",
    ),
    (
        "feeder",
        "NAME",
        "fuse: a mount for every program; shm: for clients of libzus; auto: what works",
    ),
    (
        "workers",
        "N",
        "fuse: threads that answer, on each CPU; unless given 2",
    ),
    (
        "cpus",
        "A:B:C",
        "fuse: the CPUs on which they are; unless given all",
    ),
    (
        "placement",
        "WHERE",
        "shm: whom a CPU's thread answers: same, cross, pool:CPU+CPU",
    ),
];

/// What fstab(5) puts there for others to read.
const FOR_OTHERS: [&str; 7] = ["auto", "noauto", "user", "nouser", "users", "nofail", "_netdev"];

impl Options {
    /// The options in `lists`, each with commas between.
    ///
    /// # Errors
    /// One line that names what is unknown or has no sense, and what there is.
    pub fn parse<S: AsRef<str>>(lists: &[S]) -> Result<Self> {
        let mut options = Self::default();
        for list in lists {
            for option in list
                .as_ref()
                .split(',')
                .map(str::trim)
                .filter(|option| !option.is_empty())
            {
                options.add(option)?;
            }
        }
        Ok(options)
    }

    fn add(&mut self, option: &str) -> Result<()> {
        if let Some(flags) = Flags::named(option) {
            self.flags = self.flags.then(flags);
            return Ok(());
        }
        if FOR_OTHERS.contains(&option) || option.starts_with("x-") || option.starts_with("comment=") {
            return Ok(());
        }
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if value.is_empty() && VALUED.iter().any(|(valued, ..)| *valued == name) {
            bail!("option {name} needs a value: {}", shown(name));
        }
        match name {
            "remount" if option == name => self.remount = true,
            "relay" => self.relay = Some(value.parse()?),
            "feeder" => self.feeder = Some(value.parse()?),
            "spin_us" => {
                let spin = number(name, value, 0..=1_000_000)?;
                self.window = Some(Duration::from_micros(spin as u64));
            }
            "workers" => self.workers = Some(number(name, value, 1..=64)?),
            "placement" => self.placement = Some(value.parse()?),
            "cpus" => {
                let cpus = value
                    .split(':')
                    .map(|cpu| Ok(number(name, cpu, 0..=65_535)? as u32));
                self.cpus = Some(cpus.collect::<Result<_>>()?);
            }
            _ => bail!("unknown option {option:?}; there are: {}", names()),
        }
        Ok(())
    }

    /// Whether nothing is to be changed through the mount.
    pub fn read_only(&self) -> bool {
        self.flags.apply(MountFlags::empty()).contains(MountFlags::RDONLY)
    }

    /// What stands here that a living mount cannot change.
    pub fn fixed(&self) -> Option<&'static str> {
        let given = [
            ("feeder", self.feeder.is_some()),
            ("workers", self.workers.is_some()),
            ("cpus", self.cpus.is_some()),
            ("placement", self.placement.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

fn number(name: &str, text: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| plain && range.contains(number));
    let (first, last) = (range.start(), range.end());
    number.ok_or_else(|| anyhow!("option {name}: {text:?} is not a number from {first} to {last}"))
}

fn shown(name: &str) -> impl Display {
    let (name, value, help) = VALUED
        .iter()
        .find(|(valued, ..)| *valued == name)
        .copied()
        .unwrap_or_default();
    format!("{name}={value}, {help}")
}

/// The names of all options, those of the kernel last.
fn names() -> String {
    let valued = VALUED.iter().map(|(name, value, _)| format!("{name}={value}"));
    valued
        .chain(["remount".into()])
        .chain(Flags::names().map(Into::into))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a strategy is for.
fn purpose(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Waitqueue => "always sleeps, always wakes: the baseline",
        Strategy::Park => "sleeps at once; wakes only who sleeps: few CPUs, rare operations",
        Strategy::Yield => "gives way once, then sleeps: application and server on one CPU",
        Strategy::Spin => "never sleeps: burns a CPU that the server has for itself",
        Strategy::Hybrid => "spins while that can pay, then sleeps: the general case, and the default",
    }
}

/// All options, for `--help`.
pub fn help() -> String {
    let mut text = String::from("Options behind -o, with commas between:\n");
    for (name, value, help) in VALUED {
        text += &format!("  {:<16} {help}\n", format!("{name}={value}"));
    }
    text += "  remount          change a mount that is there: relay, spin_us and the next ones\n";
    for names in Flags::names().collect::<Vec<_>>().chunks(8) {
        text += &format!("  {}\n", names.join(", "));
    }
    text += "\nRelay strategies:\n";
    for strategy in Strategy::ALL {
        text += &format!("  {strategy:<16} {}\n", purpose(strategy));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(list: &str) -> String {
        let error = Options::parse(&[list])
            .map(|options| panic!("{list:?}: {options:?}"))
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(!text.contains('\n'), "{text}");
        text
    }

    #[test]
    fn options_are_read() {
        let options = Options::parse(&[
            "relay=park,spin_us=5,feeder=shm",
            "workers=3,cpus=0:2,,ro, nosuid",
        ])
        .unwrap();
        assert_eq!(options.relay, Some(Strategy::Park));
        assert_eq!(options.window, Some(Duration::from_micros(5)));
        assert_eq!(options.feeder, Some(Feeder::Shm));
        assert_eq!(options.workers, Some(3));
        assert_eq!(options.cpus, Some(vec![0, 2]));
        assert_eq!(
            options.flags.apply(MountFlags::empty()),
            MountFlags::RDONLY | MountFlags::NOSUID
        );
        assert!(!options.remount);
        assert_eq!(Options::parse::<&str>(&[]).unwrap(), Options::default());
    }

    #[test]
    fn what_fstab_has_for_others_is_passed_over() {
        let list = "defaults,noauto,nofail,_netdev,x-systemd.automount,comment=mine,allow_other";
        assert_eq!(Options::parse(&[list]).unwrap(), Options::default());
    }

    #[test]
    fn errors_name_the_thing_and_what_there_is() {
        let text = error("relay=teleport");
        assert!(
            text.contains("teleport") && text.contains("hybrid") && text.contains("park"),
            "{text}"
        );
        assert!(error("placement=moon").contains("moon"));
        let text = error("feeder=pigeon");
        assert!(
            text.contains("pigeon") && text.contains("auto, fuse, shm"),
            "{text}"
        );
        let text = error("ro,frobnicate=1");
        assert!(
            text.contains("frobnicate") && text.contains("spin_us=N") && text.contains("noatime"),
            "{text}"
        );
        for (list, name) in [
            ("relay", "relay"),
            ("relay=", "relay"),
            ("spin_us=fast", "spin_us"),
            ("spin_us=-1", "spin_us"),
            ("spin_us=+1", "spin_us"),
            ("spin_us=99999999999999999999", "spin_us"),
            ("workers=0", "workers"),
            ("cpus=0:x", "cpus"),
            ("cpus=0::1", "cpus"),
            ("ro=1", "ro=1"),
            ("remount=1", "remount=1"),
        ] {
            assert!(error(list).contains(name), "{list}");
        }
    }
}
