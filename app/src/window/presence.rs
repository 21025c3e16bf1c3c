//! What the app does whether or not it has a window: takes what has arrived, answers calls from outside, shows its state in the
//! tray, tells about answers that nobody saw end.

use std::time::Duration;

use eframe::egui::{Context, ViewportCommand};

use super::desktop::Desktop;
use super::dialogs::Question;
use super::life::{Close, Closing, Stage};
use super::outside::Call;
use crate::chat::{Controller, Ended, Engine, label};
use crate::notification::{self, Notification};
use crate::settings::{Change, Group, Key, Kind, Value};
use crate::shell::{Command, Page, Part, words};
use crate::store::{MessageState, Saving};
use crate::tray::{self, Face, Mood, Press};

/// Time for taking what has arrived, in one pass.
const PUMP_BUDGET: Duration = Duration::from_millis(5);
/// Whoever waits longer than this for an answer looks elsewhere, and is told when it is there.
const LONG_ANSWER: Duration = Duration::from_secs(10);

impl Desktop {
    /// Does what needs no window; says whether more may be waiting.
    pub fn attend(&mut self) -> bool {
        if self.life.stage() != Stage::Hidden {
            self.controller.shelf.held = false;
        }
        let more = self.controller.pump(PUMP_BUDGET);
        let closing = self.preferences.settings.get(Key::Closing).text();
        self.life.set_closing(Closing::named(closing).unwrap_or_default());
        self.ask_for_keys();
        while let Ok(call) = self.outside.calls.try_recv() {
            self.take_call(call);
        }
        while let Some(ended) = self.controller.next_ended() {
            let wanted = self.preferences.settings.get(Key::Notifications).is_on();
            let seen = self.is_seen(&ended);
            if let Some(notification) = notification_of(&ended, seen, wanted) {
                (self.outside.notify)(notification);
            }
        }
        self.outside.vitals.set_answering(self.controller.is_answering());
        let face = self.face();
        if self.face != face {
            self.face = face.clone();
            (self.outside.tray)(face);
        }
        more
    }

    fn take_call(&mut self, call: Call) {
        match call {
            Call::Raise(token) => self.show_window(token),
            Call::Anywhere(event) => self.take_anywhere(event),
            Call::End => self.quit(),
            Call::Wishes(wishes) => self.preferences.desktop_wishes(&self.ctx, wishes),
            Call::Tray(tray::Event::Shown(shown)) => {
                self.outside.vitals.set_tray(shown);
                self.life.set_tray(shown);
            }
            Call::Tray(tray::Event::Absent(why)) => {
                log::warn!("no tray: {why}");
                self.life.give_up_tray();
            }
            Call::Tray(tray::Event::Token(token)) => self.lent = Some(token),
            Call::NoTray => self.life.give_up_tray(),
            Call::Tray(tray::Event::Pressed(press)) => self.take_press(press),
            Call::Notification(notification::Event::Absent(why)) => log::warn!("no notifications: {why}"),
            Call::Notification(notification::Event::Open(chat)) => {
                self.act_outside(Command::OpenChat(chat));
                self.show_window(None);
            }
        }
    }

    fn take_press(&mut self, press: Press) {
        let token = self.lent.take();
        match press {
            Press::Show => self.show_window(token),
            Press::Hide => self.act_outside(Command::HideWindow),
            Press::NewChat => {
                self.act_outside(Command::NewChat);
                self.show_window(token);
            }
            Press::Model(id) => {
                let choice = self.controller.shelf.choices.iter().find(|choice| choice.id == id).cloned();
                if let Some(choice) = choice {
                    self.controller.shelf.held = false;
                    self.act_outside(Command::ChooseModel(choice));
                }
            }
            Press::Lane(name) => self.choose_lane(name),
            Press::Settings => {
                self.act_outside(Command::Go(Page::Settings));
                self.show_window(token);
            }
            Press::Stop => self.act_outside(Command::StopAll),
            Press::Quit => self.quit(),
        }
    }

    /// Runs models elsewhere. While something is being written the engine is not restarted under it: the settings offer to do so.
    fn choose_lane(&mut self, name: String) {
        let busy = self.controller.is_answering();
        self.act_outside(Command::Change(Change::set(Key::Lane, name)));
        if busy {
            self.act_outside(Command::ShowSettings(Part::Values(Group::Models)));
            self.show_window(None);
        } else {
            self.act_outside(Command::ApplyEngineSettings);
        }
    }

    /// Opens the window, or brings it to the front. Where a window cannot do that itself, one with a token is opened in its place.
    pub(super) fn show_window(&mut self, token: Option<String>) {
        let is_open = self.life.stage() == Stage::Shown;
        if is_open && !self.focused && !self.raises_itself && token.is_some() {
            self.token = token;
            self.life.reopen();
            self.close_window();
            return;
        }
        if !is_open {
            self.token = token;
        }
        self.life.show();
        if is_open {
            self.ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
            self.ctx.send_viewport_cmd(ViewportCommand::Focus);
            self.ctx.request_repaint();
        }
    }

