//! Bytes of tokens to text as they arrive: a character that is spread over several tokens comes out whole.

/// Bytes in, whole characters out: never splits a character over two calls.
#[derive(Debug, Default)]
pub struct TextStream {
    /// At most three bytes that may still become a character.
    pending: Vec<u8>,
}

impl TextStream {
    /// Adds bytes and returns the text that is complete now. Invalid bytes become U+FFFD once they cannot be completed.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.pending.len());
        let mut kept = 0;
        for chunk in self.pending.utf8_chunks() {
            text.push_str(chunk.valid());
            kept = chunk.invalid().len();
            if kept > 0 {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        // Only the last invalid sequence can still be completed, and only if nothing but its end is missing.
        let tail = self.pending.len() - kept;
        let is_incomplete = str::from_utf8(&self.pending[tail..]).is_err_and(|err| err.error_len().is_none());
        if is_incomplete {
            text.pop();
            self.pending.drain(..tail);
        } else {
            self.pending.clear();
        }
        text
    }

    /// What is left at the end, invalid bytes replaced.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splitmix64(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    #[test]
    fn a_character_split_over_pushes_comes_out_once_and_whole() {
        let mut stream = TextStream::default();
        let crab = "🦀".as_bytes();
        assert_eq!(stream.push(&crab[..1]), "");
        assert_eq!(stream.push(&crab[1..3]), "");
        assert_eq!(stream.push(&crab[3..]), "🦀");
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn bytes_that_cannot_become_a_character_are_replaced_at_once() {
        let mut stream = TextStream::default();
        assert_eq!(stream.push(b"a\xFFb"), "a\u{FFFD}b");
        assert_eq!(stream.push(b"\xE2\x82"), "");
        assert_eq!(stream.push(b"x"), "\u{FFFD}x");
        assert_eq!(stream.push(b"\xE2\x82"), "");
        assert_eq!(stream.finish(), "\u{FFFD}");
    }

    #[test]
    fn any_chunking_of_any_bytes_gives_the_lossy_text() {
        for seed in 0..300u64 {
            let mut state = seed;
            let alphabet = ["a", "é", "汉", "🦀", "\u{301}"];
            let mut bytes = Vec::new();
            for _ in 0..40 {
                let pick = splitmix64(&mut state);
                if pick.is_multiple_of(4) {
                    bytes.push((pick >> 8) as u8);
                } else {
                    bytes.extend_from_slice(alphabet[(pick >> 8) as usize % alphabet.len()].as_bytes());
                }
            }
            let mut stream = TextStream::default();
            let (mut text, mut rest) = (String::new(), bytes.as_slice());
            while !rest.is_empty() {
                let take = (splitmix64(&mut state) % 4) as usize;
                let (now, later) = rest.split_at(take.min(rest.len()));
                text.push_str(&stream.push(now));
                rest = later;
            }
            text.push_str(&stream.finish());
            assert_eq!(text, String::from_utf8_lossy(&bytes), "seed {seed}");
        }
    }
}
