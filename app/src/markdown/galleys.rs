//! Galleys of a text that grows. Shaping is what costs: a long text is shaped in parts that each end with a full row, and what was
//! shaped before is taken again, so that a token more costs its own part alone.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::sync::Arc;

use eframe::egui::text::{ByteIndex, LayoutJob, LayoutSection};
use eframe::egui::{Galley, Ui};

/// Longer texts are shaped in parts of about this many bytes.
const PART_BYTES: usize = 2048;

/// What was shaped for a text, by what it was shaped from.
#[derive(Default)]
pub struct Galleys {
    kept: HashMap<u64, Arc<Galley>>,
    /// Those wanted since [`Galleys::begin`].
    wanted: HashMap<u64, Arc<Galley>>,
    /// Times that something was shaped.
    #[cfg(test)]
    shaped: usize,
}

/// The rows of a part that stay as they are, whatever follows.
struct Part {
    galley: Arc<Galley>,
    /// Bytes of the text in these rows.
    bytes: usize,
    /// Whether the text itself breaks the line after them, not the width.
    line_ends: bool,
}

impl Galleys {
    /// Begins a layout.
    pub fn begin(&mut self) {
        self.wanted.clear();
    }

    /// Ends a layout: what it did not want is forgotten.
    pub fn end(&mut self) {
        self.kept = std::mem::take(&mut self.wanted);
    }

    /// Lays a text out; the rows are those of a layout in one go, to a pixel at the sides.
    pub fn lay_out(&mut self, ui: &Ui, job: LayoutJob) -> Arc<Galley> {
        if job.text.len() <= PART_BYTES {
            return self.shape(ui, job);
        }
        let (mut galleys, mut wrapped_rows) = (Vec::new(), Vec::new());
        let (mut start, mut rows, mut at_line_start) = (0, 0, true);
        while start < job.text.len() {
            let part = self.part(ui, &job, start, at_line_start);
            start += part.bytes;
            rows += part.galley.rows.len();
            at_line_start = part.line_ends;
            if !at_line_start && start < job.text.len() {
                wrapped_rows.push(rows - 1);
            }
            galleys.push(part.galley);
        }
        let mut whole = Galley::concat(Arc::new(job), &galleys, ui.ctx().pixels_per_point());
        // Joining takes every galley for a line of its own.
        for row in wrapped_rows {
            whole.rows[row].ends_with_newline = false;
        }
        Arc::new(whole)
    }

    /// Lays out the part that begins at a byte of the text, without its last row, which more text could change.
    fn part(&mut self, ui: &Ui, job: &LayoutJob, start: usize, at_line_start: bool) -> Part {
        let mut room = PART_BYTES;
        loop {
            let end = job.text.ceil_char_boundary(start.saturating_add(room).min(job.text.len()));
            let galley = self.shape(ui, cut(job, start..end, at_line_start));
            if end == job.text.len() {
                return Part { galley, bytes: end - start, line_ends: false };
            }
            let full = &galley.rows[..galley.rows.len() - 1];
            let chars: usize = full.iter().map(|row| row.char_count_including_newline().0).sum();
            if chars > 0 {
                let bytes = job.text[start..end].char_indices().nth(chars).map_or(end - start, |(at, _)| at);
                let line_ends = full.last().is_some_and(|row| row.ends_with_newline);
                return Part { galley: Arc::new(without_last_row(&galley)), bytes, line_ends };
            }
            // One row longer than a part, as a line of code can be.
            room *= 2;
        }
    }

    /// Shapes a text, unless that was done already.
    fn shape(&mut self, ui: &Ui, job: LayoutJob) -> Arc<Galley> {
        let mut hasher = DefaultHasher::new();
        (&job, ui.ctx().pixels_per_point().to_bits()).hash(&mut hasher);
        let key = hasher.finish();
        let known = self.wanted.get(&key).or_else(|| self.kept.get(&key));
        let galley = match known.filter(|galley| galley.text() == job.text) {
            Some(galley) => Arc::clone(galley),
            None => {
                #[cfg(test)]
                {
                    self.shaped += 1;
                }
                ui.fonts_mut(|fonts| fonts.layout_job(job))
            }
        };
        self.wanted.insert(key, Arc::clone(&galley));
        galley
    }
}

