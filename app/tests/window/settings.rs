//! The settings page: values, shortcuts, log, about; what they do, and what a broken file does.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};

use eframe::egui::accesskit::Role;
use eframe::egui::{self, ViewportCommand, ViewportId, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use onebit::anywhere::{self, Ask, Deed, End, Standing};
use onebit::portal::Wishes;
use onebit::settings::{self, Key};
use onebit::shell::{Command, Page, Part};
use onebit::theme::{self, Appearance};
use onebit::window::{Call, Outside};
use onebit_engine::lane::KvDtype;
use onebit_engine::session::LoadEvent;

use crate::script::{Window, model, open, open_at, open_beside, ready};

/// Opens the settings page at a part.
fn at(window: &mut Window, part: Part) {
    window.act(Command::ShowSettings(part));
    window.steps(3);
}

fn group(group: settings::Group) -> Part {
    Part::Values(group)
}

#[test]
fn the_theme_is_switched_at_once_and_kept_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.click("Settings");
    assert!(window.shows("Theme") && window.shows("General"), "{:?}", window.names());
    window.click("Light");
    assert_eq!(window.harness.ctx.theme(), egui::Theme::Light);
    assert!(window.shows("changed"));
    window.click_role(Role::Switch, "Changed only");
    assert!(window.shows("Theme") && !window.shows("Reduced motion"));
    drop(window);
    let kept = fs::read_to_string(folder.path().join("settings.toml")).unwrap();
    assert!(kept.contains("theme = \"light\""), "{kept}");
    let window = open(folder.path());
    assert_eq!(window.harness.state().preferences.settings.appearance(), Appearance::Light);
}

#[test]
fn a_value_is_reset_alone_and_all_are_reset_after_a_question() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    at(&mut window, group(settings::Group::Appearance));
    window.click("Dark");
    window.click("On");
    let look = |window: &Window| window.harness.state().preferences.settings.clone();
    assert!(look(&window).reduced_motion(false));
    window.click("Reset Theme");
    assert!(!look(&window).is_changed(Key::Theme) && look(&window).reduced_motion(false));
    window.click("Reset all…");
    assert!(window.shows("Reset all settings?"));
    window.click("Reset all");
    assert!(look(&window).is_default());
}

#[test]
fn theme_and_motion_follow_the_desktop_unless_something_else_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let (calls, receiver) = std::sync::mpsc::channel();
    let mut window = open_beside(folder.path(), Outside { calls: receiver, ..Outside::nobody() });
    let wish = |window: &mut Window, reduced_motion, dark| {
        calls.send(Call::Wishes(Wishes { reduced_motion, dark: Some(dark) })).unwrap();
        window.steps(2);
    };
    // A window of tests begins without motion.
    wish(&mut window, false, true);
    assert!(theme::moves(&window.harness.ctx));
    wish(&mut window, true, false);
    assert!(!theme::moves(&window.harness.ctx));
    assert_eq!(window.harness.ctx.theme(), egui::Theme::Light);
    at(&mut window, group(settings::Group::Appearance));
    window.click("Dark");
    window.click("Off");
    assert!(theme::moves(&window.harness.ctx));
    wish(&mut window, true, false);
    assert_eq!(window.harness.ctx.theme(), egui::Theme::Dark);
    assert!(theme::moves(&window.harness.ctx));
    window.click("Reset Theme");
    window.click("Reset Reduced motion");
    assert_eq!(window.harness.ctx.theme(), egui::Theme::Light);
    assert!(!theme::moves(&window.harness.ctx));
    wish(&mut window, false, true);
    assert_eq!(window.harness.ctx.theme(), egui::Theme::Dark);
    assert!(theme::moves(&window.harness.ctx));
}

#[test]
fn the_list_of_sections_marks_the_one_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    let marked = |window: &Window| {
        let rows = window.harness.query_all_by_role(Role::ListItem);
        let marked =
            rows.filter(|row| row.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True));
        marked.filter_map(|row| row.accesskit_node().label()).collect::<Vec<_>>()
    };
    window.click("Settings");
    assert_eq!(marked(&window), ["General"]);
    let groups = settings::Group::ALL.map(settings::Group::title);
    // Whatever is chosen is marked, the last one as well, which cannot be scrolled to the top.
    for title in groups.iter().rev() {
        window.click_role(Role::ListItem, title);
        window.steps(4);
        assert_eq!(marked(&window), [*title]);
    }
    // Scrolling goes through all of them, in order.
    window.harness.event(egui::Event::PointerMoved(egui::pos2(800.0, 400.0)));
    let mut seen = Vec::new();
    for _ in 0..400 {
        let modifiers = egui::Modifiers::NONE;
        let (unit, phase) = (egui::MouseWheelUnit::Point, egui::TouchPhase::Move);
        let (delta, source) = (vec2(0.0, -16.0), egui::MouseWheelSource::Wheel);
        window.harness.event(egui::Event::MouseWheel { unit, delta, phase, source, modifiers });
        window.step();
        let now = marked(&window);
        if seen.last() != now.first() {
            seen.extend(now);
        }
    }
    assert_eq!(seen, groups);
}

