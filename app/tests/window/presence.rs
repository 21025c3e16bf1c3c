//! Closing, hiding and what goes on without a window, over a tray that only listens.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use eframe::egui::{Key, ViewportCommand, ViewportEvent, ViewportId};
use onebit::anywhere::{self, Deed};
use onebit::settings::Key as Setting;
use onebit::shell::{Command, Page};
use onebit::store::MessageState;
use onebit::tray::{self, Face, Mood, Press};
use onebit::window::{Call, Closing, Outside, Stage};
use onebit_engine::session::StopReason;

use crate::script::{Window, done, open_beside, started, text};

struct Beside {
    window: Window,
    calls: Sender<Call>,
    faces: Rc<RefCell<Vec<Face>>>,
}

impl Beside {
    fn open(folder: &Path) -> Self {
        let (calls, receiver) = channel();
        let faces: Rc<RefCell<Vec<Face>>> = Rc::default();
        let seen = Rc::clone(&faces);
        let tray = Box::new(move |face| seen.borrow_mut().push(face));
        let outside = Outside { calls: receiver, tray, ..Outside::nobody() };
        Self { window: open_beside(folder, outside), calls, faces }
    }

    fn open_with_tray(folder: &Path) -> Self {
        let mut beside = Self::open(folder);
        beside.call(Call::Tray(tray::Event::Shown(true)));
        beside
    }

    fn call(&mut self, call: Call) {
        self.calls.send(call).expect("the window listens");
        self.window.harness.step();
        self.window.harness.step();
    }

    fn press(&mut self, press: Press) {
        self.call(Call::Tray(tray::Event::Pressed(press)));
    }

    /// The frame's close button; gives what the window told the desktop in that pass.
    fn close(&mut self) -> Vec<ViewportCommand> {
        let input = self.window.harness.input_mut();
        input.viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
        self.window.harness.step();
        let told = self.commands();
        let input = self.window.harness.input_mut();
        input.viewports.entry(ViewportId::ROOT).or_default().events.clear();
        self.window.harness.step();
        told
    }

    fn commands(&self) -> Vec<ViewportCommand> {
        self.window.harness.output().viewport_output[&ViewportId::ROOT].commands.clone()
    }

    fn stage(&self) -> Stage {
        self.window.harness.state().life.stage()
    }

    fn face(&self) -> Face {
        self.faces.borrow().last().cloned().expect("the tray was shown a face")
    }

    /// Takes the window away, as the event loop does.
    fn lose_window(&mut self) {
        self.window.harness.state_mut().leave();
    }
}

const QUESTION: &str = "Keep running in the tray?";

#[test]
fn without_a_tray_closing_is_not_held_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open(folder.path());
    assert!(!beside.close().contains(&ViewportCommand::CancelClose));
    assert_eq!(beside.stage(), Stage::Ending);
}

#[test]
fn the_first_close_asks_and_escape_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    assert!(beside.close().contains(&ViewportCommand::CancelClose));
    assert!(beside.window.shows(QUESTION), "{:?}", beside.window.names());
    beside.window.harness.key_press(Key::Escape);
    beside.window.harness.step();
    beside.window.harness.step();
    assert!(!beside.window.shows(QUESTION));
    assert_eq!(beside.stage(), Stage::Shown);
    // It asks again, because nothing was decided.
    assert!(beside.close().contains(&ViewportCommand::CancelClose));
}

#[test]
fn the_answer_to_the_first_close_is_done_and_remembered() {
    for (button, closing, stage) in
        [("Keep running", Closing::Stay, Stage::Leaving), ("Quit", Closing::Quit, Stage::Ending)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut beside = Beside::open_with_tray(folder.path());
        beside.close();
        beside.window.click(button);
        assert_eq!(beside.stage(), stage);
        let settings = &beside.window.harness.state().preferences.settings;
        assert_eq!(settings.get(Setting::Closing).text(), closing.name());
        drop(beside);
        // The next start knows it.
        let mut beside = Beside::open_with_tray(folder.path());
        assert!(!beside.close().contains(&ViewportCommand::CancelClose), "{button}");
        assert_eq!(beside.stage(), stage);
    }
}

#[test]
fn an_answer_is_written_and_stored_while_there_is_no_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    beside.window.send("Hello");
    beside.window.engine_says([started(), text("First, ")]);
    assert_eq!((beside.face().mood, beside.face().writing), (Mood::Working, true));
    beside.press(Press::Hide);
    assert!(beside.stage() == Stage::Leaving);
    beside.lose_window();
    assert_eq!(beside.stage(), Stage::Hidden);

    beside.window.script.borrow_mut().events.extend([text("second."), done(StopReason::EndOfText)]);
    beside.window.harness.state_mut().attend();
    let face = beside.face();
    assert_eq!((face.mood, face.writing, face.window), (Mood::Idle, false, false));
    assert!(face.words.ends_with("· Idle"), "{}", face.words);
    drop(beside);

    let mut again = Beside::open(folder.path());
    again
        .window
        .until("the chat is restored", |window| window.harness.state().controller.conversation().is_some());
    let answer = again.window.harness.state().controller.conversation().unwrap().messages[1].clone();
    assert_eq!((answer.content.as_str(), answer.state), ("First, second.", MessageState::Complete));
}

