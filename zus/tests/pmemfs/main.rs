// SPDX-License-Identifier: MIT
//! What pmemfs promises, through the trait that every file system has.

mod basics;
mod crash;
mod directories;
mod files;
mod images;
mod model;
mod names;
mod operation;
mod oracle;
mod recorder;
mod space;
mod support;
mod threads;
