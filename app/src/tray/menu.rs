//! What the menu holds for a face. What cannot be done now is absent.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{Face, Press};

/// Number of the menu itself.
pub const ROOT: i32 = 0;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number; the same thing has the same number in every version of the menu, so a late click does what was meant.
    pub id: i32,
    /// Its label; an underscore marks the access key, two are one. `None` is a separator.
    pub label: Option<String>,
    /// What pressing it means.
    pub press: Option<Press>,
    /// For one of several that exclude each other: whether it is the one.
    pub chosen: Option<bool>,
    /// Entries below it.
    pub below: Vec<Entry>,
}

impl Entry {
    fn new(id: i32, label: &str, press: Press) -> Self {
        Self { id, label: Some(label.to_owned()), press: Some(press), chosen: None, below: Vec::new() }
    }

    fn separator(id: i32) -> Self {
        Self { id, label: None, press: None, chosen: None, below: Vec::new() }
    }
}

/// The menu, without its root.
pub fn entries(face: &Face) -> Vec<Entry> {
    let mut entries = vec![Entry::new(1, "Open 1bit Desktop", Press::Show)];
    if face.window {
        entries.push(Entry::new(2, "Hide window", Press::Hide));
    }
    entries.push(Entry::new(3, "New chat", Press::NewChat));
    entries.push(Entry::separator(4));
    if !face.models.is_empty() {
        entries.push(models(face));
    }
    entries.extend(face.lane.as_deref().map(|lane| lanes(face, lane)));
    if face.writing {
        entries.push(Entry::new(6, "Stop the answer", Press::Stop));
    }
    if !face.models.is_empty() || face.lane.is_some() || face.writing {
        entries.push(Entry::separator(7));
    }
    entries.push(Entry::new(10, "Settings", Press::Settings));
    entries.push(Entry::new(8, "Quit", Press::Quit));
    entries
}

fn models(face: &Face) -> Entry {
    let chosen = face.chosen.and_then(|chosen| face.models.get(chosen));
    let label = chosen.map_or_else(|| "Model".to_owned(), |model| format!("Model: {}", model.label));
    let below = face.models.iter().enumerate().map(|(index, model)| Entry {
        id: model_id(&model.id),
        label: Some(literal(&model.label)),
        press: Some(Press::Model(model.id.clone())),
        chosen: Some(face.chosen == Some(index)),
        below: Vec::new(),
    });
    Entry { id: 5, label: Some(literal(&label)), press: None, chosen: None, below: below.collect() }
}

fn lanes(face: &Face, lane: &str) -> Entry {
    let below = (100..).zip(&face.lanes).map(|(id, lane)| Entry {
        chosen: Some(lane.chosen),
        ..Entry::new(id, lane.word, Press::Lane(lane.name.to_owned()))
    });
    let label = Some(literal(&format!("Lane: {lane}")));
    Entry { id: 9, label, press: None, chosen: None, below: below.collect() }
}

/// A number above those of the fixed entries.
fn model_id(model: &str) -> i32 {
    let mut hasher = DefaultHasher::new();
    model.hash(&mut hasher);
    i32::try_from(hasher.finish() & 0x3FFF_FFFF).unwrap_or(0) | 0x4000_0000
}

/// A label as it is.
fn literal(label: &str) -> String {
    label.replace('_', "__")
}

/// The entry with this number.
pub fn find(entries: &[Entry], id: i32) -> Option<&Entry> {
    entries.iter().find_map(|entry| if entry.id == id { Some(entry) } else { find(&entry.below, id) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tray::{Lane, Model};

    fn labels(menu: &[Entry]) -> Vec<&str> {
        menu.iter().map(|entry| entry.label.as_deref().unwrap_or("-")).collect()
    }

    fn full() -> Face {
        let models = ["starter", "my_model"].map(|id| Model { id: id.to_owned(), label: id.to_owned() });
        let lane = |name, word, chosen| Lane { name, word, chosen };
        Face {
            window: true,
            writing: true,
            models: models.to_vec(),
            chosen: Some(1),
            lane: Some("CPU · AVX2".to_owned()),
            lanes: vec![lane("auto", "Automatic", false), lane("cpu", "Processor", true)],
            ..Face::default()
        }
    }

    #[test]
    fn what_cannot_be_done_now_is_absent() {
        assert_eq!(
            labels(&entries(&Face::default())),
            ["Open 1bit Desktop", "New chat", "-", "Settings", "Quit"]
        );
        let wanted = [
            "Open 1bit Desktop",
            "Hide window",
            "New chat",
            "-",
            "Model: my__model",
            "Lane: CPU · AVX2",
            "Stop the answer",
            "-",
            "Settings",
            "Quit",
        ];
        assert_eq!(labels(&entries(&full())), wanted);
    }

    #[test]
    fn every_entry_is_found_by_its_number_and_means_what_it_says() {
        let menu = entries(&full());
        let press = |label: &str| {
            let all = menu.iter().chain(menu.iter().flat_map(|entry| &entry.below));
            let id = all.clone().find(|entry| entry.label.as_deref() == Some(label)).unwrap().id;
            find(&menu, id).unwrap().press.clone()
        };
        assert_eq!(press("Open 1bit Desktop"), Some(Press::Show));
        assert_eq!(press("Hide window"), Some(Press::Hide));
        assert_eq!(press("New chat"), Some(Press::NewChat));
        assert_eq!(press("Stop the answer"), Some(Press::Stop));
        assert_eq!(press("Settings"), Some(Press::Settings));
        assert_eq!(press("Processor"), Some(Press::Lane("cpu".to_owned())));
        assert_eq!(press("Lane: CPU · AVX2"), None);
        assert_eq!(press("Quit"), Some(Press::Quit));
        assert_eq!(press("starter"), Some(Press::Model("starter".to_owned())));
        assert_eq!(press("Model: my__model"), None);
        assert_eq!(find(&menu, 99), None);
    }

    #[test]
    fn a_model_keeps_its_number_when_others_come() {
        let few = entries(&full());
        let mut face = full();
        face.models.insert(0, Model { id: "new".to_owned(), label: "new".to_owned() });
        let more = entries(&face);
        let id = |menu: &[Entry]| {
            menu.iter()
                .flat_map(|entry| &entry.below)
                .find(|m| m.label.as_deref() == Some("starter"))
                .unwrap()
                .id
        };
        assert_eq!(id(&few), id(&more));
    }

    #[test]
    fn exactly_the_model_that_answers_and_the_lane_that_was_chosen_are_marked() {
        let menu = entries(&full());
        let below: Vec<_> = menu.iter().filter(|entry| !entry.below.is_empty()).collect();
        assert_eq!(below.len(), 2);
        for entry in below {
            let marked: Vec<_> = entry.below.iter().map(|entry| entry.chosen).collect();
            assert_eq!(marked, [Some(false), Some(true)], "{:?}", entry.label);
        }
    }
}
