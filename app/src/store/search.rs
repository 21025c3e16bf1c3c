//! Finding chats by what is said in them: titles by substring, messages through the full-text index. The index knows words between
//! spaces; a text in a script that writes without spaces is looked for in every message instead.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::command::{Hit, Piece};
use super::record::{ChatHead, ChatId, MessageId};

/// Matching messages that are looked at, newest first. Bounds the time of a search for a word that is everywhere.
const MAX_MESSAGES: u32 = 20_000;
/// Words of a snippet.
const SNIPPET_WORDS: u32 = 14;
/// Characters of a snippet before its first match.
const LEAD_CHARS: usize = 20;
/// Characters before a match in a text without spaces, and half of those after it.
const SNIPPET_CHARS: usize = 12;
/// Marks around a match, which no text holds: snippets are cleaned of control characters.
const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// Chats of `heads` that have `text` in their title or in a message, newest change first, and whether there are more than `limit`.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn find(
    db: &Connection,
    heads: &[ChatHead],
    text: &str,
    limit: usize,
) -> rusqlite::Result<(Vec<Hit>, bool)> {
    let looked_for = LookedFor::of(text);
    let alive: HashSet<ChatId> = heads.iter().map(|head| head.id).collect();
    let messages = looked_for.newest_by_chat(db, &alive, limit)?;
    let wanted = text.trim().to_lowercase();
    let is_title = |head: &ChatHead| !wanted.is_empty() && head.title.to_lowercase().contains(&wanted);
    let mut found: Vec<&ChatHead> =
        heads.iter().filter(|head| messages.contains_key(&head.id) || is_title(head)).collect();
    found.sort_by_key(|head| std::cmp::Reverse((head.updated_millis, head.id)));
    let more = found.len() > limit;
    found.truncate(limit);
    let shown: Vec<MessageId> = found.iter().filter_map(|head| messages.get(&head.id).copied()).collect();
    let mut snippets = looked_for.snippets(db, &shown)?;
    let hits = found.into_iter().map(|head| {
        let message = messages.get(&head.id).copied();
        let snippet = message.and_then(|message| snippets.remove(&message)).unwrap_or_default();
        Hit { chat: head.clone(), message, snippet }
    });
    Ok((hits.collect(), more))
}

/// How messages are looked through.
enum LookedFor<'t> {
    /// Through the index: a query in its language.
    Words(String),
    /// In the text of every message: these characters.
    Piece(&'t str),
    /// Not at all: there is no word in it.
    Nothing,
}

impl<'t> LookedFor<'t> {
    fn of(text: &'t str) -> Self {
        if text.chars().any(is_written_without_spaces) {
            return Self::Piece(text.trim());
        }
        expression(text).map_or(Self::Nothing, Self::Words)
    }

    /// For each of the newest chats that match, one more than `limit`, its newest message that does.
    fn newest_by_chat(
        &self,
        db: &Connection,
        alive: &HashSet<ChatId>,
        limit: usize,
    ) -> rusqlite::Result<HashMap<ChatId, MessageId>> {
        let (sql, wanted) = match self {
            Self::Nothing => return Ok(HashMap::new()),
            Self::Words(expression) => (
                "SELECT messages.chat, messages.id FROM messages_text JOIN messages ON messages.id = messages_text.rowid
                 WHERE messages_text MATCH ?1 AND messages.deleted_millis IS NULL
                 ORDER BY messages_text.rowid DESC LIMIT ?2",
                expression.as_str(),
            ),
            Self::Piece(piece) => (
                "SELECT chat, id FROM messages
                 WHERE instr(content, ?1) > 0 AND state <> 'writing' AND deleted_millis IS NULL
                 ORDER BY id DESC LIMIT ?2",
                *piece,
            ),
        };
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query(params![wanted, MAX_MESSAGES])?;
        let mut newest = HashMap::new();
        while let Some(row) = rows.next()? {
            let chat = ChatId(row.get(0)?);
            if alive.contains(&chat) {
                newest.entry(chat).or_insert(MessageId(row.get(1)?));
            }
            if newest.len() > limit {
                break;
            }
        }
        Ok(newest)
    }

    /// The surroundings of the first match in each of these messages.
    fn snippets(
        &self,
        db: &Connection,
        messages: &[MessageId],
    ) -> rusqlite::Result<HashMap<MessageId, Vec<Piece>>> {
        let ids: Vec<i64> = messages.iter().map(|message| message.0).collect();
        let ids = serde_json::to_string(&ids).expect("numbers serialise");
        let [open, close] = MARKS.map(String::from);
        let mut snippets = HashMap::new();
        match self {
            Self::Nothing => {}
            Self::Words(expression) => {
                // One pass over all matches: with `rowid = ...` the index would begin anew for each message.
                let mut statement = db.prepare_cached(
                    "SELECT rowid, CASE WHEN rowid IN (SELECT value FROM json_each(?2))
                         THEN snippet(messages_text, 0, ?3, ?4, '…', ?5) END
                     FROM messages_text WHERE messages_text MATCH ?1 ORDER BY rowid DESC",
                )?;
                let mut rows = statement.query(params![expression, ids, open, close, SNIPPET_WORDS])?;
                while snippets.len() < messages.len()
                    && let Some(row) = rows.next()?
                {
                    if let Some(marked) = row.get_ref(1)?.as_str_or_null()? {
                        snippets.insert(MessageId(row.get(0)?), shorten_lead(pieces(marked)));
                    }
                }
            }
            Self::Piece(piece) => {
                let mut statement = db.prepare_cached(
                    "SELECT id, content FROM messages WHERE id IN (SELECT value FROM json_each(?1))",
                )?;
                let mut rows = statement.query([ids])?;
                while let Some(row) = rows.next()? {
                    let marked = mark_piece(row.get_ref(1)?.as_str()?, piece);
                    snippets.insert(MessageId(row.get(0)?), shorten_lead(pieces(&marked)));
                }
            }
        }
        Ok(snippets)
    }
}

