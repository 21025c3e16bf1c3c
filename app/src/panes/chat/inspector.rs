//! The panel at the right: how this chat is answered (system prompt, sampling) and what fills the context.

use onebit_engine::sampler::Sampling;

use eframe::egui::{Align, Id, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::{gauge, persona};
use crate::chat::{ChatCommand, Controller, TextKey};
use crate::shell::{Command, HEADER, words};
use crate::store::ChatSampling;
use crate::theme::{self, Text, icons};
use crate::ui::{self, Button, Field, IconButton, Kind, Size, Slider};

/// How long a system prompt must stay the same before it is set.
const SETTLE_SECS: f64 = 0.6;

/// What the panel remembers between passes.
#[derive(Default)]
pub struct Inspector {
    /// The system prompt being typed, and since when it has been as it is.
    typed: Option<(String, f64)>,
    seed: Option<String>,
    /// The name being typed for a new persona.
    persona: Option<String>,
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
                persona::show(ui, controller, &mut inspector.persona, commands);
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

/// A title at the left and something at the right, 24 high.
pub fn title(ui: &mut Ui, title: &str, right: impl FnOnce(&mut Ui)) {
    let tokens = theme::tokens(ui.ctx());
    let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    let builder = UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center));
    ui.scope_builder(builder, |ui| {
        right(ui);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui::label(ui, Text::Strong, tokens.text, title);
        });
    });
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
    title(ui, "System prompt", |ui| {
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

/// A parameter with a slider.
struct Parameter {
    name: &'static str,
    range: (f64, f64),
    step: f64,
    decimals: usize,
    zero: Option<&'static str>,
    usual: f64,
    own: Option<f64>,
    set: fn(&mut ChatSampling, Option<f64>),
}

fn parameters(own: &ChatSampling, usual: &Sampling, longest: u32) -> [Parameter; 6] {
    // f32 to f64 through text, so that 0.7 stays 0.7.
    let exact = |value: f32| value.to_string().parse::<f64>().unwrap_or(f64::from(value));
    let base = |name, range, step, decimals, usual, own, set| Parameter {
        name,
        range,
        step,
        decimals,
        zero: None,
        usual,
        own,
        set,
    };
    [
        base(
            "Temperature",
            (0.0, 2.0),
            0.05,
            2,
            exact(usual.temperature),
            own.temperature.map(exact),
            |own, value| {
                own.temperature = value.map(|value| value as f32);
            },
        ),
        base("Top-p", (0.0, 1.0), 0.01, 2, exact(usual.top_p), own.top_p.map(exact), |own, value| {
            own.top_p = value.map(|value| value as f32);
        }),
        Parameter {
            zero: Some("all"),
            ..base(
                "Top-k",
                (0.0, 200.0),
                1.0,
                0,
                f64::from(usual.top_k),
                own.top_k.map(f64::from),
                |own, value| {
                    own.top_k = value.map(|value| value as u32);
                },
            )
        },
        base("Min-p", (0.0, 1.0), 0.01, 2, exact(usual.min_p), own.min_p.map(exact), |own, value| {
            own.min_p = value.map(|value| value as f32);
        }),
        base(
            "Repetition penalty",
            (1.0, 2.0),
            0.01,
            2,
            exact(usual.repetition_penalty),
            own.repetition_penalty.map(exact),
            |own, value| own.repetition_penalty = value.map(|value| value as f32),
        ),
        Parameter {
            zero: Some("none"),
            ..base(
                "Longest answer",
                (0.0, 8192.0),
                64.0,
                0,
                f64::from(longest),
                own.max_new_tokens.map(f64::from),
                |own, value| {
                    own.max_new_tokens = value.map(|value| value as u32);
                },
            )
        },
    ]
}

fn sampling(ui: &mut Ui, controller: &Controller, inspector: &mut Inspector, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    let (system, own, persona) = controller.set_up_now();
    let mut new = own.clone();
    title(ui, "Sampling", |ui| {
        let reset = Button::new(Kind::Ghost, "Reset").size(Size::Small).enabled(!own.is_default());
        if ui.add(reset).clicked() {
            new = ChatSampling::default();
            inspector.seed = None;
        }
    });
    let model = controller.model().map_or("", |model| model.id.as_str());
    let settings = controller.settings();
    for parameter in parameters(own, &settings.sampling(model), settings.max_new_tokens(model)) {
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui::label(ui, Text::Body, tokens.text2, parameter.name);
            if parameter.own.is_some() {
                ui::changed_dot(ui);
            }
        });
        let slider = Slider {
            id: Id::unique(("sampling", parameter.name)),
            name: parameter.name,
            range: parameter.range.0..=parameter.range.1,
            step: parameter.step,
            default: parameter.usual,
            decimals: parameter.decimals,
            unit: "",
            zero: parameter.zero,
            field: 64.0,
            logarithmic: false,
        };
        if let Some(value) = slider.show(ui, parameter.own.unwrap_or(parameter.usual)) {
            (parameter.set)(&mut new, (value != parameter.usual).then_some(value));
        }
    }
    ui.add_space(8.0);
    seed(ui, &mut new, inspector);
    if new != *own && new.check().is_ok() {
        let command = ChatCommand::SetUp { system: system.to_owned(), sampling: new, persona };
        commands.push(Command::InChat(command));
    }
}

/// The seed: empty for another one every time.
fn seed(ui: &mut Ui, new: &mut ChatSampling, inspector: &mut Inspector) {
    let tokens = theme::tokens(ui.ctx());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui::label(ui, Text::Body, tokens.text2, "Seed");
        if new.seed.is_some() {
            ui::changed_dot(ui);
        }
    });
    ui.add_space(4.0);
    let stored = new.seed.map_or_else(String::new, |seed| seed.to_string());
    let mut text = inspector.seed.clone().unwrap_or_else(|| stored.clone());
    let field = Field {
        id: Id::unique("seed"),
        name: "A new one for every answer",
        height: 28.0,
        search: false,
        shortcut: &[],
    };
    let response = ui::text_field(ui, &field, &mut text);
    if response.changed() {
        inspector.seed = Some(text);
    }
    if response.lost_focus()
        && let Some(text) = inspector.seed.take()
    {
        let digits = text.trim();
        // What is no number changes nothing; the field shows what is set again.
        if digits.is_empty() {
            new.seed = None;
        } else if let Ok(seed) = digits.parse() {
            new.seed = Some(seed);
        }
    }
}
