// SPDX-License-Identifier: MIT
//! The rules of the house that a program can check, on every file that git knows.

use super::step::Bench;
use crate::job::Job;
use crate::place::which;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Source files are split before they are longer.
const LINES: usize = 500;

/// Checks them all and names every offence.
pub fn run(bench: &Bench) -> Result<String> {
    let root = &bench.place.root;
    let git = Job::new(which("git").context("no git")?).dir(root);
    let listed = git
        .args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .text(&bench.log)
        .context("the house rules are checked in a git checkout")?;
    let machine = machine_paths(root);
    let mut offences = Vec::new();
    let mut files = 0;
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let path = root.join(name);
        // Deleted but not committed yet, or not a text.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        files += 1;
        offences.extend(offences_in(name, &text, &machine));
    }
    ensure!(files > 0, "git lists no file");
    ensure!(
        offences.is_empty(),
        "{} offences\n  {}",
        offences.len(),
        offences.join("\n  ")
    );
    Ok(format!("{files} files"))
}

fn offences_in(name: &str, text: &str, machine: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let kind = Kind::of(name);
    if kind != Kind::Prose {
        match licence(text) {
            None => found.push(format!("{name}: no SPDX line among the first three")),
            Some(licence) if licence != due(name) => {
                found.push(format!("{name}: licence `{licence}`, due is `{}`", due(name)));
            }
            Some(_) => {}
        }
    }
    if kind == Kind::Source && text.lines().count() > LINES {
        found.push(format!(
            "{name}: {} lines, split it before {LINES}",
            text.lines().count()
        ));
    }
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        if let Some(path) = machine.iter().find(|path| line.contains(path.as_str())) {
            found.push(format!("{name}:{at}: names a path of one machine, `{path}`"));
        }
        if kind == Kind::Source {
            found.extend(marker(line).map(|marker| format!("{name}:{at}: `{marker}`")));
        }
    }
    found
}

/// What a line must not have.
fn marker(line: &str) -> Option<&'static str> {
    let has = |markers: &[&'static str]| markers.iter().find(|marker| line.contains(**marker)).copied();
    has(&UNDONE).or_else(|| has(&SILENCED).filter(|_| !line.contains("// ")))
}

/// Work left undone. Written in two halves, or this file would offend.
const UNDONE: [&str; 5] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("#[ign", "ore"),
];

/// Lints switched off, unless a reason stands beside it.
const SILENCED: [&str; 2] = [concat!("allow(dead", "_code"), concat!("allow(missing", "_docs")];

#[derive(PartialEq)]
enum Kind {
    /// Code: everything is checked.
    Source,
    /// A configuration file: needs its licence line.
    Settings,
    /// Texts, licences, lists and what tools write.
    Prose,
}

impl Kind {
    fn of(name: &str) -> Kind {
        let file = name.rsplit('/').next().unwrap_or(name);
        match file.rsplit_once('.').map(|(_, kind)| kind) {
            Some("rs" | "c" | "h" | "S" | "sh" | "py" | "litmus") => Kind::Source,
            Some("md" | "toml" | "yml" | "yaml" | "service" | "rules") => Kind::Settings,
            _ if name == ".ci/run" || file == "Makefile" || file == "Kbuild" => Kind::Settings,
            _ => Kind::Prose,
        }
    }
}

/// The licence that the SPDX line names.
fn licence(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .take(3)
        .find_map(|line| line.split_once("SPDX-License-Identifier: "))?;
    Some(line.1.trim_end_matches("*/").trim_end_matches("-->").trim())
}

/// The licence that a file must have.
fn due(name: &str) -> &'static str {
    if name.starts_with("kmod/uapi/") && name.ends_with(".h") {
        "GPL-2.0 WITH Linux-syscall-note OR MIT"
    } else if name.starts_with("kmod/") && !name.ends_with(".rs") && !name.ends_with(".toml") {
        "GPL-2.0"
    } else {
        "MIT"
    }
}

/// The beginnings of paths that only this machine or one person has.
fn machine_paths(root: &Path) -> Vec<String> {
    let usual = ["home", "Users", "root"].map(str::to_owned).to_vec();
    let homes = ["HOME", "CARGO_HOME", "RUSTUP_HOME"].map(|name| std::env::var_os(name).map(Into::into));
    let mut tops = usual;
    for path in homes.into_iter().flatten().chain([root.to_owned()]) {
        // Only the first part: what is below may be named otherwise in another checkout.
        let top = path
            .components()
            .nth(1)
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        tops.extend(top.filter(|top| !SHARED.contains(&top.as_str())));
    }
    tops.sort();
    tops.dedup();
    // In front of the name there must be no other part of a path: `target/root/` is no offence.
    tops.iter()
        .flat_map(|top| [" ", "\"", "`", "'", "(", "=", ":"].map(|before| format!("{before}/{top}/")))
        .collect()
}

/// Top folders that every machine has.
const SHARED: [&str; 16] = [
    "bin", "boot", "dev", "etc", "lib", "media", "mnt", "opt", "proc", "run", "sbin", "srv", "sys", "tmp",
    "usr", "var",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_seen_to_catch_its_offence() {
        let machine = machine_paths(Path::new("/projects/zufs"));
        let count = |name: &str, text: &str| offences_in(name, text, &machine).len();
        let head = "// SPDX-License-Identifier: MIT\n";
        assert_eq!(count("relay/src/a.rs", head), 0);
        assert_eq!(count("relay/src/a.rs", "fn main() {}\n"), 1);
        assert_eq!(count("kmod/core/a.c", head), 1);
        assert_eq!(
            count("relay/src/a.rs", &format!("{head}{}", "\n".repeat(LINES))),
            1
        );
        assert_eq!(
            count("relay/src/a.rs", &format!("{head}// see \"/projects/zufs/x\"\n")),
            1
        );
        assert_eq!(
            count("a.txt", "in `/projects/x`, but target/projects/ is fine\n"),
            1
        );
        for marker in UNDONE.iter().chain(&SILENCED) {
            assert_eq!(
                count("relay/src/a.rs", &format!("{head}{marker}\n")),
                1,
                "{marker}"
            );
        }
    }
}