#[test]
fn start_with_the_desktop_is_an_entry_that_the_desktop_may_take_away_again() {
    let folder = tempfile::tempdir().unwrap();
    let entry = folder.path().join("autostart/entry.desktop");
    let is_on = |window: &Window| window.harness.state().preferences.settings.get(Key::Autostart).is_on();
    let mut window = open(folder.path());
    at(&mut window, group(settings::Group::General));
    window.click_role(Role::Switch, "Start with the desktop");
    window.until("the entry is written", |_| entry.exists());
    drop(window);
    let text = fs::read_to_string(&entry).unwrap();
    assert!(text.contains(" --in-tray\n"), "{text}");
    let mut window = open(folder.path());
    assert!(is_on(&window));
    at(&mut window, group(settings::Group::General));
    window.click_role(Role::Switch, "Start with the desktop");
    window.until("the entry is gone", |_| !entry.exists());
    window.click_role(Role::Switch, "Start with the desktop");
    window.until("the entry is there", |_| entry.exists());
    drop(window);
    // The settings of the desktop switch it off.
    fs::write(&entry, format!("{text}Hidden=true\n")).unwrap();
    let mut window = open(folder.path());
    window.until("it is said", |window| window.shows("Start with the desktop is off"));
    assert!(!is_on(&window));
    // Where it cannot be written, the setting says what is true.
    fs::remove_dir_all(folder.path().join("autostart")).unwrap();
    fs::write(folder.path().join("autostart"), "in the way").unwrap();
    at(&mut window, group(settings::Group::General));
    window.click_role(Role::Switch, "Start with the desktop");
    window.until("it is said", |window| window.shows("Start with the desktop could not be changed"));
    assert!(!is_on(&window));
}

const KEYS: &str = "Keys that work from anywhere";

/// A window over a desktop that can keep keys: says how it stands, and hears what is asked.
fn open_over_keys(folder: &Path) -> (Window, Sender<Call>, Rc<RefCell<Vec<Ask>>>) {
    let (calls, receiver) = channel();
    let asked: Rc<RefCell<Vec<Ask>>> = Rc::default();
    let heard = Rc::clone(&asked);
    let anywhere = Box::new(move |ask| heard.borrow_mut().push(ask));
    let outside = Outside { calls: receiver, anywhere, ..Outside::nobody() };
    let mut window = open_beside(folder, outside);
    at(&mut window, group(settings::Group::General));
    (window, calls, asked)
}

fn stands(window: &mut Window, calls: &Sender<Call>, standing: Standing) {
    calls.send(Call::Anywhere(anywhere::Event::Standing(standing))).expect("the window listens");
    window.steps(3);
}

#[test]
fn keys_from_anywhere_are_offered_where_the_desktop_keeps_some_and_their_row_says_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, calls, asked) = open_over_keys(folder.path());
    assert!(!window.shows(KEYS), "absent where no portal offers it");
    stands(&mut window, &calls, Standing::Offered);
    assert!(window.shows(KEYS) && asked.borrow().is_empty(), "off until the user turns it on");
    window.click_role(Role::Switch, KEYS);
    assert_eq!(*asked.borrow(), [Ask::On]);
    let change = "Change the keys that work from anywhere";
    let keys =
        |keys: &[(Deed, &str)]| keys.iter().map(|(deed, words)| (*deed, (*words).to_owned())).collect();
    let one = keys(&[(Deed::Window, "Super+B")]);
    for (standing, words, changes) in [
        (Standing::Asking, "The desktop was asked.", false),
        (
            Standing::Kept { keys: one, changes: true },
            "Show or hide the window: Super+B  ·  New chat: no keys",
            true,
        ),
        (Standing::Kept { keys: keys(&[]), changes: true }, "No keys are chosen. Change shows where", true),
        (
            Standing::Kept { keys: keys(&[]), changes: false },
            "No keys are chosen. The desktop’s settings",
            false,
        ),
        (
            Standing::Refused("An app id is required.".to_owned()),
            "refuses: An app id is required. Turning",
            false,
        ),
        (Standing::Ended(End::Portal), "the desktop’s portal has ended", false),
        (Standing::Ended(End::Session), "has taken them back", false),
        // Turned on where a desktop kept keys, and now there is another.
        (Standing::Absent, "This desktop keeps no keys for programs.", false),
    ] {
        stands(&mut window, &calls, standing.clone());
        assert!(window.shows_part(words), "{standing:?}: {:?}", window.names());
        assert_eq!(window.shows(change), changes, "{standing:?}");
    }
    stands(&mut window, &calls, Standing::Kept { keys: keys(&[]), changes: true });
    window.click(change);
    assert_eq!(asked.borrow().last(), Some(&Ask::Change));
    window.click_role(Role::Switch, KEYS);
    assert_eq!(asked.borrow().last(), Some(&Ask::Off));
    stands(&mut window, &calls, Standing::Absent);
    assert!(!window.shows(KEYS));
}

