// SPDX-License-Identifier: MIT
//! Client of a zufs server over shared memory.
#![deny(unsafe_code)]

mod path;
mod pool;
