// SPDX-License-Identifier: MIT
//! The options of mount(8), as the kernel has them.

use rustix::mount::MountFlags;

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
    pub fn then(self, next: Self) -> Self {
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

impl Flags {
    /// What the option `name` switches, if it is the kernel's.
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|(its, _)| *its == name).map(|(_, flags)| *flags)
    }

    /// The names of all options of the kernel.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(name, _)| *name)
    }
}

/// The kernel's options, with what each switches on and off.
const ALL: [(&str, Flags); 23] = {
    const NONE: MountFlags = MountFlags::empty();
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
        ("sync", on(MountFlags::SYNCHRONOUS)),
        ("async", off(MountFlags::SYNCHRONOUS)),
        ("noatime", on(MountFlags::NOATIME)),
        ("atime", off(MountFlags::NOATIME)),
        // When the kernel records a time of reading, and when it writes it down: it records none here.
        ("relatime", off(MountFlags::NOATIME)),
        ("norelatime", on(NONE)),
        ("strictatime", off(MountFlags::NOATIME)),
        ("nostrictatime", on(NONE)),
        ("diratime", on(NONE)),
        ("nodiratime", on(NONE)),
        ("lazytime", on(NONE)),
        ("nolazytime", on(NONE)),
        // Always so: the kernel checks every user against the permissions.
        ("allow_other", on(NONE)),
        ("default_permissions", on(NONE)),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_contradictions_the_last_counts() {
        let flags = |list: &str, before| {
            let named = list.split(',').map(|name| Flags::named(name).unwrap());
            named.fold(Flags::default(), Flags::then).apply(before)
        };
        let (ro, no) = (MountFlags::RDONLY, MountFlags::empty());
        assert_eq!(flags("ro,rw", no), no);
        assert_eq!(flags("rw,ro", no), ro);
        assert_eq!(flags("rw", ro), no);
        assert_eq!(flags("nosuid", ro), ro | MountFlags::NOSUID);
        assert_eq!(flags("noatime,relatime", no), no);
        assert_eq!(flags("relatime,noatime", ro), ro | MountFlags::NOATIME);
    }
}
