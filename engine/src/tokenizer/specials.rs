//! Special tokens written out in a text: found leftmost first, the longest where several start at one place.

use aho_corasick::{AhoCorasick, MatchKind};

use super::TokenizerError;

/// Most bytes that the texts of all specials may have together. Real vocabularies have some thousands.
const MAX_TOTAL_BYTES: usize = 4 << 20;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// Ordinary text, not empty.
    Plain(&'t str),
    /// A special token.
    Special(u32),
}

/// Finds a set of special tokens.
#[derive(Debug)]
pub(super) struct SpecialFinder {
    automaton: Option<AhoCorasick>,
    ids: Vec<u32>,
}

impl SpecialFinder {
    /// A finder of these texts, none of them empty.
    ///
    /// # Errors
    /// The texts are too long together.
    pub(super) fn new<'s>(specials: impl Iterator<Item = (&'s str, u32)>) -> Result<Self, TokenizerError> {
        let (texts, ids): (Vec<&str>, Vec<u32>) = specials.unzip();
        let total: usize = texts.iter().map(|text| text.len()).sum();
        let fail = |problem: String| TokenizerError { field: "tokens".to_owned(), problem };
        if total > MAX_TOTAL_BYTES {
            return Err(fail(format!(
                "special tokens of {total} bytes; at most {MAX_TOTAL_BYTES} are allowed"
            )));
        }
        let automaton = if texts.is_empty() {
            None
        } else {
            let mut builder = AhoCorasick::builder();
            builder.match_kind(MatchKind::LeftmostLongest);
            Some(builder.build(texts).map_err(|err| fail(format!("special tokens: {err}")))?)
        };
        Ok(Self { automaton, ids })
    }

    /// Cuts `text` at its special tokens.
    pub(super) fn parts<'t>(&self, text: &'t str) -> Vec<Part<'t>> {
        let mut parts = Vec::new();
        let mut done = 0;
        for found in self.automaton.iter().flat_map(|automaton| automaton.find_iter(text)) {
            if found.start() > done {
                parts.push(Part::Plain(&text[done..found.start()]));
            }
            parts.push(Part::Special(self.ids[found.pattern().as_usize()]));
            done = found.end();
        }
        if done < text.len() {
            parts.push(Part::Plain(&text[done..]));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_the_leftmost_wins() {
        let finder = SpecialFinder::new([("<a>", 1), ("<a><b>", 2), ("<b>", 3)].into_iter())
            .expect("three short texts");
        assert_eq!(
            finder.parts("x<a><b><b>é"),
            [Part::Plain("x"), Part::Special(2), Part::Special(3), Part::Plain("é")]
        );
    }

    #[test]
    fn without_specials_everything_is_plain() {
        let finder = SpecialFinder::new(std::iter::empty()).expect("nothing to build");
        assert_eq!(finder.parts("<a>"), [Part::Plain("<a>")]);
        assert!(finder.parts("").is_empty());
    }
}
