// SPDX-License-Identifier: MIT
//! The command as a person uses it.

use std::process::{Command, Output};

use perf::result::Results;

fn experiments(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_experiments"));
    command.args(arguments).output().expect("the command runs")
}

#[test]
fn the_list_names_each_experiment_and_its_question() {
    let output = experiments(&["list"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["handoff", "fs4k"]);
    assert!(text.lines().all(|line| line.ends_with('?')), "{text}");
}

#[test]
fn what_is_wrong_is_one_line_and_status_1() {
    for arguments in [
        &["run", "nosuch"][..],
        &["run", "handoff", "--out", "/proc/nowhere"],
        &["run", "handoff", "--json", "/nowhere/result.json"],
        &["run", "fs4k", "--zus", "/nowhere/zus"],
        &["report", "/nowhere"],
    ] {
        let output = experiments(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
        assert!(text.starts_with("experiments: "), "{text}");
        let named = arguments.last().unwrap();
        assert!(text.contains(named), "{text} does not name {named}");
    }
}

#[test]
fn a_quick_run_leaves_results_and_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("results");
    let output = experiments(&[
        "run",
        "handoff",
        "--quick",
        "--rounds",
        "1",
        "--out",
        out.to_str().unwrap(),
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // Not a terminal: plain lines of progress, no bar.
    assert!(
        said.contains("handoff: round 1 of 1") && !said.contains('\r'),
        "{said}"
    );
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("mechanism") && table.contains("R1"), "{table}");
    let results = Results::read(&out.join("handoff.json")).unwrap();
    assert!(results.quick && results.row("relay park same").is_some());
    for name in ["handoff.hlog", "report.html", "report.md"] {
        assert!(out.join(name).metadata().unwrap().len() > 0, "{name}");
    }

    let output = experiments(&["report", out.to_str().unwrap()]);
    let paths = String::from_utf8(output.stdout).unwrap();
    assert!(paths.lines().last().unwrap().ends_with("report.html"), "{paths}");
}

#[test]
fn results_on_standard_output_are_json_alone() {
    let output = experiments(&[
        "run", "handoff", "--quick", "--rounds", "1", "--quiet", "--json", "-",
    ]);
    assert!(output.status.success());
    let results: Results = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results.experiment, "handoff");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("mechanism"),
        "the table is beside it"
    );
}
