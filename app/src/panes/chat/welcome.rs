//! What an empty chat shows: what answers here, and things to try.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align, Layout, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use crate::chat::{Controller, Engine, label};
use crate::settings::Group;
use crate::shell::{Command, Part, words};
use crate::theme::{self, Text, Tokens, icons};
use crate::ui::{self, Button, Kind, Tone};

/// Icon, title and message of each suggestion.
const SUGGESTIONS: [(char, &str, &str); 4] = [
    (icons::LIGHTBULB, "Explain a term", "What is photosynthesis?"),
    (icons::CODE, "Write some code", "A Python program that prints a greeting"),
    (icons::TEXT_AA, "Write a text", "Write a short letter that thanks a neighbour"),
    (icons::LIST_CHECKS, "Plan a task", "List the steps to bake bread"),
];

/// Draws the page into `rect`.
pub fn show(ui: &mut Ui, rect: Rect, controller: &Controller, width: f32, commands: &mut Vec<Command>) {
    ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
        ScrollArea::vertical().id_salt("welcome").auto_shrink(false).show(ui, |ui| {
            let left = ((rect.width() - width) / 2.0).round();
            let column = Rect::from_min_size(ui.max_rect().min + vec2(left, 0.0), vec2(width, f32::INFINITY));
            ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                page(ui, controller, rect.height(), commands);
            });
        });
    });
}

fn page(ui: &mut Ui, controller: &Controller, height: f32, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    ui.add_space(((height - 450.0) / 2.0).clamp(24.0, 80.0));
    let (mark, _) = ui.allocate_exact_size(Vec2::splat(44.0), Sense::hover());
    ui::mark(ui.painter(), mark.min - vec2(4.0, 0.0), 44.0, &tokens);
    ui.add_space(24.0);
    let (title, line) = words_for(controller);
    ui::label(ui, Text::Display, tokens.text, title);
    ui.add_space(4.0);
    ui::paragraph(ui, Text::Chat, tokens.text2, &line);
    if let Some(model) = controller.model() {
        ui.add_space(12.0);
        // A row is at least as high as a control unless it is said otherwise.
        ui.spacing_mut().interact_size.y = 20.0;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            ui::tag(ui, Tone::Figure, None, &words::bytes(model.weight_bytes));
            ui::tag(ui, Tone::Figure, None, &model.packing);
            ui::tag(
                ui,
                Tone::Figure,
                None,
                &format!("{} tokens of context", words::count(model.context as u64)),
            );
        });
    }
    if matches!(controller.engine(), Engine::Failed(_)) {
        ui.add_space(16.0);
        // Lane, threads and memory are chosen there, and the engine is started again.
        if ui.add(Button::new(Kind::Secondary, "Settings of the engine")).clicked() {
            commands.push(Command::ShowSettings(Part::Values(Group::Models)));
        }
        return;
    }
    if !controller.can_send() {
        return;
    }
    ui.add_space(28.0);
    ui::label(ui, Text::Label, tokens.text2, "Try one of these");
    ui.add_space(8.0);
    cards(ui, &tokens, commands);
    if controller.library.known && controller.library.chats.is_empty() {
        ui.add_space(28.0);
        where_things_are(ui, &tokens, commands);
    }
    ui.add_space(24.0);
}

/// Greeting, and what answers here.
fn words_for(controller: &Controller) -> (&'static str, String) {
    if let Some(model) = controller.model() {
        let device = controller.engine_status().map_or_else(String::new, |status| words::device(status.lane));
        let name = label(&model.id);
        return (
            "Ready when you are",
            format!("{name} is loaded and answers on this computer’s {device}. Nothing you type leaves it."),
        );
    }
    match (controller.engine(), &controller.shelf.loading) {
        (Engine::Failed(problem), _) => ("The engine did not start", words::sentence(problem)),
        (_, Some(loading)) => {
            let part = loading.done_bytes as f64 / loading.total_bytes.max(1) as f64;
            let done =
                if loading.total_bytes > 0 { format!(", {}", words::percent(part)) } else { String::new() };
            ("Almost ready", format!("Loading {}{done}. You can write already.", loading.choice.label()))
        }
        (Engine::Starting, None) => ("Almost ready", "Starting the engine.".to_owned()),
        (Engine::Ready(_), None) => {
            ("No model is loaded", "Choose one below, or drop a .gguf or .h1b file here.".to_owned())
        }
    }
}

