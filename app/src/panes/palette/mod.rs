//! The command palette: everything the window can do, and where it can go, by a few letters. Actions come from the action table,
//! models from the shelf, chats from the store, which looks for them on its own thread.

mod fuzzy;

use eframe::egui::accesskit::Role;
use eframe::egui::text::LayoutJob;
use eframe::egui::{
    Align, Align2, Context, Frame, Id, Key, Layout, Margin, Modal, Modifiers, Rect, ScrollArea, Sense,
    Stroke, TextEdit, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use crate::chat::{ChatCommand, ListCommand};
use crate::shell::action::{ACTIONS, Section};
use crate::shell::{Command, Part, Situation, keymap, words};
use crate::store::shown_title;
use crate::theme::{self, Elevation, Text, Tokens, icons};
use crate::ui;

const WIDTH: f32 = 640.0;
const TOP: f32 = 104.0;
const INPUT: f32 = 56.0;
const ROW: f32 = 40.0;
const HEADING: f32 = 30.0;
const FOOTER: f32 = 40.0;

/// One line of the palette.
struct Entry {
    section: &'static str,
    icon: char,
    label: String,
    /// Characters of the label that the query matched.
    marks: Vec<usize>,
    note: String,
    keys: Vec<String>,
    command: Command,
    score: i32,
}

/// The palette while it is open.
#[derive(Default)]
pub struct Palette {
    query: String,
    chosen: usize,
    moved: bool,
    open: bool,
}

fn field_id() -> Id {
    Id::unique("palette query")
}

impl Palette {
    /// Opens it, empty, or closes it.
    pub fn toggle(&mut self) {
        *self = Self { open: !self.open, ..Self::default() };
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Draws it over the page; closes it when something was chosen.
    pub fn show(&mut self, ctx: &Context, now: &Situation<'_>, commands: &mut Vec<Command>) {
        if !self.open {
            return;
        }
        let entries = self.entries(now, ctx);
        self.keys(ctx, entries.len());
        self.chosen = self.chosen.min(entries.len().saturating_sub(1));
        let entered = ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let tokens = theme::tokens(ctx);
        let id = Id::unique("palette");
        let screen = ctx.content_rect();
        let width = WIDTH.min(screen.width() - 32.0);
        let top = TOP.min((screen.height() - 320.0).max(16.0));
        let area = Modal::default_area(id)
            .anchor(Align2::CENTER_TOP, vec2(0.0, top))
            .role(Role::Dialog)
            .accessible_name("Command palette");
        let frame = Frame::NONE
            .fill(tokens.raised)
            .stroke(Stroke::new(1.0, tokens.border_strong))
            .corner_radius(theme::R5)
            .shadow(theme::shadow(&tokens, Elevation::Dialog));
        let room = screen.height() - top - INPUT - FOOTER - 32.0;
        let modal = Modal::new(id).area(area).frame(frame).backdrop_color(tokens.scrim).show(ctx, |ui| {
            // The frame is drawn around it.
            ui.set_width(width - 2.0);
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            self.input(ui, &tokens);
            let clicked = self.list(ui, &tokens, &entries, room);
            footer(ui, &tokens, entries.len());
            clicked
        });
        let run = modal.inner.or(entered.then_some(self.chosen));
        if let Some(entry) = run.and_then(|index| entries.into_iter().nth(index)) {
            self.open = false;
            commands.push(entry.command);
        } else if modal.should_close() {
            self.open = false;
        }
        ctx.memory_mut(|memory| {
            if self.open && memory.focused().is_none() {
                memory.request_focus(field_id());
            }
        });
    }

    fn keys(&mut self, ctx: &Context, count: usize) {
        let presses = |key| ctx.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key));
        let (down, up) = (presses(Key::ArrowDown), presses(Key::ArrowUp));
        let (far_down, far_up) = (presses(Key::PageDown), presses(Key::PageUp));
        if count > 0 && down + up + far_down + far_up > 0 {
            // The ends meet.
            self.chosen = (self.chosen + down + count - up % count) % count;
            self.chosen = (self.chosen + 8 * far_down).min(count - 1).saturating_sub(8 * far_up);
            self.moved = true;
        }
    }

    fn input(&mut self, ui: &mut Ui, tokens: &Tokens) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), INPUT), Sense::hover());
        ui::line_below(ui.painter(), rect, tokens.border);
        ui::icon(
            ui.painter(),
            icons::MAGNIFYING_GLASS,
            rect.left_center() + vec2(31.0, 0.0),
            20.0,
            tokens.text2,
        );
        ui::paint_keycaps(ui, &["Esc"], rect.right_center() - vec2(20.0, 0.0));
        let inner = Rect::from_min_max(rect.min + vec2(52.0, 0.0), rect.max - vec2(72.0, 0.0));
        let hint = eframe::egui::RichText::new("Commands, pages, models, chats");
        let edit = TextEdit::singleline(&mut self.query)
            .id(field_id())
            .font(Text::Query.font())
            .text_color(tokens.text)
            .hint_text(hint.font(Text::Query.font()).color(tokens.text3))
            .frame(Frame::NONE)
            .margin(Margin::ZERO)
            .align(Align2::LEFT_CENTER)
            .desired_width(inner.width())
            .min_size(inner.size());
        let response = ui.place(inner, edit);
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Command palette"));
        if response.changed() {
            self.chosen = 0;
            self.moved = true;
        }
    }

    fn list(&mut self, ui: &mut Ui, tokens: &Tokens, entries: &[Entry], room: f32) -> Option<usize> {
        if entries.is_empty() {
            let (rect, response) =
                ui.allocate_exact_size(vec2(ui.available_width(), 2.0 * ROW), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, "Nothing found"));
            ui::paint_centered(ui, Text::Body, tokens.text3, "Nothing found", rect.center(), rect.width());
            return None;
        }
        let mut clicked = None;
        ScrollArea::vertical().id_salt("palette").max_height(room.clamp(ROW, 440.0)).show(ui, |ui| {
            let mut section = "";
            for (index, entry) in entries.iter().enumerate() {
                if entry.section != section {
                    section = entry.section;
                    heading(ui, tokens, section);
                }
                if self.row(ui, tokens, index, entry) {
                    clicked = Some(index);
                }
            }
            ui.add_space(8.0);
        });
        self.moved = false;
        clicked
    }

    fn row(&mut self, ui: &mut Ui, tokens: &Tokens, index: usize, entry: &Entry) -> bool {
        let (outer, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
        let rect = outer.shrink2(vec2(9.0, 0.0));
        // The keyboard stays in the field; the row is chosen from there.
        let response = ui.interact(rect, Id::unique(("palette row", index)), Sense::CLICK);
        let chosen = index == self.chosen;
        response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, chosen, &entry.label));
        if chosen && self.moved {
            ui.scroll_to_rect(outer.expand2(vec2(0.0, HEADING)), None);
        }
        if chosen || response.hovered() {
            let fill = if chosen { tokens.active } else { tokens.hover };
            ui.painter().rect_filled(rect, theme::R2, fill);
        }
        let color = if chosen { tokens.accent_text } else { tokens.text2 };
        ui::icon(ui.painter(), entry.icon, rect.left_center() + vec2(21.0, 0.0), 18.0, color);
        let caps: Vec<&str> = entry.keys.iter().map(String::as_str).collect();
        let taken = ui::paint_keycaps(ui, &caps, rect.right_center() - vec2(11.0, 0.0));
        let mut at = rect.left() + 42.0;
        let right = rect.right() - 23.0 - taken;
        let galley = marked(ui, tokens, entry, right - at);
        let y = |height: f32| (rect.center().y - height / 2.0).round();
        let (width, height) = (galley.size().x, galley.size().y);
        ui.painter().galley(pos2(at, y(height)), galley, tokens.text);
        at += width + 10.0;
        if !entry.note.is_empty() && right - at > 40.0 {
            let note = Text::Small.line(ui, &entry.note, tokens.text3, right - at);
            ui.painter().galley(pos2(at, y(note.size().y)), note, tokens.text3);
        }
        response.clicked()
    }

    /// What the query finds, best first in each section and among them.
    fn entries(&self, now: &Situation<'_>, ctx: &Context) -> Vec<Entry> {
        let keys = keymap::keymap(ctx);
        let mut commands = Vec::new();
        let mut places = Vec::new();
        for action in ACTIONS {
            let Some(command) = (action.command)(now) else { continue };
            let caps = keys.shortcut(action).map(keymap::keycaps).unwrap_or_default();
            let (list, section) = if action.section == Section::GoTo {
                (&mut places, "Go to")
            } else {
                (&mut commands, "Commands")
            };
            let entry = entry(section, action.icon, action.label.to_owned(), command);
            list.push(Entry { keys: caps, ..entry });
        }
        for part in Part::all() {
            let label = format!("Settings: {}", part.title());
            places.push(entry("Go to", icons::GEAR_SIX, label, Command::ShowSettings(part)));
        }
        let models = now.controller.shelf.choices.iter().map(|choice| {
            let label = format!("Use {}", choice.label());
            let note = if choice.bytes > 0 { words::bytes(choice.bytes) } else { String::new() };
            Entry { note, ..entry("Models", icons::CUBE, label, Command::ChooseModel(choice.clone())) }
        });
        commands.extend(personas(now));
        commands.extend(folders(now));
        let query = self.query.trim();
        let mut lists: Vec<Vec<Entry>> = [commands, places, models.collect()]
            .into_iter()
            .map(|list| list.into_iter().filter_map(|entry| matched(query, entry)).collect())
            .collect();
        for list in &mut lists {
            list.sort_by_key(|entry| -entry.score);
        }
        // Enter runs what matches best, whichever section it is in.
        lists.sort_by_key(|list| list.first().map_or(0, |best| -best.score));
        let mut found: Vec<Entry> = lists.into_iter().flatten().collect();
        found.extend(Self::chats(now, query));
        found
    }

    /// Chats that the store found; the newest while nothing is asked.
    fn chats(now: &Situation<'_>, query: &str) -> Vec<Entry> {
        let chats = now.controller.found_chats(query).into_iter();
        chats
            .map(|found| {
                let title = shown_title(&found.title).to_owned();
                let marks = fuzzy::fuzzy(query, &title).map(|found| found.marks).unwrap_or_default();
                let chat = entry("Chats", icons::CHAT_CIRCLE, title, Command::OpenChat(found.id));
                let folder = found.folder.and_then(|folder| now.controller.folder(folder));
                let note = match (folder, found.snippet.is_empty()) {
                    (Some(folder), true) => folder.name.clone(),
                    (Some(folder), false) => format!("{} · {}", folder.name, found.snippet),
                    (None, _) => found.snippet,
                };
                Entry { marks, note, ..chat }
            })
            .collect()
    }

    /// What the store should be asked for now.
    pub fn wanted_chats(&self) -> Option<&str> {
        self.open.then(|| self.query.trim())
    }
}

