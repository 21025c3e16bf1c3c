//! Small pictures of a number: ring, bar, dot, and the ring that says work is going on.

use std::f32::consts::TAU;
use std::time::Duration;

use eframe::egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};

use crate::theme::{self, Tokens};

/// Colour of a level between 0 and 1: warning over 80 %, danger over 95 %.
pub fn level_color(tokens: &Tokens, level: f32) -> Color32 {
    if level > 0.95 {
        tokens.danger
    } else if level > 0.8 {
        tokens.warning
    } else {
        tokens.accent
    }
}

/// A ring of 16 px around `center` that is filled clockwise from the top.
pub fn gauge(painter: &Painter, tokens: &Tokens, center: Pos2, level: f32) {
    let level = level.clamp(0.0, 1.0);
    painter.circle_stroke(center, 6.25, Stroke::new(2.5, tokens.border_strong));
    if level > 0.0 {
        arc(painter, center, 6.25, 0.0, level, Stroke::new(2.5, level_color(tokens, level)));
    }
}

/// A bar of the height of `rect`.
pub fn bar(painter: &Painter, tokens: &Tokens, rect: Rect, level: f32, color: Color32) {
    painter.rect_filled(rect, 2.0, tokens.border_strong);
    let filled = Rect::from_min_size(rect.min, vec2(rect.width() * level.clamp(0.0, 1.0), rect.height()));
    if filled.width() >= 1.0 {
        painter.rect_filled(filled, 2.0, color);
    }
}

/// A state dot of 8 px.
pub fn dot(painter: &Painter, center: Pos2, color: Color32) {
    painter.circle_filled(center, 4.0, color);
}

/// The busy ring of 12 px, stepped at 8 frames a second while it is drawn. Under reduced motion there is none: the word beside it says
/// what goes on.
pub fn busy_ring(ui: &Ui, center: Pos2) {
    if !theme::moves(ui.ctx()) {
        return;
    }
    let tokens = theme::tokens(ui.ctx());
    let step = ui.input(|input| (input.time * 8.0).floor());
    let begin = ((step % 8.0) / 8.0) as f32;
    arc(ui.painter(), center, 5.25, begin, begin + 0.78, Stroke::new(1.5, tokens.accent));
    ui.ctx().request_repaint_after(Duration::from_millis(125));
}

/// An arc between two parts of a turn, clockwise from the top.
fn arc(painter: &Painter, center: Pos2, radius: f32, from: f32, to: f32, stroke: Stroke) {
    let steps = ((to - from) * 48.0).ceil().max(2.0);
    let points = (0..=steps as usize)
        .map(|step| {
            let angle = (from + (to - from) * step as f32 / steps) * TAU;
            pos2(center.x + radius * angle.sin(), center.y - radius * angle.cos())
        })
        .collect();
    painter.add(Shape::line(points, stroke));
}