#[test]
fn the_tray_stops_an_answer_in_a_chat_that_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    beside.window.send("Hello");
    beside.window.engine_says([started(), text("First, ")]);
    beside.press(Press::NewChat);
    assert!(beside.window.harness.state().controller.conversation().is_none());
    beside.press(Press::Stop);
    assert_eq!(beside.window.script.borrow().cancels, 1);
    assert!(!beside.face().writing);
}

#[test]
fn the_tray_names_the_models_and_switches_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    let face = beside.face();
    assert_eq!(
        face.models.iter().map(|model| model.label.as_str()).collect::<Vec<_>>(),
        ["1bit Starter", "other"]
    );
    assert_eq!(face.chosen, Some(0));
    assert_eq!(face.words, "1bit Starter · Idle");
    beside.press(Press::Model("other".to_owned()));
    assert_eq!(beside.window.script.borrow().loads.last().unwrap().id, "other");
    assert_eq!(beside.face().words, "1bit Starter · Loading other");
    // A model that is gone in the meantime is no reason for anything.
    beside.press(Press::Model("never seen".to_owned()));
}

#[test]
fn a_window_that_cannot_be_brought_back_is_not_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    beside.call(Call::Tray(tray::Event::Shown(false)));
    beside.press(Press::Hide);
    assert_eq!(beside.stage(), Stage::Shown);
}

#[test]
fn a_tray_that_dies_a_second_start_and_the_icon_bring_a_hidden_window_back() {
    for call in [
        Call::Tray(tray::Event::Shown(false)),
        Call::Raise(None),
        Call::Tray(tray::Event::Pressed(Press::Show)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut beside = Beside::open_with_tray(folder.path());
        beside.press(Press::Hide);
        beside.lose_window();
        beside.calls.send(call.clone()).unwrap();
        beside.window.harness.state_mut().attend();
        assert_eq!(beside.stage(), Stage::Shown, "{call:?}");
    }
}

#[test]
fn a_signal_ends_the_app_with_and_without_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    beside.press(Press::Hide);
    beside.lose_window();
    beside.calls.send(Call::End).unwrap();
    beside.window.harness.state_mut().attend();
    assert_eq!(beside.stage(), Stage::Ending);
}

fn pressed(deed: Deed, token: Option<&str>) -> Call {
    Call::Anywhere(anywhere::Event::Pressed { deed, token: token.map(str::to_owned) })
}

#[test]
fn a_key_from_anywhere_puts_the_window_that_has_the_keyboard_away_and_brings_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    beside.call(pressed(Deed::Window, Some("token")));
    assert_eq!(beside.stage(), Stage::Leaving);
    beside.lose_window();
    for deed in [Deed::Window, Deed::NewChat] {
        beside.calls.send(pressed(deed, None)).unwrap();
        beside.window.harness.state_mut().attend();
        assert_eq!(beside.stage(), Stage::Shown, "{deed:?}");
        beside.press(Press::Hide);
        beside.lose_window();
    }
}

#[test]
fn without_a_tray_a_key_from_anywhere_makes_the_window_small() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open(folder.path());
    beside.calls.send(pressed(Deed::Window, None)).unwrap();
    beside.window.harness.step();
    assert!(beside.commands().contains(&ViewportCommand::Minimized(true)), "{:?}", beside.commands());
    assert_eq!(beside.stage(), Stage::Shown);
}

#[test]
fn a_key_from_anywhere_begins_a_chat_from_any_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut beside = Beside::open_with_tray(folder.path());
    beside.window.exchange("Hello", "First");
    beside.window.act(Command::Go(Page::Settings));
    beside.call(pressed(Deed::NewChat, None));
    let desktop = beside.window.harness.state();
    assert!(desktop.controller.conversation().is_none());
    assert_eq!((desktop.page(), beside.stage()), (Page::Chat, Stage::Shown));
}

#[test]
fn where_no_window_raises_itself_one_behind_others_is_replaced_when_the_desktop_lends_a_token() {
    let token = || Some("token".to_owned());
    let lent = |press| {
        [tray::Event::Token("token".to_owned()), tray::Event::Pressed(press)].map(Call::Tray).to_vec()
    };
    for (calls, raises_itself, focused, stage) in [
        (vec![pressed(Deed::Window, Some("token"))], false, false, Stage::Returning),
        (vec![pressed(Deed::NewChat, Some("token"))], false, false, Stage::Returning),
        (vec![Call::Raise(token())], false, false, Stage::Returning),
        (lent(Press::Show), false, false, Stage::Returning),
        // Without a token a new window would stay behind as well.
        (vec![Call::Raise(None)], false, false, Stage::Shown),
        (vec![Call::Raise(token())], true, false, Stage::Shown),
        (vec![Call::Raise(token())], false, true, Stage::Shown),
        // A token is for one press.
        (
            [lent(Press::Stop), vec![Call::Tray(tray::Event::Pressed(Press::Show))]].concat(),
            false,
            false,
            Stage::Shown,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut beside = Beside::open(folder.path());
        beside.window.harness.state_mut().raises_itself = raises_itself;
        let viewport = beside.window.harness.input_mut().viewports.entry(ViewportId::ROOT).or_default();
        viewport.focused = Some(focused);
        beside.window.harness.step();
        // What has just lost the keyboard counts as having it.
        std::thread::sleep(Duration::from_millis(400));
        for call in &calls {
            beside.calls.send(call.clone()).unwrap();
        }
        beside.window.harness.step();
        assert_eq!(beside.stage(), stage, "{calls:?}");
    }
}
