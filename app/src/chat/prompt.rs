//! What a model is told: the shown branch as the messages of a prompt. Reasoning of earlier answers and messages that were left out
//! are not in it; attached files stand before the text they came with.

use std::borrow::Cow;

use onebit_engine::tokenizer;

use super::reasoning;
use crate::store::{Attachment, Message, Role};

/// The messages of a prompt: the system prompt, then `shown` in order.
pub fn said(system: &str, shown: &[Message]) -> Vec<tokenizer::Message> {
    let mut said: Vec<tokenizer::Message> = Vec::with_capacity(shown.len() + 1);
    if !system.trim().is_empty() {
        said.push(tokenizer::Message { role: tokenizer::Role::System, content: system.to_owned() });
    }
    for message in shown {
        let content = text_of(message);
        if content.is_empty() {
            continue;
        }
        let role = match message.role {
            Role::System => tokenizer::Role::System,
            Role::User => tokenizer::Role::User,
            Role::Assistant => tokenizer::Role::Assistant,
        };
        match said.last_mut() {
            // A question that got no answer and the next one: templates want speakers to take turns.
            Some(last) if last.role == role && role == tokenizer::Role::User => {
                last.content.push_str("\n\n");
                last.content.push_str(&content);
            }
            _ => said.push(tokenizer::Message { role, content: content.into_owned() }),
        }
    }
    said
}

/// A message as later prompts hold it.
pub fn text_of(message: &Message) -> Cow<'_, str> {
    match message.role {
        Role::Assistant => Cow::Borrowed(reasoning::parts(&message.content).answer),
        _ if message.attachments.is_empty() => Cow::Borrowed(&message.content),
        _ => Cow::Owned(with_files(&message.attachments, &message.content)),
    }
}

/// Bytes of [`text_of`], nearly: what fences add is not counted.
pub fn bytes_of(message: &Message) -> usize {
    match message.role {
        Role::Assistant => reasoning::parts(&message.content).answer.len(),
        _ => message.attachments.iter().map(|file| file.text.len()).sum::<usize>() + message.content.len(),
    }
}

/// Files, each fenced under its name, then the text.
pub fn with_files(files: &[Attachment], text: &str) -> String {
    let mut out = String::new();
    for file in files {
        let fence = "`".repeat(longest_run(&file.text, '`').max(2) + 1);
        let end = if file.text.ends_with('\n') { "" } else { "\n" };
        out.push_str(&format!("File {}:\n{fence}\n{}{end}{fence}\n\n", file.name, file.text));
    }
    out.push_str(text);
    out
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ChatId;

    fn message(role: Role, content: &str) -> Message {
        Message::complete(ChatId(1), None, role, content)
    }

    fn contents(system: &str, shown: &[Message]) -> Vec<String> {
        said(system, shown).into_iter().map(|message| message.content).collect()
    }

    #[test]
    fn reasoning_of_earlier_answers_is_not_sent_back() {
        let shown = [
            message(Role::User, "Why?"),
            message(Role::Assistant, "<think>hm</think>Because."),
            message(Role::User, "And <think>this</think>?"),
        ];
        assert_eq!(
            contents("Be brief", &shown),
            ["Be brief", "Why?", "Because.", "And <think>this</think>?"]
        );
    }

    #[test]
    fn the_empty_answer_to_come_is_left_out_and_unanswered_questions_are_one() {
        let shown = [
            message(Role::User, "One"),
            message(Role::Assistant, ""),
            message(Role::User, "Two"),
            message(Role::Assistant, ""),
        ];
        assert_eq!(contents("", &shown), ["One\n\nTwo"]);
    }

    #[test]
    fn a_file_stands_fenced_before_the_text() {
        let mut question = message(Role::User, "What is this?");
        let text = "# Title\n```\ncode\n```".to_owned();
        question.attachments.push(Attachment { name: "a.md".into(), media: "text/markdown".into(), text });
        assert_eq!(
            contents("", &[question]),
            ["File a.md:\n````\n# Title\n```\ncode\n```\n````\n\nWhat is this?"]
        );
    }
}
