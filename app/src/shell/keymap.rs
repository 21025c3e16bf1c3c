//! Which key belongs to which action: the table's own keys and what the user put in their place. Kept with the window's context,
//! so that every tooltip names the key that works.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::{Context, Event, Id, Key, KeyboardShortcut, ModifierNames, Modifiers, Response};

use super::action::{ACTIONS, Action, Binding};
use crate::ui;

/// The keys of all actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keymap {
    own: BTreeMap<&'static str, Option<KeyboardShortcut>>,
}

/// Why a key cannot be given to an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// Another action has it.
    #[error("“{0}” has this key")]
    Taken(&'static str),
    /// Text could not be typed any more.
    #[error("this key is needed for writing; hold Ctrl or Alt as well, or take a function key")]
    Writes,
    /// The action keeps its key.
    #[error("this key cannot be changed")]
    Fixed,
}

impl Keymap {
    /// The key of an action.
    pub fn shortcut(&self, action: &Action) -> Option<KeyboardShortcut> {
        match action.binding {
            Binding::Fixed(key) => Some(key),
            Binding::Default(key) => self.own.get(action.id).copied().unwrap_or(Some(key)),
            Binding::Unbound => self.own.get(action.id).copied().flatten(),
        }
    }

    /// Whether the user changed the key of an action.
    pub fn is_changed(&self, action: &Action) -> bool {
        self.own.contains_key(action.id)
    }

    /// Gives an action a key, or none.
    ///
    /// # Errors
    /// The key belongs to another action or is needed for writing.
    pub fn bind(&mut self, action: &Action, key: Option<KeyboardShortcut>) -> Result<(), KeyRefusal> {
        if let Binding::Fixed(_) = action.binding {
            return Err(KeyRefusal::Fixed);
        }
        if let Some(key) = key {
            if writes(key) {
                return Err(KeyRefusal::Writes);
            }
            if let Some(other) = self.owner(key).filter(|other| other.id != action.id) {
                return Err(KeyRefusal::Taken(other.label));
            }
        }
        let default = match action.binding {
            Binding::Default(key) => Some(key),
            Binding::Unbound | Binding::Fixed(_) => None,
        };
        if key == default {
            self.own.remove(action.id);
        } else {
            self.own.insert(action.id, key);
        }
        Ok(())
    }

    /// The action that has a key.
    pub fn owner(&self, key: KeyboardShortcut) -> Option<&'static Action> {
        ACTIONS.iter().find(|action| self.shortcut(action) == Some(key)).copied()
    }

    /// Takes the keys of actions out of this pass's input, those with most modifiers first: Ctrl+Shift+N is not Ctrl+N.
    pub fn take_pressed(&self, ctx: &Context) -> Vec<&'static Action> {
        let mut bound: Vec<_> = ACTIONS
            .iter()
            .filter(|action| !matches!(action.binding, Binding::Fixed(_)))
            .filter_map(|action| Some((*action, self.shortcut(action)?)))
            .collect();
        bound.sort_by_key(|(_, key)| std::cmp::Reverse(modifier_count(key.modifiers)));
        ctx.input_mut(|input| {
            let mut pressed = |key: KeyboardShortcut| {
                // Where plus needs Shift, people press the key without it.
                let twin = KeyboardShortcut { logical_key: Key::Equals, ..key };
                input.consume_shortcut(&key) || key.logical_key == Key::Plus && input.consume_shortcut(&twin)
            };
            bound.into_iter().filter(|(_, key)| pressed(*key)).map(|(action, _)| action).collect()
        })
    }

    /// Keeps the keys where [`keymap`] finds them.
    pub fn install(self, ctx: &Context) {
        ctx.data_mut(|data| data.insert_temp(Id::NULL, Arc::new(self)));
    }
}

/// The keys in use.
pub fn keymap(ctx: &Context) -> Arc<Keymap> {
    ctx.data_mut(|data| Arc::clone(data.get_temp_mut_or_default::<Arc<Keymap>>(Id::NULL)))
}

/// Tooltip with the name of an action and its key.
pub fn tip(response: Response, action: &Action) -> Response {
    let caps = caps_of(&response.ctx, action);
    let caps: Vec<&str> = caps.iter().map(String::as_str).collect();
    ui::tip(response, action.label, &caps)
}

/// The caps of the key of an action, in use now.
pub fn caps_of(ctx: &Context, action: &Action) -> Vec<String> {
    keymap(ctx).shortcut(action).map(keycaps).unwrap_or_default()
}

/// The caps of a key: `Ctrl`, `Shift`, `N`.
pub fn keycaps(key: KeyboardShortcut) -> Vec<String> {
    let mut caps = Vec::new();
    for (held, name) in [
        (key.modifiers.command || key.modifiers.ctrl, "Ctrl"),
        (key.modifiers.alt, "Alt"),
        (key.modifiers.shift, "Shift"),
    ] {
        if held {
            caps.push(name.to_owned());
        }
    }
    caps.push(match key.logical_key {
        Key::Escape => "Esc".to_owned(),
        Key::ArrowUp | Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight => key.logical_key.name().to_owned(),
        other => other.symbol_or_name().to_owned(),
    });
    caps
}

