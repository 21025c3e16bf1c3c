//! Markdown text to blocks. HTML is shown as it was written, images become a link with their alt text: nothing is ever fetched.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Containers nested deeper than this are flattened, so that hostile text cannot exhaust the stack.
const MAX_DEPTH: usize = 8;

/// A run of text in one style.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    /// The text.
    pub text: String,
    /// How it is set.
    pub style: SpanStyle,
    /// Where it leads.
    pub link: Option<String>,
}

/// Style of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanStyle {
    /// Strong.
    pub bold: bool,
    /// Emphasised.
    pub italic: bool,
    /// Struck through.
    pub strike: bool,
    /// Inline code.
    pub code: bool,
}

/// Text with styles.
pub type Rich = Vec<Span>;

/// What stands before a list item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A dot.
    Bullet,
    /// A number.
    Number(u64),
    /// A box of a task list.
    Task(bool),
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Paragraph(Rich),
    /// A heading of level 1 to 6.
    Heading(u8, Rich),
    /// Code with the language it names.
    Code {
        /// First word after the fence.
        language: String,
        /// The code, without the last line break.
        text: String,
    },
    /// A list.
    List(Vec<(Marker, Vec<Block>)>),
    /// A quotation.
    Quote(Vec<Block>),
    /// A table.
    Table(Table),
    /// A line across.
    Rule,
}

/// A table; every row has as many cells as the head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Whether a column is set at the right.
    pub right: Vec<bool>,
    /// Column titles.
    pub head: Vec<Rich>,
    /// Cells.
    pub rows: Vec<Vec<Rich>>,
}

impl Table {
    /// Whether a column is set at the right.
    pub fn is_right(&self, column: usize) -> bool {
        self.right.get(column).copied().unwrap_or(false)
    }
}

/// A container being filled.
enum Open {
    Quote(Vec<Block>),
    List { next: Option<u64>, items: Vec<(Marker, Vec<Block>)> },
    Item { marker: Marker, blocks: Vec<Block> },
}

#[derive(Default)]
struct Builder {
    done: Vec<Block>,
    open: Vec<Open>,
    /// Containers that were flattened, innermost last.
    flattened: usize,
    rich: Rich,
    style: SpanStyle,
    link: Option<String>,
    image: bool,
    heading: Option<u8>,
    code: Option<(String, String)>,
    table: Option<Table>,
    cells: Vec<Rich>,
}

/// Parses a whole text: its blocks, each with the offset of the line where it begins. Appended text can change the last two only (and,
/// which is not shown while text streams, links to a definition that follows).
pub fn parse(text: &str) -> Vec<(usize, Block)> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut builder = Builder::default();
    let mut starts = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        if depth == 0 {
            start = text[..range.start].rfind('\n').map_or(0, |line| line + 1);
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        builder.take(event);
        starts.resize(builder.done.len(), start);
    }
    let blocks = builder.finish();
    starts.resize(blocks.len(), start);
    starts.into_iter().zip(blocks).collect()
}

impl Builder {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                let style = SpanStyle { code: true, ..self.style };
                self.rich.push(Span { text: text.into_string(), style, link: self.link.clone() });
            }
            Event::FootnoteReference(name) => self.text(&format!("[{name}]")),
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.text("\n"),
            Event::Rule => self.block(Block::Rule),
            Event::TaskListMarker(done) => {
                if let Some(Open::Item { marker, .. }) = self.open.last_mut() {
                    *marker = Marker::Task(done);
                }
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.flush();
                self.heading = Some(level_number(level));
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => {
                        info.split([' ', ',']).next().unwrap_or_default().to_owned()
                    }
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::BlockQuote(_) => self.open(Open::Quote(Vec::new())),
            Tag::List(next) => self.open(Open::List { next, items: Vec::new() }),
            Tag::Item => {
                let marker = match self.open.last_mut() {
                    Some(Open::List { next: Some(number), .. }) => {
                        let marker = Marker::Number(*number);
                        *number = number.saturating_add(1);
                        marker
                    }
                    _ => Marker::Bullet,
                };
                self.open(Open::Item { marker, blocks: Vec::new() });
            }
            Tag::Table(alignments) => {
                self.flush();
                let right = alignments.iter().map(|alignment| *alignment == Alignment::Right).collect();
                self.table = Some(Table { right, ..Table::default() });
            }
            Tag::Emphasis => self.style.italic = true,
            Tag::Strong => self.style.bold = true,
            Tag::Strikethrough => self.style.strike = true,
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.into_string()),
            Tag::Image { dest_url, .. } => {
                self.link = Some(dest_url.into_string());
                self.image = true;
                self.text("Image: ");
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::HtmlBlock => self.flush(),
            TagEnd::CodeBlock => {
                if let Some((language, mut text)) = self.code.take() {
                    if text.ends_with('\n') {
                        text.pop();
                    }
                    self.block(Block::Code { language, text });
                }
            }
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => self.close(),
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.rich);
                self.cells.push(cell);
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                let cells = std::mem::take(&mut self.cells);
                if let Some(table) = &mut self.table {
                    if tag == TagEnd::TableHead { table.head = cells } else { table.rows.push(cells) }
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.block(Block::Table(table));
                }
            }
            TagEnd::Emphasis => self.style.italic = false,
            TagEnd::Strong => self.style.bold = false,
            TagEnd::Strikethrough => self.style.strike = false,
            TagEnd::Link => self.link = None,
            TagEnd::Image => {
                self.link = None;
                self.image = false;
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, code)) = &mut self.code {
            code.push_str(text);
            return;
        }
        match self.rich.last_mut() {
            Some(last) if last.style == self.style && last.link == self.link => last.text.push_str(text),
            _ => self.rich.push(Span { text: text.to_owned(), style: self.style, link: self.link.clone() }),
        }
    }

    /// Makes a block of the text gathered so far.
    fn flush(&mut self) {
        let rich = std::mem::take(&mut self.rich);
        let heading = self.heading.take();
        if rich.iter().all(|span| span.text.trim().is_empty()) {
            return;
        }
        self.block(
            heading
                .map_or_else(|| Block::Paragraph(rich.clone()), |level| Block::Heading(level, rich.clone())),
        );
    }

    fn block(&mut self, block: Block) {
        match self.open.last_mut() {
            Some(Open::Quote(blocks) | Open::Item { blocks, .. }) => blocks.push(block),
            Some(Open::List { items, .. }) => items.push((Marker::Bullet, vec![block])),
            None => self.done.push(block),
        }
    }

    fn open(&mut self, container: Open) {
        self.flush();
        if self.open.len() >= 2 * MAX_DEPTH {
            self.flattened += 1;
        } else {
            self.open.push(container);
        }
    }

    fn close(&mut self) {
        self.flush();
        if self.flattened > 0 {
            self.flattened -= 1;
            return;
        }
        match self.open.pop() {
            Some(Open::Quote(blocks)) => self.block(Block::Quote(blocks)),
            Some(Open::List { items, .. }) => self.block(Block::List(items)),
            Some(Open::Item { marker, blocks }) => match self.open.last_mut() {
                Some(Open::List { items, .. }) => items.push((marker, blocks)),
                _ => blocks.into_iter().for_each(|block| self.block(block)),
            },
            None => {}
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.flush();
        while !self.open.is_empty() {
            self.flattened = 0;
            self.close();
        }
        self.done
    }
}

