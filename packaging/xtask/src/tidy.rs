//! Rules about the tree itself: sizes, names, where `unsafe` and colours may stand, what may never be written down.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::tree::File;

/// Hard limit for a Rust file, its inline tests not counted.
const MAX_LINES: usize = 800;
/// The repository must travel to other machines whole.
const MAX_TREE_BYTES: u64 = 48 << 20;
/// Names that say nothing about a domain.
const FORBIDDEN_MODULES: [&str; 6] = ["utils", "helpers", "common", "manager", "core", "v2"];

/// Everything wrong with the tree.
pub fn check(root: &Path, files: &[File]) -> Result<Vec<String>> {
    let architecture = std::fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let unsafe_modules = section_items(&architecture, "unsafe");
    let mut problems = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with(".rs")) {
        let text = file.text.as_deref().unwrap_or_default();
        problems.extend(size(file, text));
        problems.extend(module_name(file));
        problems.extend(unsafe_place(file, text, &unsafe_modules));
        problems.extend(colours(file, text));
        problems.extend(own_controls(file, text));
    }
    problems.extend(files.iter().flat_map(private_words));
    problems.extend(tree_size(files));
    problems.extend(invariants_have_enforcers(&architecture));
    Ok(problems)
}

/// Lines of Rust in the tree.
pub fn rust_lines(files: &[File]) -> usize {
    files
        .iter()
        .filter(|f| f.path.ends_with(".rs"))
        .map(|f| f.text.as_deref().unwrap_or_default().lines().count())
        .sum()
}

fn size(file: &File, text: &str) -> Option<String> {
    let is_test = file.path.contains("/tests/") || file.path.ends_with("tests.rs");
    let lines = text.lines().take_while(|l| !l.starts_with("#[cfg(test)]")).count();
    (!is_test && lines > MAX_LINES)
        .then(|| format!("{}: {lines} lines; split it by noun (limit {MAX_LINES})", file.path))
}

fn module_name(file: &File) -> Option<String> {
    let forbidden =
        file.path.trim_end_matches(".rs").split('/').find(|part| FORBIDDEN_MODULES.contains(part))?;
    Some(format!("{}: {forbidden:?} names no domain; use the noun it is about", file.path))
}

/// `unsafe` stands only in the modules that ARCHITECTURE.md lists under "Where unsafe lives".
fn unsafe_place(file: &File, text: &str, allowed: &[String]) -> Option<String> {
    let uses = text.lines().map(str::trim_start).any(|line| {
        !line.starts_with("//")
            && ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "#[unsafe("]
                .iter()
                .any(|w| line.contains(w))
    });
    let listed = allowed.iter().any(|prefix| file.path.starts_with(prefix.as_str()));
    (uses && !listed && !file.path.starts_with("packaging/xtask/"))
        .then(|| format!("{}: unsafe outside the modules that ARCHITECTURE.md lists", file.path))
}

/// Panes use roles; only the token table and the tests that read pixels know colours.
fn colours(file: &File, text: &str) -> Option<String> {
    let makes_colour = text.lines().any(|l| {
        l.contains("Color32::from_") || l.contains("Color32::WHITE") || l.contains("Color32::BLACK")
    });
    let allowed = !file.path.starts_with("app/src/") || file.path.starts_with("app/src/theme/");
    (makes_colour && !allowed).then(|| format!("{}: makes a colour; use a role of app/src/theme", file.path))
}

/// What a pane may not make itself: `egui`'s own controls, which look like `egui`, and sizes of text beside the named styles.
const OWN_CONTROLS: [&str; 12] = [
    "egui::Button",
    "egui::Slider",
    "egui::Checkbox",
    "ui.button(",
    "ui.small_button(",
    "ui.label(",
    "ui.heading(",
    "ui.checkbox(",
    "ui.radio(",
    "ui.separator(",
    "ComboBox::",
    "FontId::",
];

/// Panes take controls from `app/src/ui` and text styles from `app/src/theme`.
fn own_controls(file: &File, text: &str) -> Option<String> {
    let pane = file.path.starts_with("app/src/")
        && !["app/src/ui/", "app/src/theme/"].iter().any(|folder| file.path.starts_with(folder));
    let code = |line: &&str| !line.trim_start().starts_with("//");
    let found =
        OWN_CONTROLS.iter().find(|word| text.lines().filter(code).any(|line| line.contains(**word)))?;
    pane.then(|| {
        format!("{}: uses {found}; take a control of app/src/ui or a style of app/src/theme", file.path)
    })
}

