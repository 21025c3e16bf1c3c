//! What a panel shows when it has nothing, and when something went wrong.

use std::time::Duration;

use eframe::egui::accesskit::Role;
use eframe::egui::{Frame, Id, Margin, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{Button, Kind, icon, icon_filled, label, paragraph};
use crate::theme::{self, Text, icons};

/// An icon, a strong line and a small line, centred in what is left of the panel.
pub fn empty_state(ui: &mut Ui, glyph: char, strong: &str, small: &str) {
    let tokens = theme::tokens(ui.ctx());
    let room = ui.available_height();
    ui.add_space(((room - 168.0) / 2.0).max(0.0));
    ui.vertical_centered(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let (rect, _) = ui.allocate_exact_size(vec2(28.0, 28.0), Sense::hover());
        icon(ui.painter(), glyph, rect.center(), 24.0, tokens.text3);
        ui.add_space(14.0);
        label(ui, Text::Strong, tokens.text, strong);
        ui.add_space(4.0);
        for line in small.lines() {
            label(ui, Text::Small, tokens.text3, line);
        }
    });
}

/// How long something may take before it is shown as busy.
const PATIENCE_SECS: f64 = 0.15;

/// Bars where rows will be, without motion, once they have not come for a moment. `id` tells waits apart.
pub fn skeleton(ui: &mut Ui, id: Id, rows: usize) {
    let (now, pass) = (ui.input(|input| input.time), ui.ctx().cumulative_pass_nr());
    let since = ui.data_mut(|data| {
        let wait = data.get_temp_mut_or::<(f64, u64)>(id, (now, pass));
        if pass > wait.1 + 1 {
            wait.0 = now;
        }
        wait.1 = pass;
        wait.0
    });
    if now - since < PATIENCE_SECS {
        ui.ctx().request_repaint_after(Duration::from_secs_f64(PATIENCE_SECS));
        return;
    }
    let tokens = theme::tokens(ui.ctx());
    let width = ui.available_width();
    let (area, response) = ui.allocate_exact_size(vec2(width, rows as f32 * 44.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, "Loading"));
    for row in 0..rows {
        let top = area.top() + row as f32 * 44.0;
        // Lengths differ as those of texts do.
        let long = width * (0.45 + 0.1 * (row * 3 % 4) as f32);
        for (y, length, fill) in [(10.0, long, tokens.active), (26.0, long * 0.6, tokens.hover)] {
            let bar = Rect::from_min_size(pos2(area.left() + 12.0, top + y), vec2(length - 24.0, 8.0));
            ui.painter().rect_filled(bar, theme::R1, fill);
        }
    }
}

/// Width of the names of a problem's details.
const DETAIL_NAME: f32 = 64.0;

/// Something that went wrong, with its next step.
pub struct Problem<'a> {
    /// What happened.
    pub title: &'a str,
    /// Why, and the next step in words.
    pub detail: &'a str,
    /// What it is about by name: file, field, expected, found.
    pub details: &'a [(&'static str, String)],
    /// Verb of the next step, if the window can do it.
    pub action: Option<&'a str>,
    /// Whether it can be closed.
    pub closes: bool,
}

/// What the user chose on a problem card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProblemOutput {
    /// The next step.
    pub action: bool,
    /// Copy the details.
    pub copy: bool,
    /// Close the card.
    pub close: bool,
}

/// Names in a column and what they stand for beside them; long ones wrap.
fn problem_details(ui: &mut Ui, details: &[(&'static str, String)]) {
    let tokens = theme::tokens(ui.ctx());
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for (name, value) in details {
            let room = (ui.available_width() - DETAIL_NAME).max(40.0);
            let value_galley = Text::MonoSmall.wrapped(ui, value, tokens.text2, room);
            let size = vec2(ui.available_width(), value_galley.size().y);
            let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {value}")));
            let name = Text::MonoSmall.line(ui, name, tokens.text3, DETAIL_NAME);
            ui.painter().galley(rect.min, name, tokens.text3);
            ui.painter().galley(rect.min + vec2(DETAIL_NAME, 0.0), value_galley, tokens.text2);
        }
    });
}

/// A problem in a card over the whole width.
pub fn problem_card(ui: &mut Ui, problem: &Problem<'_>) -> ProblemOutput {
    let tokens = theme::tokens(ui.ctx());
    let mut output = ProblemOutput::default();
    Frame::NONE
        .fill(tokens.danger_soft)
        .stroke(Stroke::new(1.0, tokens.danger))
        .corner_radius(theme::R4)
        .inner_margin(Margin::same(16))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing = vec2(8.0, 8.0);
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(18.0, 20.0), Sense::hover());
                icon_filled(ui.painter(), icons::X_CIRCLE, rect.center(), 18.0, tokens.danger);
                label(ui, Text::Strong, tokens.text, problem.title);
            });
            if !problem.detail.is_empty() {
                paragraph(ui, Text::Body, tokens.text2, problem.detail);
            }
            problem_details(ui, problem.details);
            ui.add_space(4.0);
            ui.horizontal(|ui| {
                if let Some(action) = problem.action {
                    output.action = ui.add(Button::new(Kind::Secondary, action)).clicked();
                }
                output.copy = ui.add(Button::new(Kind::Ghost, "Copy details").icon(icons::COPY)).clicked();
                if problem.closes {
                    output.close = ui.add(Button::new(Kind::Ghost, "Dismiss")).clicked();
                }
            });
        });
    output
}
