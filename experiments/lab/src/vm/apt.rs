// SPDX-License-Identifier: MIT
//! Debian's packages, through an apt of our own.
//!
//! Its lists, cache and idea of what is installed (nothing) stand in `target/vm/apt`,
//! so the machine's packages and sources are neither used nor changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt whose every file is under one folder.
pub struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Sets it up in `dir` and fetches the package lists if it has none.
    pub fn open(dir: PathBuf) -> Result<Self> {
        ensure!(
            Path::new(KEYRING).exists(),
            "{KEYRING} is missing: install debian-archive-keyring, so that Debian's packages can be verified"
        );
        for sub in [
            "etc/apt.conf.d",
            "etc/preferences.d",
            "etc/sources.list.d",
            "lists/partial",
            "state",
        ] {
            fs::create_dir_all(dir.join(sub))?;
        }
        fs::create_dir_all(dir.join("cache/archives/partial"))?;
        let at = dir.display();
        fs::write(dir.join("state/status"), "")?;
        fs::write(
            dir.join("etc/sources.list"),
            format!(
                "deb [signed-by={KEYRING}] {MIRROR} trixie main\n\
                 deb [signed-by={KEYRING}] {MIRROR} trixie-backports main\n"
            ),
        )?;
        fs::write(
            dir.join("apt.conf"),
            format!(
                "Dir::Etc \"{at}/etc\";\n\
                 Dir::State \"{at}/state\";\n\
                 Dir::State::lists \"{at}/lists\";\n\
                 Dir::State::status \"{at}/state/status\";\n\
                 Dir::Cache \"{at}/cache\";\n\
                 APT::Architecture \"amd64\";\n\
                 APT::Architectures {{ \"amd64\"; }};\n\
                 APT::Install-Recommends \"false\";\n\
                 APT::Sandbox::User \"\";\n\
                 Acquire::Languages \"none\";\n\
                 Acquire::Retries \"3\";\n"
            ),
        )?;
        let apt = Self { dir };
        if !apt.has_lists()? {
            eprintln!("vm: fetching Debian's package lists");
            apt.output("apt-get", &["-q", "update"])?;
            ensure!(
                apt.has_lists()?,
                "apt-get update brought no package lists from {MIRROR}"
            );
        }
        Ok(apt)
    }

    fn has_lists(&self) -> Result<bool> {
        for entry in fs::read_dir(self.dir.join("lists"))? {
            if entry?.file_name().to_string_lossy().ends_with("_Packages") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What `package` of `suite` depends on directly, by name.
    pub fn depends(&self, suite: &str, package: &str) -> Result<Vec<String>> {
        let shown = self.output("apt-cache", &["-t", suite, "depends", package])?;
        let names = shown
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(names.map(str::to_owned).collect())
    }

    /// Downloads `packages` of `suite` and all that they need; the .deb files, in no order.
    pub fn fetch(&self, suite: &str, packages: &[String]) -> Result<Vec<PathBuf>> {
        let mut args = vec!["-q", "-y", "-t", suite, "install"];
        args.extend(packages.iter().map(String::as_str));
        let plan = self.output("apt-get", &[&["-s"], args.as_slice()].concat())?;
        self.output("apt-get", &[&["--download-only"], args.as_slice()].concat())?;
        let archives = self.dir.join("cache/archives");
        let mut debs = Vec::new();
        for line in plan.lines() {
            let Some(rest) = line.strip_prefix("Inst ") else {
                continue;
            };
            // Inst NAME (VERSION SOURCE [ARCH])
            let mut words = rest.split_whitespace();
            let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let version = version.trim_start_matches('(').replace(':', "%3a");
            let arch = if rest.contains("[all]") { "all" } else { "amd64" };
            let deb = archives.join(format!("{name}_{version}_{arch}.deb"));
            ensure!(deb.exists(), "apt did not bring {}", deb.display());
            debs.push(deb);
        }
        ensure!(!debs.is_empty(), "apt plans to install nothing for {packages:?}");
        Ok(debs)
    }

    /// Downloads just `packages` of `suite`, without what they depend on; the .deb files.
    pub fn fetch_alone(&self, suite: &str, packages: &[String]) -> Result<Vec<PathBuf>> {
        let mut debs = Vec::new();
        for package in packages {
            // A folder per package: apt-get chooses the file's name.
            let dir = self.dir.join("alone").join(package);
            fs::create_dir_all(&dir)?;
            if find_deb(&dir)?.is_none() {
                self.output_in(&dir, "apt-get", &["-q", "-t", suite, "download", package])?;
            }
            debs.push(find_deb(&dir)?.with_context(|| format!("apt did not bring {package}"))?);
        }
        Ok(debs)
    }

    fn output(&self, tool: &str, args: &[&str]) -> Result<String> {
        self.output_in(&self.dir, tool, args)
    }

    fn output_in(&self, dir: &Path, tool: &str, args: &[&str]) -> Result<String> {
        let output = Command::new(tool)
            .current_dir(dir)
            .env("APT_CONFIG", self.dir.join("apt.conf"))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C")
            .args(args)
            .output()
            .with_context(|| format!("{tool}: the machine needs apt to fetch Debian's packages"))?;
        if !output.status.success() {
            bail!(
                "{tool} {}: {}\n{}",
                args.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn find_deb(dir: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