    /// Takes the window away where the tray can bring it back.
    pub(super) fn hide_window(&mut self) {
        if self.life.hide() {
            self.close_window();
        }
    }

    /// Ends the app.
    pub(super) fn quit(&mut self) {
        self.life.quit();
        self.close_window();
    }

    fn close_window(&self) {
        self.ctx.send_viewport_cmd(ViewportCommand::Close);
        self.ctx.request_repaint();
    }

    /// Answers a request to close the window.
    pub(super) fn take_close_request(&mut self, ctx: &Context) {
        if ctx.input(|input| input.viewport().close_requested()) && self.life.close_requested() == Close::Ask
        {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.question = Some(Question::Close);
        }
    }

    /// Remembers what closing does from now on, and does it.
    pub(super) fn close_as(&mut self, closing: Closing) {
        self.life.set_closing(closing);
        let change = Change::set(Key::Closing, Value::Text(closing.name().into()));
        self.act_outside(Command::Change(change));
        match closing {
            Closing::Stay => self.hide_window(),
            Closing::Quit => self.quit(),
            Closing::Ask => {}
        }
    }

    fn is_seen(&self, ended: &Ended) -> bool {
        self.life.stage() == Stage::Shown && self.focused && self.controller.open_id() == Some(ended.chat)
    }

    fn face(&self) -> Face {
        let models: Vec<tray::Model> = self
            .controller
            .shelf
            .choices
            .iter()
            .map(|choice| tray::Model { id: choice.id.clone(), label: choice.label().to_owned() })
            .collect();
        let chosen = self.controller.shelf.chosen.as_deref();
        let (mood, what) = state(&self.controller);
        let Kind::Choice(lanes) = Key::Lane.row().kind else { unreachable!("the lane is one of several") };
        let lane = self.preferences.settings.get(Key::Lane).text();
        let name = chosen.map_or("No model", label);
        Face {
            mood,
            words: format!("{name} · {what}"),
            window: self.life.stage() == Stage::Shown,
            writing: self.controller.is_answering(),
            chosen: chosen.and_then(|chosen| models.iter().position(|model| model.id == chosen)),
            models,
            lane: self.controller.engine_status().map(|status| words::lane(status.lane)),
            lanes: lanes
                .iter()
                .map(|(name, word)| tray::Lane { name, word, chosen: *name == lane })
                .collect(),
        }
    }
}

/// What icon and tooltip say. A problem goes before work, work before rest.
fn state(controller: &Controller) -> (Mood, String) {
    let said = |mood, words: &str| (mood, words.to_owned());
    match (controller.engine(), controller.saving()) {
        (Engine::Failed(_), _) => return said(Mood::Problem, "The engine stopped"),
        (_, Some(Saving::No { .. })) => return said(Mood::Problem, "Chats are not being saved"),
        _ => {}
    }
    if let Some(loading) = controller.shelf.loading.as_ref().filter(|_| !controller.shelf.held) {
        return (Mood::Working, format!("Loading {}", loading.choice.label()));
    }
    if controller.is_answering() {
        return said(Mood::Working, "Writing");
    }
    if let Some(refusal) = &controller.shelf.refusal {
        return (Mood::Problem, format!("{} cannot be loaded", refusal.choice.label()));
    }
    said(Mood::Idle, "Idle")
}

/// What the user is told about an answer that ended; nothing about one that was seen, that was there at once, or when nothing is
/// wanted.
fn notification_of(ended: &Ended, seen: bool, wanted: bool) -> Option<Notification> {
    if seen || !wanted || ended.took < LONG_ANSWER {
        return None;
    }
    let body = match ended.state {
        MessageState::Failed => "The answer failed".to_owned(),
        _ => {
            let took = words::millis(ended.took.as_secs_f64() * 1e3);
            format!("Answered in {took}, {} tokens", words::count(u64::from(ended.tokens)))
        }
    };
    Some(Notification { chat: ended.chat, title: ended.title.clone(), body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ChatId;

    #[test]
    fn only_a_long_answer_that_nobody_saw_end_is_told() {
        let ended = |secs, state| Ended {
            chat: ChatId(3),
            title: "A fox".to_owned(),
            state,
            tokens: 1200,
            took: Duration::from_secs(secs),
        };
        assert_eq!(notification_of(&ended(9, MessageState::Complete), false, true), None);
        assert_eq!(notification_of(&ended(60, MessageState::Complete), true, true), None);
        assert_eq!(notification_of(&ended(60, MessageState::Complete), false, false), None);
        let told = notification_of(&ended(34, MessageState::Complete), false, true).unwrap();
        assert_eq!((told.chat, told.title.as_str()), (ChatId(3), "A fox"));
        assert_eq!(told.body, "Answered in 34.0 s, 1,200 tokens");
        let failed = notification_of(&ended(34, MessageState::Failed), false, true).unwrap();
        assert_eq!(failed.body, "The answer failed");
    }
}
