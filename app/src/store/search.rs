//! Finding chats by what is said in them: titles by substring, messages through the full-text index.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::command::{Hit, Piece};
use super::record::{ChatHead, ChatId, MessageId};

/// Matching messages that are looked at, newest first. Bounds the time of a search for a word that is everywhere.
const MAX_MESSAGES: u32 = 20_000;
/// Words of a snippet.
const SNIPPET_WORDS: u32 = 14;
/// Marks around a match, which no text holds: snippets are cleaned of control characters.
const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// Chats of `heads` (newest change first) that have `text` in their title or in a message, and whether there are more than `limit`.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn find(
    db: &Connection,
    heads: &[ChatHead],
    text: &str,
    limit: usize,
) -> rusqlite::Result<(Vec<Hit>, bool)> {
    let expression = expression(text);
    let messages = match &expression {
        Some(expression) => newest_by_chat(db, expression)?,
        None => HashMap::new(),
    };
    let wanted = text.trim().to_lowercase();
    let is_title = |head: &ChatHead| !wanted.is_empty() && head.title.to_lowercase().contains(&wanted);
    let mut found: Vec<&ChatHead> =
        heads.iter().filter(|head| messages.contains_key(&head.id) || is_title(head)).collect();
    found.sort_by_key(|head| std::cmp::Reverse((head.updated_millis, head.id)));
    let more = found.len() > limit;
    let mut hits = Vec::new();
    for head in found.into_iter().take(limit) {
        let message = messages.get(&head.id).copied();
        let snippet = match (message, &expression) {
            (Some(message), Some(expression)) => snippet(db, expression, message)?,
            _ => Vec::new(),
        };
        hits.push(Hit { chat: head.clone(), message, snippet });
    }
    Ok((hits, more))
}

/// The query in the language of the index: every word has to begin some word. `None` when there is no word.
fn expression(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        // A quote inside quotes is doubled; a NUL would end the query.
        .map(|word| format!("\"{}\"*", word.replace('"', "\"\"").replace('\0', " ")))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// For each chat that matches its newest message that does.
fn newest_by_chat(db: &Connection, expression: &str) -> rusqlite::Result<HashMap<ChatId, MessageId>> {
    let mut statement = db.prepare_cached(
        "SELECT messages.chat, messages.id FROM messages_text JOIN messages ON messages.id = messages_text.rowid
         WHERE messages_text MATCH ?1 AND messages.deleted_millis IS NULL ORDER BY messages_text.rowid DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![expression, MAX_MESSAGES])?;
    let mut newest = HashMap::new();
    while let Some(row) = rows.next()? {
        newest.entry(ChatId(row.get(0)?)).or_insert(MessageId(row.get(1)?));
    }
    Ok(newest)
}

fn snippet(db: &Connection, expression: &str, message: MessageId) -> rusqlite::Result<Vec<Piece>> {
    let [open, close] = MARKS.map(String::from);
    let marked: String = db
        .prepare_cached(
            "SELECT snippet(messages_text, 0, ?3, ?4, '…', ?5) FROM messages_text
             WHERE messages_text MATCH ?1 AND rowid = ?2",
        )?
        .query_row(params![expression, message.0, open, close, SNIPPET_WORDS], |row| row.get(0))?;
    Ok(pieces(&marked))
}

/// A marked text as pieces on one line.
fn pieces(marked: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut is_match = false;
    let mut ends_blank = true;
    for mut char in marked.chars() {
        if let Some(mark) = MARKS.iter().position(|mark| *mark == char) {
            is_match = mark == 0;
            continue;
        }
        if char.is_whitespace() || char.is_control() {
            char = ' ';
        }
        if std::mem::replace(&mut ends_blank, char == ' ') && char == ' ' {
            continue;
        }
        match pieces.last_mut() {
            Some(last) if last.is_match == is_match => last.text.push(char),
            _ => pieces.push(Piece { text: char.to_string(), is_match }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_becomes_a_quoted_prefix_and_signs_alone_are_left_out() {
        assert_eq!(expression("  two words ").as_deref(), Some("\"two\"* \"words\"*"));
        assert_eq!(
            expression("say \"hi\" OR - NOT*").as_deref(),
            Some("\"say\"* \"\"\"hi\"\"\"* \"OR\"* \"NOT*\"*")
        );
        assert_eq!(expression(" !? \" "), None);
    }

    #[test]
    fn a_snippet_is_one_line_in_pieces() {
        let found = pieces("a\n\n  \u{2}b c\u{3}\u{1b}[0m\td");
        let expected = [("a ", false), ("b c", true), (" [0m d", false)];
        assert_eq!(found.len(), 3);
        for (piece, (text, is_match)) in found.iter().zip(expected) {
            assert_eq!((piece.text.as_str(), piece.is_match), (text, is_match));
        }
    }
}
