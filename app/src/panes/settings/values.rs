//! The values: a card for each group, a row for each setting, made from the table.

use eframe::egui::style::ScrollAnimation;
use eframe::egui::{Align, Frame, Id, Layout, Margin, Rect, Ui, UiBuilder, pos2, vec2};

use super::{SettingsPane, View, anywhere, card, heading, line_with, matches, send};
use crate::chat::{Pending, label};
use crate::settings::table::TABLE;
use crate::settings::{Group, Key, Kind, Row, Value};
use crate::shell::{Command, Part};
use crate::theme::{self, Text, icons};
use crate::ui::{self, Button, IconButton, Slider, Tone};

/// Space between the edge of a card and what is in it.
const EDGE: f32 = 20.0;
/// Width of the controls of a number.
const NUMBER: f32 = 160.0 + 16.0 + FIELD;
const FIELD: f32 = 96.0;
/// Space above what is said below the help of a row.
const NOTE: f32 = 8.0;
/// Height of the field of a text.
const TEXT_HEIGHT: f32 = 96.0;
/// Least width for words beside a control; with less the control stands below them.
const LEAST_WORDS: f32 = 180.0;
/// Height of a control that stands below its words, with the space after it.
const BELOW: f32 = 28.0 + 12.0;

impl SettingsPane {
    /// All groups, or what the search leaves of them.
    pub(super) fn values(&mut self, ui: &mut Ui, view: &View<'_>, commands: &mut Vec<Command>) {
        let begin = ui.cursor().top();
        self.tops.clear();
        for group in Group::ALL {
            let rows: Vec<&Row> =
                TABLE.iter().filter(|row| row.group == group && self.shows(row, view)).collect();
            if rows.is_empty() {
                continue;
            }
            let top = ui.cursor().top();
            self.tops.push((group, top - begin));
            heading(ui, group.title());
            if self.go_to.take_if(|wanted| *wanted == group).is_some() {
                let at = Rect::from_min_size(
                    pos2(ui.cursor().left(), top),
                    vec2(1.0, ui.clip_rect().height() - 24.0),
                );
                ui.scroll_to_rect_animation(at, Some(Align::TOP), ScrollAnimation::none());
                self.arriving = true;
            }
            let heights: Vec<f32> = rows.iter().map(|row| self.height(ui, row, view)).collect();
            card(ui, &heights, |ui, index, rect| self.row(ui, rect, rows[index], view, commands));
            if group == Group::Models {
                pending(ui, view, commands);
            }
        }
    }

    /// Follows what the user scrolls to: the list shows the group at the reading line, which goes from the top of the page to its
    /// bottom as the page is scrolled through, so that the first and the last group are reached. A group that was chosen stays chosen
    /// until the page is scrolled.
    pub(super) fn follow(&mut self, scrolled: f32, height: f32, most: f32) {
        if std::mem::take(&mut self.arriving) {
            self.held_at = None;
            return;
        }
        let held = *self.held_at.get_or_insert(scrolled);
        if (scrolled - held).abs() < 1.0 {
            return;
        }
        self.held_at = Some(f32::NEG_INFINITY);
        let line = scrolled + height * if most > 0.0 { (scrolled / most).clamp(0.0, 1.0) } else { 0.0 };
        let seen = self.tops.iter().rev().find(|(_, top)| *top <= line).or(self.tops.first());
        if let Some((group, _)) = seen {
            self.part = Part::Values(*group);
        }
    }

    fn shows(&self, row: &Row, view: &View<'_>) -> bool {
        let changed = self.is_own(row, view);
        let offered = row.key != Key::Anywhere || anywhere::is_shown(view);
        offered
            && (self.model.is_none() || row.per_model)
            && (changed || !self.changed_only)
            && matches(&self.search, &[row.label, row.help, row.group.title(), &row.path()])
    }

    /// Chooses whether values are for all models or for one.
    pub(super) fn scope(&mut self, ui: &mut Ui, view: &View<'_>, width: f32) {
        let choices = &view.controller.shelf.choices;
        let words: Vec<&str> =
            std::iter::once("All models").chain(choices.iter().map(|choice| choice.label())).collect();
        let chosen = choices.iter().position(|choice| Some(&choice.id) == self.model.as_ref());
        if chosen.is_none() {
            self.model = None;
        }
        let chosen_at = chosen.map_or(0, |at| at + 1);
        if let Some(index) = ui::select(ui, "Values for", &words, chosen_at, width) {
            self.model = index.checked_sub(1).map(|index| choices[index].id.clone());
        }
    }

