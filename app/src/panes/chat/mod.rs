//! The chat page: list, header, messages, composer.

mod announce;
mod composer;
mod editor;
mod field;
mod files;
mod gauge;
mod inspector;
mod list;
mod message;
mod model;
mod persona;
mod question;
mod reply;
mod thought;
mod tools;
mod transcript;
mod welcome;

use eframe::egui::{
    Align, Area, Event, Id, Key, Layout, Modifiers, Order, Popup, Rect, RectAlign, Sense, Ui, UiBuilder,
    pos2, vec2,
};

use crate::chat::{ChatCommand, Controller, ListCommand};
use crate::shell::region::region;
use crate::shell::{self, Command, Metrics, Region, Regions, STATUS, action, words};
use crate::store::ChatId;
use crate::theme::{self, Text, icons};
use crate::ui::{self, IconButton, MenuItem, Problem};
use inspector::Inspector;
use transcript::Transcript;

pub use composer::message_id;
pub use editor::Editing;
pub use list::{Item, ListState, search_id};

/// What the page remembers between passes.
#[derive(Default)]
pub struct ChatPane {
    /// Text in the composer.
    pub draft: String,
    /// Text in the search field.
    pub search: String,
    /// The list of chats.
    pub list: ListState,
    /// Whether the list is shown where it is a sheet.
    pub list_open: bool,
    held: composer::Held,
    /// Where the composer was in the last pass.
    composer: Option<Rect>,
    /// Whether a dialog covers the page.
    pub covered: bool,
    /// The column of messages.
    pub transcript: Transcript,
    /// Whether the user wants the inspector; until then it is shown where there is much room.
    pub inspector_open: Option<bool>,
    /// Whether it was shown in the last pass.
    pub inspector_shown: bool,
    inspector_is_sheet: bool,
    inspector: Inspector,
    /// The chat that the inspector is about.
    inspected: Option<ChatId>,
}

