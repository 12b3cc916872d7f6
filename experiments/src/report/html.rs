// SPDX-License-Identifier: MIT
//! The report as one page that loads nothing: style and plots are in it.

use std::fmt::Write as _;

use super::Chapter;
use super::markdown::circumstances;
use super::plot::Look;
use crate::table::{self, cells, figure, head};

const STYLE: &str = include_str!("style.css");

/// All chapters.
pub fn render(chapters: &[Chapter]) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width\">\n";
    page += "<title>What a hand-off costs here</title>\n<style>\n";
    page += STYLE;
    page += "</style></head><body>\n<h1>What a hand-off costs here</h1>\n";
    if let Some(first) = chapters.first() {
        page += &element("p", &first.results.machine.headline());
    }
    chapters.iter().for_each(|chapter| page += &render_one(chapter));
    page += "</body></html>\n";
    page
}

fn render_one(chapter: &Chapter) -> String {
    let results = &chapter.results;
    let mut text = element("h2", &results.experiment) + &element("p", chapter.question);
    if results.quick {
        text += &format!("<p class=\"quick\">{}</p>\n", escape(table::QUICK));
    }
    if !chapter.advice.is_empty() {
        text += "<div class=\"advice\"><strong>Recommended on this machine</strong>\n";
        text += &list(&chapter.advice);
        text += "</div>\n";
    }
    text += &targets(chapter);
    for figure in &chapter.figures {
        text += &element("h3", &figure.title);
        text += "<div class=\"figure\">\n";
        text += &figure.curves;
        text += &figure.dots;
        text += "</div>\n<p class=\"legend\">";
        figure
            .legend
            .iter()
            .for_each(|(name, look)| text += &swatch(name, look));
        text += "</p>\n";
    }
    let of_files = table::is_of_files(results);
    text += &element("h3", "All rows");
    let labels = if of_files { 5 } else { 3 };
    let rows = results.rows.iter().map(|row| cells(row, of_files));
    text += &table_of(&head(of_files), labels, rows);
    if !results.ratios.is_empty() {
        text += &element("h3", "Ratios");
        text += "<p>Taken within each round; the median of the rounds, and where the true one lies with 95 %.</p>\n";
        let rows = results.ratios.iter().map(|ratio| {
            let range = format!("{} to {}", figure(ratio.p50_low), figure(ratio.p50_high));
            let names = vec![ratio.of.clone(), ratio.to.clone()];
            let figures = vec![
                figure(ratio.p50),
                range,
                figure(ratio.p99),
                ratio.rounds.to_string(),
            ];
            [names, figures].concat()
        });
        text += &table_of(&["ratio", "to", "p50", "95 % of it", "p99", "rounds"], 2, rows);
    }
    text += &element("h3", "Circumstances");
    text += &list(&circumstances(chapter));
    text
}

fn targets(chapter: &Chapter) -> String {
    if chapter.results.targets.is_empty() {
        return String::new();
    }
    let mut text = element("h3", "Targets") + "<table class=\"targets\">\n";
    for target in &chapter.results.targets {
        let (class, verdict) = match target.met {
            Some(true) => ("met", "met"),
            Some(false) => ("missed", "missed"),
            None => ("none", "not measured"),
        };
        let (measured, most) = target.figures();
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"{class}\">{verdict}</td><td>{}</td><td class=\"n\">{measured}</td>\
             <td class=\"n\">≤ {most}</td><td>{}</td></tr>",
            escape(&target.id),
            escape(&target.what),
            escape(target.note.as_deref().unwrap_or("")),
        );
    }
    text + "</table>\n"
}

fn table_of(head: &[&str], labels: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let class = |at: usize| if at < labels { "" } else { " class=\"n\"" };
    let mut text = String::from("<table>\n<tr>");
    for (at, name) in head.iter().enumerate() {
        let _ = write!(text, "<th{}>{}</th>", class(at), escape(name));
    }
    text += "</tr>\n";
    for row in rows {
        text += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            let _ = write!(text, "<td{}>{}</td>", class(at), escape(cell));
        }
        text += "</tr>\n";
    }
    text + "</table>\n"
}

fn swatch(name: &str, look: &Look) -> String {
    let line = if look.is_dashed { "dashed" } else { "solid" };
    let style = format!("border-top: 3px {line} {}", look.colour);
    format!("<span><i style=\"{style}\"></i>{}</span>", escape(name))
}

fn list(lines: &[String]) -> String {
    let items: String = lines.iter().map(|line| element("li", line)).collect();
    format!("<ul>\n{items}</ul>\n")
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>\n", escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