    fn is_own(&self, row: &Row, view: &View<'_>) -> bool {
        match &self.model {
            Some(model) => view.settings.own(row.key, model).is_some(),
            None => view.settings.is_changed(row.key),
        }
    }

    fn height(&self, ui: &Ui, row: &Row, view: &View<'_>) -> f32 {
        let inner = ui.available_width() - 2.0 * EDGE;
        let below = is_below(ui, row, inner);
        let reset = if self.is_own(row, view) { 40.0 } else { 0.0 };
        let change = if changes_keys(row, view) { anywhere::CHANGE } else { 0.0 };
        let beside = control_width(ui, row) + reset + change + 20.0;
        let width = if below { inner } else { inner - beside };
        let height = |text: &str| {
            Text::Small.wrapped(ui, text, eframe::egui::Color32::PLACEHOLDER, width.max(80.0)).size().y
        };
        let note = note(row, view).map_or(0.0, |(_, note)| height(&note) + NOTE);
        let text = if matches!(row.kind, Kind::Text { .. }) { TEXT_HEIGHT + 12.0 } else { 0.0 };
        (44.0 + height(row.help) + note + text + if below { BELOW } else { 0.0 }).round()
    }

    fn row(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        row: &'static Row,
        view: &View<'_>,
        commands: &mut Vec<Command>,
    ) {
        let model = self.model.clone();
        let model = model.as_deref();
        let value = match model {
            Some(model) => view.settings.get_for(row.key, model),
            None => view.settings.get(row.key),
        };
        let own = self.is_own(row, view);
        let is_text = matches!(row.kind, Kind::Text { .. });
        let line = if is_text { rect.with_max_y(rect.bottom() - TEXT_HEIGHT - 12.0) } else { rect };
        let inner = line.shrink2(vec2(EDGE, 0.0));
        let below = is_below(ui, row, inner.width());
        let controls = if below {
            let at =
                Rect::from_min_max(pos2(inner.left(), inner.bottom() - BELOW), inner.max - vec2(0.0, 12.0));
            UiBuilder::new().max_rect(at).layout(Layout::left_to_right(Align::Center))
        } else {
            UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center))
        };
        let left_of_controls = ui
            .scope_builder(controls, |ui| {
                ui.spacing_mut().item_spacing.x = 12.0;
                if !is_text && let Some(new) = control(ui, row, value, model) {
                    send(commands, row.key, model, Some(new));
                }
                if own {
                    let name = format!("Reset {}", row.label);
                    let tip = if model.is_some() { "As for all models" } else { "Back to the default" };
                    let button = ui.add(IconButton::new(icons::ARROW_COUNTER_CLOCKWISE, &name));
                    if ui::tip(button, &format!("{tip}: {}", base_words(row, view, model)), &[]).clicked() {
                        send(commands, row.key, model, None);
                    }
                }
                if changes_keys(row, view) {
                    anywhere::change(ui, commands);
                }
                ui.min_rect().left()
            })
            .inner;
        let right = if below { inner.right() } else { left_of_controls - 16.0 };
        let words = Rect::from_min_max(inner.min + vec2(0.0, 13.0), pos2(right, inner.bottom()));
        ui.scope_builder(UiBuilder::new().max_rect(words), |ui| title(ui, row, view, model, own));
        if is_text {
            let field = Rect::from_min_max(pos2(inner.left(), line.bottom()), rect.max - vec2(EDGE, 12.0));
            let mut text = value.text().to_owned();
            let id = Id::unique(("setting", row.key, model));
            if ui::text_area(ui, id, row.label, field, &mut text).changed() {
                let value = Value::from(text);
                if row.kind.check(&value).is_ok() {
                    send(commands, row.key, model, Some(value));
                }
            }
        }
    }
}

/// What a reset goes back to.
fn base_words(row: &Row, view: &View<'_>, model: Option<&str>) -> String {
    let base = if model.is_some() { view.settings.get(row.key) } else { &row.default };
    let words = row.kind.shown(base);
    if words.is_empty() { "empty".to_owned() } else { words }
}

fn title(ui: &mut Ui, row: &Row, view: &View<'_>, model: Option<&str>, own: bool) {
    let tokens = theme::tokens(ui.ctx());
    ui.spacing_mut().item_spacing = vec2(8.0, 2.0);
    ui.spacing_mut().interact_size.y = 16.0;
    ui.horizontal(|ui| {
        ui::label(ui, Text::Button, tokens.text, row.label);
        if own {
            ui::changed_dot(ui);
        }
        let others = view.settings.overriding(row.key);
        if model.is_none() && others > 0 {
            let word = if others == 1 {
                "1 model overrides".to_owned()
            } else {
                format!("{others} models override")
            };
            ui::tag(ui, Tone::Plain, None, &word);
        }
    });
    ui::paragraph(ui, Text::Small, tokens.text2, row.help);
    if let Some((is_problem, note)) = note(row, view) {
        ui.add_space(NOTE - 2.0);
        ui::paragraph(ui, Text::Small, if is_problem { tokens.warning } else { tokens.text }, &note);
    }
}

