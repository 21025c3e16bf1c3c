//! A slider with its number in a field, side by side or with the rail below. The number can be typed; arrows move by a step, with
//! Shift by ten; a double click goes back to the default.

use std::ops::RangeInclusive;

use eframe::egui::accesskit::{Action, Role};
use eframe::egui::{
    Align, EventFilter, Frame, Id, Key, Layout, Margin, Rect, Response, Sense, Stroke, StrokeKind, TextEdit,
    Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::{changed_dot, label};
use crate::theme::{self, Text};

/// Height of the field, and of a rail beside it.
const LINE: f32 = 28.0;
/// Space between rail and field.
const GAP: f32 = 16.0;

/// A slider.
pub struct Slider<'a> {
    /// Tells sliders apart.
    pub id: Id,
    /// Accessible name.
    pub name: &'a str,
    /// What it may be set to.
    pub range: RangeInclusive<f64>,
    /// Distance of two steps.
    pub step: f64,
    /// What a double click sets.
    pub default: f64,
    /// Decimals in the field.
    pub decimals: usize,
    /// What stands after the number in the field.
    pub unit: &'a str,
    /// What the field shows instead of 0.
    pub zero: Option<&'a str>,
    /// Width of the field.
    pub field: f32,
    /// Whether small values get most of the rail.
    pub logarithmic: bool,
}