fn level_number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Block> {
        super::parse(text).into_iter().map(|(_, block)| block).collect()
    }

    fn plain(rich: &Rich) -> String {
        rich.iter().map(|span| span.text.as_str()).collect()
    }

    #[test]
    fn inline_styles_become_spans() {
        let blocks = parse("a **b** *c* `d` ~~e~~");
        let [Block::Paragraph(rich)] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!(plain(rich), "a b c d e");
        assert!(rich.iter().any(|s| s.text == "b" && s.style.bold));
        assert!(rich.iter().any(|s| s.text == "c" && s.style.italic));
        assert!(rich.iter().any(|s| s.text == "d" && s.style.code));
        assert!(rich.iter().any(|s| s.text == "e" && s.style.strike));
    }

    #[test]
    fn tight_lists_nest_and_count() {
        let blocks = parse("3. one\n4. two\n   - deep\n   - [x] done\n");
        let [Block::List(items)] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!((items[0].0, items[1].0), (Marker::Number(3), Marker::Number(4)));
        let [Block::Paragraph(_), Block::List(inner)] = &items[1].1[..] else { panic!("{items:?}") };
        assert_eq!(inner[1].0, Marker::Task(true));
    }

    #[test]
    fn the_tail_after_the_start_of_the_last_block_parses_as_in_the_whole() {
        let text = "# Title\n\nA *b*\nc\n\n   - one\n   - two\n\n     more\n> quote\nlazy\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n\
                    ```rust\nfn f() {}\n\nx\n```\nlast\n***\n1. a\n2. b\n\n    indented\n\nend";
        for (end, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let whole = super::parse(&text[..end]);
            let settled = whole.len().saturating_sub(2);
            let Some((start, _)) = whole.get(settled) else { continue };
            let tail: Vec<_> =
                whole[settled..].iter().map(|(at, block)| (at - start, block.clone())).collect();
            assert_eq!(super::parse(&text[*start..end]), tail, "up to {end}");
            for longer in [end + 1, end + 7, text.len()].map(|longer| longer.min(text.len())) {
                let later = super::parse(&text[..longer]);
                assert_eq!(later[..settled], whole[..settled], "{end} then {longer}");
            }
        }
    }

    #[test]
    fn an_unclosed_fence_is_code_while_it_streams() {
        assert_eq!(
            parse("Here:\n```rust\nfn main() {"),
            [
                Block::Paragraph(vec![Span { text: "Here:".to_owned(), ..Span::default() }]),
                Block::Code { language: "rust".to_owned(), text: "fn main() {".to_owned() }
            ]
        );
    }

    #[test]
    fn tables_keep_their_alignment() {
        let blocks = parse("| a | b |\n|---|--:|\n| 1 | 2 |\n");
        let [Block::Table(table)] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!(table.right, [false, true]);
        assert_eq!((table.head.len(), table.rows.len(), plain(&table.rows[0][1])), (2, 1, "2".to_owned()));
    }

    #[test]
    fn images_and_html_fetch_nothing_and_stay_visible() {
        let blocks = parse("![a cat](https://example.org/cat.png) <b>x</b>");
        let [Block::Paragraph(rich)] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!(plain(rich), "Image: a cat <b>x</b>");
        assert_eq!(rich[0].link.as_deref(), Some("https://example.org/cat.png"));
    }

    #[test]
    fn deep_nesting_is_flattened() {
        fn depth(blocks: &[Block]) -> usize {
            let inner = blocks.iter().map(|block| match block {
                Block::Quote(blocks) => depth(blocks),
                Block::List(items) => items.iter().map(|(_, blocks)| depth(blocks)).max().unwrap_or(0),
                _ => 0,
            });
            1 + inner.max().unwrap_or(0)
        }
        for hostile in [">".repeat(5000) + " x", "- ".repeat(5000) + "x", "1. > ".repeat(2000) + "x"] {
            let blocks = parse(&hostile);
            assert!(depth(&blocks) <= 2 * MAX_DEPTH + 1);
            assert!(format!("{blocks:?}").contains('x'));
        }
    }
}
