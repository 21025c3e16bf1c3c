//! The menu on the bus: interface `com.canonical.dbusmenu`, version 3. Only clicks act; everything else reads.

use std::collections::HashMap;

use zbus::fdo;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{OwnedValue, Value};

use super::menu::{self, Entry, ROOT};
use super::{Shown, State};

/// Where the menu is.
pub const PATH: &str = "/StatusNotifierItem/Menu";

/// Properties of an entry that differ from the default.
type Properties = HashMap<String, OwnedValue>;
/// Number, properties and entries below.
type Node = (i32, Properties, Vec<OwnedValue>);

/// See the module documentation.
pub struct DbusMenu(pub State);

#[zbus::interface(name = "com.canonical.dbusmenu")]
impl DbusMenu {
    #[zbus(property)]
    fn version(&self) -> u32 {
        3
    }

    #[zbus(property)]
    fn text_direction(&self) -> &str {
        "ltr"
    }

    #[zbus(property)]
    fn status(&self) -> &str {
        "normal"
    }

    #[zbus(property)]
    fn icon_theme_path(&self) -> Vec<String> {
        Vec::new()
    }

    /// The entries below `parent` down to `depth` levels (-1 = all), with the named properties (none = all).
    fn get_layout(&self, parent: i32, depth: i32, names: Vec<String>) -> fdo::Result<(u32, Node)> {
        let shown = self.0.lock();
        let node = if parent == ROOT {
            root(&shown, depth, &names)
        } else {
            menu::find(&shown.menu, parent)
                .ok_or_else(|| unknown(parent))
                .and_then(|entry| node(entry, depth, &names))
        }?;
        Ok((shown.revision, node))
    }

    fn get_group_properties(&self, ids: Vec<i32>, names: Vec<String>) -> Vec<(i32, Properties)> {
        let shown = self.0.lock();
        let found = |id: i32| Some((id, properties(menu::find(&shown.menu, id)?, &names)));
        if ids.is_empty() {
            return all(&shown.menu).into_iter().filter_map(|entry| found(entry.id)).collect();
        }
        ids.into_iter().filter_map(found).collect()
    }

    fn get_property(&self, id: i32, name: &str) -> fdo::Result<OwnedValue> {
        let shown = self.0.lock();
        let entry = menu::find(&shown.menu, id).ok_or_else(|| unknown(id))?;
        properties(entry, &[])
            .remove(name)
            .ok_or_else(|| fdo::Error::InvalidArgs(format!("{name} has its default value")))
    }

    fn event(&self, id: i32, event: &str, _data: Value<'_>, _timestamp: u32) -> fdo::Result<()> {
        let press = menu::find(&self.0.lock().menu, id).ok_or_else(|| unknown(id))?.press.clone();
        if let Some(press) = press.filter(|_| event == "clicked") {
            self.0.press(press);
        }
        Ok(())
    }

    /// Gives the numbers that are unknown.
    fn event_group(&self, events: Vec<(i32, String, OwnedValue, u32)>) -> Vec<i32> {
        let failed = |(id, event, _, timestamp): (i32, String, OwnedValue, u32)| {
            self.event(id, &event, Value::from(0), timestamp).is_err().then_some(id)
        };
        events.into_iter().filter_map(failed).collect()
    }

    /// The menu is always up to date.
    fn about_to_show(&self, _id: i32) -> bool {
        false
    }

    fn about_to_show_group(&self, _ids: Vec<i32>) -> (Vec<i32>, Vec<i32>) {
        (Vec::new(), Vec::new())
    }

