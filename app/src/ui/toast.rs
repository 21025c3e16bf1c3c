//! Toasts at the lower right: at most three; problems stay until closed, others go after five seconds, or ten when they offer something,
//! unless under the pointer.

use std::time::Duration;

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align, Align2, Area, Color32, Context, Frame, Id, Layout, Margin, Order, Stroke, Ui, vec2,
};

use super::{Button, IconButton, Kind, Size, icon_filled, paragraph};
use crate::theme::{self, Elevation, Text, icons};

/// How long a toast that does not need an answer stays, in seconds.
const STAY_SECS: f64 = 5.0;
/// How long one with an action stays.
const ACTION_STAY_SECS: f64 = 10.0;
/// Width inside the frame.
const WIDTH: f32 = 338.0;
/// How far toasts reach from the right edge of the window, with the space around them.
pub const TOAST_REACH: f32 = WIDTH + 22.0 + 16.0 + 8.0;
/// Tallest text that has the buttons beside it: a title and two lines. Those of a taller one are below it.
const TALLEST_BESIDE: f32 = 52.0;
/// Most toasts at once; the oldest goes first.
const MOST: usize = 3;

/// What a toast says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// State icon.
    pub glyph: char,
    /// How it is coloured.
    pub tone: Tone,
    /// What happened.
    pub title: String,
    /// Why, and the next step; may be empty.
    pub detail: String,
    /// Whether it stays until closed, with its details to copy.
    pub stays: bool,
}

/// Colour of a toast's icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It worked.
    Success,
    /// Worth knowing.
    Info,
    /// It goes on, but not as asked.
    Warning,
    /// It did not work.
    Danger,
}

/// What was pressed in a toast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pressed<A> {
    /// Copy: the text.
    Copy(String),
    /// What the toast offered.
    Action(A),
}

struct Shown<A> {
    toast: Toast,
    /// Word on the button, and what it does.
    action: Option<(&'static str, A)>,
    serial: u64,
    left_secs: f64,
}

/// The toasts of a window; `A` is what they can offer to do.
pub struct Toasts<A> {
    shown: Vec<Shown<A>>,
    next_serial: u64,
}

impl<A> Default for Toasts<A> {
    fn default() -> Self {
        Self { shown: Vec::new(), next_serial: 0 }
    }
}

impl<A: Clone + PartialEq> Toasts<A> {
    /// Shows a toast; the same one twice is shown once.
    pub fn add(&mut self, toast: Toast) {
        self.put(toast, None);
    }

    /// Shows a toast with a button that offers to do something.
    pub fn offer(&mut self, toast: Toast, word: &'static str, action: A) {
        self.put(toast, Some((word, action)));
    }

