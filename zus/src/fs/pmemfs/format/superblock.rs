// SPDX-License-Identifier: MIT
//! The superblock: which file system this is and where its parts stand.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{BLOCK, DESCRIPTOR, GROUP, LANE};

/// How an image starts.
pub const MAGIC: [u8; 8] = *b"zufsPMEM";
/// The version of the format that this code writes and the only one that it reads.
pub const LAST_VERSION: u32 = 1;
/// Features without which an old reader would go wrong: none yet.
const INCOMPATIBLE: u64 = 0;
/// Features without which an old writer would do damage: none yet.
const READ_ONLY: u64 = 0;

/// The fewest blocks that a file system has.
const MIN_BLOCKS: u64 = 256;
/// The most blocks that a file system has: 16 TiB.
const MAX_BLOCKS: u64 = 1 << 32;

/// The superblock, in block 0 and again in the last block.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Superblock {
    magic: [u8; 8],
    version: U32,
    /// crc32c of the whole with this field 0.
    crc: U32,
    /// Tells file systems apart.
    pub uuid: [u8; 16],
    /// Features that a reader and writer may ignore.
    compatible: U64,
    read_only: U64,
    incompatible: U64,
    block_len: U32,
    lanes: U32,
    blocks: U64,
    journal: U64,
    groups: U64,
    bitmap: U64,
    first_data: U64,
    /// When it was made, in seconds since 1970.
    made: U64,
    reserved: [u8; 144],
}

const _: () = assert!(size_of::<Superblock>() == 256);

/// What is wrong with a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuperblockError {
    /// It does not start with the magic.
    Foreign,
    /// It is of another version of the format.
    Version(u32),
    /// It uses a feature that this code does not know.
    Feature(u64),
    /// Its checksum or contents are wrong.
    Damaged,
}

impl Superblock {
    /// That of a new file system.
    pub fn new(geometry: &Geometry, uuid: [u8; 16], made: u64) -> Self {
        let mut new = Self {
            magic: MAGIC,
            version: LAST_VERSION.into(),
            crc: 0.into(),
            uuid,
            compatible: 0.into(),
            read_only: READ_ONLY.into(),
            incompatible: INCOMPATIBLE.into(),
            block_len: (BLOCK as u32).into(),
            lanes: geometry.lanes.into(),
            blocks: geometry.blocks.into(),
            journal: geometry.journal.into(),
            groups: geometry.groups.into(),
            bitmap: geometry.bitmap.into(),
            first_data: geometry.first_data.into(),
            made: made.into(),
            reserved: [0; 144],
        };
        new.crc = crc32c::crc32c(new.as_bytes()).into();
        new
    }

    /// Checks the superblock at the start of `bytes`, of which there are 256 or more.
    ///
    /// # Errors
    ///
    /// In this order: foreign, of another version, damaged, with features unknown for what is wanted.
    pub fn read(bytes: &[u8], read_only: bool) -> Result<(Self, Geometry), SuperblockError> {
        let found: Self = super::read(bytes);
        if found.magic != MAGIC {
            return Err(SuperblockError::Foreign);
        }
        if found.version != LAST_VERSION {
            return Err(SuperblockError::Version(found.version.into()));
        }
        let mut unsigned = found;
        unsigned.crc = 0.into();
        if found.crc != crc32c::crc32c(unsigned.as_bytes()) {
            return Err(SuperblockError::Damaged);
        }
        let mut unknown = found.incompatible.get() & !INCOMPATIBLE;
        if !read_only {
            unknown |= found.read_only.get() & !READ_ONLY;
        }
        if unknown != 0 {
            return Err(SuperblockError::Feature(unknown));
        }
        let geometry = Geometry {
            blocks: found.blocks.get(),
            lanes: found.lanes.get(),
            journal: found.journal.get(),
            groups: found.groups.get(),
            bitmap: found.bitmap.get(),
            first_data: found.first_data.get(),
        };
        if found.block_len.get() as u64 != BLOCK || !geometry.is_sound() {
            return Err(SuperblockError::Damaged);
        }
        Ok((found, geometry))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Where the parts of a file system stand, in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// How many blocks there are.
    pub blocks: u64,
    /// How many lanes the journal has.
    pub lanes: u32,
    /// Its first block.
    pub journal: u64,
    /// The first block of the group descriptors.
    pub groups: u64,
    /// The bitmap of the first group; that of any other is the group's first block.
    pub bitmap: u64,
    /// The first block of the first group that holds anything of a file.
    pub first_data: u64,
}

impl Geometry {
    /// The geometry of a new file system on `blocks` blocks, if they are enough and not too many.
    pub fn new(blocks: u64) -> Option<Self> {
        if !(MIN_BLOCKS..=MAX_BLOCKS).contains(&blocks) {
            return None;
        }
        let lanes = (blocks / 2048).clamp(2, 64);
        let journal = 2;
        let groups = journal + lanes * (LANE / BLOCK);
        let bitmap = groups + (blocks.div_ceil(GROUP) * DESCRIPTOR).div_ceil(BLOCK);
        let new = Self {
            blocks,
            lanes: lanes as u32,
            journal,
            groups,
            bitmap,
            first_data: bitmap + 1,
        };
        new.is_sound().then_some(new)
    }