#[test]
fn a_cancelled_dialog_turns_keys_from_anywhere_off_and_a_dialog_that_does_not_open_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, calls, _) = open_over_keys(folder.path());
    stands(&mut window, &calls, Standing::Offered);
    window.click_role(Role::Switch, KEYS);
    stands(&mut window, &calls, Standing::Declined);
    assert!(!window.harness.state().preferences.settings.get(Key::Anywhere).is_on());
    assert!(window.shows_part("dialog was cancelled"), "{:?}", window.names());
    calls.send(Call::Anywhere(anywhere::Event::Unchanged("the display is gone".to_owned()))).unwrap();
    window.steps(2);
    assert!(window.shows_part("dialog could not be opened") && window.shows_part("display is gone"));
}

#[test]
fn the_page_of_shortcuts_shows_the_keys_that_the_desktop_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, calls, _) = open_over_keys(folder.path());
    at(&mut window, Part::Shortcuts);
    stands(&mut window, &calls, Standing::Offered);
    assert!(!window.shows("From anywhere"));
    let keys = [(Deed::NewChat, "Super+N".to_owned())].into();
    stands(&mut window, &calls, Standing::Kept { keys, changes: true });
    assert!(window.shows("From anywhere") && window.shows("Super+N") && window.shows("No keys"));
}

#[test]
fn the_title_bar_follows_the_theme_of_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let (calls, receiver) = channel();
    let mut window = open_beside(folder.path(), Outside { calls: receiver, ..Outside::nobody() });
    let mut told = Vec::new();
    let mut step = |window: &mut Window| {
        window.steps(1);
        let commands = &window.harness.output().viewport_output[&ViewportId::ROOT].commands;
        told.extend(commands.iter().filter_map(|command| match command {
            ViewportCommand::SetTheme(theme) => Some(*theme),
            _ => None,
        }));
    };
    for choice in ["light", "dark", "system"] {
        let change = settings::Change::set(Key::Theme, choice);
        let ctx = window.harness.ctx.clone();
        window.harness.state_mut().act(&ctx, Command::Change(change));
        (0..3).for_each(|_| step(&mut window));
    }
    for dark in [false, true] {
        calls.send(Call::Wishes(Wishes { reduced_motion: false, dark: Some(dark) })).unwrap();
        (0..3).for_each(|_| step(&mut window));
    }
    use egui::SystemTheme::{Dark, Light};
    // Back at "system", where the desktop has not said anything yet, it stays dark as the window does.
    assert_eq!(told, [Light, Dark, Light, Dark], "once for each change");
}

#[test]
fn text_grows_and_shrinks_by_keys_between_its_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    for _ in 0..15 {
        window.press(egui::Modifiers::COMMAND, egui::Key::Plus);
    }
    assert_eq!(window.harness.ctx.zoom_factor(), 2.0);
    // At twice the size the layout of narrow windows applies.
    assert!(!window.shows("Chats") && window.shows("Show chats"), "{:?}", window.names());
    for _ in 0..30 {
        window.press(egui::Modifiers::COMMAND, egui::Key::Minus);
    }
    assert_eq!(window.harness.ctx.zoom_factor(), 0.8);
    window.press(egui::Modifiers::COMMAND, egui::Key::Num0);
    assert_eq!(window.harness.ctx.zoom_factor(), 1.0);
}