/// The personas that this chat can take, and none where it has one.
fn personas(now: &Situation<'_>) -> Vec<Entry> {
    let taken = now.controller.persona().map(|persona| persona.id);
    let take = |label: String, id| {
        entry("Commands", icons::USER_CIRCLE, label, Command::InChat(ChatCommand::TakePersona(id)))
    };
    let others = now.controller.personas().iter().filter(|persona| Some(persona.id) != taken);
    let none = taken.map(|_| take("Persona: None".to_owned(), None));
    others.map(|known| take(format!("Persona: {}", known.name), Some(known.id))).chain(none).collect()
}

/// Where the chat shown can be moved.
fn folders(now: &Situation<'_>) -> Vec<Entry> {
    let Some(chat) = now.controller.conversation().map(|shown| &shown.chat) else { return Vec::new() };
    let move_to = |label: String, icon, folder| {
        entry("Commands", icon, label, Command::InList(ListCommand::MoveTo(vec![chat.id], folder)))
    };
    let known = &now.controller.library.folders;
    let others = known.iter().filter(|folder| Some(folder.id) != chat.folder);
    let out = known.iter().find(|folder| Some(folder.id) == chat.folder).map(|folder| {
        move_to(format!("Take chat out of folder {}", folder.name), icons::ARROW_U_UP_LEFT, None)
    });
    others
        .map(|folder| move_to(format!("Move chat to folder {}", folder.name), icons::FOLDER, Some(folder.id)))
        .chain(out)
        .collect()
}

