//! Controls that hold a state: toggle, segment, select.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Color32, CornerRadius, Id, Popup, Pos2, Rect, RectAlign, Response, Sense, Stroke, StrokeKind, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};

use super::{MenuItem, focus_ring, icon, menu_frame};
use crate::theme::{self, Text, icons};

/// A switch of 32 by 18; clicked when it should turn over.
pub fn toggle(ui: &mut Ui, name: &str, on: bool) -> Response {
    let tokens = theme::tokens(ui.ctx());
    let (outer, response) = ui.allocate_exact_size(vec2(32.0, 28.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Switch, true, on, name));
    let rect = Rect::from_center_size(outer.center(), vec2(32.0, 18.0));
    let edge = if response.hovered() { tokens.text3 } else { Color32::TRANSPARENT };
    let (fill, knob) =
        if on { (tokens.accent, tokens.on_accent) } else { (tokens.border_input, tokens.bg_base) };
    ui.painter().rect(rect, 9, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let x = if on { rect.right() - 9.0 } else { rect.left() + 9.0 };
    ui.painter().circle_filled(pos2(x, rect.center().y), 7.0, knob);
    ring(ui, &response, rect, 9);
    response
}

/// A few choices side by side, each with its word; gives the one clicked.
pub fn segment(ui: &mut Ui, name: &str, words: &[&str], chosen: usize) -> Option<usize> {
    let tokens = theme::tokens(ui.ctx());
    let galleys: Vec<_> =
        words.iter().map(|word| Text::Button.line(ui, word, Color32::PLACEHOLDER, f32::INFINITY)).collect();
    let widths: Vec<f32> = galleys.iter().map(|galley| (galley.size().x + 20.0).ceil()).collect();
    let (rect, group) = ui.allocate_exact_size(vec2(widths.iter().sum::<f32>() + 4.0, 28.0), Sense::hover());
    group.widget_info(|| WidgetInfo::labeled(Role::RadioGroup, true, name));
    ui.painter().rect(rect, theme::R2, tokens.well, Stroke::new(1.0, tokens.border), StrokeKind::Inside);
    let mut clicked = None;
    let mut x = rect.left() + 2.0;
    for (index, (galley, width)) in galleys.into_iter().zip(widths).enumerate() {
        let part = Rect::from_min_size(pos2(x, rect.top() + 2.0), vec2(width, 24.0));
        x += width;
        let response = ui.interact(part, group.id.with(index), Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, index == chosen, words[index]));
        if index == chosen || response.hovered() {
            let fill = if index == chosen { tokens.active } else { tokens.hover };
            ui.painter().rect_filled(part, CornerRadius::same(theme::R1), fill);
        }
        let color = if index == chosen { tokens.text } else { tokens.text2 };
        ui.painter().galley((part.center() - galley.size() / 2.0).round(), galley, color);
        ring(ui, &response, part, theme::R1);
        if response.clicked() && index != chosen {
            clicked = Some(index);
        }
    }
    clicked
}

/// One of many choices, in a menu; gives the one clicked.
pub fn select(ui: &mut Ui, name: &str, words: &[&str], chosen: usize, width: f32) -> Option<usize> {
    let word = words.get(chosen).copied().unwrap_or_default();
    let button = select_button(ui, name, word, width);
    let mut clicked = None;
    let menu = Popup::menu(&button).align(RectAlign::BOTTOM_END).frame(menu_frame(ui)).gap(4.0);
    menu.show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (index, word) in words.iter().enumerate() {
            let item = MenuItem::plain(word).checked(index == chosen).width(width - 8.0);
            if ui.add(item).clicked() && index != chosen {
                clicked = Some(index);
            }
        }
    });
    clicked
}

fn select_button(ui: &mut Ui, name: &str, word: &str, width: f32) -> Response {
    let tokens = theme::tokens(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(width, 28.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("{name}: {word}")));
    let open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
    let (fill, edge) = match (open || response.is_pointer_button_down_on(), response.hovered()) {
        (true, _) => (tokens.active, tokens.border_input),
        (false, true) => (tokens.hover, tokens.border_input),
        (false, false) => (tokens.surface, tokens.border_strong),
    };
    ui.painter().rect(rect, theme::R2, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let galley = Text::Body.line(ui, word, tokens.text, width - 40.0);
    ui.painter().galley(
        pos2(rect.left() + 10.0, rect.center().y - galley.size().y / 2.0).round(),
        galley,
        tokens.text,
    );
    icon(ui.painter(), icons::CARET_DOWN, pos2(rect.right() - 16.0, rect.center().y), 12.0, tokens.text2);
    focus_ring(ui, &response, theme::R2);
    response
}

/// The quiet button of a menu of choices: icon, the chosen word, a caret.
pub struct Chooser<'a> {
    /// Tells choosers apart.
    pub id: Id,
    /// Its icon.
    pub glyph: char,
    /// What is chosen, for a screen reader.
    pub name: &'a str,
    /// The choice.
    pub word: &'a str,
    /// Whether the word is the name of a file, which loses its middle where there is no room, not its end.
    pub is_file: bool,
}

impl Chooser<'_> {
    /// Draws it with its upper left corner at `at` and a word of at most `room`.
    pub fn show(&self, ui: &Ui, at: Pos2, room: f32) -> Response {
        let tokens = theme::tokens(ui.ctx());
        let shown = match self.is_file {
            true => Text::Button.file_name(ui, self.word, room),
            false => self.word.into(),
        };
        let galley = Text::Button.line(ui, &shown, Color32::PLACEHOLDER, room);
        let rect = Rect::from_min_size(at, vec2(30.0 + galley.size().x + 28.0, 28.0));
        let button = ui.interact(rect, self.id, Sense::click());
        button.widget_info(|| {
            WidgetInfo::labeled(Role::ComboBox, true, format!("{}: {}", self.name, self.word))
        });
        let open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&button));
        if button.hovered() || open {
            let fill = if open { tokens.active } else { tokens.hover };
            ui.painter().rect_filled(rect, CornerRadius::same(theme::R2), fill);
        }
        let color = if button.hovered() || open { tokens.text } else { tokens.text2 };
        icon(ui.painter(), self.glyph, pos2(rect.left() + 16.0, rect.center().y), 16.0, color);
        let text_right = rect.left() + 29.0 + galley.size().x;
        let (elided, top) = (galley.elided || shown != self.word, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(pos2(rect.left() + 29.0, top).round(), galley, color);
        icon(ui.painter(), icons::CARET_DOWN, pos2(text_right + 13.0, rect.center().y), 12.0, color);
        focus_ring(ui, &button, theme::R2);
        if elided && !open { button.on_hover_text(self.word) } else { button }
    }
}

/// The dot beside the name of something that was changed. Says so to a screen reader.
pub fn changed_dot(ui: &mut Ui) {
    let tokens = theme::tokens(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(Vec2::new(6.0, 16.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, "changed"));
    ui.painter().circle_filled(rect.center(), 3.0, tokens.accent);
}

/// A focus ring around a part of a control.
fn ring(ui: &Ui, response: &Response, rect: Rect, radius: u8) {
    if response.has_focus() {
        let tokens = theme::tokens(ui.ctx());
        let painter = ui.painter().with_clip_rect(ui.clip_rect().expand(4.0));
        let stroke = Stroke::new(2.0, tokens.focus);
        painter.rect_stroke(rect.expand(2.0), CornerRadius::same(radius + 2), stroke, StrokeKind::Outside);
    }
}
