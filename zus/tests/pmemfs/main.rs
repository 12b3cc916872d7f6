// SPDX-License-Identifier: MIT
//! What pmemfs promises, through the trait that every file system has.

mod basics;
mod support;