    fn is_sound(&self) -> bool {
        let table = (self.group_count() * DESCRIPTOR).div_ceil(BLOCK);
        (MIN_BLOCKS..=MAX_BLOCKS).contains(&self.blocks)
            && (1..=1024).contains(&self.lanes)
            && self.journal == 2
            && self.groups == self.journal + u64::from(self.lanes) * (LANE / BLOCK)
            && self.bitmap == self.groups + table
            && self.first_data == self.bitmap + 1
            && self.first_data < self.blocks.min(GROUP) - 1
    }

    /// Bytes that the file system takes of its medium.
    pub fn len(&self) -> u64 {
        self.blocks * BLOCK
    }

    /// How many allocation groups there are; the last may be short.
    pub fn group_count(&self) -> u64 {
        self.blocks.div_ceil(GROUP)
    }

    /// How many blocks `group` has.
    pub fn group_len(&self, group: u64) -> u32 {
        (self.blocks - group * GROUP).min(GROUP) as u32
    }

    /// The bitmap block of `group`.
    pub fn group_bitmap(&self, group: u64) -> u64 {
        if group == 0 { self.bitmap } else { group * GROUP }
    }

    /// Where the descriptor of `group` stands, in bytes.
    pub fn descriptor_at(&self, group: u64) -> u64 {
        self.groups * BLOCK + group * DESCRIPTOR
    }

    /// How many blocks at the start of `group` never belong to a file.
    pub fn group_fixed(&self, group: u64) -> u32 {
        if group == 0 { self.first_data as u32 } else { 1 }
    }

    /// How many blocks of `group` files can have.
    pub fn group_usable(&self, group: u64) -> u32 {
        let copy = u32::from(group + 1 == self.group_count());
        self.group_len(group)
            .saturating_sub(self.group_fixed(group) + copy)
    }

    /// Whether `block` can belong to a file.
    #[inline]
    pub fn is_data(&self, block: u64) -> bool {
        block >= self.first_data && block < self.blocks - 1 && !block.is_multiple_of(GROUP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_superblock_survives_a_round_trip() {
        for blocks in [MIN_BLOCKS, 65_536, GROUP + 1, GROUP * 3 + 2, MAX_BLOCKS] {
            let geometry = Geometry::new(blocks).unwrap();
            let new = Superblock::new(&geometry, [7; 16], 1);
            let (found, read) = Superblock::read(new.bytes(), false).unwrap();
            assert_eq!((found.uuid, read), ([7; 16], geometry));
        }
        assert_eq!(Geometry::new(MIN_BLOCKS - 1), None);
        assert_eq!(Geometry::new(MAX_BLOCKS + 1), None);
    }

    #[test]
    fn each_kind_of_damage_has_its_error() {
        let new = Superblock::new(&Geometry::new(65_536).unwrap(), [7; 16], 1);
        let broken = |at: usize, value: u8| {
            let mut bytes = new.bytes().to_vec();
            bytes[at] = value;
            Superblock::read(&bytes, false).unwrap_err()
        };
        assert_eq!(broken(0, 0), SuperblockError::Foreign);
        assert_eq!(broken(8, 9), SuperblockError::Version(9));
        for at in 12..256 {
            assert_eq!(
                broken(at, !new.bytes()[at]),
                SuperblockError::Damaged,
                "byte {at}"
            );
        }
    }

    #[test]
    fn unknown_features_are_refused_where_they_matter() {
        let mut new = Superblock::new(&Geometry::new(65_536).unwrap(), [7; 16], 1);
        new.compatible = 1.into();
        new.read_only = 2.into();
        new.crc = 0.into();
        new.crc = crc32c::crc32c(new.as_bytes()).into();
        assert_eq!(
            Superblock::read(new.bytes(), false).unwrap_err(),
            SuperblockError::Feature(2)
        );
        assert!(Superblock::read(new.bytes(), true).is_ok());
    }
}
