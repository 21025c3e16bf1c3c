//! The frame around the pages: rail, status bar, and the sizes of the regions between them. Pages draw into the rectangles given
//! here and send [`Command`]s.

pub mod action;
mod command;
pub mod keymap;
mod metrics;
mod page;
mod rail;
pub mod region;
mod status;
pub mod words;

use eframe::egui::{Rect, Ui, pos2};

use crate::chat::Controller;

pub use action::{Action, Situation};
pub use command::Command;
pub use keymap::{Keymap, tip};
pub use metrics::{HEADER, Metrics, RAIL, STATUS};
pub use page::{Page, Part};
pub use region::Region;

/// Where a page draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regions {
    /// The list, or nothing where it is a sheet.
    pub list: Option<Rect>,
    /// Header of the page.
    pub header: Rect,
    /// Below the header.
    pub content: Rect,
    /// Everything right of the rail and above the status bar.
    pub page: Rect,
}

/// Draws the rail beside a page of `ui`'s size and gives the page's regions.
pub fn show(ui: &mut Ui, metrics: &Metrics, page: Page, commands: &mut Vec<Command>) -> Regions {
    let all = ui.max_rect();
    let above_status = all.bottom() - STATUS;
    let rail = Rect::from_min_max(all.min, pos2(all.left() + RAIL, above_status));
    region::region(ui, Region::Rail, rail);
    rail::show(ui, rail, metrics, page, commands);
    let page = Rect::from_min_max(pos2(all.left() + RAIL, all.top()), pos2(all.right(), above_status));
    let list_width = if metrics.list_is_sheet { 0.0 } else { metrics.list };
    let main = Rect::from_min_max(pos2(page.left() + list_width, page.top()), page.max);
    Regions {
        list: (!metrics.list_is_sheet)
            .then(|| Rect::from_min_max(page.min, pos2(main.left(), page.bottom()))),
        header: Rect::from_min_max(main.min, pos2(main.right(), main.top() + HEADER)),
        content: Rect::from_min_max(pos2(main.left(), main.top() + HEADER), main.max),
        page,
    }
}

/// Draws the status bar, after the page: the tab key comes to it last.
pub fn show_status(ui: &mut Ui, metrics: &Metrics, controller: &Controller, commands: &mut Vec<Command>) {
    let all = ui.max_rect();
    let rect = Rect::from_min_max(pos2(all.left(), all.bottom() - STATUS), all.max);
    region::region(ui, Region::Status, rect);
    status::show(ui, rect, metrics, controller, commands);
}