impl ChatPane {
    /// Draws the page.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        regions: &Regions,
        metrics: &Metrics,
        controller: &Controller,
        commands: &mut Vec<Command>,
    ) {
        let tokens = theme::tokens(ui.ctx());
        self.keys(ui, controller, commands);
        ui.painter().rect_filled(regions.header.union(regions.content), 0, tokens.bg_base);
        if let Some(rect) = regions.list {
            region(ui, Region::List, rect);
            list::show(ui, rect, controller, &mut self.search, &mut self.list, commands);
        }
        self.inspector_shown = self.inspector_open.unwrap_or(metrics.is_wide);
        self.inspector_is_sheet = metrics.list_is_sheet;
        let beside = self.inspector_shown && !self.inspector_is_sheet;
        let panel = if beside { metrics.inspector } else { 0.0 };
        let less = |rect: Rect| Rect::from_min_max(rect.min, rect.max - vec2(panel, 0.0));
        region(ui, Region::Header, regions.header);
        header(ui, less(regions.header), metrics, self.inspector_shown, controller, commands);
        let content = less(regions.content);
        let metrics = &Metrics { column: metrics.column.min(content.width() - 44.0), ..*metrics };
        self.content(ui, content, metrics, controller, commands);
        let corner = pos2(regions.page.right() - metrics.inspector, regions.page.top());
        let right = Rect::from_min_max(corner, regions.page.max);
        if beside {
            self.inspect(ui, right, controller, commands);
        } else if self.inspector_shown {
            self.inspector_sheet(ui, regions.page, right, controller, commands);
        }
        if metrics.list_is_sheet && self.list_open {
            self.sheet(ui, regions.page, metrics, controller, commands);
        }
    }

    /// How high over the lower edge of the window toasts begin: above the composer where they would lie on it, since a problem stays
    /// until it is closed and Send must not wait for that.
    pub fn free_of_toasts(&self, window: Rect) -> f32 {
        match self.composer {
            Some(composer) if composer.right() > window.right() - ui::TOAST_REACH => {
                window.bottom() - composer.top() - 8.0
            }
            _ => STATUS,
        }
    }

    fn keys(&mut self, ui: &Ui, controller: &Controller, commands: &mut Vec<Command>) {
        let ctx = ui.ctx();
        let over = Popup::is_any_open(ctx);
        let pressed = |modifiers, key| ctx.input_mut(|input| input.consume_key(modifiers, key));
        let idle = !over && !self.covered && ctx.memory(|memory| memory.focused().is_none());
        let is_text = |event: &Event| matches!(event, Event::Text(_) | Event::Paste(_));
        if idle && ctx.input(|input| input.events.iter().any(is_text)) {
            // Who types or pastes without having chosen a field means the message.
            ctx.memory_mut(|memory| memory.request_focus(message_id()));
        }
        let writing = controller.conversation().is_some_and(|conversation| conversation.answer.is_some());
        let searching = ctx.memory(|memory| memory.has_focus(search_id()));
        if self.covered {
            return;
        }
        let in_empty = self.draft.is_empty() && ctx.memory(|memory| memory.has_focus(message_id()));
        if in_empty && !over && pressed(Modifiers::NONE, Key::ArrowUp) {
            commands.push(Command::InChat(ChatCommand::EditLast));
        }
        let sheet = self.inspector_shown && self.inspector_is_sheet;
        if self.list_open && !over && pressed(Modifiers::NONE, Key::Escape) {
            self.list_open = false;
        } else if sheet && !over && pressed(Modifiers::NONE, Key::Escape) {
            self.inspector_open = Some(false);
        } else if writing
            && !over
            && !searching
            && !self.editor_has_keyboard()
            && pressed(Modifiers::NONE, Key::Escape)
        {
            commands.push(Command::Stop);
        }
    }

    fn inspect(&mut self, ui: &mut Ui, rect: Rect, controller: &Controller, commands: &mut Vec<Command>) {
        if self.inspected != controller.open_id() {
            self.inspected = controller.open_id();
            self.inspector = Inspector::default();
        }
        region(ui, Region::Inspector, rect);
        if inspector::show(ui, rect, controller, &mut self.inspector, commands) {
            self.inspector_open = Some(false);
        }
    }

    /// The inspector over the page, where there is no room beside it.
    fn inspector_sheet(
        &mut self,
        ui: &Ui,
        page: Rect,
        rect: Rect,
        controller: &Controller,
        commands: &mut Vec<Command>,
    ) {
        let tokens = theme::tokens(ui.ctx());
        let area = Area::new(Id::unique("inspector sheet"))
            .order(Order::Middle)
            .fixed_pos(page.min)
            .accessible_name("This chat");
        area.show(ui.ctx(), |ui| {
            ui.set_clip_rect(page);
            let scrim = ui.interact(page, Id::unique("inspector scrim"), Sense::CLICK);
            ui.painter().rect_filled(page, 0, tokens.scrim);
            self.inspect(ui, rect, controller, commands);
            if scrim.clicked() && !ui.rect_contains_pointer(rect) {
                self.inspector_open = Some(false);
            }
        });
    }

    fn editor_has_keyboard(&self) -> bool {
        self.transcript.editing.as_ref().is_some_and(Editing::has_keyboard)
    }

    fn content(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        metrics: &Metrics,
        controller: &Controller,
        commands: &mut Vec<Command>,
    ) {
        let width = metrics.column + 24.0;
        let height = composer::height(ui, metrics, controller, &self.draft, width);
        let bottom = rect.bottom() - if metrics.short { 8.0 } else { 16.0 };
        let left = (rect.center().x - width / 2.0).round();
        let composer = Rect::from_min_max(pos2(left, bottom - height), pos2(left + width, bottom));
        let mut messages = Rect::from_min_max(rect.min, pos2(rect.right(), composer.top() - 8.0));
        if let Some(refusal) = &controller.shelf.refusal {
            let top = refusal_card(ui, controller, refusal, (composer, messages.height()), commands);
            messages.max.y = top - 8.0;
        }
        if let Some(line) = gauge::warning(controller) {
            let at = pos2(composer.left() + 12.0, messages.bottom() - 20.0);
            gauge::show_warning(ui, Rect::from_min_size(at, vec2(metrics.column, 20.0)), &line);
            messages.max.y -= 28.0;
        }
        region(ui, Region::Content, messages);
        match controller.conversation() {
            Some(conversation) => self.transcript.show(ui, messages, conversation, metrics.column, commands),
            None if controller.open_id().is_some() => {
                let width = metrics.column;
                let at = pos2((messages.center().x - width / 2.0).round(), messages.top() + 24.0);
                let rows = Rect::from_min_size(at, vec2(width, messages.height() - 24.0));
                let busy = UiBuilder::new().max_rect(rows);
                ui.scope_builder(busy, |ui| ui::skeleton(ui, Id::unique("opening chat"), 4));
            }
            None => welcome::show(ui, messages, controller, metrics.column, commands),
        }
        self.composer = Some(composer);
        region(ui, Region::Composer, composer);
        composer::show(ui, composer, controller, (&mut self.draft, &mut self.held), commands);
    }

    fn sheet(
        &mut self,
        ui: &Ui,
        page: Rect,
        metrics: &Metrics,
        controller: &Controller,
        commands: &mut Vec<Command>,
    ) {
        let before = commands.len();
        let left = ui::sheet(ui, "Chats", page, metrics.list, |ui, panel| {
            region(ui, Region::List, panel);
            list::show(ui, panel, controller, &mut self.search, &mut self.list, commands);
        });
        let chosen = commands[before..].iter().any(is_choice);
        let close = left || chosen;
        self.list_open &= !close;
    }
}

