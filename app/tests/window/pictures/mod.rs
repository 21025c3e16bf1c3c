//! Not tests but pictures: every pane and main state in both themes at two sizes, drawn without a display over the real engine and
//! the starter. `packaging/screenshots.sh` runs it and keeps the pictures; what it draws is what a window shows.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the run that draws pictures")]

mod comps;
mod samples;
mod scenes;
mod states;
mod studio;

use std::path::{Path, PathBuf};

use crate::script::Window;
use studio::{Light, Studio};

/// Where the pictures go.
const FOLDER: &str = "ONEBIT_PICTURES";
/// A part of the names of the pictures to draw; all without it.
const ONLY: &str = "ONEBIT_PICTURES_ONLY";

#[test]
#[ignore = "draws pictures; packaging/screenshots.sh runs it"]
fn draw() {
    draw_in(&scenes::ALL, &Light::all().collect::<Vec<_>>());
}

#[test]
#[ignore = "draws pictures; packaging/screenshots.sh runs it"]
fn draw_extremes() {
    draw_in(&scenes::ALL, &Light::extremes());
}

#[test]
#[ignore = "draws pictures; packaging/screenshots.sh runs it"]
fn draw_states() {
    draw_in(&states::ALL, &Light::all().collect::<Vec<_>>());
}

fn draw_in(scenes: &[(&str, scenes::Scene)], lights: &[Light]) {
    let (folder, only) = wanted();
    let studio = Studio::open();
    for (name, scene) in scenes {
        for &light in lights {
            let name = light.picture(name);
            if name.contains(&only) {
                let set = studio.set(light);
                save(&mut scene(&set), &folder, &name);
            }
        }
    }
}

#[test]
#[ignore = "draws pictures; packaging/screenshots.sh runs it"]
fn draw_comps() {
    let (folder, only) = wanted();
    for (name, page) in comps::ALL {
        if name.contains(&only) {
            let own = tempfile::tempdir().unwrap();
            save(&mut page(own.path()), &folder, name);
        }
    }
}

fn wanted() -> (PathBuf, String) {
    let folder = std::env::var_os(FOLDER).expect("ONEBIT_PICTURES names a folder");
    (folder.into(), std::env::var(ONLY).unwrap_or_default())
}

fn save(window: &mut Window, folder: &Path, name: &str) {
    let picture = window.harness.render().unwrap_or_else(|err| panic!("{name}: {err}"));
    picture.save(folder.join(format!("{name}.png"))).unwrap();
}
