//! The table of settings as a page of the documentation.

use std::fmt::Write as _;

use super::table::{Group, TABLE};

/// The page `app/docs/settings.md`. A test compares the two.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         Made from the table in `app/src/settings/table.rs`; a test keeps this page true.\n\n\
         The window's settings are in `$XDG_CONFIG_HOME/onebit/settings.toml` (`~/.config/onebit/settings.toml`). The file may be edited by\n\
         hand: comments and unknown keys stay, and a running window takes changes over when it gets the focus. What cannot be used is\n\
         named with key, expected and found, and the default is used instead; a file that is no TOML is set aside before the first\n\
         change is written. Flags of the command line override settings, settings override defaults.\n\n\
         Settings marked \"per model\" can be given to one model: `[model.\"ID\".chat]` with the same names below.\n\
         `[shortcuts]` holds keys by the name of the action, like `\"chat.new\" = \"Ctrl+Shift+N\"`; an empty text takes the key away.\n",
    );
    for group in Group::ALL {
        let mut rows = TABLE.iter().filter(|row| row.group == group).peekable();
        if rows.peek().is_none() {
            continue;
        }
        page.push_str(&format!(
            "\n## {}\n\n| key | what | may hold | default | takes effect | flag |\n|---|---|---|---|---|---|\n",
            group.title()
        ));
        for row in rows {
            let default = match &row.default {
                super::Value::Text(text) => format!("`\"{text}\"`"),
                value => format!("`{}`", plain(value)),
            };
            let flag = row.flag.map(|flag| format!("`--{flag}`")).unwrap_or_default();
            let scope = if row.per_model { "; per model" } else { "" };
            // A failure to write into a String cannot happen.
            let _ = writeln!(
                page,
                "| `{}` | {}: {} | {} | {default} | {}{scope} | {flag} |",
                row.path(),
                row.label,
                row.help,
                row.kind.expected(),
                row.effect.words(),
            );
        }
    }
    page
}

fn plain(value: &super::Value) -> String {
    match value {
        super::Value::Switch(value) => value.to_string(),
        super::Value::Whole(value) => value.to_string(),
        super::Value::Real(value) => value.to_string(),
        super::Value::Text(text) => text.to_string(),
    }
}
