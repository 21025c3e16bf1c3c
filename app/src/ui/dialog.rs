//! Dialogs over a scrim. Esc and a click outside cancel; focus stays inside while one is open.

use eframe::egui::accesskit::Role;
use eframe::egui::{Context, Frame, Id, Key, Margin, Modal, Response, Stroke, Ui};

use super::{Button, Kind, label, paragraph};
use crate::theme::{self, Elevation, Text};

/// How a dialog was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Not yet.
    Open,
    /// Cancelled.
    Cancel,
    /// The verb on the button.
    Confirm,
    /// The other verb of a [`dilemma`].
    Other,
}

/// A question with a verb.
pub struct Confirm<'a> {
    /// Names the thing.
    pub title: &'a str,
    /// What is lost and what is kept.
    pub body: &'a str,
    /// Verb on the button.
    pub verb: &'a str,
    /// Whether the verb destroys something.
    pub danger: bool,
}

/// Shows a dialog with further content between body and buttons. Enter does the safe thing: it cancels a destructive question.
pub fn dialog(ctx: &Context, id: Id, confirm: &Confirm<'_>, content: impl FnOnce(&mut Ui)) -> Answer {
    show(ctx, id, confirm, ("Cancel", Answer::Cancel), content)
}

/// Shows a question with two verbs. Esc and a click outside cancel.
pub fn dilemma(ctx: &Context, id: Id, confirm: &Confirm<'_>, other: &str) -> Answer {
    show(ctx, id, confirm, (other, Answer::Other), |_| {})
}

fn show(
    ctx: &Context,
    id: Id,
    confirm: &Confirm<'_>,
    second: (&str, Answer),
    content: impl FnOnce(&mut Ui),
) -> Answer {
    let tokens = theme::tokens(ctx);
    let frame = Frame::NONE
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.border_strong))
        .corner_radius(theme::R5)
        .inner_margin(Margin::same(20))
        .shadow(theme::shadow(&tokens, Elevation::Dialog));
    let area = Modal::default_area(id).role(Role::AlertDialog).accessible_name(confirm.title);
    let modal = Modal::new(id).area(area).frame(frame).backdrop_color(tokens.scrim).show(ctx, |ui| {
        ui.set_width(380.0);
        ui.spacing_mut().item_spacing.y = 4.0;
        label(ui, Text::Heading, tokens.text, confirm.title);
        if !confirm.body.is_empty() {
            paragraph(ui, Text::Body, tokens.text2, confirm.body);
        }
        content(ui);
        ui.add_space(12.0);
        buttons(ui, confirm, second)
    });
    if modal.inner != Answer::Open {
        return modal.inner;
    }
    if modal.should_close() {
        return Answer::Cancel;
    }
    let enter = ctx.input(|input| input.key_pressed(Key::Enter));
    match (enter && ctx.memory(|memory| memory.focused()).is_none(), confirm.danger) {
        (true, true) => Answer::Cancel,
        (true, false) => Answer::Confirm,
        (false, _) => Answer::Open,
    }
}

fn buttons(ui: &mut Ui, confirm: &Confirm<'_>, (second, second_means): (&str, Answer)) -> Answer {
    let row = ui.with_layout(eframe::egui::Layout::right_to_left(eframe::egui::Align::Min), |ui| {
        let kind = if confirm.danger { Kind::Danger } else { Kind::Primary };
        let verb: Response = ui.add(Button::new(kind, confirm.verb));
        let second = ui.add(Button::new(Kind::Secondary, second));
        if verb.clicked() {
            Answer::Confirm
        } else if second.clicked() {
            second_means
        } else {
            Answer::Open
        }
    });
    row.inner
}
