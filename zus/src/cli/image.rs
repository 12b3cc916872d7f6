// SPDX-License-Identifier: MIT
//! Images: opened, and made, with an error that says who else has them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Error, Result, anyhow, bail};
use zus::fs::FileSystem;
use zus::fs::nullfs::Nullfs;
use zus_protocol::registry;

use super::serve::Plan;

/// The file system of `plan`.
///
/// # Errors
/// What is wrong with its image, which is named.
pub fn open(plan: &Plan) -> Result<Arc<dyn FileSystem>> {
    match &plan.image {
        None => Ok(Arc::new(Nullfs::new())),
        Some(image) => bail!("{}: later", image.display()),
    }
}

/// What is to be said where `image` cannot be opened because of `error`: if it is mounted, where.
pub fn explain(image: &Path, error: Error) -> Error {
    let holds = |entry: &registry::Entry| entry.image.as_deref() == Some(image) && entry.alive();
    let Some(entry) = registry::list().into_iter().find(holds) else {
        return error;
    };
    let (image, dir, pid) = (image.display(), entry.dir.display(), entry.pid);
    let still = if entry.detached {
        " (detached, still in use)"
    } else {
        ""
    };
    anyhow!("{image}: already mounted on {dir}{still} (pid {pid})")
}
