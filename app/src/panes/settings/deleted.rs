//! What was deleted and can be brought back: chats, messages, personas, folders, newest deletion first.

use std::time::Duration;

use eframe::egui::{Id, Rect, Ui};

use super::{TWO_LINES, View, card, heading, line_with, two_lines};
use crate::chat::ListCommand;
use crate::shell::Command;
use crate::store::{Deleted, DeletedId, now_millis, shown_title};
use crate::theme::{self, Text, icons};
use crate::ui::{self, Button, IconButton, Kind, Size};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How often ages are drawn again while the page is open.
const REFRESH: Duration = Duration::from_secs(60);

/// Draws the page.
pub fn show(ui: &mut Ui, view: &View<'_>, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    heading(ui, "Recently deleted");
    let Some(list) = view.controller.deleted() else {
        commands.push(Command::InList(ListCommand::LookForDeleted));
        ui.add_space(8.0);
        ui::skeleton(ui, Id::unique("deleted"), 3);
        return;
    };
    if list.is_empty() {
        let small = "Chats, messages, personas and folders that you delete can be restored here for a while.";
        ui::empty_state(ui, icons::TRASH, "Nothing was deleted lately", small);
        return;
    }
    let keep = view.settings.keep_deleted();
    line_with(ui, (Text::Small, tokens.text2), &rule(keep), |ui| {
        if ui.add(Button::new(Kind::Secondary, "Delete all for good…")).clicked() {
            let all = list.iter().map(|deleted| deleted.id).collect();
            commands.push(Command::InList(ListCommand::DeleteForGood(all)));
        }
    });
    ui.add_space(12.0);
    let now = now_millis();
    card(ui, &vec![TWO_LINES; list.len()], |ui, index, rect| {
        // There may be thousands.
        if ui.is_rect_visible(rect) {
            row(ui, rect, &list[index], (now, keep), commands);
        }
    });
    ui.ctx().request_repaint_after(REFRESH);
}

fn rule(keep: Duration) -> String {
    match keep.as_secs() / 86_400 {
        0 => "What you delete can be restored for a minute. The settings under Chat say how long.".to_owned(),
        1 => "What you delete can be restored for a day. The settings under Chat say how long.".to_owned(),
        days => {
            format!("What you delete can be restored for {days} days. The settings under Chat say how long.")
        }
    }
}

fn row(
    ui: &mut Ui,
    rect: Rect,
    deleted: &Deleted,
    (now, keep): (i64, Duration),
    commands: &mut Vec<Command>,
) {
    let title = shown_title(&deleted.title);
    two_lines(ui, rect, title, &line(deleted, now, keep), |ui| {
        let remove = ui.add(IconButton::new(icons::TRASH, &format!("Delete {title} for good")));
        if ui::tip(remove, "Delete for good…", &[]).clicked() {
            commands.push(Command::InList(ListCommand::DeleteForGood(vec![deleted.id])));
        }
        let name = format!("Restore {title}");
        let restore = Button::new(Kind::Secondary, "Restore").size(Size::Small).named(&name);
        if ui.add(restore).clicked() {
            commands.push(Command::InList(ListCommand::BringBack(deleted.id)));
        }
    });
}

/// What it is, when it was deleted, and when it goes.
fn line(deleted: &Deleted, now: i64, keep: Duration) -> String {
    let what = match deleted.id {
        DeletedId::Chat(_) => "Chat".to_owned(),
        DeletedId::Message(..) => format!("Message in “{}”", deleted.of),
        DeletedId::Persona(_) => "Persona".to_owned(),
        DeletedId::Folder(_) => "Folder".to_owned(),
    };
    let age = now.saturating_sub(deleted.deleted_millis).max(0);
    let ago = match age {
        ..MINUTE => "just now".to_owned(),
        MINUTE..HOUR => format!("{} ago", plural(age / MINUTE, "minute")),
        HOUR..DAY => format!("{} ago", plural(age / HOUR, "hour")),
        _ => format!("{} ago", plural(age / DAY, "day")),
    };
    let left = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX).saturating_sub(age);
    // To the nearest unit: what was deleted a moment ago stays for the whole time that the rule above names.
    let goes = match left {
        ..HOUR => "goes soon".to_owned(),
        HOUR..DAY => format!("goes in {}", plural((left + HOUR / 2) / HOUR, "hour")),
        _ => format!("goes in {}", plural((left + DAY / 2) / DAY, "day")),
    };
    format!("{what} · deleted {ago} · {goes}")
}

fn plural(count: i64, unit: &str) -> String {
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ChatId, MessageId};

    #[test]
    fn a_row_says_what_it_is_how_old_and_how_long_it_stays() {
        let deleted = |id, of: &str, deleted_millis| Deleted {
            id,
            title: String::new(),
            of: of.to_owned(),
            deleted_millis,
        };
        let month = Duration::from_secs(30 * 86_400);
        let now = 100 * DAY;
        let chat = DeletedId::Chat(ChatId(1));
        assert_eq!(line(&deleted(chat, "", now), now, month), "Chat · deleted just now · goes in 30 days");
        let old = deleted(chat, "", now - 29 * DAY - HOUR);
        assert_eq!(line(&old, now, month), "Chat · deleted 29 days ago · goes in 23 hours");
        let message = deleted(DeletedId::Message(ChatId(1), MessageId(2)), "Foxes", now - HOUR);
        assert_eq!(line(&message, now, month), "Message in “Foxes” · deleted 1 hour ago · goes in 30 days");
        // A clock that was set back, and something that should be gone already.
        assert!(line(&deleted(chat, "", now + DAY), now, month).contains("just now"));
        assert!(line(&old, now, Duration::ZERO).ends_with("goes soon"));
    }
}
