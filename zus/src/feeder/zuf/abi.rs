// SPDX-License-Identifier: MIT
//! What goes through the door: the mirror of `kmod/uapi/zuf.h`, which is its manual.

use relay::Strategy;
use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout};

pub const MAJOR: u32 = 1;
pub const MINOR: u32 = 0;
pub const NAME_MAX: usize = 16;
pub const SOURCE_MAX: usize = 256;
pub const WINDOW_OFFSET: usize = 4096;
pub const EVENT_MOUNT: u32 = 1;
pub const EVENT_POLICY: u32 = 2;
pub const MOUNT_READ_ONLY: u32 = 1;
pub const CHANNEL_RESERVE: u32 = 1;
pub const WAIT_RING: u32 = 1;
pub const WAIT_SLEEP: u32 = 2;
/// The ioctls' type.
pub const MAGIC: u8 = 0xe5;

/// ZUF_REGISTER.
#[derive(Debug, FromZeros, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Register {
    pub major: u32,
    pub minor: u32,
    pub flags: u32,
    pub reserved: u32,
}

/// ZUF_ADD_FS.
#[derive(Debug, FromZeros, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct AddFs {
    pub name: [u8; NAME_MAX],
    pub flags: u32,
    pub reserved: u32,
}

/// ZUF_NEXT.
#[derive(Debug, FromZeros, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Event {
    pub kind: u32,
    pub strategy: u32,
    pub mount: u64,
    pub spin_ns: u64,
    pub flags: u32,
    pub reserved: u32,
    pub fs: [u8; NAME_MAX],
    pub source: [u8; SOURCE_MAX],
}

/// ZUF_ATTACH.
#[derive(Debug, FromZeros, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Attach {
    pub mount: u64,
    pub server: i32,
    pub reserved: u32,
}

/// ZUF_CHANNEL.
#[derive(Debug, FromZeros, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Channel {
    pub cpu: u32,
    pub flags: u32,
    pub index: u32,
    pub reserved: u32,
    pub offset: u64,
    pub size: u64,
}

/// ZUF_READY.
#[derive(Debug, FromZeros, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Ready {
    pub mount: u64,
    pub error: i32,
    pub reserved: u32,
}

/// ZUF_WAIT.
#[derive(Debug, FromZeros, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Wait {
    pub channel: u32,
    pub flags: u32,
    pub expected: u32,
    pub reserved: u32,
}

impl Event {
    /// How the server is to wait.
    pub fn strategy(&self) -> Strategy {
        *Strategy::ALL
            .get(self.strategy as usize)
            .unwrap_or(&Strategy::Hybrid)
    }
}

/// The text of a field that ends in NULs.
pub fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_that_the_module_asserts() {
        assert_eq!(size_of::<Register>(), 16);
        assert_eq!(size_of::<AddFs>(), 24);
        assert_eq!(size_of::<Event>(), 304);
        assert_eq!(size_of::<Attach>(), 16);
        assert_eq!(size_of::<Channel>(), 32);
        assert_eq!(size_of::<Ready>(), 16);
        assert_eq!(size_of::<Wait>(), 16);
    }

    #[test]
    fn strategies_have_the_numbers_of_the_header() {
        let names = ["waitqueue", "park", "yield", "spin", "hybrid"];
        for (number, name) in names.into_iter().enumerate() {
            let event = Event {
                strategy: number as u32,
                ..Event::new_zeroed()
            };
            assert_eq!(event.strategy().name(), name);
        }
    }
}
