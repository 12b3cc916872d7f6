// SPDX-License-Identifier: MIT
//! The report as Markdown: tables in the text, plots as files beside it.

use std::fmt::Write as _;

use super::Chapter;
use crate::table::{self, cells, figure, head, time};

/// All chapters.
pub fn render(chapters: &[Chapter]) -> String {
    let mut text = String::from("# What a hand-off costs here\n");
    if let Some(first) = chapters.first() {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "\n{}.", first.results.machine.headline());
    }
    chapters.iter().for_each(|chapter| text += &render_one(chapter));
    text
}

fn render_one(chapter: &Chapter) -> String {
    let results = &chapter.results;
    let mut text = format!("\n## {}\n\n{}\n", results.experiment, chapter.question);
    let list = |text: &mut String, lines: &[String]| {
        lines.iter().for_each(|line| _ = write!(text, "\n- {line}"));
        text.push('\n');
    };
    if !chapter.advice.is_empty() {
        text += "\nRecommended on this machine:\n";
        list(&mut text, &chapter.advice);
    }
    let of_files = table::is_of_files(results);
    let head = head(of_files);
    text += "\n";
    text += &line(head.iter().copied());
    text += &line(head.iter().map(|_| "---"));
    results
        .rows
        .iter()
        .for_each(|row| text += &line(cells(row, of_files).iter().map(String::as_str)));
    if !results.ratios.is_empty() {
        text += "\n| ratio | to | p50 | 95 % of it | p99 | rounds |\n| --- | --- | --- | --- | --- | --- |\n";
        for ratio in &results.ratios {
            let range = format!("{} to {}", figure(ratio.p50_low), figure(ratio.p50_high));
            let (p50, p99, rounds) = (figure(ratio.p50), figure(ratio.p99), ratio.rounds.to_string());
            text += &line([&*ratio.of, &ratio.to, &p50, &range, &p99, &rounds]);
        }
    }
    if !results.targets.is_empty() {
        text += "\nTargets:\n";
        list(
            &mut text,
            &results
                .targets
                .iter()
                .map(|target| target.line())
                .collect::<Vec<_>>(),
        );
    }
    for figure in &chapter.figures {
        let _ = write!(text, "\n### {}\n\n", figure.title);
        for kind in ["curves", "dots"] {
            let _ = writeln!(
                text,
                "![{}, {kind}](plots/{}-{kind}.svg)",
                figure.title, figure.slug
            );
        }
    }
    text += "\nCircumstances:\n";
    list(&mut text, &circumstances(chapter));
    text
}

/// What a reader needs to judge the figures by.
pub fn circumstances(chapter: &Chapter) -> Vec<String> {
    let results = &chapter.results;
    let mut lines = results.notes.clone();
    if results.quick {
        lines.push(table::QUICK.to_owned());
    }
    if let Some(noise) = &results.noise {
        lines.push(format!(
            "the platform's own pauses over 1 µs: {} a second, {} % of the time, the longest {}; stolen by the hypervisor: {}",
            figure(Some(noise.pauses_per_s)),
            figure(Some(noise.lost_share * 100.0)),
            time(noise.max_ns.map(|ns| ns as f64)),
            noise.stolen_ms.map_or("not told".to_owned(), |ms| format!("{ms} ms")),
        ));
    }
    if let Some(calibration) = &results.calibration {
        let items = calibration.items();
        let items: Vec<_> = items
            .iter()
            .map(|(name, ns)| format!("{name} {}", time(*ns)))
            .collect();
        lines.push(format!("elements: {}", items.join(", ")));
    }
    let machine = &results.machine;
    let counted = [
        ("context switches", machine.counts_switches),
        ("cycles", machine.counts_cycles),
        ("instructions", machine.counts_instructions),
    ];
    let missing: Vec<_> = counted
        .iter()
        .filter(|(_, is_counted)| !is_counted)
        .map(|(name, _)| *name)
        .collect();
    if !missing.is_empty() {
        lines.push(format!("not counted here: {}", missing.join(", ")));
    }
    lines.extend(
        machine
            .kernel_version
            .iter()
            .map(|version| format!("kernel: {version}")),
    );
    lines.extend(
        machine
            .clocksource
            .iter()
            .map(|source| format!("clock source: {source}")),
    );
    lines.extend(
        machine
            .governor
            .iter()
            .map(|governor| format!("governor: {governor}")),
    );
    lines.extend(machine.load.iter().map(|load| format!("load before: {load}")));
    lines
}

fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