/// Machine paths and registry hosts never enter the repository.
fn private_words(file: &File) -> Option<String> {
    let text = file.text.as_deref()?;
    if file.path == "Cargo.lock" {
        return None;
    }
    let machine = ["work", "root", "farm"].map(|folder| format!("/{folder}/"));
    let found = machine.iter().find(|w| {
        text.match_indices(w.as_str())
            .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "._-})*".contains(c)))
    })?;
    Some(format!("{}: contains the machine path {found}", file.path))
}

fn tree_size(files: &[File]) -> Option<String> {
    let total: u64 = files.iter().map(|f| f.bytes).sum();
    (total > MAX_TREE_BYTES)
        .then(|| format!("the tree has {} MiB; the limit is {}", total >> 20, MAX_TREE_BYTES >> 20))
}

/// Each numbered invariant names what enforces it.
fn invariants_have_enforcers(architecture: &str) -> Vec<String> {
    let Some(section) = section(architecture, "Invariants") else {
        return vec!["ARCHITECTURE.md: no section \"Invariants\"".to_owned()];
    };
    let rows: Vec<&str> = section
        .lines()
        .filter(|l| l.starts_with("| ") && l[2..].starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let mut problems: Vec<String> = rows
        .iter()
        .filter(|row| row.trim_matches('|').rsplit('|').next().is_none_or(|cell| cell.trim().is_empty()))
        .map(|row| format!("ARCHITECTURE.md: invariant without an enforcer: {row}"))
        .collect();
    if rows.is_empty() {
        problems.push("ARCHITECTURE.md: no numbered invariants".to_owned());
    }
    problems
}

/// The text under a heading that contains `title`, up to the next heading.
fn section<'a>(document: &'a str, title: &str) -> Option<&'a str> {
    let mut offset = 0;
    let mut start = None;
    for line in document.split_inclusive('\n') {
        if line.starts_with('#') {
            match start {
                Some(from) => return Some(&document[from..offset]),
                None if line.contains(title) => start = Some(offset + line.len()),
                None => {}
            }
        }
        offset += line.len();
    }
    start.map(|from| &document[from..])
}

/// Back-quoted paths of the list items in the section about `title`.
fn section_items(document: &str, title: &str) -> Vec<String> {
    section(document, title)
        .unwrap_or_default()
        .lines()
        .filter(|l| l.starts_with("- "))
        .filter_map(|l| l.split('`').nth(1))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(path: &str, text: &str) -> File {
        File { path: path.to_owned(), bytes: text.len() as u64, text: Some(text.to_owned()) }
    }

    #[test]
    fn unsafe_is_refused_outside_listed_modules() {
        let allowed = vec!["kernels/src".to_owned()];
        let text = "fn f() { unsafe { g() } }";
        assert!(unsafe_place(&rust("engine/src/kv/mod.rs", text), text, &allowed).is_some());
        assert!(unsafe_place(&rust("kernels/src/cpu.rs", text), text, &allowed).is_none());
        let comment = "// unsafe { } would be wrong here";
        assert!(unsafe_place(&rust("engine/src/kv/mod.rs", comment), comment, &allowed).is_none());
    }

    #[test]
    fn panes_take_controls_and_styles_from_their_modules() {
        let text = "fn f(ui: &mut Ui) { ui.button(\"Go\"); }";
        assert!(own_controls(&rust("app/src/panes/chat/mod.rs", text), text).is_some());
        assert!(own_controls(&rust("app/src/ui/button.rs", text), text).is_none());
        assert!(own_controls(&rust("app/tests/window/main.rs", text), text).is_none());
        let fine = "// `ui.button(` would be wrong here\nui::label(ui, Text::Body, tokens.text, \"Go\");";
        assert!(own_controls(&rust("app/src/panes/chat/mod.rs", fine), fine).is_none());
    }

    #[test]
    fn machine_paths_are_found_but_not_inside_longer_paths() {
        assert!(private_words(&rust("README.md", concat!("see /wo", "rk/main"))).is_some());
        assert!(private_words(&rust("README.md", concat!("see flow/wo", "rk/main"))).is_none());
    }

    #[test]
    fn a_file_over_the_limit_is_named_and_its_tests_do_not_count() {
        let long = "x\n".repeat(MAX_LINES + 1);
        assert!(size(&rust("a.rs", &long), &long).is_some());
        let tested = format!("x\n#[cfg(test)]\n{long}");
        assert!(size(&rust("a.rs", &tested), &tested).is_none());
    }

    #[test]
    fn an_invariant_without_enforcer_is_a_problem() {
        let good = "# A\n## Invariants\n| # | what | enforced by |\n|---|---|---|\n| 1 | x | a test |\n";
        assert!(invariants_have_enforcers(good).is_empty());
        let bad = good.replace("a test", " ");
        assert_eq!(invariants_have_enforcers(&bad).len(), 1);
    }
}
