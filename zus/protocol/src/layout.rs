// SPDX-License-Identifier: MIT
//! Everything that is mirrored, with its C name: what the probe compares with the C header.

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Its name, the same in C.
    pub name: &'static str,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// Its size in bytes.
    pub size: usize,
}

/// A struct.
#[derive(Debug)]
pub struct Struct {
    /// Its C name, after `struct`.
    pub name: &'static str,
    /// The first minor version of the protocol that has it in this form.
    pub since: u32,
    /// Its size in bytes.
    pub size: usize,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// A preprocessor constant.
#[derive(Debug)]
pub struct Constant {
    /// Its C name.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
}

/// A value of `enum fuse_opcode`.
#[derive(Debug)]
pub struct Operation {
    /// Its C name.
    pub name: &'static str,
    /// The first minor version of the protocol that has it.
    pub since: u32,
    /// Its value.
    pub value: u32,
}

/// All structs.
pub const STRUCTS: &[Struct] = &[
    crate::InHeader::LAYOUT,
    crate::OutHeader::LAYOUT,
    crate::InitIn::LAYOUT,
    crate::InitOut::LAYOUT,
    crate::Attr::LAYOUT,
    crate::AttrOut::LAYOUT,
    crate::EntryOut::LAYOUT,
    crate::GetattrIn::LAYOUT,
    crate::SetattrIn::LAYOUT,
    crate::SxTime::LAYOUT,
    crate::Statx::LAYOUT,
    crate::StatxIn::LAYOUT,
    crate::StatxOut::LAYOUT,
    crate::ForgetIn::LAYOUT,
    crate::ForgetOne::LAYOUT,
    crate::BatchForgetIn::LAYOUT,
    crate::MknodIn::LAYOUT,
    crate::MkdirIn::LAYOUT,
    crate::RenameIn::LAYOUT,
    crate::Rename2In::LAYOUT,
    crate::LinkIn::LAYOUT,
    crate::OpenIn::LAYOUT,
    crate::OpenOut::LAYOUT,
    crate::CreateIn::LAYOUT,
    crate::ReleaseIn::LAYOUT,
    crate::FlushIn::LAYOUT,
    crate::ReadIn::LAYOUT,
    crate::WriteIn::LAYOUT,
    crate::WriteOut::LAYOUT,
    crate::FsyncIn::LAYOUT,
    crate::FallocateIn::LAYOUT,
    crate::LseekIn::LAYOUT,
    crate::LseekOut::LAYOUT,
    crate::Dirent::LAYOUT,
    crate::Direntplus::LAYOUT,
    crate::Kstatfs::LAYOUT,
    crate::StatfsOut::LAYOUT,
    crate::AccessIn::LAYOUT,
    crate::InterruptIn::LAYOUT,
    crate::SyncfsIn::LAYOUT,
];

/// All constants but the opcodes.
pub const CONSTANTS: &[&[Constant]] = &[
    crate::init::LAYOUT,
    crate::fattr::LAYOUT,
    crate::getattr::LAYOUT,
    crate::fopen::LAYOUT,
    crate::open::LAYOUT,
    crate::write::LAYOUT,
    crate::fsync::LAYOUT,
    &[
        Constant {
            name: "FUSE_KERNEL_VERSION",
            value: crate::MAJOR as u64,
        },
        Constant {
            name: "FUSE_ROOT_ID",
            value: crate::ROOT_ID,
        },
        Constant {
            name: "FUSE_MIN_READ_BUFFER",
            value: crate::MIN_READ_BUFFER as u64,
        },
    ],
];

/// All opcodes of the FUSE protocol.
pub const OPCODES: &[Operation] = crate::opcode::LAYOUT;
