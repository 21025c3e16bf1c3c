//! Chats that are dragged onto a folder, or out of theirs onto the chats by age. What is under the pointer lights up; a drop sends the
//! command, Esc and a drop elsewhere do nothing.

use eframe::egui::{
    CornerRadius, DragAndDrop, Id, LayerId, Order, Pos2, Rect, Response, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::ListState;
use super::plan::{Plan, Target};
use crate::chat::{Controller, ListCommand};
use crate::shell::Command;
use crate::store::{ChatHead, ChatId, shown_title};
use crate::theme::{self, Elevation, Text, icons};
use crate::ui;

/// Width of what follows the pointer.
const WIDTH: f32 = 200.0;
/// How near the edge of the list the pointer makes it scroll, and how far in a second.
const EDGE: f32 = 24.0;
const SCROLL_PER_SEC: f32 = 480.0;

/// Chats on their way.
struct Dragged {
    chats: Vec<ChatId>,
    words: String,
    /// Whether some of them can be taken out of a folder.
    filed: bool,
}

/// Begins to drag the chats that an action on this row means.
pub(super) fn begin(ui: &Ui, row: &Response, chat: &ChatHead, state: &ListState, controller: &Controller) {
    if !row.drag_started() {
        return;
    }
    let chats = state.meant(chat.id);
    let library = &controller.library;
    let filed = library.chats.iter().any(|known| {
        known.folder.is_some() && chats.contains(&known.id) && library.folder_of(known).is_some()
    });
    let words = match chats.len() {
        1 => shown_title(&chat.title).to_owned(),
        count => format!("{count} chats"),
    };
    DragAndDrop::set_payload(ui.ctx(), Dragged { chats, words, filed });
}

/// Follows a drag over the list; gives where it would go. `origin` is the upper left corner of the rows, `view` what is seen of them.
pub(super) fn follow(
    ui: &Ui,
    plan: &Plan<'_>,
    origin: Pos2,
    view: Rect,
    controller: &Controller,
    commands: &mut Vec<Command>,
) -> Option<Target> {
    let dragged = DragAndDrop::payload::<Dragged>(ui.ctx())?;
    let pointer = ui.input(|input| input.pointer.interact_pos())?;
    ghost(ui, pointer, &dragged.words);
    if !view.contains(pointer) {
        return None;
    }
    scroll(ui, pointer, view);
    let target =
        plan.target(pointer.y - origin.y).filter(|target| dragged.filed || *target != Target::Out)?;
    if ui.input(|input| input.pointer.any_released()) {
        let folder = match target {
            Target::Out => None,
            Target::Folder(place) => Some(controller.library.folders.get(place)?.id),
        };
        DragAndDrop::clear_payload(ui.ctx());
        commands.push(Command::InList(ListCommand::MoveTo(dragged.chats.clone(), folder)));
    }
    if target == Target::Out {
        let bottom = plan.folders_top.map_or(view.bottom(), |top| origin.y + top - 4.0);
        let out = Rect::from_min_max(origin, pos2(view.right() - 8.0, bottom)).intersect(view);
        let tokens = theme::tokens(ui.ctx());
        let edge = Stroke::new(1.0, tokens.accent);
        ui.painter().rect(out, CornerRadius::same(theme::R2), tokens.accent_soft, edge, StrokeKind::Inside);
    }
    Some(target)
}

/// Scrolls the list while the pointer is near its upper or lower edge.
fn scroll(ui: &Ui, pointer: Pos2, view: Rect) {
    let step = SCROLL_PER_SEC * ui.input(|input| input.stable_dt).min(0.05);
    if pointer.y < view.top() + EDGE {
        ui.scroll_with_delta(vec2(0.0, step));
    } else if pointer.y > view.bottom() - EDGE {
        ui.scroll_with_delta(vec2(0.0, -step));
    } else {
        return;
    }
    ui.ctx().request_repaint();
}

/// What is dragged, beside the pointer.
fn ghost(ui: &Ui, pointer: Pos2, words: &str) {
    let tokens = theme::tokens(ui.ctx());
    let painter = ui.ctx().layer_painter(LayerId::new(Order::Tooltip, Id::unique("dragged chats")));
    let galley = Text::Body.line(ui, words, tokens.text, WIDTH - 44.0);
    let size = vec2(galley.size().x + 44.0, 28.0);
    let rect = Rect::from_min_size(pointer + vec2(12.0, 8.0), size);
    painter.add(theme::shadow(&tokens, Elevation::Menu).as_shape(rect, CornerRadius::same(theme::R2)));
    let edge = Stroke::new(1.0, tokens.border_strong);
    painter.rect(rect, CornerRadius::same(theme::R2), tokens.raised, edge, StrokeKind::Inside);
    ui::icon(&painter, icons::CHAT_CIRCLE, rect.left_center() + vec2(18.0, 0.0), 16.0, tokens.text2);
    let at = pos2(rect.left() + 32.0, rect.center().y - galley.size().y / 2.0).round();
    painter.galley(at, galley, tokens.text);
}
