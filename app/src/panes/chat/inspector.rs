//! The panel at the right: how this chat is answered (system prompt, sampling) and what fills the context.

use eframe::egui::{Align, Id, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::gauge;
use crate::chat::{ChatCommand, Controller, TextKey};
use crate::panes::sampling::{self, Usual};
use crate::shell::{Command, HEADER, words};
use crate::theme::{self, Text, icons};
use crate::ui::{self, IconButton};

/// How long a system prompt must stay the same before it is set.
const SETTLE_SECS: f64 = 0.6;

/// What the panel remembers between passes.
#[derive(Default)]
pub struct Inspector {
    /// The system prompt being typed, and since when it has been as it is.
    typed: Option<(String, f64)>,
    seed: Option<String>,
}

/// Draws the panel into `rect`; true when it is to be closed.
pub fn show(
    ui: &mut Ui,
    rect: Rect,
    controller: &Controller,
    inspector: &mut Inspector,
    commands: &mut Vec<Command>,
) -> bool {
    let tokens = theme::tokens(ui.ctx());
    ui.painter().rect_filled(rect, 0, tokens.bg_panel);
    ui.painter().rect_filled(Rect::from_min_size(rect.min, vec2(1.0, rect.height())), 0, tokens.border);
    let header = Rect::from_min_size(rect.min, vec2(rect.width(), HEADER));
    ui::line_below(ui.painter(), header, tokens.border);
    let inner = Rect::from_min_max(pos2(header.left() + 16.0, header.top()), header.max - vec2(12.0, 0.0));
    let builder = UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center));
    let close = ui
        .scope_builder(builder, |ui| {
            let close = ui.add(IconButton::new(icons::X, "Close the panel of this chat"));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui::label(ui, Text::Subhead, tokens.text, "This chat");
            });
            close.clicked()
        })
        .inner;
    let body = Rect::from_min_max(pos2(rect.left() + 1.0, header.bottom()), rect.max);
    ui.scope_builder(UiBuilder::new().max_rect(body), |ui| {
        ScrollArea::vertical().id_salt("inspector").auto_shrink(false).show(ui, |ui| {
            let column = Rect::from_min_size(
                ui.max_rect().min + vec2(15.0, 0.0),
                vec2(body.width() - 32.0, f32::INFINITY),
            );
            ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add_space(16.0);
                system_prompt(ui, controller, inspector, commands);
                rule(ui);
                sampling(ui, controller, inspector, commands);
                if let Some(used) = controller.context_use() {
                    rule(ui);
                    gauge::breakdown(ui, &used);
                }
                ui.add_space(16.0);
            });
        });
    });
    close
}

fn rule(ui: &mut Ui) {
    let tokens = theme::tokens(ui.ctx());
    ui.add_space(16.0);
    let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), 1.0), Sense::hover());
    ui.painter().rect_filled(line, 0, tokens.border);
    ui.add_space(16.0);
}

fn system_prompt(
    ui: &mut Ui,
    controller: &Controller,
    inspector: &mut Inspector,
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    let (system, sampling, persona) = controller.set_up_now();
    let count = controller.file_tokens(TextKey::of(system), system.len());
    ui::title_row(ui, "System prompt", |ui| {
        if count.tokens > 0 {
            let about = if count.exact { "" } else { "about " };
            let text = format!("{about}{} tokens", words::count(count.tokens as u64));
            ui::label(ui, Text::MonoSmall, tokens.text3, &text);
        }
    });
    ui.add_space(8.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 104.0), Sense::hover());
    let id = Id::unique("system prompt");
    let mut text = inspector.typed.as_ref().map_or_else(|| system.to_owned(), |(text, _)| text.clone());
    let response = ui::text_area(ui, id, "System prompt", rect, &mut text);
    let now = ui.input(|input| input.time);
    if response.changed() {
        inspector.typed = Some((text, now));
    }
    let settled = inspector.typed.as_ref().is_some_and(|(_, since)| now - since >= SETTLE_SECS);
    if inspector.typed.is_some() && !settled {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(SETTLE_SECS));
    }
    if (settled || response.lost_focus())
        && let Some((system, _)) = inspector.typed.take()
    {
        let command = ChatCommand::SetUp { system, sampling: sampling.clone(), persona };
        commands.push(Command::InChat(command));
    }
}

fn sampling(ui: &mut Ui, controller: &Controller, inspector: &mut Inspector, commands: &mut Vec<Command>) {
    let (system, own, persona) = controller.set_up_now();
    let usual = Usual::of(controller);
    let sampling = sampling::show(ui, own, &usual, &mut inspector.seed);
    if sampling != *own && sampling.check().is_ok() {
        let command = ChatCommand::SetUp { system: system.to_owned(), sampling, persona };
        commands.push(Command::InChat(command));
    }
}
