//! The questions the window asks over its page.

use eframe::egui::{Context, Id, Key, Ui};

use super::life::Closing;
use crate::chat::{ChatCommand, Controller, ListCommand};
use crate::settings::Change;
use crate::shell::Command;
use crate::store::{ChatId, DeletedId};
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
    /// The name under which to keep how the chat shown is answered.
    PersonaName {
        /// What is typed.
        name: String,
        /// Names that are taken: that persona would be replaced.
        taken: Vec<String>,
        /// Whether the field has had the keyboard yet.
        focused: bool,
    },
    /// The name of a new folder.
    FolderName {
        /// What is typed.
        name: String,
        /// Chats that are put into it.
        chats: Vec<ChatId>,
        /// Whether the field has had the keyboard yet.
        focused: bool,
    },
    /// Whether to leave for a web address.
    Link(String),
    /// What closing the window means, now and from now on.
    Close,
    /// Whether to go back to the defaults everywhere.
    ResetSettings,
    /// Whether to remove these for good.
    DeleteForGood(Vec<DeletedId>),
}

/// What the answer to a question does.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Rename it.
    Rename(ChatId, String),
    /// Open the address in the browser.
    OpenLink(String),
    /// Remove these for good.
    DeleteForGood(Vec<DeletedId>),
    /// Something that a pane could ask for as well.
    Command(Command),
}

/// Shows the question; takes it away when it is answered.
pub fn show(ctx: &Context, question: &mut Option<Question>, controller: &Controller) -> Option<Outcome> {
    let asked = question.as_mut()?;
    let mut outcome = None;
    let answer = match asked {
        Question::Rename { chat, title, focused } => {
            let confirm = Confirm { title: "Rename chat", body: "", verb: "Rename", danger: false };
            let answer = name_dialog(ctx, &confirm, "Title", title, focused);
            outcome = Some(Outcome::Rename(*chat, title.clone()));
            answer
        }
        Question::PersonaName { name, taken, focused } => {
            let wanted = name.trim().to_lowercase();
            let replaces = taken.iter().any(|taken| taken.to_lowercase() == wanted);
            let (body, verb) = if replaces {
                ("A persona of this name is replaced. Chats that took it stay as they are.", "Replace")
            } else {
                ("System prompt and sampling of this chat, to choose in other chats.", "Save")
            };
            let confirm = Confirm { title: "Save as a persona", body, verb, danger: false };
            let answer = name_dialog(ctx, &confirm, "Name of the persona", name, focused);
            let command = ChatCommand::SavePersona(name.clone());
            outcome = Some(Outcome::Command(Command::InChat(command)));
            // Without a name there is nothing to save.
            if answer == Answer::Confirm && wanted.is_empty() { Answer::Open } else { answer }
        }
        Question::FolderName { name, chats, focused } => {
            let problem = controller.folder_name_problem(name, None);
            let command = ListCommand::MakeFolder(name.clone(), chats.clone());
            outcome = Some(Outcome::Command(Command::InList(command)));
            folder_name(ctx, (name, focused), chats.len(), problem)
        }
        Question::Link(target) => link(ctx, target, &mut outcome),
        Question::ResetSettings => {
            let body = "Values, shortcuts and what is set for single models go back to the defaults. Chats are kept.";
            let confirm = Confirm { title: "Reset all settings?", body, verb: "Reset all", danger: true };
            outcome = Some(Outcome::Command(Command::Change(Change::ResetAll)));
            ui::dialog(ctx, Id::unique("reset settings"), &confirm, |_| {})
        }
        Question::DeleteForGood(ids) => {
            let title = match ids.len() {
                1 => "Delete this for good?".to_owned(),
                count => format!("Delete {count} things for good?"),
            };
            let body = "Nothing brings it back afterwards.";
            let confirm = Confirm { title: &title, body, verb: "Delete for good", danger: true };
            outcome = Some(Outcome::DeleteForGood(ids.clone()));
            ui::dialog(ctx, Id::unique("delete for good"), &confirm, |_| {})
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

/// Asks for the name of a new folder. One that cannot be taken is not, and the reason stands below the field.
fn folder_name(
    ctx: &Context,
    (name, focused): (&mut String, &mut bool),
    chats: usize,
    problem: Option<String>,
) -> Answer {
    let body = match chats {
        0 => "Chats are moved into it from their menus or by dragging them.".to_owned(),
        1 => "The chat is moved into it.".to_owned(),
        count => format!("{count} chats are moved into it."),
    };
    let confirm = Confirm { title: "New folder", body: &body, verb: "Create", danger: false };
    let mut entered = false;
    let answer = ui::dialog(ctx, Id::unique(confirm.title), &confirm, |ui| {
        entered = name_field(ui, "Name of the folder", name, focused);
        // An empty name is not wrong yet, it is not there yet.
        if let Some(problem) = problem.as_ref().filter(|_| !name.trim().is_empty()) {
            let tokens = theme::tokens(ui.ctx());
            ui::label(ui, Text::Small, tokens.danger, problem);
        }
        // The field has let go of the keyboard with Enter.
        *focused &= !(entered && problem.is_some());
    });
    let answer = if entered && answer == Answer::Open { Answer::Confirm } else { answer };
    if answer == Answer::Confirm && problem.is_some() { Answer::Open } else { answer }
}

/// A dialog that asks for a name; Enter in its field confirms.
fn name_dialog(
    ctx: &Context,
    confirm: &Confirm<'_>,
    label: &str,
    name: &mut String,
    focused: &mut bool,
) -> Answer {
    let mut entered = false;
    let answer = ui::dialog(ctx, Id::unique(confirm.title), confirm, |ui| {
        entered = name_field(ui, label, name, focused);
    });
    if entered && answer == Answer::Open { Answer::Confirm } else { answer }
}

fn name_field(ui: &mut Ui, label: &str, name: &mut String, focused: &mut bool) -> bool {
    ui.add_space(8.0);
    let id = Id::unique(("name field", label));
    let field = Field { id, name: label, height: 32.0, search: false, shortcut: &[] };
    let response = ui::text_field(ui, &field, name);
    if !std::mem::replace(focused, true) {
        response.request_focus();
    }
    response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter))
}

fn close(ctx: &Context, outcome: &mut Option<Outcome>) -> Answer {
    let body = "Without its window 1bit Desktop stays in the tray: models stay loaded and answers are finished. \
                This is remembered and can be changed in the settings.";
    let confirm = Confirm { title: "Keep running in the tray?", body, verb: "Keep running", danger: false };
    let answer = ui::dilemma(ctx, Id::unique("close"), &confirm, "Quit");
    let closing = if answer == Answer::Other { Closing::Quit } else { Closing::Stay };
    *outcome = Some(Outcome::Command(Command::CloseAs(closing)));
    answer
}

/// Only web and mail addresses are opened; others can be copied.
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
