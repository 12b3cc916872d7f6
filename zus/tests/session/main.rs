// SPDX-License-Identifier: MIT
//! The engine as a feeder sees it: messages in, replies out, no kernel anywhere.

mod client;
mod faulty;
mod hostile;
mod init;
mod kernel;
mod peer;