/// Cuts what stands before the first match to a few words, so that the match is seen where there is little room.
fn shorten_lead(mut pieces: Vec<Piece>) -> Vec<Piece> {
    if let Some(lead) = pieces.first_mut().filter(|first| !first.is_match)
        && lead.text.chars().count() > LEAD_CHARS
    {
        let start = lead.text.char_indices().rev().nth(LEAD_CHARS - 1).map_or(0, |(at, _)| at);
        // From a whole word on, where there is one.
        let kept = &lead.text[start..];
        let words = kept.split_once(' ').map_or(kept, |(_, words)| words);
        let kept = if words.is_empty() { kept } else { words };
        lead.text = format!("…{kept}");
    }
    pieces
}

/// Whether a character belongs to a script without spaces between words: Thai, Lao, Burmese, Khmer, kana, Han.
fn is_written_without_spaces(char: char) -> bool {
    matches!(u32::from(char),
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff
        | 0x2_0000..=0x3_ffff)
}

/// The surroundings of the first `piece` in a text, with marks around it.
fn mark_piece(text: &str, piece: &str) -> String {
    let [open, close] = MARKS;
    let Some(at) = text.find(piece) else { return String::new() };
    let (before, after) = (&text[..at], &text[at + piece.len()..]);
    let lead: Vec<char> = before.chars().rev().take(SNIPPET_CHARS).collect();
    let ellipsis = if lead.len() == SNIPPET_CHARS { "…" } else { "" };
    let lead: String = lead.into_iter().rev().collect();
    let tail: String = after.chars().take(SNIPPET_CHARS * 2).collect();
    format!("{ellipsis}{lead}{open}{piece}{close}{tail}")
}

/// The query in the language of the index: every word has to begin some word, one of a single letter has to be one. `None` when
/// there is no word.
fn expression(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| {
            // A quote inside quotes is doubled; a NUL would end the query.
            let quoted = word.replace('"', "\"\"").replace('\0', " ");
            // What begins with one letter is half of all there is, and nobody wants to see it while typing on.
            let prefix = if word.chars().count() > 1 { "*" } else { "" };
            format!("\"{quoted}\"{prefix}")
        })
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A marked text without the stars and backticks of its Markdown, which a snippet does not draw. Stars between letters or digits are
/// none of Markdown.
fn without_markup(marked: &str) -> String {
    let is_word = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    let mut plain = String::with_capacity(marked.len());
    let mut rest = marked;
    while let Some(at) = rest.find(['*', '`']) {
        plain.push_str(&rest[..at]);
        let run = rest[at..].find(|char| char != '*' && char != '`').map_or(rest.len(), |length| at + length);
        let before = plain.chars().rev().find(|char| !MARKS.contains(char));
        let after = rest[run..].chars().find(|char| !MARKS.contains(char));
        if is_word(before) && is_word(after) {
            plain.push_str(&rest[at..run]);
        }
        rest = &rest[run..];
    }
    plain.push_str(rest);
    plain
}

/// A marked text as pieces on one line.
fn pieces(marked: &str) -> Vec<Piece> {
    let marked = without_markup(marked);
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
        assert_eq!(expression("a bc").as_deref(), Some("\"a\" \"bc\"*"));
        assert_eq!(expression(" !? \" "), None);
    }

    #[test]
    fn a_match_stands_near_the_beginning_of_its_snippet() {
        let lead = |text: &str| {
            let found = shorten_lead(pieces(&format!("{text}\u{2}match\u{3} and more")));
            found[0].text.clone()
        };
        assert_eq!(lead("short "), "short ");
        assert_eq!(lead("Weights are read once a token, so the "), "…a token, so the ");
        assert_eq!(lead(&"ä".repeat(40)), format!("…{}", "ä".repeat(LEAD_CHARS)));
        assert_eq!(lead("averyveryverylongsingleword "), "…yverylongsingleword ");
    }

    #[test]
    fn a_piece_is_shown_with_what_stands_around_it() {
        let text = format!("{}河川{}", "山".repeat(40), "海".repeat(40));
        let found = pieces(&mark_piece(&text, "河川"));
        assert_eq!(found[1], Piece { text: "河川".to_owned(), is_match: true });
        assert_eq!(found[0].text, format!("…{}", "山".repeat(SNIPPET_CHARS)));
        assert_eq!(found[2].text.chars().count(), 2 * SNIPPET_CHARS);
    }

    #[test]
    fn a_snippet_shows_no_markdown_and_keeps_what_is_none() {
        let shown =
            |marked: &str| -> String { pieces(marked).iter().map(|piece| piece.text.as_str()).collect() };
        assert_eq!(
            shown("with a date; a **\u{2}model\u{3}** of the `log`"),
            "with a date; a model of the log"
        );
        assert_eq!(shown("*so* 2**8 is a*b, \u{2}x\u{3}*y"), "so 2**8 is a*b, x*y");
        assert_eq!(shown("***"), "");
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
