// SPDX-License-Identifier: MIT
//! The shared-memory transport: how a client and the server shake hands, and how they divide the memory.
//!
//! Once connected, both exchange messages of the FUSE protocol through slots of a memory that the server
//! made. `docs/shm.md` tells the whole story; this file fixes the bytes.
//!
//! The handshake is one packet each way over a Unix socket of type `SOCK_SEQPACKET`:
//!
//! | who | packet |
//! |---|---|
//! | client | `fuse_in_header`, `fuse_init_in` (a FUSE INIT message; its `len` ends here), [`Hello`] |
//! | server | `fuse_out_header`, `fuse_init_out` (its answer; its `len` ends here), [`Geometry`], a [`Lane`] for each; the memory and the bells are passed with it |
//! | server, if it refuses | `fuse_out_header` with the error, then the reason as text |
//!
//! Afterwards the client sends nothing more, and the server only [`Notice`]s. The connection's end is the
//! end of everything that was shared.
//!
//! **Changes.** 1: first form.

use std::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What [`Hello`] and [`Geometry`] begin with: "zshm" in memory.
pub const MAGIC: u32 = u32::from_le_bytes(*b"zshm");

/// Version of this file's contents. A server refuses any other.
pub const VERSION: u32 = 1;

/// Features that this version knows. Both sides turn off what the other does not name.
pub const FEATURES: u64 = 0;

/// Size of a slot in bytes: a request block and a reply block.
pub const SLOT_LEN: usize = 256;

/// How much of a message stands in the slot itself, in bytes; the rest stands at the start of the window.
pub const INLINE: usize = 120;

/// Size of each slot's window in bytes, and so of the largest read and write.
pub const WINDOW_LEN: usize = 1 << 20;

/// The longest message in bytes, payload of reads and writes not counted: it stands in the window alone.
/// Room for the largest extended attribute and its name.
pub const MESSAGE_MAX: usize = (64 << 10) + 512;

/// Most slots that a client gets for one CPU.
pub const SLOTS_PER_CPU_MAX: u32 = 16;

/// Most slots that a client gets in all.
pub const SLOTS_MAX: u32 = 1 << 14;

/// Most bells that are passed: one control message carries 253 descriptors, and the memory is one of them.
pub const BELLS_MAX: usize = 250;

/// The longest packet of the handshake in bytes.
pub const PACKET_MAX: usize = 512 + SLOTS_MAX as usize * size_of::<Lane>();

/// What a client asks for, behind its INIT message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Hello {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`VERSION`].
    pub version: u32,
    /// Features that the client knows.
    pub features: u64,
    /// Slots wanted for each CPU, 0 for as many as the server thinks fit. It may give fewer.
    pub slots_per_cpu: u32,
    /// Zero.
    pub reserved: [u32; 3],
}

/// How the memory is divided and who listens to it: follows the answer to INIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Geometry {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`VERSION`].
    pub version: u32,
    /// Features that both know.
    pub features: u64,
    /// Size of the memory in bytes: that of its [`Layout`].
    pub memory_len: u64,
    /// Size of a window in bytes.
    pub window_len: u32,
    /// Number of slots.
    pub slots: u32,
    /// Number of [`Lane`]s that follow.
    pub lanes: u32,
    /// Number of eventfds that were passed behind the memory.
    pub bells: u32,
    /// How to wait.
    pub waiting: Waiting,
}

/// The slots meant for the applications of one CPU, and who serves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Lane {
    /// The CPU.
    pub cpu: u32,
    /// Which bell wakes the worker that serves it.
    pub bell: u32,
    /// Its first slot: that behind the last one of the lane before.
    pub first: u32,
    /// Number of its slots, at least 1.
    pub slots: u32,
}

/// The relay strategy of the mount, by name: a client that does not know it parks, which is never wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Waiting {
    /// The strategy's name, padded with zero bytes.
    pub strategy: [u8; 16],
    /// How long to spin at most, in nanoseconds.
    pub spin_ns: u64,
}

impl Waiting {
    /// The strategy called `name`, cut off if it does not fit.
    pub fn new(name: &str, spin_ns: u64) -> Self {
        let mut strategy = [0; 16];
        let len = name.len().min(strategy.len());
        strategy[..len].copy_from_slice(&name.as_bytes()[..len]);
        Self { strategy, spin_ns }
    }

    /// The strategy's name, empty if it is none.
    pub fn name(&self) -> &str {
        let len = self
            .strategy
            .iter()
            .position(|&b| b == 0)
            .unwrap_or(self.strategy.len());
        std::str::from_utf8(&self.strategy[..len]).unwrap_or("")
    }
}

/// What the server tells its clients later. A client ignores kinds that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Notice {
    /// What it is about: [`Notice::WAITING`].
    pub kind: u32,
    /// Zero.
    pub reserved: u32,
    /// How to wait from now on.
    pub waiting: Waiting,
}

impl Notice {
    /// The mount was given another strategy.
    pub const WAITING: u32 = 1;
}

/// How the memory is divided: the slots, then, at the next multiple of the window's size, a window for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    slots: u32,
    window_len: u32,
}

