// SPDX-License-Identifier: MIT
//! Where the virtual machine's things stand: all of them under `target/vm`.

use std::path::{Path, PathBuf};

/// The project's directories on this machine.
#[derive(Clone, Debug)]
pub struct Place {
    /// The project's top directory.
    pub project: PathBuf,
    /// Cargo's build directory, whose binaries go into the guest's path.
    pub target: PathBuf,
}

impl Place {
    /// Finds the project from cargo's environment or, for a copied binary, from where it was built.
    pub fn find() -> Self {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .filter(|dir| dir.ends_with("experiments/lab"))
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let project = manifest.ancestors().nth(2).unwrap_or(Path::new("/")).to_owned();
        let target = project.join("target");
        Self { project, target }
    }

    /// The folder of the virtual machine: removing it costs nothing but the time to fetch it again.
    pub fn vm(&self) -> PathBuf {
        self.target.join("vm")
    }

    /// The path of something in the project as the tools see it, that have the project at `/project`.
    pub fn inside(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.project) {
            Ok(rest) => Path::new("/project").join(rest),
            Err(_) => path.to_owned(),
        }
    }
}
