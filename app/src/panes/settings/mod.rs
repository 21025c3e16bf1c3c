//! The settings page: values, personas, what was deleted, shortcuts, log, about. Shows what [`crate::settings::Settings`] holds and sends changes; writes no
//! file and reads none.

mod about;
mod anywhere;
mod deleted;
mod log;
mod personas;
mod shortcuts;
mod values;

use std::path::PathBuf;

use eframe::egui::{Align, Id, Layout, Rect, ScrollArea, Ui, UiBuilder, Vec2, pos2, vec2};

use crate::anywhere::Standing;
use crate::chat::Controller;
use crate::folders::Folders;
use crate::logbook::Logbook;
use crate::settings::{Change, Group, Key, Settings};
use crate::shell::region::region;
use crate::shell::{self, Command, HEADER, Metrics, Part, Region, Regions, action};
use crate::theme::{self, Text, icons};
use crate::ui::{self, Button, IconButton, Kind};

/// Width of the column of cards.
const COLUMN: f32 = 760.0;

/// What the page shows.
pub struct View<'a> {
    /// The values in force.
    pub settings: &'a Settings,
    /// Engine and models.
    pub controller: &'a Controller,
    /// The log.
    pub logbook: &'static Logbook,
    /// Where files are.
    pub places: &'a Places,
    /// How it stands with keys that work from anywhere.
    pub anywhere: &'a Standing,
}

/// Files and folders that the page offers to open.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The settings file.
    pub settings: PathBuf,
    /// The log file.
    pub log: PathBuf,
    /// What each folder is for, and where it is.
    pub folders: Vec<(&'static str, PathBuf)>,
}

impl Places {
    /// The places of a user.
    pub fn of(folders: &Folders) -> Self {
        Self {
            settings: crate::settings::path(folders),
            log: crate::logbook::path(folders),
            folders: vec![
                ("Models", folders.models()),
                ("Chats", folders.data.clone()),
                ("Settings", folders.config.clone()),
                ("Log", folders.state.clone()),
            ],
        }
    }
}

/// What the page remembers between passes.
pub struct SettingsPane {
    /// The part shown.
    pub part: Part,
    /// Text in the search field.
    pub search: String,
    /// Whether the list is shown where it is a sheet.
    pub list_open: bool,
    changed_only: bool,
    model: Option<String>,
    go_to: Option<Group>,
    /// Where each group begins in the page.
    tops: Vec<(Group, f32)>,
    /// Whether the page is on its way to a group.
    arriving: bool,
    /// How far the page was scrolled when a group was chosen; far away once the user scrolls.
    held_at: Option<f32>,
    capture: shortcuts::Capture,
    log: log::LogView,
    /// The page of the personas.
    pub personas: personas::Personas,
}

impl Default for SettingsPane {
    fn default() -> Self {
        Self {
            part: Part::Values(Group::General),
            search: String::new(),
            list_open: false,
            changed_only: false,
            model: None,
            go_to: None,
            tops: Vec::new(),
            arriving: false,
            held_at: None,
            capture: shortcuts::Capture::default(),
            log: log::LogView::default(),
            personas: personas::Personas::default(),
        }
    }
}

/// Id of the search field, for the shortcut.
pub fn search_id() -> Id {
    Id::unique("search settings")
}

impl SettingsPane {
    /// Shows a part.
    pub fn open(&mut self, part: Part) {
        self.part = part;
        self.search.clear();
        self.list_open = false;
        self.capture.end();
        if let Part::Values(group) = part {
            self.go_to = Some(group);
        }
    }

    /// Whether the next key is for a shortcut and not for the window.
    pub fn is_capturing(&self) -> bool {
        self.capture.is_on()
    }

