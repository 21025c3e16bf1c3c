//! Sizes of the regions for a window size.

use eframe::egui::Vec2;

use super::Page;

/// Width of the rail.
pub const RAIL: f32 = 64.0;
/// Height of the page header.
pub const HEADER: f32 = 52.0;
/// Height of the status bar.
pub const STATUS: f32 = 28.0;

/// Sizes that depend on the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metrics {
    /// Width of the list.
    pub list: f32,
    /// Whether the list is a sheet over the content.
    pub list_is_sheet: bool,
    /// Width of the column of messages.
    pub column: f32,
    /// Whether there is little height: rail words hide, the composer is one line.
    pub short: bool,
    /// Width of the inspector.
    pub inspector: f32,
    /// Whether there is so much room that the inspector is open unless it was closed.
    pub is_wide: bool,
    /// Whether the status bar has room for memory.
    pub status_has_memory: bool,
}

impl Metrics {
    /// Sizes for a page in a window of `size` points.
    pub fn of(size: Vec2, page: Page) -> Self {
        let wide = size.x >= 1600.0;
        let list_is_sheet = size.x < 1080.0;
        let list = match page {
            Page::Settings => 224.0,
            Page::Chat if wide => 288.0,
            Page::Chat => 256.0,
        };
        let content = size.x - RAIL - if list_is_sheet { 0.0 } else { list };
        // The composer is 24 wider than the column and keeps 16 to the edges.
        let column = (if wide { 760.0_f32 } else { 720.0 }).min(content - 56.0);
        Self {
            list,
            list_is_sheet,
            column,
            short: size.y < 560.0,
            inspector: if wide { 328.0 } else { 296.0 },
            is_wide: wide,
            status_has_memory: !list_is_sheet,
        }
    }
}

#[cfg(test)]
mod tests {
    use eframe::egui::vec2;

    use super::*;

    #[test]
    fn the_list_becomes_a_sheet_below_1080() {
        assert!(Metrics::of(vec2(1079.0, 800.0), Page::Chat).list_is_sheet);
        assert!(!Metrics::of(vec2(1080.0, 800.0), Page::Chat).list_is_sheet);
    }

    #[test]
    fn column_and_composer_fit_at_every_width() {
        for width in 720..2000 {
            let metrics = Metrics::of(vec2(width as f32, 800.0), Page::Chat);
            let content = width as f32 - RAIL - if metrics.list_is_sheet { 0.0 } else { metrics.list };
            assert!(metrics.column + 24.0 + 32.0 <= content, "{width}");
        }
    }
}
