//! The questions the window asks over its page.

use eframe::egui::{Context, Id, Key, Ui};

use super::life::Closing;
use crate::settings::Change;
use crate::shell::Command;
use crate::store::ChatId;
use crate::theme::{self, Text};
use crate::ui::{self, Answer, Confirm, Field};

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// A new title for a chat.
    Rename {
        /// Which.
        chat: ChatId,
        /// What is typed.
        title: String,
        /// Whether the field has had the keyboard yet.
        focused: bool,
    },
    /// Whether to leave for a web address.
    Link(String),
    /// What closing the window means, now and from now on.
    Close,
    /// Whether to go back to the defaults everywhere.
    ResetSettings,
}

/// What the answer to a question does.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Rename it.
    Rename(ChatId, String),
    /// Open the address in the browser.
    OpenLink(String),
    /// Something that a pane could ask for as well.
    Command(Command),
}

/// Shows the question; takes it away when it is answered.
pub fn show(ctx: &Context, question: &mut Option<Question>) -> Option<Outcome> {
    let asked = question.as_mut()?;
    let mut outcome = None;
    let answer = match asked {
        Question::Rename { chat, title, focused } => {
            let confirm = Confirm { title: "Rename chat", body: "", verb: "Rename", danger: false };
            let id = Id::unique("rename field");
            let mut entered = false;
            let answer = ui::dialog(ctx, Id::unique("rename"), &confirm, |ui| {
                entered = rename_field(ui, id, title, focused)
            });
            let answer = if entered && answer == Answer::Open { Answer::Confirm } else { answer };
            outcome = Some(Outcome::Rename(*chat, title.clone()));
            answer
        }
        Question::Link(target) => link(ctx, target, &mut outcome),
        Question::ResetSettings => {
            let body = "Values, shortcuts and what is set for single models go back to the defaults. Chats are kept.";
            let confirm = Confirm { title: "Reset all settings?", body, verb: "Reset all", danger: true };
            outcome = Some(Outcome::Command(Command::Change(Change::ResetAll)));
            ui::dialog(ctx, Id::unique("reset settings"), &confirm, |_| {})
        }
        Question::Close => close(ctx, &mut outcome),
    };
    match answer {
        Answer::Open => None,
        Answer::Cancel => {
            *question = None;
            None
        }
        Answer::Confirm | Answer::Other => {
            *question = None;
            outcome
        }
    }
}

fn rename_field(ui: &mut Ui, id: Id, title: &mut String, focused: &mut bool) -> bool {
    ui.add_space(8.0);
    let field = Field { id, name: "Title", height: 32.0, search: false, shortcut: &[] };
    let response = ui::text_field(ui, &field, title);
    if !std::mem::replace(focused, true) {
        response.request_focus();
    }
    response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter))
}

/// Only web and mail addresses are opened; others can be copied.
fn close(ctx: &Context, outcome: &mut Option<Outcome>) -> Answer {
    let body = "Without its window 1bit Desktop stays in the tray: models stay loaded and answers are finished. \
                This is remembered and can be changed in the settings.";
    let confirm = Confirm { title: "Keep running in the tray?", body, verb: "Keep running", danger: false };
    let answer = ui::dilemma(ctx, Id::unique("close"), &confirm, "Quit");
    let closing = if answer == Answer::Other { Closing::Quit } else { Closing::Stay };
    *outcome = Some(Outcome::Command(Command::CloseAs(closing)));
    answer
}

fn link(ctx: &Context, target: &str, outcome: &mut Option<Outcome>) -> Answer {
    let opens =
        ["https://", "http://", "mailto:"].iter().any(|scheme| target.to_lowercase().starts_with(scheme));
    let body =
        if opens { "This leaves 1bit Desktop. The address is:" } else { "This is no web address. It is:" };
    let verb = if opens { "Open in browser" } else { "Copy" };
    *outcome = Some(if opens {
        Outcome::OpenLink(target.to_owned())
    } else {
        Outcome::Command(Command::Copy(target.to_owned()))
    });
    let title = if opens { "Open this link?" } else { "Copy this link?" };
    let confirm = Confirm { title, body, verb, danger: false };
    ui::dialog(ctx, Id::unique("link"), &confirm, |ui| {
        let tokens = theme::tokens(ui.ctx());
        ui.add_space(8.0);
        ui::paragraph(ui, Text::Mono, tokens.text, target);
    })
}
