//! States that are seen rarely: empty, refused, very long. Drawn to be looked at, and not kept.

use eframe::egui::{Key, Modifiers};
use onebit::chat::{Engine, ListCommand};
use onebit::settings::Group;
use onebit::shell::{Command, Part};
use onebit_engine::session::{LoadEvent, StopReason};

use super::scenes::{Scene, log_with, palette_with, settings, short};
use super::studio::Set;
use crate::script::{Window, done, model, ready, scripted, started, text};

pub const ALL: [(&str, Scene); 15] = [
    ("chat-long", chat_long),
    ("chat-narrow-words", chat_narrow_words),
    ("chat-thought", chat_thought),
    ("chat-failed", chat_failed),
    ("chat-full-composer", chat_full_composer),
    ("list-nothing", list_nothing),
    ("list-rename", list_rename),
    ("folder-clash", folder_clash),
    ("palette-nothing", |set| palette_with(set, "swordfish")),
    ("persona-form", persona_form),
    ("settings-nothing", settings_nothing),
    ("log-nothing", |set| log_with(set, "swordfish")),
    ("shortcut-capture", shortcut_capture),
    ("dialog-link", dialog_link),
    ("engine-failed", engine_failed),
];

/// A window over a scripted engine with a model.
fn with_model(set: &Set) -> Window {
    let (backend, script) = scripted(ready());
    script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    let mut window = set.open_over(backend);
    window.script = script;
    window.until("the model is loaded", |window| window.harness.state().controller.model().is_some());
    window
}

/// A window over a scripted engine with a model, in which a question was answered with `answer`.
fn answered(set: &Set, question: &str, answer: &str) -> Window {
    let mut window = with_model(set);
    window.send(question);
    window.engine_says([started(), text(answer), done(StopReason::EndOfText)]);
    window.steps(4);
    window
}

fn chat_long(set: &Set) -> Window {
    let question =
        "Why does a very long question with a title that cannot fit into any list of chats still look good? "
            .repeat(3);
    answered(
        set,
        &question,
        "# A heading of the first level that is longer than the column is wide, so that it has to wrap\n\n\
        1. One\n   - nested with `code` and **bold**\n     - deeper\n2. Two\n\n> A quotation\n> > inside of one\n\n\
        | a | b | c | d | e | f |\n|---|---|---|---|---|---|\n| a cell with many words that wrap | 1 | 2 | 3 | 4 | the last one |\n\n---\n\n\
        - [x] done\n- [ ] open\n\n~~gone~~ and *slanted* and a [link](https://example.org/a/very/long/path/that/goes/on)",
    )
}

fn chat_narrow_words(set: &Set) -> Window {
    let word = "Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrik".repeat(4);
    answered(set, &word, &format!("{word}\n\n`{word}`"))
}

fn chat_thought(set: &Set) -> Window {
    let thought = "First the question has to be understood. ".repeat(12);
    let mut window = answered(set, "Think.", &format!("<think>\n{thought}\n</think>\nThe answer."));
    let name = window.names().into_iter().find(|name| name.starts_with("Thought")).expect("it is folded");
    window.click(&name);
    window.steps(6);
    window
}

fn chat_failed(set: &Set) -> Window {
    let mut window = with_model(set);
    window.send("Name a river.");
    let problem = onebit_engine::session::GenerateError::Stopped;
    window.engine_says([started(), text("The Neckar"), onebit_engine::session::Event::Failed(problem)]);
    window.steps(6);
    window
}

fn chat_full_composer(set: &Set) -> Window {
    let mut window = short(set);
    let files = ["notes.md", "a-file-with-quite-a-long-name-for-a-chip.txt", "c.rs", "d.py", "e.toml"];
    for name in files {
        let file = set.folder.path().join(name);
        std::fs::write(&file, "words and more words\n".repeat(40)).unwrap();
        window.harness.state_mut().controller.attach([file]);
    }
    window.steps(60);
    window.type_message(&"A line of a long message that goes on and on.\n".repeat(12));
    window.steps(10);
    window
}

fn list_nothing(set: &Set) -> Window {
    let mut window = short(set);
    window.press(Modifiers::COMMAND, Key::F);
    window.steps(8);
    window.type_text("swordfish");
    window.until("nothing is found", |window| window.shows("Nothing found"));
    window
}

fn list_rename(set: &Set) -> Window {
    let mut window = short(set);
    if set.light.is_narrow() {
        window.act(Command::ToggleList);
        window.steps(10);
    }
    window.click("Menu of Unpack TQ2_0 in Rust");
    window.click("Rename");
    window.steps(6);
    window
}

fn folder_clash(set: &Set) -> Window {
    let mut window = short(set);
    window.act(Command::InList(ListCommand::AskFolderName(Vec::new())));
    window.steps(4);
    window.type_text("garden");
    window.press(Modifiers::NONE, Key::Enter);
    window.steps(6);
    window
}

fn persona_form(set: &Set) -> Window {
    let mut window = settings(set, Part::Personas);
    window.click("Edit Concise engineer");
    window.steps(6);
    window
}

/// A search that finds nothing.
fn settings_nothing(set: &Set) -> Window {
    let mut window = settings(set, Part::Values(Group::General));
    window.press(Modifiers::COMMAND, Key::Comma);
    window.type_text("swordfish");
    window.steps(4);
    window
}

fn shortcut_capture(set: &Set) -> Window {
    let mut window = settings(set, Part::Shortcuts);
    window.click("Change the key of New chat");
    window.steps(4);
    window.press(Modifiers::COMMAND, Key::L);
    window.steps(4);
    window
}

fn dialog_link(set: &Set) -> Window {
    let mut window = short(set);
    window.act(Command::AskLink(format!("https://example.org/{}", "a-long-path/".repeat(12))));
    window.steps(6);
    window
}

fn engine_failed(set: &Set) -> Window {
    let (backend, _) =
        scripted(Engine::Failed("the lane \"hip\" is not in this build; choose auto or cpu".to_owned()));
    let mut window = set.open_over(backend);
    window.steps(20);
    window
}
