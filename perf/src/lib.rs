// SPDX-License-Identifier: MIT
//! To be filled.
