//! The regions between which F6 moves the keyboard. A region begins where its first control is drawn; the order is that of the tab
//! key: rail, list, header, content, composer, inspector,
//! status bar.

use std::collections::BTreeMap;

use eframe::egui::{Context, FocusDirection, Id, Rect, Ui};

/// A part of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// Pages.
    Rail,
    /// List of the page.
    List,
    /// Title and actions of the page.
    Header,
    /// The page itself.
    Content,
    /// Where messages are written.
    Composer,
    /// How this chat is answered.
    Inspector,
    /// Status bar.
    Status,
}

#[derive(Clone, Default)]
struct Jump {
    drawn: BTreeMap<Region, Rect>,
    wanted: Option<Region>,
}

impl Jump {
    fn id() -> Id {
        Id::unique("regions")
    }
}

/// Begins a region: the next control drawn is its first.
pub fn region(ui: &Ui, region: Region, rect: Rect) {
    let wanted = ui.data_mut(|data| {
        let jump = data.get_temp_mut_or_default::<Jump>(Jump::id());
        jump.drawn.insert(region, rect);
        jump.wanted.take_if(|wanted| *wanted == region).is_some()
    });
    if wanted {
        // A place that hands the keyboard on to the control after it, as the tab key does.
        let before = Id::unique(("before region", region));
        let layer = ui.layer_id();
        ui.memory_mut(|memory| {
            memory.request_focus(before);
            memory.move_focus(FocusDirection::Next);
            memory.interested_in_focus(before, layer);
        });
    }
}

/// Asks for the keyboard to go into the next region, or into the one before, with the next pass.
pub fn jump(ctx: &Context, forward: bool) {
    let focused = ctx.memory(|memory| memory.focused());
    let place = focused.and_then(|id| ctx.read_response(id)).map(|response| response.rect.center());
    ctx.data_mut(|data| {
        let jump = data.get_temp_mut_or_default::<Jump>(Jump::id());
        let order: Vec<Region> = jump.drawn.keys().copied().collect();
        let here =
            place.and_then(|place| order.iter().rposition(|region| jump.drawn[region].contains(place)));
        let count = order.len().max(1);
        let next = match (here, forward) {
            (Some(here), true) => (here + 1) % count,
            (Some(here), false) => (here + count - 1) % count,
            (None, true) => 0,
            (None, false) => count - 1,
        };
        jump.wanted = order.get(next).copied();
        // What the next pass does not draw is not there any more.
        jump.drawn.clear();
    });
    ctx.request_repaint();
}
