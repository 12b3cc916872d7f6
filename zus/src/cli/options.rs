// SPDX-License-Identifier: MIT
//! What stands behind `-o`.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use relay::Strategy;
use rustix::mount::MountFlags;

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
    /// Threads that answer them; one for each CPU unless given.
    pub workers: Option<usize>,
    /// The CPUs that they are bound to.
    pub cpus: Option<Vec<usize>>,
    /// The kernel's own options.
    pub flags: Flags,
}

/// Which of the kernel's options are switched on and off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flags {
    on: MountFlags,
    off: MountFlags,
}

impl Default for Flags {
    fn default() -> Self {
        Self::new(MountFlags::empty(), MountFlags::empty())
    }
}

impl Flags {
    const fn new(on: MountFlags, off: MountFlags) -> Self {
        Self { on, off }
    }

    /// These, and then `next`.
    fn then(self, next: Self) -> Self {
        Self::new(
            self.on.difference(next.off).union(next.on),
            self.off.difference(next.on).union(next.off),
        )
    }

    /// What becomes of the options `before`.
    pub fn apply(self, before: MountFlags) -> MountFlags {
        before.difference(self.off).union(self.on)
    }

    /// Whether they change anything.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
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
const VALUED: [(&str, &str, &str); 5] = [
    ("relay", "STRATEGY", "how both sides wait for each other"),
    (
        "spin_us",
        "N",
        "longest spin in microseconds, before sleeping; calibrated unless given",
    ),
    (
        "feeder",
        "NAME",
        "what brings operations: fuse (a mount for every program), shm (clients of libzus only), auto",
    ),
    (
        "workers",
        "N",
        "threads that answer; one for each CPU unless given",
    ),
    ("cpus", "A:B:C", "the CPUs that they are bound to"),
];

/// The kernel's options, with what each switches on and off.
const FLAGS: [(&str, Flags); 24] = {
    const NONE: MountFlags = MountFlags::empty();
    const STRICT: MountFlags = MountFlags::STRICTATIME;
    const ATIME: MountFlags = MountFlags::NOATIME.union(MountFlags::RELATIME).union(STRICT);
    const fn on(flag: MountFlags) -> Flags {
        Flags::new(flag, NONE)
    }
    const fn off(flag: MountFlags) -> Flags {
        Flags::new(NONE, flag)
    }
    [
        ("defaults", on(NONE)),
        ("ro", on(MountFlags::RDONLY)),
        ("rw", off(MountFlags::RDONLY)),
        ("nosuid", on(MountFlags::NOSUID)),
        ("suid", off(MountFlags::NOSUID)),
        ("nodev", on(MountFlags::NODEV)),
        ("dev", off(MountFlags::NODEV)),
        ("noexec", on(MountFlags::NOEXEC)),
        ("exec", off(MountFlags::NOEXEC)),
        (
            "noatime",
            Flags::new(MountFlags::NOATIME, ATIME.difference(MountFlags::NOATIME)),
        ),
        ("atime", off(MountFlags::NOATIME)),
        (
            "relatime",
            Flags::new(MountFlags::RELATIME, ATIME.difference(MountFlags::RELATIME)),
        ),
        ("norelatime", off(MountFlags::RELATIME)),
        ("strictatime", Flags::new(STRICT, ATIME.difference(STRICT))),
        ("nostrictatime", off(STRICT)),
        ("nodiratime", on(MountFlags::NODIRATIME)),
        ("diratime", off(MountFlags::NODIRATIME)),
        ("lazytime", on(MountFlags::LAZYTIME)),
        ("nolazytime", off(MountFlags::LAZYTIME)),
        ("sync", on(MountFlags::SYNCHRONOUS)),
        ("async", off(MountFlags::SYNCHRONOUS)),
        ("dirsync", on(MountFlags::DIRSYNC)),
        // Always so: the server checks nothing by itself, and the kernel checks everything.
        ("allow_other", on(NONE)),
        ("default_permissions", on(NONE)),
    ]
};

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
        if let Some((_, flags)) = FLAGS.iter().find(|(name, _)| *name == option) {
            self.flags = self.flags.then(*flags);
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
            "relay" => {
                self.relay = Some(
                    value
                        .parse::<Strategy>()
                        .map_err(|error| anyhow!("option relay: {error}"))?,
                )
            }
            "feeder" => self.feeder = Some(value.parse()?),
            "spin_us" => {
                let spin = number(name, value, 0..=1_000_000)?;
                self.window = Some(Duration::from_micros(spin as u64));
            }
            "workers" => self.workers = Some(number(name, value, 1..=4096)?),
            "cpus" => {
                let cpus = value.split(':').map(|cpu| number(name, cpu, 0..=65_535));
                self.cpus = Some(cpus.collect::<Result<_>>()?);
            }
            _ => bail!("unknown option {option:?}; there are: {}", names()),
        }
        Ok(())
    }

    /// What stands here that a living mount cannot change.
    pub fn fixed(&self) -> Option<&'static str> {
        let given = [
            ("feeder", self.feeder.is_some()),
            ("workers", self.workers.is_some()),
            ("cpus", self.cpus.is_some()),
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
        .chain(FLAGS.iter().map(|(name, _)| (*name).into()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// All options, for `--help`.
pub fn help() -> String {
    let mut text = String::from("Options behind -o, with commas between:\n");
    for (name, value, help) in VALUED {
        text += &format!("  {:<16} {help}\n", format!("{name}={value}"));
    }
    let strategies = Strategy::ALL
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let flags = FLAGS.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let (first, rest) = flags.split_at(13);
    text += &format!(
        "  {:<16} change a mount that is there; relay, spin_us and the next ones can change\n",
        "remount"
    );
    text += &format!("  {}\n  {}\n", first.join(", "), rest.join(", "));
    text += &format!("Relay strategies: {strategies}");
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
    fn of_contradictions_the_last_counts() {
        let flags = |list: &str, before| Options::parse(&[list]).unwrap().flags.apply(before);
        let (ro, no) = (MountFlags::RDONLY, MountFlags::empty());
        assert_eq!(flags("ro,rw", no), no);
        assert_eq!(flags("rw,ro", no), ro);
        assert_eq!(flags("rw", ro), no);
        assert_eq!(flags("nosuid", ro), ro | MountFlags::NOSUID);
        assert_eq!(flags("noatime,relatime", no), MountFlags::RELATIME);
        assert_eq!(
            flags("relatime,noatime", MountFlags::RELATIME),
            MountFlags::NOATIME
        );
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
