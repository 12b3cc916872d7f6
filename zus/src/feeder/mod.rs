// SPDX-License-Identifier: MIT
//! To be filled.

pub mod shm;