/// A key as settings keep it: `Ctrl+Shift+N`; nothing for no key.
pub fn key_text(key: Option<KeyboardShortcut>) -> String {
    key.map(|key| key.format(&ModifierNames::NAMES, false)).unwrap_or_default()
}

/// The key that [`key_text`] wrote. The outer `None` is a text that names no key.
pub fn parse_key(text: &str) -> Option<Option<KeyboardShortcut>> {
    if text.is_empty() {
        return Some(None);
    }
    let mut modifiers = Modifiers::NONE;
    let mut rest = text;
    while let Some((word, later)) = rest.split_once('+').filter(|(_, later)| !later.is_empty()) {
        modifiers |= match word.trim().to_ascii_lowercase().as_str() {
            "ctrl" | "control" => Modifiers::COMMAND,
            "alt" => Modifiers::ALT,
            "shift" => Modifiers::SHIFT,
            _ => return None,
        };
        rest = later;
    }
    Some(Some(KeyboardShortcut::new(modifiers, Key::from_name(rest.trim())?)))
}

/// The key in this pass's input that a user means as a shortcut. Modifiers alone are none.
pub fn pressed_key(ctx: &Context) -> Option<KeyboardShortcut> {
    ctx.input(|input| {
        input.events.iter().find_map(|event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => {
                let mut pattern = Modifiers::NONE;
                pattern.command = modifiers.command || modifiers.ctrl;
                (pattern.alt, pattern.shift) = (modifiers.alt, modifiers.shift);
                Some(KeyboardShortcut::new(pattern, *key))
            }
            // The clipboard's keys come as events of their own.
            Event::Copy => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::C)),
            Event::Cut => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::X)),
            Event::Paste(_) => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::V)),
            _ => None,
        })
    })
}

/// Whether a key types or edits text, so that an action may not take it.
fn writes(key: KeyboardShortcut) -> bool {
    let function = (Key::F1..=Key::F35).contains(&key.logical_key);
    let held = key.modifiers.command || key.modifiers.ctrl || key.modifiers.alt;
    let edits = matches!(
        key.logical_key,
        Key::A
            | Key::C
            | Key::V
            | Key::X
            | Key::Y
            | Key::Z
            | Key::Enter
            | Key::Tab
            | Key::Backspace
            | Key::Delete
    );
    let moves = matches!(
        key.logical_key,
        Key::ArrowUp | Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight | Key::Home | Key::End | Key::Escape
    );
    !function && (!held || moves || edits && !key.modifiers.alt && !key.modifiers.shift)
}

fn modifier_count(modifiers: Modifiers) -> u32 {
    u32::from(modifiers.ctrl || modifiers.command) + u32::from(modifiers.alt) + u32::from(modifiers.shift)
}

#[cfg(test)]
mod tests {
    use super::super::action;
    use super::*;

    fn key(text: &str) -> KeyboardShortcut {
        parse_key(text).flatten().unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn keys_are_written_and_read_back() {
        for text in ["Ctrl+N", "Ctrl+Shift+F6", "F2", "Ctrl+Alt+Comma", "Ctrl+Plus", "Shift+F6", ""] {
            let parsed = parse_key(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(key_text(parsed), text);
        }
        assert_eq!(key("Ctrl++"), key("Ctrl+Plus"));
        for wrong in ["Ctrl+", "Hyper+N", "Ctrl+NoSuchKey", "+", "Ctrl+N+M"] {
            assert_eq!(parse_key(wrong).flatten().filter(|_| wrong != "+"), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_is_given_once_and_never_taken_from_writing() {
        let mut keymap = Keymap::default();
        assert_eq!(keymap.bind(&action::NEW_CHAT, Some(key("Ctrl+F"))), Err(KeyRefusal::Taken("Search")));
        for writing in ["A", "Shift+A", "Space", "Ctrl+C", "Left", "Ctrl+Backspace", "Enter"] {
            assert_eq!(
                keymap.bind(&action::NEW_CHAT, Some(key(writing))),
                Err(KeyRefusal::Writes),
                "{writing}"
            );
        }
        assert_eq!(keymap.bind(&action::STOP, None), Err(KeyRefusal::Fixed));
        keymap.bind(&action::NEW_CHAT, Some(key("Ctrl+Shift+N"))).unwrap();
        assert_eq!(keymap.owner(key("Ctrl+N")).map(|owner| owner.id), None);
        keymap.bind(&action::DELETE_CHAT, Some(key("Ctrl+N"))).unwrap();
        keymap.bind(&action::NEW_CHAT, None).unwrap();
        assert_eq!(keymap.shortcut(&action::NEW_CHAT), None);
    }

    #[test]
    fn going_back_to_the_default_is_no_change() {
        let mut keymap = Keymap::default();
        keymap.bind(&action::NEW_CHAT, Some(key("F9"))).unwrap();
        assert!(keymap.is_changed(&action::NEW_CHAT));
        keymap.bind(&action::NEW_CHAT, Some(key("Ctrl+N"))).unwrap();
        assert_eq!(keymap, Keymap::default());
    }
}
