//! What a screen reader and a keyboard find: names, roles and states on every page, and a way to everywhere.

use std::collections::HashSet;

use eframe::egui::accesskit::{Action, Role};
use eframe::egui::{Key, Modifiers, Rect, vec2};
use egui_kittest::kittest::NodeT as _;
use onebit::chat::ListCommand;
use onebit::settings::Group;
use onebit::shell::{Command, Part};
use onebit_engine::session::LoadEvent;

use crate::script::{Window, model, open, open_at, ready};

/// Everything that is wrong with what is shown.
fn problems(window: &Window, page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for node in window.harness.root().children_recursive() {
        let node = node.accesskit_node();
        let data = node.data();
        let acts = data.supports_action(Action::Click) || data.supports_action(Action::Focus);
        if node.is_hidden()
            || !acts
            || matches!(
                node.role(),
                Role::GenericContainer | Role::Window | Role::ScrollView | Role::ScrollBar
            )
        {
            continue;
        }
        // The text of a label is its value.
        let name = node.label().or_else(|| node.value().filter(|_| node.role() == Role::Label));
        let named = name.is_some_and(|name| !name.trim().is_empty());
        if !named {
            found.push(format!("{page}: a {:?} at {:?} has no name", node.role(), node.raw_bounds()));
        }
        let stateful = matches!(node.role(), Role::Switch | Role::RadioButton | Role::Tab);
        if stateful && node.toggled().is_none() {
            found.push(format!("{page}: {:?} has no state", node.label()));
        }
        if node.role() == Role::Unknown {
            found.push(format!("{page}: {:?} has no role", node.label()));
        }
    }
    found
}

fn parts() -> Vec<Part> {
    Part::all().collect()
}

#[test]
fn every_control_of_every_page_has_a_name_a_role_and_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    let mut found = problems(&window, "welcome");
    window.exchange("Hello", "An answer with `code`.\n\n```rust\nfn main() {}\n```");
    found.extend(problems(&window, "chat"));
    window.act(Command::InList(ListCommand::MakeFolder("Notes".to_owned(), Vec::new())));
    window.steps(3);
    found.extend(problems(&window, "folders"));
    for part in parts() {
        window.act(Command::ShowSettings(part));
        window.steps(3);
        found.extend(problems(&window, part.title()));
    }
    window.press(Modifiers::COMMAND, Key::K);
    window.steps(2);
    found.extend(problems(&window, "palette"));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn tab_goes_through_the_regions_in_order_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Hello", "Hi");
    let (mut order, mut seen) = (Vec::new(), HashSet::new());
    window.harness.ctx.memory_mut(|memory| memory.stop_text_input());
    for _ in 0..200 {
        window.press(Modifiers::NONE, Key::Tab);
        let Some(id) = window.harness.ctx.memory(|memory| memory.focused()) else { continue };
        if !seen.insert(id) {
            break;
        }
        if let Some(response) = window.harness.ctx.read_response(id) {
            order.push(response.rect);
        }
    }
    let region = |rect: &Rect| match rect.center() {
        at if at.y > 772.0 => 5,
        at if at.x < 64.0 => 0,
        at if at.x < 320.0 => 1,
        at if at.y < 52.0 => 2,
        at if at.y < 670.0 => 3,
        _ => 4,
    };
    let regions: Vec<u8> = order.iter().map(region).collect();
    let first = regions.iter().position(|region| *region == 0).unwrap_or(0);
    let turned: Vec<u8> = regions[first..].iter().chain(&regions[..first]).copied().collect();
    assert!(turned.is_sorted(), "{turned:?}");
    for wanted in [0, 1, 2, 3, 4] {
        assert!(turned.contains(&wanted), "region {wanted} is not reached: {turned:?}");
    }
}

#[test]
fn f6_goes_from_region_to_region() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Hello", "Hi");
    let focused = |window: &Window| {
        let id = window.harness.ctx.memory(|memory| memory.focused());
        id.and_then(|id| window.harness.ctx.read_response(id)).map(|response| response.rect.center())
    };
    let mut places = Vec::new();
    for _ in 0..6 {
        window.press(Modifiers::NONE, Key::F6);
        window.steps(2);
        places.push(focused(&window));
    }
    let in_rail = places.iter().flatten().filter(|at| at.x < 64.0 && at.y < 772.0).count();
    let in_list = places.iter().flatten().filter(|at| (64.0..320.0).contains(&at.x) && at.y < 772.0).count();
    let in_composer =
        places.iter().flatten().filter(|at| at.x > 320.0 && (670.0..772.0).contains(&at.y)).count();
    assert!(in_rail >= 1 && in_list >= 1 && in_composer >= 1, "{places:?}");
    window.press(Modifiers::SHIFT, Key::F6);
    window.steps(2);
    assert!(focused(&window).is_some());
}

#[test]
fn targets_are_large_enough_for_a_finger() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), vec2(900.0, 600.0), ready());
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.until("the model is loaded", |window| window.shows("Model: 1bit Starter"));
    window.exchange("Hello", "Hi");
    let mut small = Vec::new();
    for part in [None, Some(Part::Values(Group::Chat)), Some(Part::Shortcuts), Some(Part::About)] {
        if let Some(part) = part {
            window.act(Command::ShowSettings(part));
            window.steps(3);
        }
        for node in window.harness.root().children_recursive() {
            let node = node.accesskit_node();
            let Some(bounds) = node.raw_bounds() else { continue };
            let size = vec2((bounds.x1 - bounds.x0) as f32, (bounds.y1 - bounds.y0) as f32);
            let pressed =
                matches!(node.role(), Role::Button | Role::Switch | Role::RadioButton | Role::ComboBox);
            if pressed && !node.is_hidden() && size.min_elem() > 0.0 && size.min_elem() < 23.5 {
                small.push(format!("{:?}: {size}", node.label()));
            }
        }
    }
    assert!(small.is_empty(), "{small:#?}");
}
