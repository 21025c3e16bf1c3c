//! Markdown in messages: parsed and laid out once for a text, then painted from the result. Never fetches anything; a click on a
//! link is reported, and what happens then is for the caller to decide.

mod galleys;
mod highlight;
mod layout;
mod parse;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use eframe::egui::accesskit::Role;
use eframe::egui::text_selection::LabelSelectionState;
use eframe::egui::{
    CornerRadius, CursorIcon, Id, Pos2, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2,
    WidgetInfo, pos2, vec2,
};

use crate::theme::{self, Text, Tokens, icons};
use crate::ui;
use layout::{CODE_HEADER, Code, Laid, Mark, Passage, Settled};

/// How long a copy button shows that it copied, in seconds.
const COPIED_SECS: f64 = 1.5;

/// Distance of the line under a link from the middle of its row.
const UNDERLINE: f32 = 7.0;

/// A text laid out for a width and a theme.
#[derive(Default)]
pub struct Rendered {
    laid: Laid,
    /// What stays when the text grows.
    settled: Settled,
    look: Look,
    text_bytes: usize,
    text_hash: u64,
}

/// What a layout depends on besides the text.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Look {
    width: f32,
    dark: bool,
    muted: bool,
    pixels_per_point: f32,
}

/// What the user did in a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// A link was clicked: its target.
    pub link: Option<String>,
    /// Code was copied: the code.
    pub copied: Option<String>,
}

impl Rendered {
    /// Lays `text` out unless it was for this width, theme and scale already. Of a text that grew, only what may have changed is laid
    /// out again. Texts of the same length are taken to be the same: messages only grow.
    pub fn update(&mut self, ui: &Ui, text: &str, width: f32) {
        self.update_in(ui, text, width, false);
    }

    /// As [`Rendered::update`], in the colour of secondary text.
    pub fn update_muted(&mut self, ui: &Ui, text: &str, width: f32) {
        self.update_in(ui, text, width, true);
    }

    fn update_in(&mut self, ui: &Ui, text: &str, width: f32, muted: bool) {
        let tokens = theme::tokens(ui.ctx());
        let look = Look { width, dark: tokens.dark, muted, pixels_per_point: ui.ctx().pixels_per_point() };
        if self.look == look && self.text_bytes == text.len() {
            return;
        }
        let grew = self.look == look
            && text.get(..self.text_bytes).is_some_and(|before| hash_of(before) == self.text_hash);
        let from = if grew { self.settled } else { Settled::default() };
        let blocks = parse::parse(&text[from.bytes..]);
        let color = if muted { tokens.text2 } else { tokens.text };
        self.settled = self.laid.lay_below(ui, &tokens, from, &blocks, width, color);
        (self.look, self.text_bytes, self.text_hash) = (look, text.len(), hash_of(text));
    }

    /// Height in points.
    pub fn height(&self) -> f32 {
        self.laid.height
    }

    /// Paints it with its upper left corner at `at`; `id` tells texts apart.
    pub fn show(&self, ui: &mut Ui, id: Id, at: Pos2) -> Output {
        let tokens = theme::tokens(ui.ctx());
        let mut output = Output::default();
        for mark in &self.laid.marks {
            paint_mark(ui, &tokens, mark, at);
        }
        for (index, code) in self.laid.codes.iter().enumerate() {
            if ui.is_rect_visible(code.rect.translate(at.to_vec2()))
                && show_code(ui, &tokens, code, id.with(("code", index)), at)
            {
                output.copied = Some(code.text.clone());
            }
        }
        for (index, passage) in self.laid.passages.iter().enumerate() {
            let rect = Rect::from_min_size(at + passage.at.to_vec2(), passage.galley.size());
            if ui.is_rect_visible(rect) {
                let link = show_passage(ui, &tokens, passage, id.with(("passage", index)), at);
                output.link = output.link.or(link);
            }
        }
        output
    }

