//! The frame around the pages: rail, status bar, and the sizes of the regions between them. Pages draw into the rectangles given
//! here and send [`Command`]s.

mod command;
mod metrics;
mod rail;
mod status;
pub mod words;

use eframe::egui::{Rect, Ui, pos2};

use crate::chat::Controller;
use crate::theme::Appearance;

pub use command::Command;
pub use metrics::{HEADER, Metrics, RAIL, STATUS};

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

/// Draws rail and status bar around a page of `ui`'s size and gives the page's regions.
pub fn show(
    ui: &mut Ui,
    metrics: &Metrics,
    controller: &Controller,
    appearance: Appearance,
    commands: &mut Vec<Command>,
) -> Regions {
    let all = ui.max_rect();
    let above_status = all.bottom() - STATUS;
    rail::show(
        ui,
        Rect::from_min_max(all.min, pos2(all.left() + RAIL, above_status)),
        metrics,
        appearance,
        commands,
    );
    status::show(ui, Rect::from_min_max(pos2(all.left(), above_status), all.max), metrics, controller);
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