/// The job of a range of bytes. A row that begins because the one before is full has no space before its first letter.
fn cut(job: &LayoutJob, range: Range<usize>, at_line_start: bool) -> LayoutJob {
    let section = |section: &LayoutSection| {
        let bytes = section.byte_range.start.0..section.byte_range.end.0;
        let inside = bytes.start.max(range.start)..bytes.end.min(range.end);
        let keeps_space = bytes.start > range.start || (bytes.start == range.start && at_line_start);
        (inside.start < inside.end).then(|| LayoutSection {
            leading_space: if keeps_space { section.leading_space } else { 0.0 },
            byte_range: ByteIndex(inside.start - range.start)..ByteIndex(inside.end - range.start),
            format: section.format.clone(),
        })
    };
    // Sections stand in the order of the text: those before and after need no look.
    let first = job.sections.partition_point(|section| section.byte_range.end.0 <= range.start);
    let sections = job.sections[first..].iter().take_while(|section| section.byte_range.start.0 < range.end);
    LayoutJob {
        text: job.text[range.clone()].to_owned(),
        sections: sections.filter_map(section).collect(),
        wrap: job.wrap.clone(),
        ..LayoutJob::default()
    }
}

fn without_last_row(galley: &Galley) -> Galley {
    let mut galley = galley.clone();
    if let Some(last) = galley.rows.pop() {
        galley.num_vertices -= last.visuals.mesh.vertices.len();
        galley.num_indices -= last.visuals.mesh.indices.len();
    }
    galley
}

#[cfg(test)]
mod tests {
    use eframe::egui::text::TextWrapping;
    use eframe::egui::{Context, RawInput};

    use super::*;
    use crate::theme::{self, Text, Tokens};

    fn job(text: &str, width: f32) -> LayoutJob {
        let mut job = LayoutJob { wrap: TextWrapping::wrap_at_width(width), ..LayoutJob::default() };
        // Every other piece is code, with space around it.
        for (index, piece) in text.split_inclusive('`').enumerate() {
            let (style, space) = if index % 2 == 0 { (Text::Chat, 0.0) } else { (Text::Code, 5.0) };
            job.append(piece, space, style.format(Tokens::dark().text));
        }
        job
    }

    fn with_ui(mut test: impl FnMut(&Ui)) {
        let ctx = Context::default();
        theme::install(&ctx);
        // A family that was installed is known from the next pass on.
        for pass in 0..2 {
            let mut output = ctx.run_ui(RawInput::default(), |ui| {
                if pass == 1 {
                    test(ui)
                }
            });
            // Nobody draws.
            output.textures_delta.clear();
        }
    }

    fn rows(galley: &Galley) -> Vec<(String, bool)> {
        let row = |row: &eframe::egui::epaint::text::PlacedRow| (row.text(), row.ends_with_newline);
        galley.rows.iter().map(row).collect()
    }

    const WORDS: &str = "Decode reads every weight once per token and uses each one for a `multiply-add`; the traffic is what \
        counts, über alles, 速度はメモリで決まる。 ";

    #[test]
    fn rows_of_parts_are_those_of_the_whole() {
        let texts = [
            WORDS.repeat(60),
            format!("{}\n", "line of `code` with words\n".repeat(300)),
            format!("{}\nlast", "\n\n".repeat(3000)),
            format!("{} {}", "w".repeat(9000), WORDS.repeat(20)),
            format!("{}\n{}", "no space but `code`".replace(' ', "").repeat(500), WORDS.repeat(30)),
        ];
        with_ui(|ui| {
            for text in &texts {
                for width in [90.0, 420.0, f32::INFINITY] {
                    let whole = ui.fonts_mut(|fonts| fonts.layout_job(job(text, width)));
                    let parts = Galleys::default().lay_out(ui, job(text, width));
                    assert_eq!(rows(&parts), rows(&whole), "{width} {}", &text[..40]);
                    assert_eq!(parts.text(), whole.text());
                    assert_eq!(
                        (parts.num_vertices, parts.num_indices),
                        (whole.num_vertices, whole.num_indices)
                    );
                    for (part, row) in parts.rows.iter().zip(&whole.rows) {
                        assert!((part.pos - row.pos).length() < 0.01, "{:?} {:?}", part.pos, row.pos);
                        for (glyph, same) in part.glyphs.iter().zip(&row.glyphs) {
                            let apart = glyph.pos - same.pos;
                            assert!(apart.length() <= 1.01, "{apart:?} {width} {}", row.text());
                        }
                    }
                }
            }
        });
    }

    #[test]
    fn a_word_more_shapes_the_last_part_only() {
        with_ui(|ui| {
            let mut galleys = Galleys::default();
            let text = WORDS.repeat(200);
            for end in text.char_indices().map(|(at, _)| at).skip(text.chars().count() - 50) {
                galleys.shaped = 0;
                galleys.begin();
                galleys.lay_out(ui, job(&text[..end], 700.0));
                galleys.end();
            }
            assert_eq!(galleys.shaped, 1);
            // What is not wanted any more is not kept.
            galleys.begin();
            galleys.lay_out(ui, job("short", 700.0));
            galleys.end();
            assert_eq!(galleys.kept.len(), 1);
        });
    }
}
