// SPDX-License-Identifier: MIT
//! Lists of what a suite's cases are expected to do, kept in the repository and compared after each run.
//!
//! A line is `pass NAME`, `fail NAME: cause` or `skip NAME: reason`; `#` begins a comment. Every case must
//! be listed and do as it says: a case that slides from *pass* to *skip* is a failure, and so is one that
//! passes though it is listed as failing, for then the list is wrong.

use anyhow::{Result, bail, ensure};
use std::collections::BTreeMap;

/// What a case does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes.
    Pass,
    /// It fails.
    Fail,
    /// It is skipped.
    Skip,
}

/// The fate of each case by its name.
pub type Cases<'a> = BTreeMap<&'a str, Fate>;

/// Reads a list.
pub fn parse(text: &str) -> Result<Cases<'_>> {
    let mut cases = Cases::new();
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        // Names have `::` in them; the reason follows the first colon with a blank.
        let (name, reason) = rest.split_once(": ").unwrap_or((rest, ""));
        let fate = match word {
            "pass" => Fate::Pass,
            "fail" => Fate::Fail,
            "skip" => Fate::Skip,
            _ => bail!("not a line of a list: `{line}`"),
        };
        ensure!(
            fate == Fate::Pass || !reason.is_empty(),
            "`{line}` does not say why"
        );
        ensure!(cases.insert(name, fate).is_none(), "`{name}` is listed twice");
    }
    Ok(cases)
}

/// Says in a few words what was seen, or what differs from the list.
pub fn compare(expected: &Cases, seen: &Cases) -> Result<String> {
    let mut differences = Vec::new();
    for (name, fate) in expected {
        match seen.get(name) {
            Some(found) if found == fate => {}
            Some(found) => differences.push(format!("{name}: listed as {fate:?}, now {found:?}")),
            None => differences.push(format!("{name}: listed as {fate:?}, did not run")),
        }
    }
    for (name, found) in seen {
        if !expected.contains_key(name) {
            differences.push(format!("{name}: not listed, {found:?}"));
        }
    }
    ensure!(
        differences.is_empty(),
        "{} cases differ from the list\n  {}",
        differences.len(),
        differences.join("\n  ")
    );
    let count = |fate| seen.values().filter(|found| **found == fate).count();
    let mut text = format!("{} passed", count(Fate::Pass));
    for (fate, what) in [(Fate::Fail, "known to fail"), (Fate::Skip, "skipped as listed")] {
        if count(fate) > 0 {
            text += &format!(", {} {what}", count(fate));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_slides_from_passing_to_skipped_is_a_failure() {
        let expected = parse("pass a::b\nskip c: no such feature\n").unwrap();
        assert!(compare(&expected, &expected).is_ok());
        let mut seen = expected.clone();
        seen.insert("a::b", Fate::Skip);
        assert!(
            compare(&expected, &seen)
                .unwrap_err()
                .to_string()
                .contains("a::b: listed as Pass, now Skip")
        );
    }

    #[test]
    fn a_case_that_is_new_or_gone_is_a_failure() {
        let (short, long) = (parse("pass a").unwrap(), parse("pass a\npass b").unwrap());
        assert!(compare(&short, &long).is_err());
        assert!(compare(&long, &short).is_err());
    }

    #[test]
    fn a_known_failure_needs_its_cause() {
        assert!(parse("fail a").is_err());
        assert!(parse("fail a: because").is_ok());
    }
}
