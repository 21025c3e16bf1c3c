//! The log: levels, search, copy, and following what comes.

use std::sync::Arc;
use std::time::Duration;

use eframe::egui::{Align, Id, Layout, Rect, ScrollArea, Ui, UiBuilder, Vec2, pos2, vec2};
use log::Level;

use super::View;
use crate::logbook::{Line, timestamp};
use crate::shell::{Command, words};
use crate::theme::{self, Text, Tokens, icons};
use crate::ui::{self, Button, IconButton, Kind, Tone};

/// How soon a new line is shown while the page is open.
pub const REFRESH: Duration = Duration::from_millis(250);
const ROW: f32 = 24.0;
const BAR: f32 = 52.0;
/// Below this width the tools stand in a row of their own.
const NARROW: f32 = 760.0;
/// Levels of the filter: word, and the least severe level it shows.
const LEVELS: [(&str, Level); 4] =
    [("All", Level::Trace), ("Events", Level::Info), ("Warnings", Level::Warn), ("Problems", Level::Error)];

/// What the log page remembers: the lines that pass its filter, kept until there are others.
pub struct LogView {
    search: String,
    level: usize,
    follow: bool,
    shown: Vec<Arc<Line>>,
    /// What `shown` was made from: next line, level, search.
    made_from: (u64, usize, String),
}

impl Default for LogView {
    fn default() -> Self {
        let made_from = (u64::MAX, 0, String::new());
        Self { search: String::new(), level: 1, follow: true, shown: Vec::new(), made_from }
    }
}

impl LogView {
    /// Draws the page.
    pub fn show(&mut self, ui: &mut Ui, view: &View<'_>, commands: &mut Vec<Command>) {
        self.collect(view);
        let all = ui.max_rect();
        let offset = view.controller.utc_offset_secs();
        let row = |top: f32| all.with_min_y(top).with_max_y(top + BAR);
        let across = |rect| UiBuilder::new().max_rect(rect).layout(Layout::left_to_right(Align::Center));
        let mut bar = row(all.top());
        let narrow = all.width() < NARROW;
        ui.scope_builder(across(bar), |ui| {
            self.levels(ui);
            if !narrow {
                self.tools(ui, view, narrow, commands);
            }
        });
        if narrow {
            let second = row(bar.bottom() - 12.0);
            ui.scope_builder(across(second), |ui| self.tools(ui, view, narrow, commands));
            bar = bar.union(second);
        }
        let tokens = theme::tokens(ui.ctx());
        let table =
            Rect::from_min_max(pos2(all.left(), bar.bottom()), pos2(all.right(), all.bottom() - 12.0));
        ui.painter().rect(
            table,
            theme::R3,
            tokens.well,
            eframe::egui::Stroke::new(1.0, tokens.border),
            eframe::egui::StrokeKind::Inside,
        );
        ui.scope_builder(UiBuilder::new().max_rect(table.shrink(6.0)), |ui| {
            if self.shown.is_empty() {
                let nothing = view.logbook.next_serial() == 0;
                let (strong, small) = if nothing {
                    ("Nothing logged yet", "Starts, loads, speeds and problems are written here.")
                } else {
                    ("Nothing found", "No line has this level and these words.")
                };
                ui::empty_state(ui, icons::TERMINAL_WINDOW, strong, small);
            } else {
                self.lines(ui, offset);
            }
        });
    }

    fn collect(&mut self, view: &View<'_>) {
        let now = (view.logbook.next_serial(), self.level, self.search.clone());
        if now != self.made_from {
            let least = LEVELS[self.level].1;
            let keep = |line: &Arc<Line>| {
                line.level <= least && super::matches(&self.search, &[&line.source, &line.text])
            };
            self.shown = view.logbook.lines_from(0).into_iter().filter(keep).collect();
            self.made_from = now;
        }
    }

    fn levels(&mut self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.x = 12.0;
        let words = LEVELS.map(|(word, _)| word);
        if let Some(level) = ui::segment(ui, "Level", &words, self.level) {
            self.level = level;
        }
    }