#[test]
fn the_smallest_window_at_twice_the_size_still_draws_every_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), "[appearance]\ntext_size = 200\n").unwrap();
    let mut window = open_at(folder.path(), vec2(720.0, 480.0), ready());
    window.steps(3);
    assert_eq!(window.harness.ctx.zoom_factor(), 2.0);
    assert!(window.shows("Settings") && window.shows("Chat"));
    for part in Part::all() {
        at(&mut window, part);
        assert!(window.shows("Show sections"), "{part:?}: {:?}", window.names());
    }
    window.press(egui::Modifiers::COMMAND, egui::Key::K);
    assert!(window.shows("Command palette"));
}

#[test]
fn what_is_searched_is_shown_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.press(egui::Modifiers::COMMAND, egui::Key::Comma);
    window.type_text("penalty");
    assert!(window.shows("Repeat penalty") && !window.shows("Temperature"), "{:?}", window.names());
    window.type_text(" of the moon");
    assert!(window.shows("Nothing found"));
}

#[test]
fn values_of_one_model_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    at(&mut window, group(settings::Group::Chat));
    window.click("Values for: All models");
    window.click("other");
    // A theme is not a matter of models.
    assert!(!window.shows("Theme") && window.shows("Temperature"));
    window.harness.get_by_role_and_label(Role::Slider, "Temperature").focus();
    window.step();
    for _ in 0..2 {
        window.press(egui::Modifiers::NONE, egui::Key::ArrowLeft);
    }
    let settings = window.harness.state().preferences.settings.clone();
    assert_eq!(settings.sampling("other").temperature, 0.6);
    assert_eq!(settings.sampling("starter").temperature, 0.7);
    window.click("Values for: other");
    window.click("All models");
    at(&mut window, group(settings::Group::Chat));
    assert!(window.shows("1 model overrides"));
}

#[test]
fn a_number_can_be_typed_and_nonsense_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    at(&mut window, group(settings::Group::Chat));
    for (typed, expected) in [("0.35", 0.35), ("many", 0.35), ("7", 2.0)] {
        window.harness.get_by_label("Temperature, number").focus();
        window.step();
        window.press(egui::Modifiers::COMMAND, egui::Key::A);
        window.type_text(typed);
        window.press(egui::Modifiers::NONE, egui::Key::Enter);
        window.steps(2);
        let settings = &window.harness.state().preferences.settings;
        assert_eq!(settings.sampling("any").temperature, expected, "{typed}");
    }
}

#[test]
fn sampling_and_system_prompt_reach_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[chat]\ntemperature = 0.2\nsystem_prompt = \"Be brief.\"\nmax_tokens = 64\n";
    fs::write(folder.path().join("settings.toml"), text).unwrap();
    let mut window = open(folder.path());
    window.send("Hello");
    let script = window.script.borrow();
    let request = &script.requests[0];
    assert_eq!((request.sampling.temperature, request.max_new_tokens), (0.2, 64));
    assert!(format!("{:?}", request.prompt).contains("Be brief."));
}

#[test]
fn with_ctrl_enter_the_enter_key_makes_a_new_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), "[chat]\nsend_with = \"ctrl-enter\"\n").unwrap();
    let mut window = open(folder.path());
    window.type_message("one");
    window.press(egui::Modifiers::NONE, egui::Key::Enter);
    window.type_text("two");
    assert_eq!(window.harness.state().chat.draft, "one\ntwo");
    window.press(egui::Modifiers::COMMAND, egui::Key::Enter);
    assert_eq!(window.script.borrow().requests.len(), 1);
}

#[test]
fn a_changed_kv_type_waits_for_a_load_and_offers_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    at(&mut window, group(settings::Group::Models));
    assert!(!window.shows("Load again"));
    window.click("int8");
    window.click("Load again");
    assert_eq!(window.script.borrow().unloads, ["starter"]);
    let loads = |window: &Window| window.script.borrow().loads.clone();
    assert_eq!(
        loads(&window).iter().map(|load| load.kv_dtype).collect::<Vec<_>>(),
        [KvDtype::F16, KvDtype::Int8]
    );
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.until("the model is there again", |window| !window.shows("Load again"));
}

#[test]
fn a_changed_number_of_threads_waits_for_the_engine_and_restarts_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    at(&mut window, group(settings::Group::Models));
    window.harness.get_by_role_and_label(Role::Slider, "Threads").focus();
    window.step();
    for _ in 0..3 {
        window.press(egui::Modifiers::NONE, egui::Key::ArrowRight);
    }
    window.click("Restart the engine");
    assert_eq!(
        window.script.borrow().restarts.iter().map(|options| options.threads).collect::<Vec<_>>(),
        [3]
    );
    assert!(!window.shows("Restart the engine"));
    assert_eq!(window.script.borrow().loads.len(), 2);
}

