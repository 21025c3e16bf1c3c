//! Personas: made from a chat and on their page, taken in the composer and in the palette, changed, copied, deleted and brought back.

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use onebit::shell::{Command, Page, Part};
use onebit::store::{ChatSampling, Persona};

use crate::script::{Window, open};

const NAME: &str = "Name of the persona";

fn names(window: &Window) -> Vec<String> {
    window.harness.state().controller.personas().iter().map(|persona| persona.name.clone()).collect()
}

fn system(window: &Window) -> String {
    window.harness.state().controller.set_up_now().0.to_owned()
}

fn type_into(window: &mut Window, role: Role, name: &str, text: &str) {
    window.harness.get_by_role_and_label(role, name).focus();
    window.step();
    window.press(Modifiers::COMMAND, Key::A);
    window.type_text(text);
}

/// Opens a window with a persona that was made on its page.
fn with_poet(folder: &std::path::Path) -> Window {
    let mut window = open(folder);
    window.act(Command::ShowSettings(Part::Personas));
    window.steps(2);
    assert!(window.shows("No personas yet"), "{:?}", window.names());
    window.click("New persona");
    type_into(&mut window, Role::TextInput, NAME, "Poet");
    type_into(&mut window, Role::MultilineTextInput, "System prompt of the persona", "Rhyme");
    window.harness.get_by_role_and_label(Role::Slider, "Temperature").focus();
    window.step();
    window.press(Modifiers::NONE, Key::ArrowRight);
    window.click("Save");
    window.until("it is stored", |window| names(window) == ["Poet"]);
    window
}

fn palette(window: &mut Window, text: &str) {
    window.press(Modifiers::COMMAND, Key::K);
    window.step();
    window.type_text(text);
}

#[test]
fn a_persona_made_on_its_page_is_taken_in_the_composer_and_goes_with_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_poet(folder.path());
    assert!(window.shows("Rhyme · temperature 0.75"), "{:?}", window.names());
    window.act(Command::Go(Page::Chat));
    window.click("Persona: No persona");
    window.click("Poet");
    assert!(window.shows("Persona: Poet"), "{:?}", window.names());
    window.send("Hello");
    assert_eq!(window.asked(0), ["Rhyme", "Hello"]);
    assert!((window.script.borrow().requests[0].sampling.temperature - 0.75).abs() < 1e-6);
}

#[test]
fn a_chat_keeps_what_it_took_when_its_persona_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_poet(folder.path());
    window.act(Command::Go(Page::Chat));
    window.click("Persona: No persona");
    window.click("Poet");
    window.act(Command::ShowSettings(Part::Personas));
    window.step();
    window.click("Edit Poet");
    type_into(&mut window, Role::TextInput, NAME, "Bard");
    type_into(&mut window, Role::MultilineTextInput, "System prompt of the persona", "Sing");
    window.click("Save");
    window.until("it has its new name", |window| names(window) == ["Bard"]);
    window.act(Command::Go(Page::Chat));
    window.step();
    assert!(window.shows("Persona: Bard"));
    assert_eq!(system(&window), "Rhyme");
    // Both are found by the next start.
    drop(window);
    let window = open(folder.path());
    assert_eq!(window.harness.state().controller.personas()[0].system, "Sing");
}

#[test]
fn what_is_typed_into_the_form_is_gone_with_cancel_and_there_after_a_look_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_poet(folder.path());
    window.click("Edit Poet");
    type_into(&mut window, Role::TextInput, NAME, "Bard");
    window.act(Command::Go(Page::Chat));
    window.act(Command::ShowSettings(Part::Personas));
    window.steps(2);
    let field = window.harness.get_by_role_and_label(Role::TextInput, NAME);
    assert_eq!(field.accesskit_node().value().as_deref(), Some("Bard"));
    window.click("Cancel");
    assert_eq!(names(&window), ["Poet"]);
}

#[test]
fn a_name_that_another_persona_has_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_poet(folder.path());
    window.click("New persona");
    type_into(&mut window, Role::TextInput, NAME, "poet ");
    assert!(window.shows("Another persona has this name."), "{:?}", window.names());
    window.harness.get_by_label("Save").click();
    window.steps(2);
    assert_eq!(names(&window), ["Poet"]);
    assert!(window.shows("New persona") && window.shows("Cancel"), "the form is still open");
}

#[test]
fn copies_get_names_of_their_own_and_a_deletion_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_poet(folder.path());
    window.click("Duplicate Poet");
    window.click("Duplicate Poet");
    window.until("both are there", |window| names(window) == ["Poet", "Poet copy", "Poet copy 2"]);
    window.click("Delete Poet copy");
    assert_eq!(names(&window), ["Poet", "Poet copy 2"]);
    window.click("Undo");
    window.until("it is back", |window| names(window).len() == 3);
    let copy: Vec<Persona> = window.harness.state().controller.personas().to_vec();
    assert_eq!((&copy[1].system, &copy[1].sampling), (&copy[0].system, &copy[0].sampling));
}

#[test]
fn how_a_chat_is_answered_is_kept_as_a_persona_and_replaces_one_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_poet(folder.path());
    window.act(Command::Go(Page::Chat));
    let set_up = onebit::chat::ChatCommand::SetUp {
        system: "Be brief".to_owned(),
        sampling: ChatSampling::default(),
        persona: None,
    };
    window.act(Command::InChat(set_up));
    palette(&mut window, "as a persona");
    window.press(Modifiers::NONE, Key::Enter);
    window.steps(2);
    assert!(window.shows("Save as a persona"), "{:?}", window.names());
    // Without a name nothing happens.
    window.press(Modifiers::NONE, Key::Enter);
    window.steps(2);
    assert!(window.shows("Save as a persona"));
    type_into(&mut window, Role::TextInput, NAME, "Poet");
    assert!(window.shows("Replace"), "{:?}", window.names());
    window.press(Modifiers::NONE, Key::Enter);
    window.until("it is replaced", |window| {
        window.harness.state().controller.personas()[0].system == "Be brief"
    });
    assert_eq!(names(&window), ["Poet"]);
    assert!(window.shows("Persona: Poet"), "{:?}", window.names());
}

#[test]
fn the_palette_takes_personas_and_leads_to_their_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_poet(folder.path());
    palette(&mut window, "poet");
    assert!(window.shows("Persona: Poet"), "{:?}", window.names());
    window.press(Modifiers::NONE, Key::Enter);
    window.steps(2);
    assert_eq!((window.harness.state().page(), system(&window).as_str()), (Page::Chat, "Rhyme"));
    palette(&mut window, "persona none");
    window.press(Modifiers::NONE, Key::Enter);
    window.steps(2);
    assert_eq!(system(&window), "");
    palette(&mut window, "manage personas");
    window.press(Modifiers::NONE, Key::Enter);
    window.steps(2);
    assert!(window.shows("Edit Poet"), "{:?}", window.names());
}
