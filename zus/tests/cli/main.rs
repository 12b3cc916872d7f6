// SPDX-License-Identifier: MIT
//! The promises of the `zus` command, kept by the real program.

mod death;
mod full;
mod mkfs;
mod mount;
mod options;
mod scene;
mod shm;
mod status;
mod umount;
