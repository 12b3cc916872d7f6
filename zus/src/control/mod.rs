// SPDX-License-Identifier: MIT
//! How a server and the command find and talk to each other: an entry in the registry, and beside it a
//! Unix socket that takes requests, one JSON object a line.

mod client;
mod message;
mod register;
mod server;

pub use client::ask;
pub use message::{Operation, Reply, Request, Status, Worker};
pub use register::{Registration, make_runtime_dir, prune};
pub use server::{Responder, listen};
