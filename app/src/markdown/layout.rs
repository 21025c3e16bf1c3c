//! Blocks to positioned galleys, relative to the upper left corner of a message. Done once for a text, a width and a theme; painting
//! reuses the result.

use std::ops::Range;
use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{Color32, Galley, Pos2, Rect, Stroke, Ui, Vec2, pos2, vec2};

use super::galleys::Galleys;
use super::highlight;
use super::parse::{Block, Marker, Rich, Span, Table};
use crate::theme::{Text, Tokens};

/// Space between two blocks.
const GAP: f32 = 12.0;
/// Space between list items.
const ITEM_GAP: f32 = 6.0;
/// Indentation of list items and quotations.
const INDENT: f32 = 20.0;
/// Height of a code block's header.
pub const CODE_HEADER: f32 = 36.0;
/// Narrowest text column; deep nesting cannot make it smaller.
const MIN_WIDTH: f32 = 80.0;

/// A link in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Where it leads.
    pub target: String,
    /// Its words.
    pub words: String,
    /// Where it is, one rectangle a row.
    pub rects: Vec<Rect>,
}

/// A text at its place.
pub struct Passage {
    /// Upper left corner.
    pub at: Pos2,
    /// Laid out text.
    pub galley: Arc<Galley>,
    /// Boxes of inline code.
    pub chips: Vec<Rect>,
    /// Links.
    pub links: Vec<Link>,
}

/// A code block at its place.
pub struct Code {
    /// The whole box.
    pub rect: Rect,
    /// Language named by the fence.
    pub language: String,
    /// The code.
    pub text: String,
    /// Laid out without wrapping.
    pub galley: Arc<Galley>,
}

/// Something without text.
pub enum Mark {
    /// Dot of a list item.
    Bullet(Pos2),
    /// Box of a task.
    Task(Pos2, bool),
    /// Filled rectangle.
    Fill(Rect, Color32),
    /// Outlined box with round corners.
    Outline(Rect),
}

/// A message laid out.
#[derive(Default)]
pub struct Laid {
    /// Texts.
    pub passages: Vec<Passage>,
    /// Code blocks.
    pub codes: Vec<Code>,
    /// Bullets, lines, boxes.
    pub marks: Vec<Mark>,
    /// Height of everything.
    pub height: f32,
    /// Where the next character would come.
    pub end: Pos2,
    /// What the texts were laid out from, for when they grow.
    galleys: Galleys,
}

/// Where in a message everything above will stay as it is, whatever is appended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settled {
    /// Bytes of the text.
    pub bytes: usize,
    passages: usize,
    codes: usize,
    marks: usize,
    bottom: f32,
}

impl Laid {
    /// Drops what stands below a place and lays `blocks` out there, each with the offset in the text where it begins. Gives the
    /// place above the last two: more text may change the last one, and half a line may look like a block of its own.
    pub fn lay_below(
        &mut self,
        ui: &Ui,
        tokens: &Tokens,
        from: Settled,
        blocks: &[(usize, Block)],
        width: f32,
        color: Color32,
    ) -> Settled {
        self.passages.truncate(from.passages);
        self.codes.truncate(from.codes);
        self.marks.truncate(from.marks);
        let (mut above_last, mut above_both) = (from, from);
        let mut layer = Layer { ui, tokens, laid: std::mem::take(self) };
        layer.laid.galleys.begin();
        let mut y = from.bottom;
        for (start, block) in blocks {
            above_both = above_last;
            above_last = Settled {
                bytes: from.bytes + start,
                passages: layer.laid.passages.len(),
                codes: layer.laid.codes.len(),
                marks: layer.laid.marks.len(),
                bottom: y,
            };
            y += if y > 0.0 { GAP } else { 0.0 };
            y = layer.block(block, pos2(0.0, y), width.max(MIN_WIDTH), color);
        }
        *self = layer.laid;
        self.galleys.end();
        self.height = y;
        above_both
    }
}

struct Layer<'a> {
    ui: &'a Ui,
    tokens: &'a Tokens,
    laid: Laid,
}