    /// Draws the page.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        regions: &Regions,
        metrics: &Metrics,
        view: &View<'_>,
        commands: &mut Vec<Command>,
    ) {
        let tokens = theme::tokens(ui.ctx());
        ui.painter().rect_filled(regions.header.union(regions.content), 0, tokens.bg_base);
        if let Some(rect) = regions.list {
            region(ui, Region::List, rect);
            self.list(ui, rect);
        }
        region(ui, Region::Header, regions.header);
        self.header(ui, regions.header, metrics, view, commands);
        region(ui, Region::Content, regions.content);
        self.content(ui, regions.content, view, commands);
        if metrics.list_is_sheet && self.list_open {
            let left = ui::sheet(ui, "Settings sections", regions.page, metrics.list, |ui, panel| {
                region(ui, Region::List, panel);
                self.list(ui, panel);
            });
            let escaped = ui.input_mut(|input| {
                input.consume_key(eframe::egui::Modifiers::NONE, eframe::egui::Key::Escape)
            });
            self.list_open &= !left && !escaped;
        }
        view.logbook.wake((self.part == Part::Log).then(|| {
            let ctx = ui.ctx().clone();
            let wake: crate::chat::Waker = std::sync::Arc::new(move || {
                ctx.request_repaint_after(log::REFRESH);
            });
            wake
        }));
    }

    fn list(&mut self, ui: &mut Ui, rect: Rect) {
        let tokens = theme::tokens(ui.ctx());
        ui.painter().rect_filled(rect, 0, tokens.bg_panel);
        ui::line_right(ui.painter(), rect, tokens.border);
        let title = Rect::from_min_size(rect.min + vec2(16.0, 16.0), vec2(rect.width() - 32.0, 20.0));
        ui.scope_builder(UiBuilder::new().max_rect(title), |ui| {
            ui::label(ui, Text::Subhead, tokens.text, "Settings");
        });
        let body = Rect::from_min_max(rect.min + vec2(8.0, HEADER), rect.max - vec2(9.0, 0.0));
        let mut chosen = None;
        ui.scope_builder(UiBuilder::new().max_rect(body), |ui| {
            ScrollArea::vertical().id_salt("settings sections").auto_shrink(false).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for part in Part::all() {
                    let selected = part == self.part && self.search.is_empty();
                    if ui::nav_row(ui, part.icon(), part.title(), selected).clicked() {
                        chosen = Some(part);
                    }
                }
            });
        });
        if let Some(part) = chosen {
            self.open(part);
        }
    }

    fn header(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        metrics: &Metrics,
        view: &View<'_>,
        commands: &mut Vec<Command>,
    ) {
        let tokens = theme::tokens(ui.ctx());
        ui::line_below(ui.painter(), rect, tokens.border);
        let inner = Rect::from_min_max(
            pos2(rect.left() + 20.0, rect.top()),
            pos2(rect.right() - 16.0, rect.bottom()),
        );
        ui.scope_builder(
            UiBuilder::new().max_rect(inner).layout(Layout::left_to_right(Align::Center)),
            |ui| {
                if metrics.list_is_sheet {
                    let button = ui.add(IconButton::new(icons::SIDEBAR, "Show sections"));
                    if shell::tip(button, &action::TOGGLE_LIST).clicked() {
                        commands.push(Command::ToggleList);
                    }
                }
                let narrow = ui.available_width() < NARROW;
                let tools = if narrow { 240.0 } else { 460.0 };
                let width = (ui.available_width() - tools).clamp(96.0, 320.0);
                ui.scope_builder(
                    UiBuilder::new().max_rect(Rect::from_center_size(
                        pos2(ui.cursor().left() + width / 2.0, rect.center().y),
                        vec2(width, 32.0),
                    )),
                    |ui| self.search_field(ui, narrow),
                );
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    self.tools(ui, view, narrow, commands)
                });
            },
        );
    }

    /// What acts on the values that are shown; without much room by icons.
    fn tools(&mut self, ui: &mut Ui, view: &View<'_>, narrow: bool, commands: &mut Vec<Command>) {
        if matches!(self.part, Part::Personas | Part::Deleted | Part::Log | Part::About)
            && self.search.is_empty()
        {
            return;
        }
        let tokens = theme::tokens(ui.ctx());
        let can_reset = !view.settings.is_default();
        let reset = if narrow {
            // An icon that does nothing would only take room.
            let icon = IconButton::new(icons::ARROW_COUNTER_CLOCKWISE, "Reset all");
            can_reset.then(|| ui::tip(ui.add(icon), "Reset all settings", &[]))
        } else {
            Some(ui.add(Button::new(Kind::Secondary, "Reset all…").enabled(can_reset)))
        };
        if reset.is_some_and(|reset| reset.clicked()) {
            commands.push(Command::AskResetSettings);
        }
        let has_models = !view.controller.shelf.choices.is_empty();
        if has_models && matches!(self.part, Part::Values(_)) {
            self.scope(ui, view, if narrow { 112.0 } else { 168.0 });
        }
        let toggled = if narrow {
            let icon = IconButton::new(icons::FUNNEL, "Changed only").selected(self.changed_only);
            ui::tip(ui.add(icon), "Changed only", &[]).clicked()
        } else {
            ui.add_space(4.0);
            let clicked = ui::toggle(ui, "Changed only", self.changed_only).clicked();
            ui::label(ui, Text::Button, tokens.text2, "Changed only");
            clicked
        };
        if toggled {
            self.changed_only = !self.changed_only;
        }
    }

    fn search_field(&mut self, ui: &mut Ui, narrow: bool) {
        let caps = match narrow {
            true => Vec::new(),
            false => shell::keymap::caps_of(ui.ctx(), &action::SEARCH_SETTINGS),
        };
        let caps: Vec<&str> = caps.iter().map(String::as_str).collect();
        let field = ui::Field {
            id: search_id(),
            name: "Search settings",
            height: 32.0,
            search: true,
            shortcut: &caps,
        };
        ui::text_field(ui, &field, &mut self.search);
    }

    fn content(&mut self, ui: &mut Ui, rect: Rect, view: &View<'_>, commands: &mut Vec<Command>) {
        let searching = !self.search.trim().is_empty();
        if self.part == Part::Log && !searching {
            let inner = rect.shrink2(vec2(20.0, 0.0));
            ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| self.log.show(ui, view, commands));
            return;
        }
        let width = COLUMN.min(rect.width() - 40.0);
        let left = (rect.center().x - width / 2.0).round();
        ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
            let salt = if searching { "found" } else { self.kind_of_part() };
            let area = ScrollArea::vertical().id_salt(("settings", salt)).auto_shrink(false);
            let shown = area.show(ui, |ui| {
                // As high as the page, in which what stands for an empty list has its middle.
                let column = Rect::from_min_size(pos2(left, ui.max_rect().top()), vec2(width, rect.height()));
                ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
                    ui.spacing_mut().item_spacing = Vec2::ZERO;
                    match self.part {
                        _ if searching => self.found(ui, view, commands),
                        Part::Values(_) => self.values(ui, view, commands),
                        Part::Personas => self.personas.show(ui, view, commands),
                        Part::Deleted => deleted::show(ui, view, commands),
                        Part::Shortcuts => {
                            if !self.changed_only {
                                anywhere::show(ui, view);
                            }
                            self.capture.show(ui, "", self.changed_only, commands);
                        }
                        Part::About => about::show(ui, view, commands),
                        Part::Log => {}
                    }
                    ui.add_space(32.0);
                });
            });
            if matches!(self.part, Part::Values(_)) && !searching {
                let height = shown.inner_rect.height();
                let most = shown.content_size.y - height;
                self.follow(shown.state.clamped_offset().y, height, most);
            }
        });
    }

    fn kind_of_part(&self) -> &'static str {
        match self.part {
            Part::Values(_) => "values",
            other => other.title(),
        }
    }

    /// Settings and actions that the search finds.
    fn found(&mut self, ui: &mut Ui, view: &View<'_>, commands: &mut Vec<Command>) {
        let top = ui.cursor().top();
        self.values(ui, view, commands);
        self.capture.show(ui, &self.search, self.changed_only, commands);
        if ui.cursor().top() - top < 1.0 {
            ui::empty_state(
                ui,
                icons::MAGNIFYING_GLASS,
                "Nothing found",
                "No setting or shortcut has these words.",
            );
        }
    }
}