    /// Search, following, and what takes the log out of here; without much room by icons.
    fn tools(&mut self, ui: &mut Ui, view: &View<'_>, narrow: bool, commands: &mut Vec<Command>) {
        let tokens = theme::tokens(ui.ctx());
        ui.spacing_mut().item_spacing.x = 12.0;
        let others = if narrow { 190.0 } else { 290.0 };
        let width = (ui.available_width() - others).clamp(80.0, 280.0);
        ui.allocate_ui(vec2(width, 28.0), |ui| {
            let field = ui::Field {
                id: Id::unique("search log"),
                name: "Search the log",
                height: 28.0,
                search: true,
                shortcut: &[],
            };
            ui::text_field(ui, &field, &mut self.search);
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let has_lines = !self.shown.is_empty();
            let (copy, open) = if narrow {
                // An icon that does nothing would only take room.
                let copy = has_lines.then(|| ui.add(IconButton::new(icons::COPY, "Copy")));
                (copy, ui.add(IconButton::new(icons::FOLDER_OPEN, "Open file")))
            } else {
                let copy = ui.add(Button::new(Kind::Secondary, "Copy").icon(icons::COPY).enabled(has_lines));
                (Some(copy), ui.add(Button::new(Kind::Ghost, "Open file")))
            };
            let tip = format!("Copies the {} lines shown", words::count(self.shown.len() as u64));
            if copy.is_some_and(|copy| ui::tip(copy, &tip, &[]).clicked()) {
                let offset = view.controller.utc_offset_secs();
                let text: String = self.shown.iter().map(|line| written(line, offset)).collect();
                commands.push(Command::Copy(text));
            }
            if ui::tip(open, &view.places.log.to_string_lossy(), &[]).clicked() {
                commands.push(Command::OpenPlace(view.places.log.clone()));
            }
            if ui::toggle(ui, "Follow", self.follow).clicked() {
                self.follow = !self.follow;
            }
            ui::label(ui, Text::Button, tokens.text2, "Follow");
        });
    }

    fn lines(&mut self, ui: &mut Ui, offset: i64) {
        let tokens = theme::tokens(ui.ctx());
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        let area = ScrollArea::vertical().id_salt("log").auto_shrink(false).stick_to_bottom(self.follow);
        let output = area.show_rows(ui, ROW, self.shown.len(), |ui, range| {
            for line in &self.shown[range] {
                row(ui, &tokens, line, offset);
            }
        });
        // Who scrolls up wants to read; who scrolls to the end wants to follow again.
        let end = output.content_size.y - output.inner_rect.height();
        let scrolled = ui.input(|input| input.smooth_scroll_delta.y != 0.0)
            && ui.rect_contains_pointer(output.inner_rect);
        if scrolled {
            self.follow = output.state.clamped_offset().y >= end - 1.0;
        }
    }
}

fn row(ui: &mut Ui, tokens: &Tokens, line: &Line, offset: i64) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), eframe::egui::Sense::hover());
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(Layout::left_to_right(Align::Center)), |ui| {
        ui.spacing_mut().item_spacing.x = 10.0;
        let time = timestamp(line.millis, offset);
        ui::label(
            ui,
            Text::MonoSmall,
            tokens.text3,
            time.split_once(' ').map_or(time.as_str(), |(_, clock)| clock),
        );
        let (tone, word) = match line.level {
            Level::Error => (Tone::Danger, "Problem"),
            Level::Warn => (Tone::Warning, "Warning"),
            Level::Info => (Tone::Plain, "Event"),
            Level::Debug | Level::Trace => (Tone::Plain, "Detail"),
        };
        ui.allocate_ui(vec2(60.0, 20.0), |ui| {
            ui.set_width(60.0);
            ui::tag(ui, tone, None, word);
        });
        ui::label(ui, Text::MonoSmall, tokens.text2, &line.source);
        ui::label(ui, Text::MonoSmall, tokens.text, &line.text);
    });
}

fn written(line: &Line, offset: i64) -> String {
    format!("{} {} {}: {}\n", timestamp(line.millis, offset), line.level, line.source, line.text)
}