    #[zbus(signal)]
    pub async fn layout_updated(emitter: &SignalEmitter<'_>, revision: u32, parent: i32) -> zbus::Result<()>;
}

fn unknown(id: i32) -> fdo::Error {
    fdo::Error::InvalidArgs(format!("no entry has the number {id}"))
}

/// All entries, those below others too.
fn all(entries: &[Entry]) -> Vec<&Entry> {
    entries.iter().flat_map(|entry| std::iter::once(entry).chain(all(&entry.below))).collect()
}

fn root(shown: &Shown, depth: i32, names: &[String]) -> fdo::Result<Node> {
    let properties = keep(vec![("children-display", Value::from("submenu"))], names);
    Ok((ROOT, properties, below(&shown.menu, depth, names)?))
}

fn node(entry: &Entry, depth: i32, names: &[String]) -> fdo::Result<Node> {
    Ok((entry.id, properties(entry, names), below(&entry.below, depth, names)?))
}

fn below(entries: &[Entry], depth: i32, names: &[String]) -> fdo::Result<Vec<OwnedValue>> {
    if depth == 0 {
        return Ok(Vec::new());
    }
    let value = |entry| {
        let node = Value::from(node(entry, depth.saturating_sub(1), names)?);
        node.try_into_owned().map_err(|err| fdo::Error::Failed(err.to_string()))
    };
    entries.iter().map(value).collect()
}

fn properties(entry: &Entry, names: &[String]) -> Properties {
    let mut properties = Vec::new();
    match &entry.label {
        Some(label) => properties.push(("label", Value::from(label.as_str()))),
        None => properties.push(("type", Value::from("separator"))),
    }
    if let Some(chosen) = entry.chosen {
        properties.push(("toggle-type", Value::from("radio")));
        properties.push(("toggle-state", Value::from(i32::from(chosen))));
    }
    if !entry.below.is_empty() {
        properties.push(("children-display", Value::from("submenu")));
    }
    keep(properties, names)
}

/// Those that were asked for; all when none was named.
fn keep(properties: Vec<(&str, Value<'_>)>, names: &[String]) -> Properties {
    properties
        .into_iter()
        .filter(|(name, _)| names.is_empty() || names.iter().any(|asked| asked == name))
        .filter_map(|(name, value)| Some((name.to_owned(), value.try_into_owned().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::tray::{Event, Face, Model, Press};

    fn bus_menu() -> (DbusMenu, Arc<Mutex<Vec<Event>>>) {
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let seen = Arc::clone(&events);
        let state = State::new(Arc::new(move |event| seen.lock().unwrap().push(event)));
        let models = vec![Model { id: "starter".to_owned(), label: "1bit Starter".to_owned() }];
        let face = Face { models, chosen: Some(0), ..Face::default() };
        state.lock().menu = menu::entries(&face);
        (DbusMenu(state), events)
    }

    #[test]
    fn depth_and_names_limit_what_is_told() {
        let (menu, _) = bus_menu();
        let (_, (_, _, none)) = menu.get_layout(ROOT, 0, Vec::new()).unwrap();
        assert!(none.is_empty());
        let (_, (id, properties, all)) = menu.get_layout(ROOT, -1, vec!["label".to_owned()]).unwrap();
        assert_eq!((id, properties.len(), all.len()), (ROOT, 0, 7));
        let models: Node = all[3].try_clone().unwrap().try_into().unwrap();
        assert_eq!((models.1.len(), models.2.len()), (1, 1));
        let (_, flat) = menu.get_layout(ROOT, 1, Vec::new()).unwrap();
        let models: Node = flat.2[3].try_clone().unwrap().try_into().unwrap();
        assert!(models.2.is_empty());
        assert!(menu.get_layout(77, -1, Vec::new()).is_err());
    }

    #[test]
    fn only_clicks_on_known_entries_are_reported() {
        let (menu, events) = bus_menu();
        menu.event(3, "hovered", Value::from(0), 0).unwrap();
        menu.event(5, "clicked", Value::from(0), 0).unwrap();
        assert!(menu.event(77, "clicked", Value::from(0), 0).is_err());
        menu.event(3, "clicked", Value::from(0), 0).unwrap();
        let group = [3, 77].map(|id| (id, "clicked".to_owned(), OwnedValue::from(0), 0));
        assert_eq!(menu.event_group(group.to_vec()), [77]);
        let pressed = Event::Pressed(Press::NewChat);
        assert_eq!(*events.lock().unwrap(), [pressed.clone(), pressed]);
    }

    #[test]
    fn properties_are_given_for_the_asked_or_for_all() {
        let (menu, _) = bus_menu();
        assert_eq!(menu.get_group_properties(Vec::new(), Vec::new()).len(), 8);
        let asked = menu.get_group_properties(vec![8, 77], vec!["label".to_owned()]);
        assert_eq!(asked.len(), 1);
        let label: String = menu.get_property(8, "label").unwrap().try_into().unwrap();
        assert_eq!(label, "Quit");
        assert!(menu.get_property(8, "toggle-type").is_err());
    }
}