/// Sends a change of a value, for all models or for one.
fn send(commands: &mut Vec<Command>, key: Key, model: Option<&str>, value: Option<crate::settings::Value>) {
    commands.push(Command::Change(Change::Set { key, model: model.map(str::to_owned), value }));
}

/// Whether a text holds every word of a search, in any order and case.
fn matches(search: &str, texts: &[&str]) -> bool {
    let text = texts.join(" ").to_lowercase();
    search.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

/// Below this width the tools of the header are icons.
const NARROW: f32 = 620.0;

/// A heading over a card.
fn heading(ui: &mut Ui, text: &str) {
    let tokens = theme::tokens(ui.ctx());
    ui.add_space(20.0);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), 20.0), eframe::egui::Sense::hover());
    response.widget_info(|| {
        eframe::egui::WidgetInfo::labeled(eframe::egui::accesskit::Role::Heading, true, text)
    });
    let galley = Text::Subhead.line(ui, text, tokens.text, rect.width());
    ui.painter().galley(rect.min + vec2(2.0, 0.0), galley, tokens.text);
    ui.add_space(10.0);
}

/// Words in as many lines as they need, with what `button` draws at the right.
fn line_with(
    ui: &mut Ui,
    (style, color): (Text, eframe::egui::Color32),
    words: &str,
    button: impl FnOnce(&mut Ui),
) {
    let line = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), 32.0));
    let right = UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center));
    let mut buttons = ui.new_child(right);
    button(&mut buttons);
    let room = buttons.min_rect().left() - 16.0 - line.left();
    let height = style.wrapped(ui, words, color, room).size().y;
    let above = ((line.height() - height) / 2.0).max(0.0).round();
    let at = Rect::from_min_size(line.min + vec2(0.0, above), vec2(room, height));
    ui.scope_builder(UiBuilder::new().max_rect(at), |ui| ui::paragraph(ui, style, color, words));
    ui.advance_cursor_after_rect(line.with_max_y(line.bottom().max(at.bottom())));
}

