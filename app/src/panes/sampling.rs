//! The parameters of sampling as sliders: of a chat in its panel, of a persona on its page. What is not set follows the settings.

use eframe::egui::{Id, Ui};
use onebit_engine::sampler::Sampling;

use crate::chat::Controller;
use crate::store::ChatSampling;
use crate::theme::{self, Text};
use crate::ui::{self, Button, Field, Kind, Size, Slider};

/// Width from which the sliders stand in two columns.
const TWO_COLUMNS: f32 = 520.0;
/// Space between the columns.
const GUTTER: f32 = 32.0;

/// What applies where nothing is set.
pub struct Usual {
    sampling: Sampling,
    longest: u32,
}

impl Usual {
    /// What the settings say for the model that answers.
    pub fn of(controller: &Controller) -> Self {
        let model = controller.model().map_or("", |model| model.id.as_str());
        let settings = controller.settings();
        Self { sampling: settings.sampling(model), longest: settings.max_new_tokens(model) }
    }
}

/// Draws title, sliders and seed over the width of `ui`; gives what they say. `typed` is the seed while it is being typed.
pub fn show(ui: &mut Ui, own: &ChatSampling, usual: &Usual, typed: &mut Option<String>) -> ChatSampling {
    let mut new = own.clone();
    ui::title_row(ui, "Sampling", |ui| {
        let reset = Button::new(Kind::Ghost, "Reset").size(Size::Small).enabled(!own.is_default());
        if ui.add(reset).clicked() {
            new = ChatSampling::default();
            *typed = None;
        }
    });
    let columns = if ui.available_width() >= TWO_COLUMNS { 2 } else { 1 };
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = GUTTER;
        ui.columns(columns, |columns| {
            for (index, parameter) in parameters(own, usual).into_iter().enumerate() {
                let ui = &mut columns[index % columns.len()];
                ui.add_space(8.0);
                if let Some(value) = slider(ui, &parameter) {
                    (parameter.set)(&mut new, (value != parameter.usual).then_some(value));
                }
            }
        });
    });
    ui.add_space(8.0);
    seed(ui, &mut new, typed);
    new
}

fn slider(ui: &mut Ui, parameter: &Parameter) -> Option<f64> {
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
    slider.show_below(ui, parameter.own.unwrap_or(parameter.usual), parameter.own.is_some())
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

fn parameters(own: &ChatSampling, Usual { sampling: usual, longest }: &Usual) -> [Parameter; 6] {
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
                f64::from(*longest),
                own.max_new_tokens.map(f64::from),
                |own, value| {
                    own.max_new_tokens = value.map(|value| value as u32);
                },
            )
        },
    ]
}

/// The seed: empty for another one every time.
fn seed(ui: &mut Ui, new: &mut ChatSampling, typed: &mut Option<String>) {
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
    let mut text = typed.clone().unwrap_or_else(|| stored.clone());
    let field = Field {
        id: Id::unique("seed"),
        name: "A new one for every answer",
        height: 28.0,
        search: false,
        shortcut: &[],
    };
    let response = ui::text_field(ui, &field, &mut text);
    if response.changed() {
        *typed = Some(text);
    }
    if response.lost_focus()
        && let Some(text) = typed.take()
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
