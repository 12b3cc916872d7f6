// SPDX-License-Identifier: MIT
//! What brings messages to the engine and takes the replies back. A mount has one feeder at a time.