/// Height of [`two_lines`].
const TWO_LINES: f32 = 60.0;

/// A row of a card: a title over a note, and at the right what `buttons` draws, from right to left.
fn two_lines(ui: &mut Ui, rect: Rect, title: &str, note: &str, buttons: impl FnOnce(&mut Ui)) {
    let tokens = theme::tokens(ui.ctx());
    let inner = rect.shrink2(vec2(20.0, 0.0));
    let builder = UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center));
    let left_of_buttons = ui
        .scope_builder(builder, |ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            buttons(ui);
            ui.min_rect().left()
        })
        .inner;
    let words = Rect::from_min_max(inner.min + vec2(0.0, 10.0), pos2(left_of_buttons - 16.0, inner.bottom()));
    ui.scope_builder(UiBuilder::new().max_rect(words), |ui| {
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        ui::label(ui, Text::Button, tokens.text, title);
        ui.add_space(4.0);
        ui::label(ui, Text::Small, tokens.text2, note);
    });
}

/// A card of rows with lines between them. Each row draws into its rectangle.
fn card(ui: &mut Ui, heights: &[f32], mut row: impl FnMut(&mut Ui, usize, Rect)) {
    let tokens = theme::tokens(ui.ctx());
    let size = vec2(ui.available_width(), heights.iter().sum());
    let (rect, _) = ui.allocate_exact_size(size, eframe::egui::Sense::hover());
    let fill = if tokens.dark { tokens.surface } else { tokens.bg_base };
    let stroke = eframe::egui::Stroke::new(1.0, tokens.border);
    ui.painter().rect(rect, theme::R4, fill, stroke, eframe::egui::StrokeKind::Inside);
    let mut top = rect.top();
    for (index, height) in heights.iter().enumerate() {
        let at = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), *height));
        if index > 0 {
            let line = Rect::from_min_size(at.min, vec2(at.width(), 1.0));
            ui.painter().rect_filled(line, 0, tokens.border);
        }
        ui.scope_builder(UiBuilder::new().max_rect(at).id_salt(("row", index)), |ui| row(ui, index, at));
        top += height;
    }
    // The rows were drawn inside; what follows stands below all of them.
    ui.advance_cursor_after_rect(rect);
}