/// Says to who starts for the first time what runs where and what is kept where.
fn where_things_are(ui: &mut Ui, tokens: &Tokens, commands: &mut Vec<Command>) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 62.0), Sense::hover());
    let stroke = Stroke::new(1.0, tokens.border);
    ui.painter().rect(rect, theme::R4, tokens.surface, stroke, StrokeKind::Inside);
    ui::icon(ui.painter(), icons::LOCK, rect.left_center() + vec2(27.0, 0.0), 18.0, tokens.text2);
    let inner = Rect::from_min_max(rect.min + vec2(49.0, 0.0), rect.max - vec2(12.0, 0.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center)), |ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        if ui.add(Button::new(Kind::Secondary, "Show files")).clicked() {
            commands.push(Command::ShowSettings(Part::About));
        }
        let words = ui.available_rect_before_wrap();
        let words = Rect::from_min_size(
            pos2(inner.left(), rect.top() + 13.0),
            vec2(words.right() - inner.left(), 36.0),
        );
        ui.scope_builder(UiBuilder::new().max_rect(words).layout(Layout::top_down(Align::Min)), |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ui::label(ui, Text::Strong, tokens.text, "No account, no connection");
            let line = "Models run inside this program. Chats and settings are files in your home folder.";
            ui::label(ui, Text::Small, tokens.text2, line);
        });
    });
    ui.advance_cursor_after_rect(rect);
}

fn cards(ui: &mut Ui, tokens: &Tokens, commands: &mut Vec<Command>) {
    let width = ui.available_width();
    let two = width >= 560.0;
    let card = vec2(if two { (width - 12.0) / 2.0 } else { width }, 72.0);
    let columns = if two { 2 } else { 1 };
    let rows = SUGGESTIONS.len() / columns;
    let (area, _) = ui.allocate_exact_size(vec2(width, rows as f32 * 84.0 - 12.0), Sense::hover());
    for (index, suggestion) in SUGGESTIONS.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let at = area.min + vec2(column as f32 * (card.x + 12.0), row as f32 * 84.0);
        if card_ui(ui, tokens, Rect::from_min_size(at, card), *suggestion) {
            commands.push(Command::Send(suggestion.2.to_owned()));
        }
    }
}

fn card_ui(ui: &Ui, tokens: &Tokens, rect: Rect, (glyph, title, text): (char, &str, &str)) -> bool {
    let response = ui.interact(rect, ui.scope_id().with(("suggestion", title)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{title}: {text}")));
    let hovered = response.hovered();
    let rest = if tokens.dark { tokens.surface } else { tokens.bg_base };
    let (fill, edge) = if hovered { (tokens.hover, tokens.border_strong) } else { (rest, tokens.border) };
    ui.painter().rect(rect, theme::R4, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let tile = Rect::from_center_size(pos2(rect.left() + 33.0, rect.center().y), Vec2::splat(32.0));
    ui.painter().rect_filled(
        tile,
        theme::R3,
        if hovered {
            tokens.bg_base
        } else if tokens.dark {
            tokens.active
        } else {
            tokens.surface
        },
    );
    ui::icon(ui.painter(), glyph, tile.center(), 18.0, tokens.accent_text);
    let room = rect.right() - 40.0 - (rect.left() + 61.0);
    let top = Text::Strong.line(ui, title, tokens.text, room);
    ui.painter().galley(pos2(rect.left() + 61.0, rect.top() + 18.0), top, tokens.text);
    let below = Text::Small.line(ui, text, tokens.text2, room);
    ui.painter().galley(pos2(rect.left() + 61.0, rect.top() + 38.0), below, tokens.text2);
    if hovered {
        ui::icon(
            ui.painter(),
            icons::ARROW_RIGHT,
            pos2(rect.right() - 25.0, rect.center().y),
            16.0,
            tokens.text2,
        );
    }
    ui::focus_ring(ui, &response, theme::R4);
    response.clicked()
}