impl Layer<'_> {
    /// Lays blocks out below `at`; gives the y coordinate below them.
    fn blocks(&mut self, blocks: &[Block], at: Pos2, width: f32, color: Color32, gap: f32) -> f32 {
        let mut y = at.y;
        for (index, block) in blocks.iter().enumerate() {
            if index > 0 {
                let before_list = matches!(block, Block::List(_)) && gap < GAP;
                y += if before_list { ITEM_GAP } else { gap };
            }
            y = self.block(block, pos2(at.x, y), width.max(MIN_WIDTH), color);
        }
        y
    }

    fn block(&mut self, block: &Block, at: Pos2, width: f32, color: Color32) -> f32 {
        match block {
            Block::Paragraph(rich) => self.passage(rich, Text::Chat, at, width, color),
            Block::Heading(level, rich) => {
                let (style, above) = match level {
                    1 => (Text::Title, 8.0),
                    2 => (Text::Heading, 4.0),
                    _ => (Text::Subhead, 0.0),
                };
                let above = if at.y > 0.0 { above } else { 0.0 };
                self.passage(rich, style, at + vec2(0.0, above), width, color)
            }
            Block::Code { language, text } => self.code(language, text, at, width),
            Block::List(items) => self.list(items, at, width, color),
            Block::Quote(blocks) => {
                let bottom = self.blocks(
                    blocks,
                    at + vec2(INDENT - 4.0, 0.0),
                    width - INDENT + 4.0,
                    self.tokens.text2,
                    GAP,
                );
                let bar = Rect::from_min_max(at, pos2(at.x + 2.0, bottom));
                self.laid.marks.push(Mark::Fill(bar, self.tokens.border_strong));
                bottom
            }
            Block::Table(table) => self.table(table, at, width),
            Block::Rule => {
                let line = Rect::from_min_size(at + vec2(0.0, 4.0), vec2(width, 1.0));
                self.laid.marks.push(Mark::Fill(line, self.tokens.border));
                at.y + 9.0
            }
        }
    }

    fn list(&mut self, items: &[(Marker, Vec<Block>)], at: Pos2, width: f32, color: Color32) -> f32 {
        // Numbers of two and more digits need more room; all items of a list share it.
        let digits = items.iter().filter_map(|(marker, _)| match marker {
            Marker::Number(number) => Some(number.to_string().len()),
            Marker::Bullet | Marker::Task(_) => None,
        });
        let indent = INDENT.max(digits.max().map_or(0.0, |digits| 14.0 + 8.5 * digits as f32));
        let mut y = at.y;
        for (index, (marker, blocks)) in items.iter().enumerate() {
            y += if index > 0 { ITEM_GAP } else { 0.0 };
            match marker {
                Marker::Bullet => self.laid.marks.push(Mark::Bullet(pos2(at.x + 8.0, y + 12.0))),
                Marker::Task(done) => self.laid.marks.push(Mark::Task(pos2(at.x + 8.0, y + 12.0), *done)),
                Marker::Number(number) => {
                    let galley =
                        Text::Chat.line(self.ui, &format!("{number}."), self.tokens.text2, f32::INFINITY);
                    let left = at.x + indent - 6.0 - galley.size().x;
                    self.laid.passages.push(Passage {
                        at: pos2(left, y),
                        galley,
                        chips: Vec::new(),
                        links: Vec::new(),
                    });
                }
            }
            let bottom = self.blocks(blocks, pos2(at.x + indent, y), width - indent, color, ITEM_GAP);
            if blocks.is_empty() {
                self.laid.end = pos2(at.x + indent, y);
            }
            y = bottom.max(y + Text::Chat.line_height());
        }
        y
    }

    fn code(&mut self, language: &str, text: &str, at: Pos2, width: f32) -> f32 {
        let job = self.code_job(language, text);
        let galley = self.laid.galleys.lay_out(self.ui, job);
        let height = CODE_HEADER + 20.0 + galley.size().y.max(Text::Code.line_height());
        let rect = Rect::from_min_size(at, vec2(width, height));
        let last = galley.pos_from_cursor(galley.end());
        self.laid.end = pos2(
            (at.x + 12.0 + last.left()).min(rect.right() - 12.0),
            at.y + CODE_HEADER + 10.0 + last.top() - 2.0,
        );
        self.laid.codes.push(Code { rect, language: language.to_owned(), text: text.to_owned(), galley });
        rect.bottom()
    }

    fn code_job(&self, language: &str, text: &str) -> LayoutJob {
        let mut job = LayoutJob { wrap: TextWrapping::no_max_width(), ..LayoutJob::default() };
        let mut end = 0;
        for (range, kind) in highlight::pieces(language, text) {
            job.append(&text[end..range.start], 0.0, Text::Code.format(self.tokens.text));
            job.append(&text[range.clone()], 0.0, Text::Code.format(kind.color(self.tokens)));
            end = range.end;
        }
        job.append(&text[end..], 0.0, Text::Code.format(self.tokens.text));
        job
    }

    fn passage(&mut self, rich: &Rich, style: Text, at: Pos2, width: f32, color: Color32) -> f32 {
        let passage = self.set(rich, style, at, width, color);
        let bottom = at.y + passage.galley.size().y;
        let last = passage.galley.pos_from_cursor(passage.galley.end());
        self.laid.end = at + last.left_top().to_vec2();
        self.laid.passages.push(passage);
        bottom
    }

    /// Sets text and finds its chips and links.
    fn set(&mut self, rich: &Rich, style: Text, at: Pos2, width: f32, color: Color32) -> Passage {
        let mut job = LayoutJob { wrap: TextWrapping::wrap_at_width(width.max(1.0)), ..LayoutJob::default() };
        let boxed = !is_in_table(style);
        let mut after_code = false;
        for span in rich {
            let pad = if boxed && (span.style.code || after_code) { 5.0 } else { 0.0 };
            job.append(&span.text, pad, self.format(span, style, color));
            after_code = span.style.code;
        }
        let galley = self.laid.galleys.lay_out(self.ui, job);
        let mut chips = Vec::new();
        let mut links: Vec<Link> = Vec::new();
        let (mut place, mut begin) = (Place::default(), 0);
        for span in rich {
            let end = begin + span.text.chars().count();
            let is_chip = boxed && span.style.code;
            let rects = if is_chip || span.link.is_some() {
                rects_of(&galley, at, begin..end, &mut place)
            } else {
                Vec::new()
            };
            if is_chip {
                chips.extend(rects.iter().map(|rect| rect.expand2(vec2(5.0, -1.0))));
            }
            if let Some(target) = &span.link {
                match links.last_mut() {
                    Some(last) if last.target == *target => {
                        last.words.push_str(&span.text);
                        last.rects.extend(rects);
                    }
                    _ => links.push(Link { target: target.clone(), words: span.text.clone(), rects }),
                }
            }
            begin = end;
        }
        Passage { at, galley, chips, links }
    }

    fn format(&self, span: &Span, style: Text, color: Color32) -> eframe::egui::TextFormat {
        let color = if span.link.is_some() { self.tokens.accent_text } else { color };
        let face = match (style, span.style.code) {
            (style, true) if is_in_table(style) => Text::Mono,
            (_, true) => Text::Code,
            (Text::Chat, false) if span.style.bold => Text::ChatStrong,
            (Text::Chat, false) if span.style.italic => Text::ChatItalic,
            (Text::Body, false) if span.style.bold => Text::Strong,
            (style, false) => style,
        };
        let mut format = face.format(color);
        format.line_height = Some(style.line_height());
        if span.style.strike {
            format.strikethrough = Stroke::new(1.0, color);
        }
        format
    }

    fn table(&mut self, table: &Table, at: Pos2, width: f32) -> f32 {
        let widths = self.column_widths(table, width);
        let total: f32 = widths.iter().sum();
        let heads = std::slice::from_ref(&table.head);
        let mut y = at.y;
        for (index, row) in heads.iter().chain(&table.rows).enumerate() {
            let is_head = index == 0;
            let color = if is_head { self.tokens.text3 } else { self.tokens.text };
            if index > 0 {
                let line = Rect::from_min_size(pos2(at.x, y - 1.0), vec2(total, 1.0));
                self.laid.marks.push(Mark::Fill(line, self.tokens.border));
            }
            y += self.table_row(row, table, &widths, is_head, pos2(at.x, y), color);
        }
        self.laid.marks.push(Mark::Outline(Rect::from_min_max(at, pos2(at.x + total, y))));
        self.laid.end = pos2(at.x + total + 4.0, y - 24.0);
        y
    }

    /// Sets one row; gives its height.
    fn table_row(
        &mut self,
        row: &[Rich],
        table: &Table,
        widths: &[f32],
        is_head: bool,
        at: Pos2,
        color: Color32,
    ) -> f32 {
        let mut x = at.x;
        let mut height: f32 = 32.0;
        let mut cells = Vec::new();
        for (column, cell_width) in widths.iter().enumerate() {
            let empty = Rich::new();
            let style = if is_head { Text::Label } else { cell_style(table, column) };
            let passage =
                self.set(row.get(column).unwrap_or(&empty), style, Pos2::ZERO, cell_width - 24.0, color);
            let size = passage.galley.size();
            height = height.max(size.y + 12.0);
            let left = if table.is_right(column) { x + cell_width - 12.0 - size.x } else { x + 12.0 };
            cells.push((left, passage));
            x += cell_width;
        }
        for (left, mut passage) in cells {
            let move_by: Vec2 = vec2(left, at.y + ((height - passage.galley.size().y) / 2.0).floor());
            passage.at += move_by;
            passage.chips.iter_mut().for_each(|chip| *chip = chip.translate(move_by));
            passage
                .links
                .iter_mut()
                .flat_map(|link| &mut link.rects)
                .for_each(|rect| *rect = rect.translate(move_by));
            self.laid.passages.push(passage);
        }
        height
    }

    /// Natural widths, stretched or shrunk in proportion to fill `width`; every cell keeps a margin of 12 on both sides.
    fn column_widths(&mut self, table: &Table, width: f32) -> Vec<f32> {
        let natural: Vec<f32> = (0..table.head.len())
            .map(|column| {
                let style = cell_style(table, column);
                let cells = table.rows.iter().filter_map(|row| row.get(column)).map(|cell| (cell, style));
                let widths = cells.chain([(&table.head[column], Text::Label)]).map(|(cell, style)| {
                    self.set(cell, style, Pos2::ZERO, f32::INFINITY, self.tokens.text).galley.size().x
                });
                widths.fold(0.0, f32::max) + 25.0
            })
            .collect();
        let total: f32 = natural.iter().sum::<f32>().max(1.0);
        let mut widths: Vec<f32> =
            natural.iter().map(|natural| (natural * width / total).floor().max(32.0)).collect();
        let rest = width - widths.iter().sum::<f32>();
        if let Some(last) = widths.last_mut() {
            *last = (*last + rest).max(32.0);
        }
        widths
    }
}