fn entry(section: &'static str, icon: char, label: String, command: Command) -> Entry {
    Entry {
        section,
        icon,
        label,
        marks: Vec::new(),
        note: String::new(),
        keys: Vec::new(),
        command,
        score: 0,
    }
}

fn matched(query: &str, entry: Entry) -> Option<Entry> {
    let found = fuzzy::fuzzy(query, &entry.label)?;
    Some(Entry { marks: found.marks, score: found.score, ..entry })
}

/// The label with its matched letters in the accent.
fn marked(ui: &Ui, tokens: &Tokens, entry: &Entry, width: f32) -> std::sync::Arc<eframe::egui::Galley> {
    let mut job = LayoutJob::default();
    for (index, letter) in entry.label.chars().enumerate() {
        let mark = entry.marks.binary_search(&index).is_ok();
        let format =
            if mark { Text::ChatStrong.format(tokens.accent_text) } else { Text::Chat.format(tokens.text) };
        job.append(letter.encode_utf8(&mut [0; 4]), 0.0, format);
    }
    job.wrap = eframe::egui::text::TextWrapping::truncate_at_width(width.max(0.0));
    ui.fonts_mut(|fonts| fonts.layout_job(job))
}

fn heading(ui: &mut Ui, tokens: &Tokens, title: &str) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEADING), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, title));
    let galley = Text::Micro.line(ui, title, tokens.text3, rect.width());
    ui.painter().galley(rect.min + vec2(21.0, 10.0), galley, tokens.text3);
}

fn footer(ui: &mut Ui, tokens: &Tokens, count: usize) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), FOOTER), Sense::hover());
    let line = Rect::from_min_size(rect.min, vec2(rect.width(), 1.0));
    ui.painter().rect_filled(line, 0, tokens.border);
    let inner = rect.shrink2(vec2(20.0, 0.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner).layout(Layout::left_to_right(Align::Center)), |ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        for (caps, word) in [(&["↑", "↓"][..], "Move"), (&["Enter"], "Run"), (&["Esc"], "Close")] {
            ui::keycaps(ui, caps);
            ui::label(ui, Text::Small, tokens.text2, word);
            ui.add_space(10.0);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let word = if count == 1 { "1 result".to_owned() } else { format!("{count} results") };
            ui::label(ui, Text::Small, tokens.text3, &word);
        });
    });
}
