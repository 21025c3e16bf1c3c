//! Controls that questions and answers share: copy, the arrows between siblings, and what selectable text reacts to.

use std::time::Duration;

use eframe::egui::accesskit::Role;
use eframe::egui::{Id, Pos2, Rect, Response, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use crate::chat::{ChatCommand, Place};
use crate::shell::{self, Command, action};
use crate::store::MessageId;
use crate::theme::{self, Text, icons};
use crate::ui::{self, IconButton};

/// How long a copy button shows that it copied.
const COPIED: Duration = Duration::from_millis(1500);
/// Side of the arrows.
const ARROW: f32 = 24.0;

/// What text that can be selected, but not reached with the tab key, reacts to.
pub fn selectable() -> Sense {
    let mut sense = Sense::click_and_drag();
    sense -= Sense::FOCUSABLE;
    sense
}

/// A copy button that turns into a check for a while.
pub fn copy_button(
    ui: &Ui,
    rect: Rect,
    id: Id,
    name: &str,
    text: &str,
    commands: &mut Vec<Command>,
) -> Response {
    let tokens = theme::tokens(ui.ctx());
    let now = ui.input(|input| input.time);
    let copied = ui.data(|data| data.get_temp::<f64>(id)).is_some_and(|at| now - at < COPIED.as_secs_f64());
    let button = if copied {
        IconButton::new(icons::CHECK, name).color(tokens.success)
    } else {
        IconButton::new(icons::COPY, name).quiet()
    };
    let response = ui::tip(button.put_as(ui, rect, id), if copied { "Copied" } else { name }, &[]);
    if response.clicked() {
        commands.push(Command::Copy(text.to_owned()));
        ui.data_mut(|data| data.insert_temp(id, now));
        ui.ctx().request_repaint_after(COPIED);
    }
    response
}

/// `< 2 / 3 >` with its left edge at `left`; gives the right edge.
pub fn siblings(
    ui: &Ui,
    message: MessageId,
    place: Place,
    left: Pos2,
    id: Id,
    commands: &mut Vec<Command>,
) -> f32 {
    let tokens = theme::tokens(ui.ctx());
    let text = format!("{} / {}", place.number, place.of);
    let galley = Text::MonoSmall.line(ui, &text, tokens.text2, 80.0);
    let figure = Rect::from_min_size(
        pos2(left.x + ARROW + 4.0, left.y - galley.size().y / 2.0).round(),
        galley.size(),
    );
    let response = ui.interact(figure, id.with("place"), Sense::hover());
    let spoken = format!("Version {} of {}", place.number, place.of);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    let next_left = figure.right() + 4.0;
    let arrow = |x: f32| Rect::from_min_size(pos2(x, left.y - ARROW / 2.0), Vec2::splat(ARROW));
    let previous = (place.number > 1, &action::PREVIOUS_VERSION, -1, left.x);
    let next = (place.number < place.of, &action::NEXT_VERSION, 1, next_left);
    for (there, action, step, x) in [previous, next] {
        let (glyph, name) = (action.icon, action.label);
        let id = id.with(name);
        if there {
            let button = IconButton::new(glyph, name).quiet().put_as(ui, arrow(x), id);
            if shell::tip(button, action).clicked() {
                commands.push(Command::InChat(ChatCommand::Sibling(message, step)));
            }
        } else {
            let response = ui.interact(arrow(x), id, Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Button, false, name));
            ui::icon(ui.painter(), glyph, arrow(x).center(), 16.0, tokens.disabled);
        }
    }
    ui.painter().galley(figure.min, galley, tokens.text2);
    next_left + ARROW
}

/// [`siblings`] with their right edge at `right`; gives the left edge.
pub fn siblings_left_of(
    ui: &Ui,
    message: MessageId,
    place: Place,
    right: Pos2,
    id: Id,
    commands: &mut Vec<Command>,
) -> f32 {
    let text = format!("{} / {}", place.number, place.of);
    let width = Text::MonoSmall.line(ui, &text, theme::tokens(ui.ctx()).text2, 80.0).size().x;
    let left = right - vec2(width + 2.0 * (ARROW + 4.0), 0.0);
    siblings(ui, message, place, left, id, commands);
    left.x
}

/// Whether a tool of this message has the keyboard.
pub fn has_keyboard(ui: &Ui, message: Id) -> bool {
    let names =
        ["edit", "copy", "again", "branch", "more", "go on", "thought", "Previous version", "Next version"];
    let focused = ui.memory(|memory| memory.focused());
    focused.is_some_and(|focused| names.iter().any(|name| message.with(*name) == focused))
}