#[test]
fn a_shortcut_is_given_another_key_and_a_taken_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Hello", "Hi");
    at(&mut window, Part::Shortcuts);
    window.click("Change the key of New chat");
    assert!(window.shows("Press the keys, Backspace for none"));
    window.press(egui::Modifiers::COMMAND, egui::Key::F);
    assert!(window.shows("Ctrl+F: “Search” has this key"), "{:?}", window.names());
    window.press(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::N);
    assert!(!window.shows("Press the keys, Backspace for none"));
    // The old key does nothing any more, the new one works.
    window.press(egui::Modifiers::COMMAND, egui::Key::N);
    assert!(window.harness.state().controller.open_id().is_some());
    window.press(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::N);
    assert!(window.harness.state().controller.open_id().is_none());
    at(&mut window, Part::Shortcuts);
    window.click("Reset the key of New chat");
    assert!(window.harness.state().preferences.settings.is_default());
}

#[test]
fn a_broken_file_is_named_and_the_window_works_with_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    fs::write(&path, "[appearance]\ntheme = \"pink\"\n").unwrap();
    let window = open(folder.path());
    assert!(window.shows("Some settings could not be used"), "{:?}", window.names());
    assert!(window.shows_part("appearance.theme: expected \"system\", \"light\", \"dark\", found \"pink\""));
    drop(window);
    fs::write(&path, "[appearance").unwrap();
    let mut window = open(folder.path());
    window.press(egui::Modifiers::COMMAND, egui::Key::Plus);
    window.until("the broken file is set aside", |window| window.shows("The settings file was set aside"));
    assert_eq!(fs::read_to_string(folder.path().join("settings.toml.set-aside-1")).unwrap(), "[appearance");
}

#[test]
fn an_edited_file_is_taken_over_when_the_window_gets_the_focus() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    fs::write(folder.path().join("settings.toml"), "[appearance]\ntheme = \"light\"\n").unwrap();
    for focused in [false, true] {
        window.harness.input_mut().focused = focused;
        window.step();
    }
    window.until("the theme has changed", |window| window.harness.ctx.theme() == egui::Theme::Light);
}

#[test]
fn the_log_is_filtered_searched_and_copied() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    at(&mut window, Part::Log);
    assert!(window.shows("Nothing logged yet"), "{:?}", window.names());
    let book = window.harness.state().preferences.logbook;
    book.add(log::Level::Info, "onebit::chat", "model loaded");
    book.add(log::Level::Error, "onebit::store", "disk full");
    window.steps(2);
    assert!(window.shows("model loaded") && window.shows("disk full"));
    window.click("Problems");
    assert!(!window.shows("model loaded") && window.shows("disk full"));
    window.click("Copy");
    assert!(
        window.copied().is_some_and(|text| text.contains("ERROR store: disk full")),
        "{:?}",
        window.copied()
    );
    window.harness.get_by_label("Search the log").focus();
    window.step();
    window.type_text("nothing of the kind");
    assert!(window.shows("Nothing found"));
}

#[test]
fn about_names_version_lane_folders_and_licences() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    at(&mut window, Part::About);
    for text in ["1bit Desktop", env!("CARGO_PKG_VERSION"), "CPU · AVX2", "Licences"] {
        assert!(window.shows(text), "{text}: {:?}", window.names());
    }
    window.click("Copy all licences");
    let copied = window.copied().unwrap();
    assert!(copied.contains("MIT License") && copied.contains("| egui |"), "{copied:.200}");
}

#[test]
fn sections_are_a_sheet_in_a_narrow_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), vec2(900.0, 600.0), ready());
    window.step();
    window.click("Settings");
    assert!(!window.shows("Shortcuts"));
    window.click("Show sections");
    window.click("Shortcuts");
    window.steps(2);
    assert!(window.shows("Change the key of New chat") && !window.shows("About"), "{:?}", window.names());
    assert_eq!(window.harness.state().page(), Page::Settings);
    let outside: Vec<_> = window
        .harness
        .root()
        .children_recursive()
        .filter(|node| node.accesskit_node().label().is_some())
        .filter_map(|node| node.accesskit_node().raw_bounds())
        .filter(|bounds| bounds.x1 > bounds.x0 && (bounds.x0 < 0.0 || bounds.x1 > 900.0))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
}