/// What is said below the help of a row, and whether it is about a problem.
fn note(row: &Row, view: &View<'_>) -> Option<(bool, String)> {
    (row.key == Key::Anywhere).then(|| anywhere::note(view)).flatten()
}

fn changes_keys(row: &Row, view: &View<'_>) -> bool {
    row.key == Key::Anywhere && anywhere::can_change(view)
}

/// Width that the control of a row takes.
fn control_width(ui: &Ui, row: &Row) -> f32 {
    match row.kind {
        Kind::Switch => 32.0,
        Kind::Choice(choices) => {
            let word = |word: &str| {
                Text::Button.line(ui, word, eframe::egui::Color32::PLACEHOLDER, f32::INFINITY).size().x
            };
            choices.iter().map(|(_, name)| (word(name) + 20.0).ceil()).sum::<f32>() + 4.0
        }
        Kind::Whole { .. } | Kind::Real { .. } => NUMBER,
        Kind::Text { .. } => 0.0,
    }
}

/// Whether the control of a row stands below its words, since beside them there is no room in `width`. Counts the button that resets
/// a value, so that nothing moves when it comes.
fn is_below(ui: &Ui, row: &Row, width: f32) -> bool {
    let control = control_width(ui, row);
    control > 100.0 && width - control - 40.0 - 20.0 < LEAST_WORDS
}

fn control(ui: &mut Ui, row: &Row, value: &Value, model: Option<&str>) -> Option<Value> {
    let slider = Slider {
        id: Id::unique(("setting", row.key, model)),
        name: row.label,
        range: 0.0..=1.0,
        step: 1.0,
        default: 0.0,
        decimals: 0,
        unit: "",
        zero: None,
        field: FIELD,
        logarithmic: false,
    };
    match row.kind {
        Kind::Switch => {
            ui::toggle(ui, row.label, value.is_on()).clicked().then(|| Value::Switch(!value.is_on()))
        }
        Kind::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|(_, word)| *word).collect();
            let chosen = choices.iter().position(|(name, _)| *name == value.text()).unwrap_or(0);
            let picked = if control_width(ui, row) > ui.available_width() {
                ui::select(ui, row.label, &words, chosen, 168.0)
            } else {
                ui::segment(ui, row.label, &words, chosen)
            };
            picked.map(|index| Value::from(choices[index].0))
        }
        Kind::Whole { least, most, step, unit, zero } => {
            let slider = Slider {
                range: least as f64..=most as f64,
                step: step as f64,
                default: row.default.whole() as f64,
                unit,
                zero,
                logarithmic: most > 2000,
                ..slider
            };
            slider.show(ui, NUMBER, value.whole() as f64).map(|new| Value::Whole(new as i64))
        }
        Kind::Real { least, most, step } => {
            let decimals = crate::settings::DECIMALS;
            let slider =
                Slider { range: least..=most, step, default: row.default.real(), decimals, ..slider };
            slider.show(ui, NUMBER, value.real()).map(Value::Real)
        }
        Kind::Text { .. } => None,
    }
}

/// Says which changes wait for the engine or for a model, and offers to apply them.
fn pending(ui: &mut Ui, view: &View<'_>, commands: &mut Vec<Command>) {
    let Some(pending) = view.controller.pending(view.settings) else { return };
    let tokens = theme::tokens(ui.ctx());
    let name = view.controller.model().map_or("The model", |model| label(&model.id));
    let (line, verb) = match pending {
        Pending::Engine => (
            "Lane, threads and memory limit take effect when the engine starts again.".to_owned(),
            "Restart the engine",
        ),
        Pending::Model => {
            (format!("Context and KV cache type take effect when {name} is loaded again."), "Load again")
        }
    };
    ui.add_space(8.0);
    let margin = Margin::symmetric(EDGE as i8, 6);
    Frame::NONE.fill(tokens.warning_soft).corner_radius(theme::R4).inner_margin(margin).show(ui, |ui| {
        line_with(ui, (Text::Body, tokens.text), &line, |ui| {
            let button = ui.add(Button::new(ui::Kind::Secondary, verb));
            if ui::tip(button, "An answer that is being written ends", &[]).clicked() {
                commands.push(Command::ApplyEngineSettings);
            }
        });
    });
}