impl Layout {
    /// The division for so many slots and windows of so many bytes, or `None` if there cannot be one: no
    /// slots, too many of them, windows that are no multiple of 4096 bytes.
    pub fn new(slots: u32, window_len: u32) -> Option<Self> {
        let fits = (1..=SLOTS_MAX).contains(&slots)
            && (4096..=WINDOW_LEN as u32).contains(&window_len)
            && window_len.is_multiple_of(4096);
        fits.then_some(Self { slots, window_len })
    }

    /// Number of slots.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Size of the memory in bytes.
    pub fn memory_len(&self) -> usize {
        self.windows_start() + self.slots as usize * self.window_len as usize
    }

    /// Where the window of `slot` is.
    ///
    /// # Panics
    ///
    /// If there is no such slot.
    pub fn window(&self, slot: u32) -> Range<usize> {
        assert!(slot < self.slots, "slot {slot} of {}", self.slots);
        let start = self.windows_start() + slot as usize * self.window_len as usize;
        start..start + self.window_len as usize
    }

    fn windows_start(&self) -> usize {
        (self.slots as usize * SLOT_LEN).next_multiple_of(self.window_len as usize)
    }
}

impl Geometry {
    /// The layout that it describes, or what is wrong with it or its lanes.
    pub fn check(&self, lanes: &[Lane]) -> Result<Layout, &'static str> {
        if self.magic != MAGIC {
            return Err("no zufs server");
        }
        if self.version != VERSION {
            return Err("another version of the transport");
        }
        if self.features & !FEATURES != 0 {
            return Err("features that were not asked for");
        }
        let layout =
            Layout::new(self.slots, self.window_len).ok_or("a number of slots or a window that cannot be")?;
        if self.memory_len != layout.memory_len() as u64 {
            return Err("a memory of the wrong size");
        }
        if lanes.is_empty() || lanes.len() != self.lanes as usize {
            return Err("a wrong number of lanes");
        }
        let mut next = 0u32;
        for lane in lanes {
            if lane.first != next || lane.slots == 0 {
                return Err("lanes that leave slots out or share them");
            }
            if lane.bell >= self.bells {
                return Err("a lane without a bell");
            }
            next = next.checked_add(lane.slots).ok_or("more slots than there are")?;
        }
        if next != self.slots {
            return Err("lanes that leave slots out or share them");
        }
        Ok(layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry() -> (Geometry, [Lane; 2]) {
        let layout = Layout::new(6, WINDOW_LEN as u32).unwrap();
        let geometry = Geometry {
            magic: MAGIC,
            version: VERSION,
            features: 0,
            memory_len: layout.memory_len() as u64,
            window_len: WINDOW_LEN as u32,
            slots: 6,
            lanes: 2,
            bells: 2,
            waiting: Waiting::new("hybrid", 20_000),
        };
        let lane = |cpu| Lane {
            cpu,
            bell: cpu,
            first: cpu * 3,
            slots: 3,
        };
        (geometry, [lane(0), lane(1)])
    }

    #[test]
    fn slots_and_windows_do_not_overlap() {
        for slots in [1, 2, 16, 17, 4096, SLOTS_MAX] {
            let layout = Layout::new(slots, 8192).unwrap();
            let mut end = slots as usize * SLOT_LEN;
            for slot in 0..slots {
                let window = layout.window(slot);
                assert!(window.start >= end && window.start.is_multiple_of(4096));
                assert_eq!(window.len(), 8192);
                end = window.end;
            }
            assert_eq!(end, layout.memory_len());
        }
    }

    #[test]
    fn a_layout_that_cannot_be_is_none() {
        assert!(Layout::new(0, 4096).is_none());
        assert!(Layout::new(SLOTS_MAX + 1, 4096).is_none());
        assert!(Layout::new(1, 0).is_none());
        assert!(Layout::new(1, 5000).is_none());
        assert!(Layout::new(1, u32::MAX - 4095).is_none());
    }

    #[test]
    fn a_geometry_is_checked_in_every_field() {
        let (good, lanes) = geometry();
        assert_eq!(good.check(&lanes).unwrap().slots(), 6);
        assert!(Geometry { magic: 0, ..good }.check(&lanes).is_err());
        assert!(Geometry { version: 2, ..good }.check(&lanes).is_err());
        assert!(Geometry { features: 1, ..good }.check(&lanes).is_err());
        assert!(Geometry { slots: 7, ..good }.check(&lanes).is_err());
        assert!(
            Geometry {
                window_len: 4096,
                ..good
            }
            .check(&lanes)
            .is_err()
        );
        assert!(Geometry { lanes: 1, ..good }.check(&lanes).is_err());
        assert!(Geometry { bells: 1, ..good }.check(&lanes).is_err());
        assert!(good.check(&[]).is_err());
        for bad in [
            Lane { first: 4, ..lanes[1] },
            Lane {
                first: u32::MAX,
                ..lanes[1]
            },
            Lane { slots: 0, ..lanes[1] },
            Lane { slots: 2, ..lanes[1] },
            Lane {
                slots: u32::MAX,
                ..lanes[1]
            },
        ] {
            assert!(good.check(&[lanes[0], bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_strategy_travels_by_name() {
        assert_eq!(Waiting::new("hybrid", 1).name(), "hybrid");
        assert_eq!(
            Waiting::new("a-name-longer-than-that", 1).name(),
            "a-name-longer-th"
        );
        let noise = Waiting {
            strategy: [0xff; 16],
            spin_ns: 0,
        };
        assert_eq!(noise.name(), "");
    }
}
