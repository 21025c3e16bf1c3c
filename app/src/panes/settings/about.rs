//! What this program is: version, build, lane, folders, and the licences of everything in it.

use std::sync::LazyLock;

use eframe::egui::{Align, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

use super::{View, card, heading};
use crate::chat::Engine;
use crate::shell::{Command, words};
use crate::theme::{self, Text, icons};
use crate::ui::{self, Button, Kind, Size};

const NOTICES: &str = include_str!("../../../../packaging/THIRD-PARTY.md");
const LICENSE: &str = include_str!("../../../../LICENSE");
const ROW: f32 = 44.0;
const LINE: f32 = 28.0;
/// Height of the list of licences, which scrolls on its own.
const LICENCES_HEIGHT: f32 = 336.0;

/// Work of others in this program: what it is, and its licence.
static OTHERS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| others(NOTICES));

/// Rows of the tables of the notices: the name (with the version, if there is one) and the licence.
fn others(notices: &str) -> Vec<(String, String)> {
    let mut crates = false;
    let mut found = Vec::new();
    for line in notices.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        match cells[..] {
            ["crate", "version", "licence"] => crates = true,
            [first, ..] if first.is_empty() || first.starts_with("---") || first == "what" => {}
            [name, version, licence] if crates => {
                found.push((format!("{name} {version}"), licence.to_owned()))
            }
            [name, licence, _] => found.push((name.to_owned(), licence.to_owned())),
            _ => {}
        }
    }
    found
}

/// Draws the part.
pub fn show(ui: &mut Ui, view: &View<'_>, commands: &mut Vec<Command>) {
    title(ui);
    let facts = facts(view);
    heading(ui, "This build");
    card(ui, &vec![ROW; facts.len()], |ui, index, rect| {
        let (name, value) = &facts[index];
        fact(ui, rect, name, value, |_| {});
    });
    heading(ui, "On this computer");
    let folders = &view.places.folders;
    card(ui, &vec![ROW; folders.len()], |ui, index, rect| {
        let (name, path) = &folders[index];
        fact(ui, rect, name, &path.to_string_lossy(), |ui| {
            let accessible = format!("Open the folder of {name}");
            let button = ui.add(Button::new(Kind::Secondary, "Open").size(Size::Small).named(&accessible));
            if button.clicked() {
                commands.push(Command::OpenPlace(path.clone()));
            }
        });
    });
    licences(ui, commands);
}

fn title(ui: &mut Ui) {
    let tokens = theme::tokens(ui.ctx());
    ui.add_space(24.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 48.0), Sense::hover());
    ui::mark(ui.painter(), rect.min, 44.0, &tokens);
    let words = Rect::from_min_max(rect.min + vec2(60.0, 0.0), rect.max);
    ui.scope_builder(UiBuilder::new().max_rect(words), |ui| {
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        ui::label(ui, Text::Title, tokens.text, "1bit Desktop");
        let line = "Runs ternary language models on this computer. Nothing you type leaves it.";
        ui::label(ui, Text::Body, tokens.text2, line);
    });
    ui.advance_cursor_after_rect(rect);
}

fn facts(view: &View<'_>) -> Vec<(&'static str, String)> {
    let kind = if cfg!(debug_assertions) { "debug" } else { "release" };
    let target = format!("{} on {}", std::env::consts::ARCH, std::env::consts::OS);
    let mut facts =
        vec![("Version", env!("CARGO_PKG_VERSION").to_owned()), ("Build", format!("{kind}, {target}"))];
    match view.controller.engine() {
        Engine::Ready(status) => {
            facts.push(("Lane", words::lane(status.lane)));
            facts.push(("Threads", status.threads.to_string()));
            facts.push(("Memory for models", words::bytes(status.memory_budget_bytes)));
        }
        Engine::Starting => facts.push(("Lane", "Starting".to_owned())),
        Engine::Failed(problem) => facts.push(("Lane", format!("Stopped: {problem}"))),
    }
    facts
}

/// A line of a card: name, value in mono, and something at the right.
fn fact(ui: &mut Ui, rect: Rect, name: &str, value: &str, right: impl FnOnce(&mut Ui)) {
    let tokens = theme::tokens(ui.ctx());
    let inner = rect.shrink2(vec2(20.0, 0.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center)), |ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        right(ui);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.allocate_ui(vec2(160.0, 20.0), |ui| {
                ui.set_width(160.0);
                ui::label(ui, Text::Body, tokens.text, name);
            });
            ui::label(ui, Text::Mono, tokens.text2, value);
        });
    });
}

fn licences(ui: &mut Ui, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    heading(ui, "Licences");
    let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), Sense::hover());
    ui.scope_builder(UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center)), |ui| {
        let copy = ui.add(Button::new(Kind::Secondary, "Copy all licences").icon(icons::COPY));
        if copy.clicked() {
            commands.push(Command::Copy(format!("{LICENSE}\n\n{NOTICES}")));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let own = "1bit Desktop is MIT licensed. It holds the work of others under these licences.";
            ui::label(ui, Text::Small, tokens.text2, own);
        });
    });
    ui.advance_cursor_after_rect(line);
    ui.add_space(10.0);
    card(ui, &[LICENCES_HEIGHT], |ui, _, rect| {
        ui.scope_builder(UiBuilder::new().max_rect(rect.shrink2(vec2(8.0, 8.0))), |ui| {
            let area = ScrollArea::vertical().id_salt("licences").auto_shrink(false);
            area.show_rows(ui, LINE, OTHERS.len(), |ui, range| {
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                for (name, licence) in &OTHERS[range] {
                    let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), LINE), Sense::hover());
                    let half = line.center().x.round();
                    for (text, color, at) in [
                        (
                            name,
                            tokens.text,
                            Rect::from_min_max(line.min + vec2(12.0, 4.0), pos2(half - 16.0, line.bottom())),
                        ),
                        (licence, tokens.text2, Rect::from_min_max(pos2(half, line.top() + 4.0), line.max)),
                    ] {
                        ui.scope_builder(UiBuilder::new().max_rect(at), |ui| {
                            ui::label(ui, Text::Body, color, text)
                        });
                    }
                }
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_notices_is_listed() {
        let found = others(NOTICES);
        for part in ["Inter", "JetBrains Mono", "Phosphor icons"] {
            assert!(found.iter().any(|(name, licence)| name == part && !licence.is_empty()), "{part}");
        }
        assert!(found.iter().any(|(name, _)| name.starts_with("egui ")));
        let rows = NOTICES.lines().filter(|line| line.starts_with("| ")).count();
        // Two tables, each with a heading.
        assert_eq!(found.len(), rows - 2);
    }
}
