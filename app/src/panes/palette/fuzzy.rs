//! Finds the letters of a query in a label, in order: the palette's idea of a match.

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Better is larger.
    pub score: i32,
    /// Matched characters of the label, rising.
    pub marks: Vec<usize>,
}

/// Points for a letter that begins a word, and for one that follows a matched letter.
const WORD: i32 = 8;
const NEXT: i32 = 6;
/// Longest label that is looked at, in characters.
const MAX_CHARS: usize = 200;

/// Matches every word of `query` in `label`, in order and without case. An empty query matches everything.
pub fn fuzzy(query: &str, label: &str) -> Option<Match> {
    let wanted: Vec<char> = query.chars().filter(|c| !c.is_whitespace()).map(lower).collect();
    let text: Vec<char> = label.chars().take(MAX_CHARS).collect();
    if wanted.is_empty() {
        return Some(Match { score: 0, marks: Vec::new() });
    }
    // Each beginning gives one match; the best is taken.
    let begins = (0..text.len()).filter(|at| lower(text[*at]) == wanted[0]);
    let best = begins.filter_map(|at| from(&wanted, &text, at)).max_by_key(|found| found.score);
    // Letters scattered over a label are not what anybody meant.
    best.filter(|best| best.score >= 0)
}

fn from(wanted: &[char], text: &[char], begin: usize) -> Option<Match> {
    let mut marks = vec![begin];
    let mut score = points(text, begin, None);
    for letter in &wanted[1..] {
        let last = *marks.last()?;
        let next = (last + 1..text.len()).find(|at| lower(text[*at]) == *letter)?;
        // A later letter that begins a word is what people mean by initials.
        let at = if next == last + 1 {
            next
        } else {
            (next..text.len())
                .find(|at| lower(text[*at]) == *letter && begins_word(text, *at))
                .unwrap_or(next)
        };
        score += points(text, at, Some(last));
        marks.push(at);
    }
    let spread = (marks.last()? - begin) as i32;
    Some(Match { score: score - 2 * spread - begin.min(10) as i32 / 4, marks })
}

fn points(text: &[char], at: usize, last: Option<usize>) -> i32 {
    let next = last.is_some_and(|last| last + 1 == at);
    i32::from(begins_word(text, at)) * WORD + i32::from(next) * NEXT
}

fn begins_word(text: &[char], at: usize) -> bool {
    at == 0 || !text[at - 1].is_alphanumeric() && text[at].is_alphanumeric()
}

fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(query: &str, label: &str) -> Option<String> {
        let found = fuzzy(query, label)?;
        Some(found.marks.iter().filter_map(|at| label.chars().nth(*at)).collect())
    }

    #[test]
    fn letters_are_found_in_order_and_without_case() {
        assert_eq!(marked("mod", "Open a model file…").as_deref(), Some("mod"));
        assert_eq!(marked("NC", "New chat").as_deref(), Some("Nc"));
        assert_eq!(marked("é", "Café").as_deref(), Some("é"));
        assert_eq!(marked("xyz", "New chat"), None);
        assert_eq!(marked("tac", "chat"), None);
        assert_eq!(marked("mod", "Use the theme of the desktop"), None);
        assert_eq!(marked("", "anything").as_deref(), Some(""));
    }

    #[test]
    fn words_and_runs_are_better_than_scattered_letters() {
        let score = |query: &str, label: &str| fuzzy(query, label).map(|found| found.score);
        assert!(score("chat", "New chat") > score("chat", "Use the theme of that"));
        assert!(score("set", "Settings") > score("set", "Use the light theme"));
        assert_eq!(fuzzy("ot", "Open a model, then other"), fuzzy("ot", "Open a model, then other"));
        assert_eq!(fuzzy("nc", "New chat").map(|found| found.marks), Some(vec![0, 4]));
    }
}
