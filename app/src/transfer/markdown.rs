//! A chat as Markdown: the shown branch with its system prompt and attachments.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::store::{Chat, Message, MessageState, Role, shown_title};

/// The text, ending with a line break.
pub(super) fn chat(chat: &Chat, messages: &[Message]) -> String {
    let title = one_line(&chat.title);
    let mut text = format!("# {}\n", shown_title(&title));
    if !chat.system.is_empty() {
        section(&mut text, "System prompt", &chat.system);
    }
    for message in shown_branch(chat, messages) {
        let speaker = match message.role {
            Role::System => "System",
            Role::User => "You",
            Role::Assistant if message.stats.model.is_empty() => "Assistant",
            Role::Assistant => &one_line(&message.stats.model),
        };
        section(&mut text, speaker, &message.content);
        for file in &message.attachments {
            let fence = fence_for(&file.text);
            let end = if file.text.ends_with('\n') { "" } else { "\n" };
            let name = one_line(&file.name);
            write!(text, "\nAttached: {name}\n\n{fence}\n{}{end}{fence}\n", file.text)
                .expect("writing to a String cannot fail");
        }
        let note = match message.state {
            MessageState::Complete => continue,
            MessageState::Stopped => "stopped here".to_owned(),
            MessageState::Interrupted | MessageState::Writing => "interrupted here".to_owned(),
            MessageState::Failed => {
                format!("failed: {}", one_line(message.error.as_deref().unwrap_or("unknown error")))
            }
        };
        write!(text, "\n*({note})*\n").expect("writing to a String cannot fail");
    }
    text
}

fn section(text: &mut String, heading: &str, body: &str) {
    write!(text, "\n## {heading}\n\n{}\n", body.trim_end()).expect("writing to a String cannot fail");
}

/// The branch that ends at the chat's leaf, or at the newest message.
fn shown_branch<'m>(chat: &Chat, messages: &'m [Message]) -> Vec<&'m Message> {
    let mut by_id: HashMap<_, _> = messages.iter().map(|message| (message.id, message)).collect();
    let newest = messages.iter().max_by_key(|message| message.id).map(|message| message.id);
    let leaf = chat.leaf.filter(|leaf| by_id.contains_key(leaf)).or(newest);
    // Taking each message out of the map ends the walk even if a damaged database holds a cycle.
    let mut branch: Vec<_> = std::iter::successors(leaf.and_then(|leaf| by_id.remove(&leaf)), |message| {
        message.parent.and_then(|parent| by_id.remove(&parent))
    })
    .collect();
    branch.reverse();
    branch
}

/// A fence longer than every run of backticks in the text.
fn fence_for(text: &str) -> String {
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(3))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
