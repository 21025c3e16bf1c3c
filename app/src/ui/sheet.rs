//! A panel over the page, where the window is too narrow for it to stand beside.

use eframe::egui::{Area, Id, Order, Rect, Sense, Ui, vec2};

use crate::theme;

/// Draws `content` over the left `width` of `page`, the rest under a scrim. True when the scrim was clicked.
pub fn sheet(ui: &Ui, name: &str, page: Rect, width: f32, content: impl FnOnce(&mut Ui, Rect)) -> bool {
    let tokens = theme::tokens(ui.ctx());
    let area = Area::new(Id::unique(("sheet", name)))
        .order(Order::Middle)
        .fixed_pos(page.min)
        .accessible_name(name.to_owned());
    let panel = Rect::from_min_size(page.min, vec2(width, page.height()));
    area.show(ui.ctx(), |ui| {
        ui.set_clip_rect(page);
        let scrim = ui.interact(page, Id::unique(("scrim", name)), Sense::CLICK);
        ui.painter().rect_filled(page, 0, tokens.scrim);
        content(ui, panel);
        scrim.clicked() && !ui.rect_contains_pointer(panel)
    })
    .inner
}
