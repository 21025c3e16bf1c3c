//! Pre-tokenizers: cutting a text into the pieces inside which byte pairs may merge.
//!
//! The published patterns end in `\s+(?!\S)|\s+`: a run of white space leaves its last character to the word that follows.
//! That look-ahead is done by hand here, so that a plain `regex` does the rest in linear time whatever the text.

use regex::Regex;

/// Contractions in either case, as Llama 3 and Qwen 2 cut them.
const CONTRACTIONS: &str = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";

/// Which cut a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Gpt2,
    /// Each number character apart, then GPT-2.
    Gpt2SingleDigits,
    /// Numbers in groups of at most three; a whole piece found in the vocabulary is taken before any merge.
    Llama3,
    /// As Llama 3 with single digits and without the whole-piece rule.
    Qwen2,
}

/// Names in model files and what they mean; names that share a definition share a row's cut.
const KNOWN: &[(&str, Cut)] = &[
    ("llama-bpe", Cut::Llama3),
    ("llama3", Cut::Llama3),
    ("llama-v3", Cut::Llama3),
    ("falcon3", Cut::Llama3),
    ("smollm", Cut::Gpt2SingleDigits),
    ("starcoder", Cut::Gpt2SingleDigits),
    ("gpt2", Cut::Gpt2),
    ("gpt-2", Cut::Gpt2),
    ("olmo", Cut::Gpt2),
    ("mpt", Cut::Gpt2),
    ("qwen2", Cut::Qwen2),
    ("deepseek-r1-qwen", Cut::Qwen2),
];

/// A compiled pre-tokenizer.
#[derive(Debug)]
pub(super) struct Splitter {
    regex: Regex,
    cut: Cut,
}

impl Splitter {
    /// The pre-tokenizer called `name`; `None` when there is no such thing.
    pub(super) fn named(name: &str) -> Option<Self> {
        let cut = KNOWN.iter().find(|(known, _)| *known == name)?.1;
        let pattern = match cut {
            Cut::Gpt2 | Cut::Gpt2SingleDigits => GPT2.to_owned(),
            Cut::Llama3 | Cut::Qwen2 => {
                let numbers = if cut == Cut::Llama3 { r"\p{N}{1,3}" } else { r"\p{N}" };
                format!(
                    r"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+"
                )
            }
        };
        let regex = Regex::new(&pattern).expect("the patterns are constants, and tests compile each of them");
        Some(Self { regex, cut })
    }

    /// All names that [`Self::named`] knows.
    pub(super) fn known_names() -> String {
        KNOWN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Whether a whole piece that is in the vocabulary becomes that token without merging.
    pub(super) fn ignores_merges(&self) -> bool {
        self.cut == Cut::Llama3
    }

    /// Calls `each` with every piece of `text`, in order; together they are the text.
    ///
    /// # Errors
    /// The first error of `each`.
    pub(super) fn pieces<E>(&self, text: &str, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        if self.cut != Cut::Gpt2SingleDigits {
            return self.segment(text, &mut each);
        }
        let mut start = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| c.is_numeric()) {
            self.segment(&text[start..at], &mut each)?;
            start = at + c.len_utf8();
            each(&text[at..start])?;
        }
        self.segment(&text[start..], &mut each)
    }

    fn segment<E>(&self, text: &str, each: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let mut done = 0;
        while let Some(found) = self.regex.find_at(text, done) {
            if found.start() > done {
                each(&text[done..found.start()])?;
            }
            let end = self.end_of(text, found.start(), found.end());
            each(&text[found.start()..end])?;
            done = end;
        }
        if done < text.len() { each(&text[done..]) } else { Ok(()) }
    }

    /// Where a match really ends: a run of two or more white-space characters before a word leaves its last one to the word.
    ///
    /// Only the last alternative of each pattern can end in white space, apart from line ends in the newer patterns, which
    /// their own alternatives took on purpose.
    fn end_of(&self, text: &str, start: usize, end: usize) -> usize {
        let last = text[start..end].chars().next_back();
        let keeps_newlines = matches!(self.cut, Cut::Llama3 | Cut::Qwen2);
        match last {
            Some(c)
                if c.is_whitespace()
                    && !(keeps_newlines && matches!(c, '\r' | '\n'))
                    && end < text.len()
                    && end - start > c.len_utf8() =>
            {
                end - c.len_utf8()
            }
            _ => end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(name: &str, text: &str) -> Vec<String> {
        let mut out = Vec::new();
        let splitter = Splitter::named(name).expect("a known name");
        splitter
            .pieces(text, |piece| {
                out.push(piece.to_owned());
                Ok::<(), ()>(())
            })
            .expect("collecting cannot fail");
        assert_eq!(out.concat(), text, "{name} lost or added text");
        assert!(out.iter().all(|piece| !piece.is_empty()), "{name} gave an empty piece: {out:?}");
        out
    }

    #[test]
    fn every_known_name_compiles_and_an_unknown_one_does_not_exist() {
        for (name, _) in KNOWN {
            assert!(Splitter::named(name).is_some(), "{name}");
        }
        assert!(Splitter::named("gpt-5").is_none());
    }

    #[test]
    fn a_run_of_spaces_leaves_one_to_the_word() {
        assert_eq!(cut("gpt2", "a   b"), ["a", "  ", " b"]);
        assert_eq!(cut("llama-bpe", "a   b"), ["a", "  ", " b"]);
        assert_eq!(cut("qwen2", "a  "), ["a", "  "]);
    }

    #[test]
    fn line_ends_stay_together_in_newer_patterns_and_are_left_behind_in_gpt2() {
        assert_eq!(cut("llama-bpe", "a \n\n  b"), ["a", " \n\n", " ", " b"]);
        assert_eq!(cut("gpt2", "a\n\nb"), ["a", "\n", "\n", "b"]);
        assert_eq!(cut("llama-bpe", "x!\r\n\r\ny"), ["x", "!\r\n\r\n", "y"]);
    }

    #[test]
    fn digits_are_grouped_as_each_pattern_says() {
        assert_eq!(cut("gpt2", "in 12345"), ["in", " 12345"]);
        assert_eq!(cut("llama-bpe", "in 12345"), ["in", " ", "123", "45"]);
        assert_eq!(cut("qwen2", "in 123"), ["in", " ", "1", "2", "3"]);
        assert_eq!(cut("smollm", "in  12x"), ["in", "  ", "1", "2", "x"]);
    }

    #[test]
    fn contractions_ignore_case_only_in_newer_patterns() {
        assert_eq!(cut("llama-bpe", "IT'S"), ["IT", "'S"]);
        assert_eq!(cut("gpt2", "IT'S"), ["IT", "'", "S"]);
        assert_eq!(cut("gpt2", "it's"), ["it", "'s"]);
    }

    #[test]
    fn a_million_spaces_and_a_million_letters_are_one_piece_each() {
        for name in ["llama-bpe", "smollm", "gpt2", "qwen2"] {
            assert_eq!(cut(name, &" ".repeat(1 << 20)).len(), 1, "{name}");
            assert_eq!(cut(name, &"x".repeat(1 << 20)).len(), 1, "{name}");
        }
    }
}
