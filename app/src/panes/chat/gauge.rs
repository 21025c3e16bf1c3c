//! How full the context is: a ring in the composer, what it is made of on a click, and a line above the composer before it is full.

use eframe::egui::accesskit::Role;
use eframe::egui::{Color32, Id, Popup, Pos2, Rect, RectAlign, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::chat::{ContextUse, Controller, NEARLY_FULL};
use crate::shell::words;
use crate::theme::{self, Text, Tokens, icons};
use crate::ui;

/// Width of the breakdown.
const WIDTH: f32 = 264.0;
/// What happens when the context is full.
const RULE: &str = "When it is full, the oldest messages are left out of what the model reads. A line in the chat shows where.";

/// Draws the ring with its percentage, ending at `right`.
pub fn show(ui: &mut Ui, tokens: &Tokens, right: Pos2, controller: &Controller) {
    let Some(used) = controller.context_use() else { return };
    let level = used.level();
    let text = words::percent(f64::from(level));
    let color = if level > NEARLY_FULL { ui::level_color(tokens, level) } else { tokens.text2 };
    let galley = Text::MonoSmall.line(ui, &text, color, 60.0);
    let left = right.x - galley.size().x - 22.0;
    let rect = Rect::from_min_max(pos2(left, right.y - 14.0), pos2(right.x, right.y + 14.0));
    let response = ui.interact(rect, Id::unique("context gauge"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Context used: {text}")));
    if response.hovered() {
        ui.painter().rect_filled(rect.expand2(vec2(6.0, 0.0)), theme::R2, tokens.hover);
    }
    ui::gauge(ui.painter(), tokens, pos2(left + 8.0, right.y), level);
    ui.painter().galley(pos2(left + 22.0, right.y - galley.size().y / 2.0).round(), galley, color);
    ui::focus_ring(ui, &response, theme::R2);
    let popup = Popup::menu(&response).align(RectAlign::TOP_END).frame(ui::menu_frame(ui)).gap(6.0);
    popup.show(|ui| {
        ui.set_width(WIDTH);
        eframe::egui::Frame::NONE.inner_margin(8).show(ui, |ui| {
            breakdown(ui, &used);
            ui.add_space(4.0);
            ui::paragraph(ui, Text::Small, tokens.text3, RULE);
        });
    });
    let about = if used.estimated { "about " } else { "" };
    let tip = format!(
        "{about}{} of {} tokens of context",
        words::count(used.used() as u64),
        words::count(used.limit as u64)
    );
    response.on_hover_text(tip);
}

/// Draws what fills the context over the width of `ui`.
pub fn breakdown(ui: &mut Ui, used: &ContextUse) {
    let tokens = theme::tokens(ui.ctx());
    let parts = [
        (tokens.series[0], "System prompt", used.system),
        (tokens.series[2], "Messages", used.messages),
        (tokens.series[1], "This answer", used.answer),
        (tokens.series[3], "Draft", used.draft),
    ];
    ui.spacing_mut().item_spacing.y = 0.0;
    let figure = format!("{} / {}", words::count(used.used() as u64), words::count(used.limit as u64));
    line(ui, None, "Context", (Text::Strong, tokens.text), &figure);
    ui.add_space(4.0);
    bar(ui, &tokens, &parts, used);
    ui.add_space(6.0);
    for (color, name, count) in parts {
        let wanted = count > 0 || name == "Messages" || name == "System prompt";
        if wanted {
            line(ui, Some(color), name, (Text::Small, tokens.text2), &words::count(count as u64));
        }
    }
    if used.left_out > 0 {
        let unit = if used.left_out == 1 { "message" } else { "messages" };
        line(ui, None, "Left out", (Text::Small, tokens.text2), &format!("{} {unit}", used.left_out));
    }
    if used.estimated {
        ui.add_space(4.0);
        ui::label(ui, Text::Small, tokens.text3, "Partly estimated, counted when it is sent");
    }
}

fn bar(ui: &mut Ui, tokens: &Tokens, parts: &[(Color32, &str, usize)], used: &ContextUse) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 6.0), Sense::hover());
    ui.painter().rect_filled(rect, 2, tokens.active);
    let scale = rect.width() / used.limit.max(used.used()).max(1) as f32;
    let mut x = rect.left();
    for (color, _, count) in parts {
        let width = *count as f32 * scale;
        if width >= 1.0 {
            let part = Rect::from_min_size(pos2(x, rect.top()), vec2(width, rect.height()));
            ui.painter().rect_filled(part, 0, *color);
        }
        x += width;
    }
}

/// A name at the left and a figure at the right, 24 high.
fn line(ui: &mut Ui, color: Option<Color32>, name: &str, (style, text): (Text, Color32), figure: &str) {
    let tokens = theme::tokens(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {figure}")));
    let mut x = rect.left();
    if let Some(color) = color {
        let square = Rect::from_center_size(pos2(x + 4.0, rect.center().y), vec2(8.0, 8.0));
        ui.painter().rect_filled(square, 2, color);
        x += 16.0;
    }
    let galley = style.line(ui, name, text, rect.width() / 2.0);
    ui.painter().galley(pos2(x, rect.center().y - galley.size().y / 2.0).round(), galley, text);
    let galley = Text::MonoSmall.line(ui, figure, tokens.text2, rect.width() / 2.0);
    let at = pos2(rect.right() - galley.size().x, rect.center().y - galley.size().y / 2.0).round();
    ui.painter().galley(at, galley, tokens.text2);
}

/// What the user should know before sending: a draft that is too long, or a context that is nearly full.
pub fn warning(controller: &Controller) -> Option<String> {
    let used = controller.context_use()?;
    if controller.draft_is_too_long() {
        return Some(format!(
            "This message has {} tokens with the system prompt, but the context holds {}. Shorten it",
            words::count((used.system + used.draft) as u64),
            words::count(used.limit as u64)
        ));
    }
    (used.level() > NEARLY_FULL && used.left_out == 0).then(|| {
        let level = words::percent(f64::from(used.level()));
        format!(
            "Context {level} full. When it is full, the oldest messages are left out of what the model reads"
        )
    })
}

/// Draws that line.
pub fn show_warning(ui: &Ui, rect: Rect, line: &str) {
    let tokens = theme::tokens(ui.ctx());
    let response = ui.interact(rect, ui.scope_id().with("context warning"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, line));
    ui::icon(ui.painter(), icons::WARNING, pos2(rect.left() + 8.0, rect.center().y), 16.0, tokens.warning);
    let galley = Text::Small.line(ui, line, tokens.text2, rect.width() - 24.0);
    let at = pos2(rect.left() + 24.0, rect.center().y - galley.size().y / 2.0).round();
    ui.painter().galley(at, galley, tokens.text2);
    response.on_hover_text(line);
}
