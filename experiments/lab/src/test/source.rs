// SPDX-License-Identifier: MIT
//! What is checked without mounting anything: the source and its own tests.

use super::step::Bench;
use anyhow::{Result, ensure};

/// The code is formatted.
pub fn fmt(bench: &Bench) -> Result<String> {
    bench
        .place
        .cargo()
        .args(["fmt", "--all", "--check"])
        .run(&bench.log)?;
    Ok(String::new())
}

/// No warnings.
pub fn clippy(bench: &Bench) -> Result<String> {
    let cargo = bench
        .place
        .cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked"]);
    cargo.args(["--", "-D", "warnings"]).limit(1200).run(&bench.log)?;
    Ok(String::new())
}

/// The tests of every crate.
pub fn unit(bench: &Bench) -> Result<String> {
    let cargo = bench
        .place
        .cargo()
        .args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    counted(&cargo.limit(1800).text(&bench.log)?)
}

/// The models of the relay, in a target folder of their own: `--cfg loom` changes every crate.
pub fn loom(bench: &Bench) -> Result<String> {
    let cargo = bench.place.cargo().env("RUSTFLAGS", "--cfg loom");
    let cargo = cargo.args([
        "test",
        "--package",
        "relay",
        "--test",
        "loom",
        "--release",
        "--locked",
        "--target-dir",
    ]);
    counted(
        &cargo
            .args([bench.place.target.join("loom")])
            .limit(1200)
            .text(&bench.log)?,
    )
}

/// The documentation builds without a warning. It has the private parts too, so links to them are right.
pub fn doc(bench: &Bench) -> Result<String> {
    let cargo = bench
        .place
        .cargo()
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    let cargo = cargo.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--locked",
        "--document-private-items",
    ]);
    cargo.limit(1200).run(&bench.log)?;
    Ok(String::new())
}

/// Licences, bans and sources of the dependencies; offline, for advisories are not asked for.
pub fn deny(bench: &Bench) -> Result<String> {
    let deny = crate::job::Job::new(bench.place.tool("cargo-deny")).dir(&bench.place.root);
    deny.args(["--locked", "check", "licenses", "bans", "sources"])
        .run(&bench.log)?;
    Ok(String::new())
}

/// Adds up what cargo's test programs said; none at all is a failure.
fn counted(text: &str) -> Result<String> {
    let mut passed = 0;
    let mut ignored = 0;
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let before = |what: &str| -> u32 {
            let at = words.iter().position(|word| word.starts_with(what)).unwrap_or(0);
            at.checked_sub(1)
                .and_then(|at| words[at].parse().ok())
                .unwrap_or(0)
        };
        passed += before("passed");
        ignored += before("ignored");
    }
    ensure!(passed > 0, "no test ran");
    ensure!(ignored == 0, "{ignored} tests are ignored");
    Ok(format!("{passed} tests"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn tests_are_counted_and_ignored_ones_are_a_failure() {
        let good = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\nrunning\n\
                    test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured\n";
        assert_eq!(super::counted(good).unwrap(), "7 tests");
        assert!(super::counted(&good.replace("0 ignored", "1 ignored")).is_err());
        assert!(super::counted("").is_err());
    }
}