/// Whether a command of the list shows a chat, so that the sheet over it has to go.
fn is_choice(command: &Command) -> bool {
    matches!(
        command,
        Command::OpenChat(_)
            | Command::NewChat
            | Command::InList(ListCommand::OpenAt(..) | ListCommand::NewChatIn(_))
    )
}

fn header(
    ui: &mut Ui,
    rect: Rect,
    metrics: &Metrics,
    inspector_shown: bool,
    controller: &Controller,
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    ui::line_below(ui.painter(), rect, tokens.border);
    let inner =
        Rect::from_min_max(pos2(rect.left() + 20.0, rect.top()), pos2(rect.right() - 16.0, rect.bottom()));
    ui.scope_builder(UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center)), |ui| {
        let inspector =
            IconButton::new(icons::SLIDERS_HORIZONTAL, "Panel of this chat").selected(inspector_shown);
        if shell::tip(ui.add(inspector), &action::CHAT_PANEL).clicked() {
            commands.push(Command::InChat(ChatCommand::ToggleInspector));
        }
        if let Some(conversation) = controller.conversation() {
            let chat = conversation.chat.id;
            let button =
                ui::tip(ui.add(IconButton::new(icons::DOTS_THREE, "Menu of this chat")), "More", &[]);
            let frame = ui::menu_frame(ui);
            Popup::menu(&button).align(RectAlign::BOTTOM_END).frame(frame).show(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                if ui.add(MenuItem::new(icons::PENCIL, "Rename")).clicked() {
                    commands.push(Command::AskRename(chat));
                }
                list::pin_item(ui, chat, conversation.chat.pinned, ui::MENU_WIDTH, commands);
                if ui.add(MenuItem::new(icons::TRASH, "Delete").danger()).clicked() {
                    commands.push(Command::InList(ListCommand::Delete(vec![chat])));
                }
            });
            let button = ui::tip(ui.add(IconButton::new(icons::EXPORT, "Export this chat")), "Export", &[]);
            Popup::menu(&button).align(RectAlign::BOTTOM_END).frame(frame).show(|ui| {
                list::export_items(ui, &[chat], commands);
            });
        }
        if metrics.list_is_sheet {
            let button = ui.add(IconButton::new(icons::NOTE_PENCIL, "New chat"));
            if shell::tip(button, &action::NEW_CHAT).clicked() {
                commands.push(Command::NewChat);
            }
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            if metrics.list_is_sheet
                && shell::tip(ui.add(IconButton::new(icons::SIDEBAR, "Show chats")), &action::TOGGLE_LIST)
                    .clicked()
            {
                commands.push(Command::ToggleList);
            }
            let title = controller.conversation().map_or("New chat", |conversation| &conversation.chat.title);
            ui::label(ui, Text::Heading, tokens.text, title);
        });
    });
}

/// Draws why a model was refused above the composer; gives the upper edge. With little room without its
/// details, and with less without the reason; both can be copied.
fn refusal_card(
    ui: &mut Ui,
    controller: &Controller,
    refusal: &crate::chat::Refusal,
    (composer, room): (Rect, f32),
    commands: &mut Vec<Command>,
) -> f32 {
    let id = Id::unique("refusal height");
    let height = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(190.0);
    let rect = Rect::from_min_max(
        pos2(composer.left() + 12.0, composer.top() - 8.0 - height),
        composer.max - vec2(12.0, 0.0),
    );
    let title = format!("{} cannot be loaded", refusal.choice.label());
    let detail = if room < 180.0 { String::new() } else { words::sentence(&refusal.failure.summary) };
    let inner = ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
        let details = if room < 300.0 { &[] } else { refusal.failure.details.as_slice() };
        let action = Some("Open file…");
        let problem = Problem { title: &title, detail: &detail, details, action, closes: true };
        (ui::problem_card(ui, &problem), ui.min_rect().height())
    });
    let (output, real) = inner.inner;
    if real != height {
        ui.data_mut(|data| data.insert_temp(id, real));
        ui.ctx().request_repaint();
    }
    if output.action {
        commands.push(Command::PickModelFile);
    }
    if output.close {
        commands.push(Command::DismissRefusal);
    }
    if output.copy {
        let lane = controller.engine_status().map_or("no engine", |status| status.lane);
        let path = refusal.choice.path.display();
        commands.push(Command::Copy(format!("{title}\nfile: {path}\n{}\nlane: {lane}", refusal.failure)));
    }
    rect.top()
}