impl Slider<'_> {
    /// Draws rail and field side by side over `width`; gives a new value.
    pub fn show(&self, ui: &mut Ui, width: f32, value: f64) -> Option<f64> {
        let (rect, _) = ui.allocate_exact_size(vec2(width, LINE), Sense::hover());
        let field = rect.with_min_x(rect.right() - self.field);
        let dragged = self.rail(ui, rect.with_max_x(field.left() - GAP), value);
        let typed = self.number(ui, field, value);
        self.new_value(value, typed.or(dragged))
    }

    /// Draws the name and the field in one line and the rail below, all over the width of `ui`; gives a new value. `changed` marks the
    /// name.
    pub fn show_below(&self, ui: &mut Ui, value: f64, changed: bool) -> Option<f64> {
        let tokens = theme::tokens(ui.ctx());
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), LINE + 20.0), Sense::hover());
        let line = rect.with_max_y(rect.top() + LINE);
        let field = line.with_min_x(rect.right() - self.field);
        let name = line.with_max_x(field.left() - 8.0);
        let inside = UiBuilder::new().max_rect(name).layout(Layout::left_to_right(Align::Center));
        // A child, not a scope: where it ends is not where the next control begins.
        let mut heading = ui.new_child(inside);
        heading.spacing_mut().item_spacing.x = 4.0;
        label(&mut heading, Text::Body, tokens.text2, self.name);
        if changed {
            changed_dot(&mut heading);
        }
        let typed = self.number(ui, field, value);
        let dragged = self.rail(ui, rect.with_min_y(line.bottom()), value);
        self.new_value(value, typed.or(dragged))
    }

    fn new_value(&self, old: f64, new: Option<f64>) -> Option<f64> {
        new.map(|new| new.clamp(*self.range.start(), *self.range.end())).filter(|new| *new != old)
    }

    fn rail(&self, ui: &Ui, rect: Rect, value: f64) -> Option<f64> {
        let response = ui.interact(rect, self.id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::slider(true, value, self.name));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_min_numeric_value(*self.range.start());
            node.set_max_numeric_value(*self.range.end());
            node.set_numeric_value_step(self.step);
            node.add_action(Action::Increment);
            node.add_action(Action::Decrement);
        });
        let mut new = self.keys(ui, &response, value);
        if let Some(at) = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked())
        {
            let part = ((at.x - rect.left() - 7.0) / (rect.width() - 14.0)).clamp(0.0, 1.0);
            new = Some(self.stepped(self.value_at(f64::from(part))));
        }
        if response.double_clicked() {
            new = Some(self.default);
        }
        self.paint(ui, rect, &response, new.unwrap_or(value));
        new
    }

    fn paint(&self, ui: &Ui, rect: Rect, response: &Response, value: f64) {
        let tokens = theme::tokens(ui.ctx());
        let x = rect.left() + 7.0 + self.part_of(value) as f32 * (rect.width() - 14.0);
        let rail = Rect::from_center_size(rect.center(), vec2(rect.width(), 4.0));
        ui.painter().rect_filled(rail, 2, tokens.border_strong);
        ui.painter().rect_filled(Rect::from_min_max(rail.min, pos2(x, rail.bottom())), 2, tokens.accent);
        let knob = pos2(x, rect.center().y);
        if tokens.dark {
            ui.painter().circle_filled(knob, 7.0, tokens.text);
        } else {
            ui.painter().circle(knob, 6.5, tokens.bg_base, Stroke::new(1.0, tokens.border_input));
        }
        if response.has_focus() {
            ui.painter().circle_stroke(knob, 10.0, Stroke::new(2.0, tokens.focus));
        }
    }

    fn keys(&self, ui: &Ui, response: &Response, value: f64) -> Option<f64> {
        let mut steps = 0.0;
        if response.has_focus() {
            let arrows = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
            ui.input(|input| {
                let far = if input.modifiers.shift { 10.0 } else { 1.0 };
                let presses = |key| input.num_presses(key) as f64;
                steps = (presses(Key::ArrowRight) - presses(Key::ArrowLeft)) * far;
            });
        }
        ui.input(|input| {
            let asked = |action| input.num_accesskit_action_requests(response.id, action) as f64;
            steps += asked(Action::Increment) - asked(Action::Decrement);
        });
        (steps != 0.0).then(|| self.stepped(value + steps * self.step))
    }

    fn number(&self, ui: &mut Ui, rect: Rect, value: f64) -> Option<f64> {
        let tokens = theme::tokens(ui.ctx());
        let id = self.id.with("field");
        let focused = ui.memory(|memory| memory.has_focus(id));
        let written = format!("{value:.*}", self.decimals);
        let shown = match self.zero.filter(|_| value == 0.0) {
            Some(word) => word.to_owned(),
            None if self.unit.is_empty() => written.clone(),
            None => format!("{written} {}", self.unit),
        };
        let mut text = if focused {
            ui.data_mut(|data| data.get_temp_mut_or_insert_with(id, || written.clone()).clone())
        } else {
            shown
        };
        let edge =
            if focused { Stroke::new(2.0, tokens.focus) } else { Stroke::new(1.0, tokens.border_input) };
        ui.painter().rect(rect, theme::R2, tokens.bg_base, edge, StrokeKind::Inside);
        let inner = rect.shrink2(vec2(8.0, 0.0));
        let edit = TextEdit::singleline(&mut text)
            .id(id)
            .font(Text::Mono.font())
            .text_color(tokens.text)
            .frame(Frame::NONE)
            .margin(Margin::ZERO)
            .align(eframe::egui::Align2::RIGHT_CENTER)
            .desired_width(inner.width())
            .min_size(inner.size());
        let response = ui.place(inner, edit);
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_label(format!("{}, number", self.name));
            node.set_role(Role::TextInput);
        });
        if response.lost_focus() {
            ui.data_mut(|data| data.remove::<String>(id));
            let escaped = ui.input(|input| input.key_pressed(Key::Escape));
            return if escaped {
                None
            } else {
                text.trim().replace(',', ".").parse().ok().map(|new| self.rounded(new))
            };
        }
        if response.changed() {
            ui.data_mut(|data| data.insert_temp(id, text));
        }
        None
    }

    fn part_of(&self, value: f64) -> f64 {
        let (start, end) = (*self.range.start(), *self.range.end());
        if self.logarithmic {
            (value - start + 1.0).ln() / (end - start + 1.0).ln()
        } else {
            (value - start) / (end - start)
        }
    }

    fn value_at(&self, part: f64) -> f64 {
        let (start, end) = (*self.range.start(), *self.range.end());
        if self.logarithmic {
            start - 1.0 + (part * (end - start + 1.0).ln()).exp()
        } else {
            start + part * (end - start)
        }
    }

    /// The next value that is a whole number of steps above the smallest.
    fn stepped(&self, value: f64) -> f64 {
        let start = *self.range.start();
        self.rounded(start + ((value - start) / self.step).round() * self.step)
            .clamp(start, *self.range.end())
    }

    fn rounded(&self, value: f64) -> f64 {
        let scale = 10f64.powi(self.decimals as i32);
        if value.is_finite() { (value * scale).round() / scale } else { self.default }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slider() -> Slider<'static> {
        Slider {
            id: Id::unique("test"),
            name: "Test",
            range: 0.0..=2.0,
            step: 0.05,
            default: 0.7,
            decimals: 2,
            unit: "",
            zero: None,
            field: 56.0,
            logarithmic: false,
        }
    }

    #[test]
    fn values_fall_on_steps_and_stay_in_range() {
        let slider = slider();
        assert_eq!(slider.stepped(0.71), 0.7);
        assert_eq!(slider.stepped(0.68), 0.7);
        assert_eq!(slider.stepped(9.0), 2.0);
        assert_eq!(slider.rounded(f64::NAN), 0.7);
        assert_eq!(slider.rounded(0.123), 0.12);
    }

    #[test]
    fn a_logarithmic_rail_gives_back_the_value_it_shows() {
        let slider =
            Slider { range: 0.0..=131_072.0, logarithmic: true, step: 256.0, decimals: 0, ..slider() };
        for value in [0.0, 256.0, 4096.0, 131_072.0] {
            assert!((slider.value_at(slider.part_of(value)) - value).abs() < 1e-6, "{value}");
        }
    }
}
