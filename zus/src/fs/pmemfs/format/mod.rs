// SPDX-License-Identifier: MIT
//! What stands on the medium, byte by byte. `docs/pmemfs.md` is the same in prose.

mod entry;
mod inode;
mod pointer;
mod stamp;
mod superblock;

use zerocopy::FromBytes;

pub use entry::{Entries, RECORD_MAX, RECORD_MIN, Record, entry_len, write_entry, write_free};
pub use inode::{INLINE_AT, INLINE_MAX, INODE_LEN, Inode, RECORD_LEN, TOUCHED_AT, kind_code, kind_of};
pub use pointer::Pointer;
pub use stamp::{pack, unpack};
pub use superblock::{Geometry, LAST_VERSION, MAGIC, Superblock, SuperblockError};

/// Bytes in a block.
pub const BLOCK: u64 = 4096;
/// Bits in a bitmap block.
pub const BITS: u64 = BLOCK * 8;
/// Blocks in an allocation group: as many as one bitmap block describes.
pub const GROUP: u64 = BITS;
/// Pointers in a node of a file's tree.
pub const FANOUT: u64 = BLOCK / 8;
/// Levels of nodes that a file's tree can have.
pub const MAX_HEIGHT: u8 = 4;
/// A file's largest size in bytes.
pub const MAX_SIZE: u64 = 1 << 44;
/// Names that a file can have.
pub const MAX_LINKS: u32 = 65_000;

/// Inodes in a chunk of the inode table: as many as one bitmap block describes.
pub const CHUNK_INODES: u64 = BITS;
/// Inodes in a block.
pub const BLOCK_INODES: u64 = BLOCK / INODE_LEN as u64;
/// Blocks in a chunk: the bitmap of inodes in use, the bitmap of orphans, the inodes.
pub const CHUNK_BLOCKS: u64 = 2 + CHUNK_INODES / BLOCK_INODES;

/// Where the state block is: a word that says whether the file system was unmounted ...
pub const STATE_AT: u64 = BLOCK;
/// ... and the inode of the inode table.
pub const TABLE_INODE_AT: u64 = BLOCK + 256;
/// What the state word is after an orderly unmount.
pub const CLEAN: u64 = u64::from_le_bytes(*b"unmount!");
/// What it is otherwise.
pub const MOUNTED: u64 = u64::from_le_bytes(*b"mounted!");

/// Bytes in a lane of the journal.
pub const LANE: u64 = 8 * BLOCK;
/// Bytes in a group's descriptor: a word of flags, a word with its free blocks and its bitmap's checksum.
pub const DESCRIPTOR: u64 = 16;
/// The group's bitmap has been written.
pub const GROUP_READY: u64 = 1;

/// A block's worth of bytes.
pub type BlockBytes = [u8; BLOCK as usize];

/// The words of a node.
pub fn words(block: &BlockBytes) -> [u64; FANOUT as usize] {
    let mut words = [0; FANOUT as usize];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
    }
    words
}

/// Reads a struct from the start of `bytes`, which are enough.
fn read<T: FromBytes>(bytes: &[u8]) -> T {
    T::read_from_prefix(bytes).expect("enough bytes").0
}