    /// Paints the block that marks where text is being written.
    pub fn show_cursor(&self, ui: &Ui, at: Pos2) {
        let tokens = theme::tokens(ui.ctx());
        let end = at + self.laid.end.to_vec2() + vec2(3.0, 4.0);
        ui.painter().rect_filled(Rect::from_min_size(end.round(), vec2(8.0, 16.0)), 2.0, tokens.accent);
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn paint_mark(ui: &Ui, tokens: &Tokens, mark: &Mark, at: Pos2) {
    let offset = at.to_vec2();
    let painter = ui.painter();
    match mark {
        Mark::Bullet(center) => {
            painter.circle_filled(*center + offset, 2.0, tokens.text3);
        }
        Mark::Task(center, done) => {
            let rect = Rect::from_center_size(*center + offset, Vec2::splat(14.0));
            if *done {
                painter.rect_filled(rect, theme::R1, tokens.accent);
                ui::icon(painter, icons::CHECK, rect.center(), 12.0, tokens.on_accent);
            } else {
                painter.rect_stroke(
                    rect,
                    theme::R1,
                    Stroke::new(1.0, tokens.border_input),
                    StrokeKind::Inside,
                );
            }
        }
        Mark::Fill(rect, color) => {
            painter.rect_filled(rect.translate(offset), 0, *color);
        }
        Mark::Outline(rect) => {
            painter.rect_stroke(
                rect.translate(offset),
                theme::R3,
                Stroke::new(1.0, tokens.border),
                StrokeKind::Inside,
            );
        }
    }
}

/// Paints selectable text with its chips and links; gives the target of a clicked link.
fn show_passage(ui: &mut Ui, tokens: &Tokens, passage: &Passage, id: Id, at: Pos2) -> Option<String> {
    let offset = at.to_vec2();
    for chip in &passage.chips {
        let edge = Stroke::new(1.0, tokens.border);
        ui.painter().rect(
            chip.translate(offset).round(),
            theme::R1,
            tokens.surface,
            edge,
            StrokeKind::Inside,
        );
    }
    let rect = Rect::from_min_size(passage.at + offset, passage.galley.size());
    let mut sense = Sense::click_and_drag();
    sense -= Sense::FOCUSABLE;
    let response = ui.interact(rect, id, sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, passage.galley.text()));
    LabelSelectionState::label_text_selection(
        ui,
        &response,
        rect.min,
        passage.galley.clone(),
        tokens.text,
        Stroke::NONE,
    );
    let mut clicked = None;
    for (index, link) in passage.links.iter().enumerate() {
        for (part, rect) in link.rects.iter().enumerate() {
            let response =
                ui.interact(rect.translate(offset), id.with(("link", index, part)), Sense::click());
            response.widget_info(|| WidgetInfo::labeled(Role::Link, true, &link.words));
            ui::focus_ring(ui, &response, theme::R1);
            // Under the letters; a line of the galley would lie at the foot of the row, whose height is not that of the letters.
            let y = (response.rect.center().y + UNDERLINE).round() + 0.5;
            ui.painter().hline(response.rect.x_range(), y, Stroke::new(1.0, tokens.accent_text));
            let response = response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(&link.target);
            if response.clicked() {
                clicked = Some(link.target.clone());
            }
        }
    }
    clicked
}

/// Paints a code block; true when its text is to be copied.
fn show_code(ui: &mut Ui, tokens: &Tokens, code: &Code, id: Id, at: Pos2) -> bool {
    let rect = code.rect.translate(at.to_vec2());
    let header = Rect::from_min_size(rect.min, vec2(rect.width(), CODE_HEADER));
    ui.painter().rect(rect, theme::R3, tokens.well, Stroke::new(1.0, tokens.border), StrokeKind::Inside);
    ui::line_below(ui.painter(), header, tokens.border);
    let language = language_name(&code.language);
    let galley = Text::Small.line(ui, &language, tokens.text2, rect.width() / 2.0);
    ui.painter().galley(
        pos2(rect.left() + 12.0, header.center().y - galley.size().y / 2.0).round(),
        galley,
        tokens.text2,
    );

    let body = Rect::from_min_max(pos2(rect.left() + 1.0, header.bottom()), rect.max - vec2(1.0, 1.0));
    let builder = UiBuilder::new().max_rect(body).scope_id(id.with("body"));
    ui.scope_builder(builder, |ui| {
        ScrollArea::horizontal().id_salt(id).auto_shrink(false).show(ui, |ui| {
            let (text, _) = ui.allocate_exact_size(code.galley.size() + vec2(24.0, 20.0), Sense::hover());
            let mut sense = Sense::click_and_drag();
            sense -= Sense::FOCUSABLE;
            let inner = text.shrink2(vec2(12.0, 10.0));
            let response = ui.interact(inner, id.with("text"), sense);
            response.widget_info(|| WidgetInfo::labeled(Role::Code, true, &code.text));
            LabelSelectionState::label_text_selection(
                ui,
                &response,
                inner.min,
                code.galley.clone(),
                tokens.text,
                Stroke::NONE,
            );
        });
    });
    copy_button(ui, id.with("copy"), header, "Copy", "Copy code")
}

/// `rust` is written `Rust`; a fence without a language holds code.
fn language_name(language: &str) -> String {
    let mut letters = language.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Code".to_owned(),
    }
}

/// A ghost button at the right of `header` that turns into a check for a while after a click.
fn copy_button(ui: &mut Ui, id: Id, header: Rect, word: &str, name: &str) -> bool {
    let tokens = theme::tokens(ui.ctx());
    let now = ui.input(|input| input.time);
    let since = ui.data(|data| data.get_temp::<f64>(id)).map(|at| now - at);
    let copied = since.is_some_and(|since| since < COPIED_SECS);
    let (glyph, word) = if copied { (icons::CHECK, "Copied") } else { (icons::COPY, word) };
    let galley = Text::Button.line(ui, word, tokens.text2, 100.0);
    let size = vec2(galley.size().x + 38.0, 28.0);
    let rect = Rect::from_min_size(pos2(header.right() - 4.0 - size.x, header.top() + 4.0), size);
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    if response.hovered() || response.is_pointer_button_down_on() {
        let fill = if response.is_pointer_button_down_on() { tokens.active } else { tokens.hover };
        ui.painter().rect_filled(rect, CornerRadius::same(theme::R2), fill);
    }
    let color = match (copied, response.hovered()) {
        (true, _) => tokens.success,
        (false, true) => tokens.text,
        (false, false) => tokens.text2,
    };
    ui::icon(ui.painter(), glyph, rect.left_center() + vec2(16.0, 0.0), 16.0, color);
    ui.painter().galley(
        pos2(rect.left() + 30.0, rect.center().y - galley.size().y / 2.0).round(),
        galley,
        color,
    );
    ui::focus_ring(ui, &response, theme::R2);
    if response.clicked() {
        ui.data_mut(|data| data.insert_temp(id, now));
    }
    if copied || response.clicked() {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(COPIED_SECS));
    }
    response.clicked()
}
