//! The named text styles: family, size and line height. Panes name a style and a colour role, never a size.

use std::borrow::Cow;
use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{Color32, FontFamily, FontId, Galley, Ui};

use super::fonts;

/// A named text style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Text {
    /// First-run greeting.
    Display,
    /// Heading of the first level in an answer.
    Title,
    /// Page title, dialog title.
    Heading,
    /// Panel title.
    Subhead,
    /// Card title.
    Strong,
    /// Interface text.
    Body,
    /// Buttons and tabs.
    Button,
    /// Messages and composer.
    Chat,
    /// Bold inside messages.
    ChatStrong,
    /// Italic inside messages.
    ChatItalic,
    /// What is typed into the palette.
    Query,
    /// Notes.
    Small,
    /// Field and column labels.
    Label,
    /// Rail, section labels, tags, keycaps.
    Micro,
    /// Table numbers.
    Mono,
    /// Code.
    Code,
    /// Status bar, figures under a message.
    MonoSmall,
}

impl Text {
    /// Family, size and line height in points.
    fn face(self) -> (FontFamily, f32, f32) {
        let named = |name: &str| FontFamily::Name(name.into());
        match self {
            Self::Display => (named(fonts::SEMIBOLD), 24.0, 32.0),
            Self::Title => (named(fonts::SEMIBOLD), 20.0, 28.0),
            Self::Heading => (named(fonts::SEMIBOLD), 16.0, 24.0),
            Self::Subhead => (named(fonts::SEMIBOLD), 14.0, 20.0),
            Self::Strong => (named(fonts::SEMIBOLD), 13.0, 20.0),
            Self::Body => (FontFamily::Proportional, 13.0, 20.0),
            Self::Button => (named(fonts::MEDIUM), 13.0, 16.0),
            Self::Chat => (FontFamily::Proportional, 14.0, 24.0),
            Self::ChatStrong => (named(fonts::SEMIBOLD), 14.0, 24.0),
            Self::ChatItalic => (named(fonts::ITALIC), 14.0, 24.0),
            Self::Query => (FontFamily::Proportional, 16.0, 24.0),
            Self::Small => (FontFamily::Proportional, 12.0, 16.0),
            Self::Label => (named(fonts::MEDIUM), 12.0, 16.0),
            Self::Micro => (named(fonts::MEDIUM), 11.0, 16.0),
            Self::Mono => (FontFamily::Monospace, 12.0, 20.0),
            Self::Code => (FontFamily::Monospace, 12.5, 20.0),
            Self::MonoSmall => (FontFamily::Monospace, 11.0, 16.0),
        }
    }

    /// Font of the style.
    pub fn font(self) -> FontId {
        let (family, size, _) = self.face();
        FontId::new(size, family)
    }

    /// Distance between two lines, in points.
    pub fn line_height(self) -> f32 {
        self.face().2
    }

    /// Format for a layout job.
    pub fn format(self, color: Color32) -> TextFormat {
        TextFormat {
            font_id: self.font(),
            line_height: Some(self.line_height()),
            color,
            valign: eframe::egui::Align::Center,
            ..TextFormat::default()
        }
    }

    /// One line, cut at the end with an ellipsis when wider than `width`. `Galley::elided` tells whether it was cut.
    pub fn line(self, ui: &Ui, text: &str, color: Color32, width: f32) -> Arc<Galley> {
        let mut job = LayoutJob::single_section(text.replace(['\n', '\r'], " "), self.format(color));
        job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
        ui.fonts_mut(|fonts| fonts.layout_job(job))
    }

    /// The name of a file for a line of `width`: when it is wider, an ellipsis takes the place of its middle, since versions of a model
    /// differ at the end.
    pub fn file_name<'t>(self, ui: &Ui, name: &'t str, width: f32) -> Cow<'t, str> {
        let whole = self.line(ui, name, Color32::PLACEHOLDER, f32::INFINITY);
        let all = whole.size().x;
        let Some(row) = whole.rows.first().filter(|_| all > width) else { return Cow::Borrowed(name) };
        let ellipsis = self.line(ui, "…", Color32::PLACEHOLDER, f32::INFINITY).size().x;
        let half = ((width - ellipsis) / 2.0).max(0.0);
        let head = row.glyphs.iter().take_while(|glyph| glyph.max_x() <= half);
        let tail = row.glyphs.iter().rev().take_while(|glyph| all - glyph.pos.x <= half);
        let mut short: String = head.map(|glyph| glyph.chr).chain(['…']).collect();
        let mut tail: Vec<char> = tail.map(|glyph| glyph.chr).collect();
        tail.reverse();
        short.extend(tail);
        Cow::Owned(short)
    }

    /// Text wrapped at `width`.
    pub fn wrapped(self, ui: &Ui, text: &str, color: Color32, width: f32) -> Arc<Galley> {
        let mut job = LayoutJob::single_section(text.to_owned(), self.format(color));
        job.wrap = TextWrapping::wrap_at_width(width.max(1.0));
        ui.fonts_mut(|fonts| fonts.layout_job(job))
    }
}