    fn put(&mut self, toast: Toast, action: Option<(&'static str, A)>) {
        self.shown.retain(|shown| shown.toast != toast || shown.action != action);
        if self.shown.len() >= MOST {
            self.shown.remove(0);
        }
        let left_secs = if action.is_some() { ACTION_STAY_SECS } else { STAY_SECS };
        self.shown.push(Shown { toast, action, serial: self.next_serial, left_secs });
        self.next_serial += 1;
    }

    /// Draws them, `above` pixels over the lower edge; gives what was pressed.
    pub fn show(&mut self, ctx: &Context, above: f32) -> Option<Pressed<A>> {
        let passed = f64::from(ctx.input(|input| input.stable_dt)).min(0.5);
        let mut pressed = None;
        let mut offset = above + 16.0;
        for shown in self.shown.iter_mut().rev() {
            let area = Area::new(Id::unique(("toast", shown.serial)))
                .order(Order::Foreground)
                .anchor(Align2::RIGHT_BOTTOM, vec2(-16.0, -offset))
                .role(Role::Alert)
                .accessible_name(shown.toast.title.as_str());
            let word = shown.action.as_ref().map(|(word, _)| *word);
            let output = area.show(ctx, |ui| toast_ui(ui, &shown.toast, word));
            offset += output.response.rect.height() + 8.0;
            match output.inner {
                Press::Close => shown.left_secs = 0.0,
                Press::Copy => {
                    pressed = Some(Pressed::Copy(format!("{}\n{}", shown.toast.title, shown.toast.detail)));
                }
                Press::Action => {
                    pressed = shown.action.take().map(|(_, action)| Pressed::Action(action));
                    shown.left_secs = 0.0;
                }
                Press::None if shown.toast.stays || output.response.contains_pointer() => {}
                Press::None => {
                    shown.left_secs -= passed;
                    ctx.request_repaint_after(Duration::from_secs_f64(shown.left_secs.clamp(0.1, 0.4)));
                }
            }
        }
        self.shown.retain(|shown| shown.left_secs > 0.0);
        pressed
    }
}

enum Press {
    None,
    Close,
    Copy,
    Action,
}

fn toast_ui(ui: &mut Ui, toast: &Toast, action: Option<&str>) -> Press {
    let tokens = theme::tokens(ui.ctx());
    let color = match toast.tone {
        Tone::Success => tokens.success,
        Tone::Info => tokens.accent,
        Tone::Warning => tokens.warning,
        Tone::Danger => tokens.danger,
    };
    let frame = Frame::NONE
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.border_strong))
        .corner_radius(theme::R4)
        .inner_margin(Margin { left: 14, right: 8, top: 6, bottom: 6 })
        .shadow(theme::shadow(&tokens, Elevation::Menu));
    let words = [toast.stays.then_some("Copy"), action];
    let whole = WIDTH - 72.0;
    let beside = words.into_iter().flatten().fold(whole, |room, word| room - button_width(ui, word) - 8.0);
    let stacked = beside < whole && text_height(ui, toast, beside) > TALLEST_BESIDE;
    let room = if stacked { whole } else { beside };
    // Known before anything is placed, so that icon, text and buttons have one middle.
    let text = vec2(room, text_height(ui, toast, room));
    let height = if stacked { text.y + 8.0 + 24.0 } else { text.y.max(36.0) };
    let align = if stacked { Align::Min } else { Align::Center };
    let mut press = Press::None;
    frame.show(ui, |ui| {
        let size = vec2(WIDTH, height);
        ui.allocate_ui_with_layout(size, Layout::right_to_left(align), |ui| {
            ui.set_min_size(size);
            if ui.add(IconButton::new(icons::X, "Close message").side(28.0)).clicked() {
                press = Press::Close;
            }
            if !stacked {
                buttons(ui, toast, action, &mut press);
            }
            ui.with_layout(Layout::left_to_right(align), |ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(20.0, 20.0), eframe::egui::Sense::hover());
                icon_filled(ui.painter(), toast.glyph, rect.center(), 18.0, color);
                let size = vec2(room, if stacked { height } else { text.y });
                ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    paragraph(ui, Text::Strong, tokens.text, &toast.title);
                    if !toast.detail.is_empty() {
                        paragraph(ui, Text::Small, tokens.text2, &toast.detail);
                    }
                    if stacked {
                        ui.add_space(8.0);
                        ui.horizontal(|ui| buttons(ui, toast, action, &mut press));
                    }
                });
            });
        });
    });
    press
}

fn buttons(ui: &mut Ui, toast: &Toast, action: Option<&str>, press: &mut Press) {
    if toast.stays && ui.add(Button::new(Kind::Secondary, "Copy").size(Size::Small)).clicked() {
        *press = Press::Copy;
    }
    if let Some(word) = action
        && ui.add(Button::new(Kind::Secondary, word).size(Size::Small)).clicked()
    {
        *press = Press::Action;
    }
}

fn button_width(ui: &Ui, word: &str) -> f32 {
    (Text::Button.line(ui, word, Color32::PLACEHOLDER, f32::INFINITY).size().x + 16.0).ceil()
}

fn text_height(ui: &Ui, toast: &Toast, room: f32) -> f32 {
    let height = |style: Text, text: &str| style.wrapped(ui, text, Color32::PLACEHOLDER, room).size().y;
    let detail = if toast.detail.is_empty() { 0.0 } else { height(Text::Small, &toast.detail) };
    height(Text::Strong, &toast.title) + detail
}
