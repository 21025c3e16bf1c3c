//! A few small pictures of controls and of an answer, compared with the ones beside the tests, so that nothing changes its look
//! unnoticed. `UPDATE_SNAPSHOTS=1` draws them anew; look at them then.

use eframe::egui::{Id, Theme, Ui, pos2, vec2};
use egui_kittest::{Harness, SnapshotOptions};
use onebit::markdown::Rendered;
use onebit::theme::{self, icons};
use onebit::ui::{self, Button, Field, IconButton, Kind, Problem, Size, Tone};

/// Distance of two colours below which they are the same; a software and a hardware rasteriser differ by less.
const SAME: f32 = 1.5;
/// Pixels of a picture that may differ by more: edges of glyphs, of some ten thousand.
const FEW: usize = 60;

fn compare(name: &str, size: [f32; 2], light: Theme, draw: impl FnMut(&mut Ui) + 'static) {
    let mut draw = draw;
    let builder = Harness::builder().with_size(vec2(size[0], size[1])).with_theme(light);
    let mut harness = builder.with_context_setup(theme::install).build_ui(move |ui| {
        let tokens = theme::tokens(ui.ctx());
        ui.painter().rect_filled(ui.ctx().content_rect(), 0, tokens.bg_base);
        draw(ui);
    });
    harness.run_steps(3);
    harness.snapshot_options(name, &SnapshotOptions::new().threshold(SAME).max_failed_pixels(FEW));
}

fn controls(ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.add(Button::new(Kind::Primary, "Load"));
        ui.add(Button::new(Kind::Secondary, "Verify").icon(icons::COPY));
        ui.add(Button::new(Kind::Ghost, "Cancel"));
        ui.add(Button::new(Kind::Danger, "Delete").size(Size::Small));
        ui.add(Button::new(Kind::Secondary, "Verify").enabled(false));
        ui.add(IconButton::new(icons::NOTE_PENCIL, "New chat"));
    });
    ui.horizontal(|ui| {
        ui::toggle(ui, "On", true);
        ui::toggle(ui, "Off", false);
        ui::segment(ui, "Theme", &["System", "Light", "Dark"], 1);
        ui::select(ui, "Model", &["1bit Starter"], 0, 140.0);
    });
    ui.horizontal(|ui| {
        ui::tag(ui, Tone::Figure, None, "TQ1_0");
        ui::tag(ui, Tone::Success, Some(icons::SEAL_CHECK), "Verified");
        ui::tag(ui, Tone::Accent, None, "Downloading");
        ui::tag(ui, Tone::Warning, None, "Tight");
        ui::tag(ui, Tone::Danger, None, "Failed");
        ui::keycaps(ui, &["Ctrl", "K"]);
    });
    let field = Field {
        id: Id::unique("field"),
        name: "Search",
        height: 32.0,
        search: true,
        shortcut: &["Ctrl", "F"],
    };
    ui::text_field(ui, &field, &mut String::new());
}

#[test]
fn controls_look_as_drawn_in_the_dark() {
    compare("controls-dark", [440.0, 160.0], Theme::Dark, controls);
}

#[test]
fn controls_look_as_drawn_in_the_light() {
    compare("controls-light", [440.0, 160.0], Theme::Light, controls);
}

#[test]
fn an_answer_looks_as_drawn() {
    let text = "Some **strong** words, `code` and a [link](https://example.org).\n\n- first\n- second\n\n```rust\nfn main() {\n    \
        println!(\"{}\", 42); // says it\n}\n```\n\n| Packing | Bits |\n|---|--:|\n| `TQ2_0` | 2.06 |\n";
    let mut rendered = Rendered::default();
    compare("answer-dark", [440.0, 330.0], Theme::Dark, move |ui| {
        rendered.update(ui, text, 400.0);
        rendered.show(ui, Id::unique("answer"), pos2(20.0, 16.0));
    });
}

#[test]
fn a_problem_looks_as_drawn() {
    compare("problem-light", [440.0, 220.0], Theme::Light, |ui| {
        let detail = "Type 143 is not supported; convert the file to a type that this version knows.";
        let details =
            [("file", "trilm-3.9b-custom.gguf".to_owned()), ("field", "blk.4.ffn_down.weight".to_owned())];
        let problem = Problem {
            title: "This file cannot be loaded",
            detail,
            details: &details,
            action: Some("Open file…"),
            closes: true,
        };
        ui::problem_card(ui, &problem);
    });
}
