//! Stop strings: an answer ends before the first of them. Text that may still become one is held back, so nothing is shown
//! that has to be taken away again.

use super::SamplingError;

/// Most stop strings of one request.
const MAX_STRINGS: usize = 64;
/// Longest stop string.
const MAX_BYTES: usize = 1024;

/// Watches a stream of text for stop strings.
///
/// The answer ends at the stop string that is complete first; if several are complete with the same character, the longest
/// counts. How the text is cut into pieces makes no difference.
#[derive(Debug, Clone)]
pub struct StopStrings {
    strings: Vec<String>,
    longest: usize,
    /// Text that may be the beginning of a stop string.
    held: String,
    stopped: bool,
}

/// What [`StopStrings::push`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopResult {
    /// Text that is certain to belong to the answer.
    pub emit: String,
    /// Whether the answer ended; later text is ignored.
    pub stopped: bool,
}

impl StopStrings {
    /// A watcher for these strings.
    ///
    /// # Errors
    /// An empty string, one of more than 1024 bytes, or more than 64 of them.
    pub fn new(strings: &[String]) -> Result<Self, SamplingError> {
        if strings.len() > MAX_STRINGS {
            return Err(SamplingError(format!(
                "{} stop strings; at most {MAX_STRINGS} are possible",
                strings.len()
            )));
        }
        for (at, string) in strings.iter().enumerate() {
            if string.is_empty() || string.len() > MAX_BYTES {
                let length = string.len();
                return Err(SamplingError(format!(
                    "stop string {at} has {length} bytes; expected 1 to {MAX_BYTES}"
                )));
            }
        }
        let longest = strings.iter().map(String::len).max().unwrap_or(0);
        Ok(Self { strings: strings.to_vec(), longest, held: String::new(), stopped: false })
    }

    /// Adds text and returns what may be shown now.
    pub fn push(&mut self, text: &str) -> StopResult {
        if self.stopped {
            return StopResult { emit: String::new(), stopped: true };
        }
        self.held.push_str(text);
        if let Some(start) = self.first_stop() {
            self.held.truncate(start);
            self.stopped = true;
            return StopResult { emit: std::mem::take(&mut self.held), stopped: true };
        }
        let undecided = self.held.split_off(self.undecided_from());
        StopResult { emit: std::mem::replace(&mut self.held, undecided), stopped: false }
    }

    /// Text still held back, when the answer ended for another reason.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Where the stop string begins that is complete first.
    fn first_stop(&self) -> Option<usize> {
        let found = self.strings.iter().filter_map(|stop| {
            let start = self.held.find(stop.as_str())?;
            Some((start + stop.len(), start))
        });
        found.min().map(|(_, start)| start)
    }

    /// Where the longest end of the held text begins that is the beginning of a stop string.
    fn undecided_from(&self) -> usize {
        let from = self.held.len().saturating_sub(self.longest.saturating_sub(1));
        let is_undecided = |tail: &str| self.strings.iter().any(|stop| stop.starts_with(tail));
        (from..self.held.len())
            .find(|&start| self.held.is_char_boundary(start) && is_undecided(&self.held[start..]))
            .unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::splitmix64;
    use super::*;

    fn watcher(strings: &[&str]) -> StopStrings {
        let strings: Vec<String> = strings.iter().map(|&s| s.to_owned()).collect();
        StopStrings::new(&strings).expect("short strings")
    }

    /// The specification: character by character, does the text end in a stop string?
    fn naive(text: &str, stops: &[&str]) -> (String, bool) {
        let mut seen = String::new();
        for c in text.chars() {
            seen.push(c);
            if let Some(longest) = stops.iter().filter(|s| seen.ends_with(**s)).max_by_key(|s| s.len()) {
                seen.truncate(seen.len() - longest.len());
                return (seen, true);
            }
        }
        (seen, false)
    }

    #[test]
    fn text_that_may_become_a_stop_string_is_held_back_and_then_released() {
        let mut stops = watcher(&["\nUser:"]);
        assert_eq!(stops.push("Hi\nUs"), StopResult { emit: "Hi".into(), stopped: false });
        assert_eq!(stops.push("e it"), StopResult { emit: "\nUse it".into(), stopped: false });
        assert_eq!(stops.push("\nUser"), StopResult { emit: String::new(), stopped: false });
        assert_eq!(stops.push(": more"), StopResult { emit: String::new(), stopped: true });
        assert_eq!(stops.push("x"), StopResult { emit: String::new(), stopped: true });
        assert_eq!(stops.finish(), "");
    }

    #[test]
    fn finish_releases_what_was_held() {
        let mut stops = watcher(&["END"]);
        assert_eq!(stops.push("the EN").emit, "the ");
        assert_eq!(stops.finish(), "EN");
    }

    #[test]
    fn any_cutting_of_the_text_gives_what_the_specification_gives() {
        let sets: [&[&str]; 5] =
            [&["aab"], &["ab", "abab", "ba"], &["é汉", "汉é", "éé"], &["aaaa", "aab"], &[]];
        let alphabet = ['a', 'b', 'é', '汉'];
        let mut ended = 0;
        for seed in 0..2000u64 {
            let mut state = seed;
            let stops = sets[(splitmix64(&mut state) % 5) as usize];
            let length = splitmix64(&mut state) % 24;
            let text: String = (0..length).map(|_| alphabet[(splitmix64(&mut state) % 4) as usize]).collect();
            let mut watcher = watcher(stops);
            let (mut shown, mut stopped) = (String::new(), false);
            let mut rest: Vec<char> = text.chars().collect();
            while !rest.is_empty() {
                let take = (1 + splitmix64(&mut state) % 4).min(rest.len() as u64) as usize;
                let piece: String = rest.drain(..take).collect();
                let result = watcher.push(&piece);
                shown.push_str(&result.emit);
                stopped = result.stopped;
            }
            shown.push_str(&watcher.finish());
            assert_eq!((shown, stopped), naive(&text, stops), "seed {seed}, {text:?}, {stops:?}");
            ended += u32::from(stopped);
        }
        assert!((200..1800).contains(&ended), "both outcomes must occur: {ended}");
    }

    #[test]
    fn unusable_stop_strings_are_refused() {
        assert!(StopStrings::new(&[String::new()]).is_err());
        assert!(StopStrings::new(&["x".repeat(1025)]).is_err());
        assert!(StopStrings::new(&vec!["x".to_owned(); 65]).is_err());
    }
}
