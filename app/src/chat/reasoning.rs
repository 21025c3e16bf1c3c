//! Reasoning that a model writes before its answer, between `<think>` and `</think>`. It is derived from the text of a message each
//! time it is wanted; nothing else is stored about it but how long it took.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// The text of an answer in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts<'a> {
    /// What the model thought; empty when it did not.
    pub thought: &'a str,
    /// Whether it still thinks, or was stopped while it did: nothing has closed the reasoning.
    pub open: bool,
    /// What it answered.
    pub answer: &'a str,
}

/// Parts a text. Reasoning stands at the beginning; blocks that follow each other are one, and a block that was opened twice ends
/// where both are closed. A template may open the block itself: then a closing tag on a line of its own ends it.
pub fn parts(text: &str) -> Parts<'_> {
    let begun = text.trim_start();
    let Some(inside) = begun.strip_prefix(OPEN) else {
        // While it streams, the tag comes in pieces, which must not be taken for an answer.
        if !begun.is_empty() && begun.len() < OPEN.len() && OPEN.starts_with(begun) {
            return Parts { open: true, ..Parts::default() };
        }
        return match unopened_end(text) {
            Some(end) => closed(&text[..end], &text[end + CLOSE.len()..]),
            None => Parts { answer: text, ..Parts::default() },
        };
    };
    let Some(mut end) = inside.find(CLOSE) else {
        return Parts { thought: inside.trim(), open: true, answer: "" };
    };
    loop {
        let rest = &inside[end + CLOSE.len()..];
        let next = rest.find(CLOSE);
        let follows = rest.trim_start().starts_with(OPEN);
        let opened = 1 + inside[..end].matches(OPEN).count();
        let closings = 1 + inside[..end].matches(CLOSE).count();
        let nested = opened > closings && next.is_some_and(|next| !rest[..next].contains(OPEN));
        match next {
            Some(next) if follows || nested => end += CLOSE.len() + next,
            None if follows => return Parts { thought: inside.trim(), open: true, answer: "" },
            _ => return closed(&inside[..end], rest),
        }
    }
}

fn closed<'a>(thought: &'a str, answer: &'a str) -> Parts<'a> {
    Parts { thought: thought.trim(), open: false, answer: answer.trim_start() }
}

/// Where a closing tag without an opening one stands on a line of its own.
fn unopened_end(text: &str) -> Option<usize> {
    let at = text.find(CLOSE)?;
    let alone = |side: &str, ends: bool| {
        let side = side.trim_matches([' ', '\t', '\r']);
        side.is_empty() || if ends { side.ends_with('\n') } else { side.starts_with('\n') }
    };
    let before = &text[..at];
    (!before.contains(OPEN) && alone(before, true) && alone(&text[at + CLOSE.len()..], false)).then_some(at)
}

/// The reasoning as it is shown: without the tags that a model put into it.
pub fn readable(thought: &str) -> String {
    thought.replace(OPEN, "").replace(CLOSE, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (&str, bool, &str) {
        let parts = parts(text);
        (parts.thought, parts.open, parts.answer)
    }

    #[test]
    fn a_block_is_parted_from_the_answer() {
        assert_eq!(of("<think>\nso\n</think>\n\nYes"), ("so", false, "Yes"));
        assert_eq!(of("\n<think>so</think>Yes"), ("so", false, "Yes"));
        assert_eq!(of("Yes"), ("", false, "Yes"));
        assert_eq!(of("<think>\n\n</think>\n\nYes"), ("", false, "Yes"));
    }

    #[test]
    fn an_unclosed_block_is_open_and_no_answer() {
        assert_eq!(of("<think>so far"), ("so far", true, ""));
        for piece in 1.."<think>".len() {
            assert_eq!(of(&"<think>"[..piece]), ("", true, ""));
        }
        assert_eq!(of("<thin air>"), ("", false, "<thin air>"));
    }

    #[test]
    fn nested_and_repeated_blocks_end_at_the_last_closing_tag_that_belongs_to_them() {
        assert_eq!(of("<think>a<think>b</think>c</think>d"), ("a<think>b</think>c", false, "d"));
        assert_eq!(of("<think>a</think>\n<think>b</think>c"), ("a</think>\n<think>b", false, "c"));
        assert_eq!(of("<think>a</think> <think>b"), ("a</think> <think>b", true, ""));
        // Written about in the reasoning, never closed a second time: the answer is not swallowed.
        assert_eq!(of("<think>a <think> b</think>answer"), ("a <think> b", false, "answer"));
        assert_eq!(readable("a<think>b</think>c"), "abc");
    }

    #[test]
    fn a_block_that_the_template_opened_ends_at_a_tag_on_its_own_line() {
        assert_eq!(of("so\n</think>\n\nYes"), ("so", false, "Yes"));
        assert_eq!(of("</think>\nYes"), ("", false, "Yes"));
        // Mentioned in an answer, it stays in the answer.
        assert_eq!(of("Write `</think>` at the end"), ("", false, "Write `</think>` at the end"));
    }

    #[test]
    fn no_text_makes_it_panic_or_lose_the_answer() {
        let mut state = 7u64;
        let pieces = [OPEN, CLOSE, "a", "\n", " ", "é", "<", "<think", ">"];
        for seed in 0..5000 {
            let mut text = String::new();
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let parts = parts(&text);
            assert!(text.contains(parts.thought) && text.ends_with(parts.answer), "{seed}: {text:?}");
        }
    }
}
