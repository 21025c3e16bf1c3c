//! What a search found: title, folder, and the place in a message with the words marked.

use eframe::egui::accesskit::Role;
use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{CornerRadius, Rect, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use super::plan::Item;
use super::{ListState, menu, naming, rows};
use crate::chat::{Controller, ListCommand};
use crate::shell::Command;
use crate::store::{Hit, Piece, shown_title};
use crate::theme::{self, Text, icons};
use crate::ui;

/// Height of a hit with a snippet; one without is a row.
const HEIGHT: f32 = 52.0;
/// The part of a row's width that the name of a folder may take.
const FOLDER_PART: f32 = 0.35;
/// How long a search may take before it is shown that it runs, in seconds.
const PATIENCE_SECS: f64 = 0.15;

/// Draws what was found, that it is being looked for, or that there is nothing.
pub(super) fn show(ui: &mut Ui, controller: &Controller, state: &mut ListState, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    let library = &controller.library;
    let Some(hits) = &library.hits else {
        searching(ui, state);
        return;
    };
    state.waiting_since = None;
    state.drawn = 0;
    if hits.is_empty() {
        let small = if library.unopened {
            "Older chats could not be opened\nand were not searched."
        } else {
            "No chat has this in its title\nor in a message."
        };
        super::centre(ui);
        ui::empty_state(ui, icons::MAGNIFYING_GLASS, "Nothing found", small);
        return;
    }
    ui.spacing_mut().item_spacing.y = 2.0;
    let rows_in_all = hits.len() + usize::from(library.more_hits);
    ScrollArea::vertical().id_salt("hits").auto_shrink(false).show_rows(
        ui,
        HEIGHT,
        rows_in_all,
        |ui, range| {
            ui.set_max_width(ui.available_width() - 8.0);
            for index in range {
                let Some(hit) = hits.get(index) else {
                    ui.add_space(8.0);
                    ui::label(ui, Text::Small, tokens.text3, "There are more: add a word");
                    continue;
                };
                state.drawn += 1;
                let beside = |step: isize| {
                    let at = index.checked_add_signed(step)?;
                    hits.get(at).map(|hit| Item::Chat(hit.chat.id))
                };
                row(ui, controller, hit, [beside(-1), beside(1)], state, commands);
            }
        },
    );
    // The row that wants the keyboard may lie outside of what was drawn.
    if let Some(at) =
        state.go_to.and_then(|wanted| hits.iter().position(|hit| Item::Chat(hit.chat.id) == wanted))
    {
        let y = at as f32 * (HEIGHT + 2.0);
        ui.scroll_to_rect(
            ui.max_rect().translate(vec2(0.0, y)).with_max_y(ui.max_rect().top() + y + HEIGHT),
            None,
        );
    }
}

fn searching(ui: &mut Ui, state: &mut ListState) {
    let time = ui.input(|input| input.time);
    let since = *state.waiting_since.get_or_insert(time);
    if time - since < PATIENCE_SECS {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(PATIENCE_SECS));
    } else {
        let tokens = theme::tokens(ui.ctx());
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            ui.add_space(8.0);
            ui::label(ui, Text::Small, tokens.text3, "Searching");
        });
    }
}

fn row(
    ui: &mut Ui,
    controller: &Controller,
    hit: &Hit,
    beside: [Option<Item>; 2],
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    let title = shown_title(&hit.chat.title);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    if state.names(Item::Chat(hit.chat.id)) {
        naming::field(ui, rect.shrink2(vec2(0.0, 10.0)), controller, state, commands);
        return;
    }
    let response = ui.interact(rect, rows::row_id(hit.chat.id), Sense::click());
    let selected = controller.open_id() == Some(hit.chat.id);
    let said: String = hit.snippet.iter().map(|piece| piece.text.as_str()).collect();
    let folder = controller.library.folder_of(&hit.chat);
    let named = folder.map_or(title.to_owned(), |folder| format!("{title}, in {}", folder.name));
    let name = if said.is_empty() { named } else { format!("{named}: {said}") };
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, &name));
    let over = response.contains_pointer() || response.has_focus();
    if selected || over {
        let fill = if selected { tokens.active } else { tokens.hover };
        ui.painter().rect_filled(rect, CornerRadius::same(theme::R2), fill);
    }
    let width = rect.width() - 16.0;
    let color = if selected || over { tokens.text } else { tokens.text2 };
    let top = if hit.snippet.is_empty() { rect.center().y - 10.0 } else { rect.top() + 7.0 };
    let taken = folder.map_or(0.0, |folder| folder_name(ui, rect, top, &folder.name));
    let galley = Text::Body.line(ui, title, color, width - taken);
    ui.painter().galley(pos2(rect.left() + 8.0, top).round(), galley, color);
    if !hit.snippet.is_empty() {
        let mut job = LayoutJob::default();
        for Piece { text, is_match } in &hit.snippet {
            let (style, color) =
                if *is_match { (Text::Label, tokens.accent_text) } else { (Text::Small, tokens.text3) };
            job.append(text, 0.0, style.format(color));
        }
        job.wrap = TextWrapping::truncate_at_width(width);
        let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
        ui.painter().galley(rect.left_top() + vec2(8.0, 29.0), galley, tokens.text3);
    }
    ui::focus_ring_inside(ui, &response, theme::R2);
    if response.clicked() {
        commands.push(match hit.message {
            Some(message) => Command::InList(ListCommand::OpenAt(hit.chat.id, message)),
            None => Command::OpenChat(hit.chat.id),
        });
    }
    menu::of_chat(ui, controller, None, &response, &hit.chat, state, commands);
    rows::chat_keys(ui, &response, &hit.chat, controller, beside, state, commands);
    response.on_hover_text(name);
}

/// Writes the folder of a chat at the right of its title; gives the room that it takes, with the space before it.
fn folder_name(ui: &Ui, rect: Rect, top: f32, name: &str) -> f32 {
    let tokens = theme::tokens(ui.ctx());
    let galley = Text::Small.line(ui, name, tokens.text3, rect.width() * FOLDER_PART);
    let left = rect.right() - 8.0 - galley.size().x;
    let size = galley.size();
    ui.painter().galley(pos2(left, top + 10.0 - size.y / 2.0).round(), galley, tokens.text3);
    ui::icon(ui.painter(), icons::FOLDER, pos2(left - 10.0, top + 10.0), 12.0, tokens.text3);
    size.x + 28.0
}