/// What stands in a column at the right are numbers, whose digits are to stand below each other.
fn cell_style(table: &Table, column: usize) -> Text {
    if table.is_right(column) { Text::Mono } else { Text::Body }
}

/// Whether a style is one of a table, in which code has no box around it.
fn is_in_table(style: Text) -> bool {
    matches!(style, Text::Body | Text::Mono | Text::Label)
}

/// A row of a galley and the characters before it.
#[derive(Clone, Copy, Default)]
struct Place {
    row: usize,
    chars: usize,
}

/// Rectangles of a range of characters, one a row. Ranges are asked for from the first to the last; `place` remembers how far the rows
/// were gone through.
fn rects_of(galley: &Galley, at: Pos2, range: Range<usize>, place: &mut Place) -> Vec<Rect> {
    let mut rects = Vec::new();
    while let Some(row) = galley.rows.get(place.row) {
        let first = place.chars;
        let (from, to) = (range.start.max(first), range.end.min(first + row.glyphs.len()));
        if from < to {
            // The glyphs' own edges: the offset of the next character would include the space before it.
            let left = row.glyphs[from - first].pos.x;
            let right = row.glyphs[to - 1 - first].max_x();
            let top = at + row.pos.to_vec2();
            rects.push(Rect::from_min_max(top + vec2(left, 0.0), top + vec2(right, row.height())));
        }
        let next = first + row.char_count_including_newline().0;
        if next > range.end {
            break;
        }
        *place = Place { row: place.row + 1, chars: next };
    }
    rects
}
