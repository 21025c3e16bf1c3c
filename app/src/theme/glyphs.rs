//! Which font atlas laid-out text points into. Whoever keeps a galley beyond a pass compares generations: after a new window or an
//! atlas that filled up and was cleared, a kept galley would show other glyphs.

use std::sync::atomic::{AtomicU64, Ordering};

use eframe::egui::{Context, Id};

/// Numbers of atlases in this process; 0 is none.
static NEXT: AtomicU64 = AtomicU64::new(1);

#[derive(Debug, Clone, Copy, Default)]
struct Atlas {
    generation: u64,
    fill: f32,
}

/// Number of the atlas in use. Galleys of another number must be laid out again.
pub fn generation(ctx: &Context) -> u64 {
    atlas(ctx).generation
}

/// Looks whether the atlas is another one than in the last pass; at the beginning of each pass, before anything is laid out.
pub fn begin_pass(ctx: &Context) {
    let last = atlas(ctx);
    let fill = ctx.fonts(|fonts| fonts.font_atlas_fill_ratio());
    let cleared = last.generation == 0 || fill < last.fill;
    let generation = if cleared { NEXT.fetch_add(1, Ordering::Relaxed) } else { last.generation };
    store(ctx, Atlas { generation, fill });
}

/// Notes how full the atlas is; at the end of each pass.
pub fn end_pass(ctx: &Context) {
    let fill = ctx.fonts(|fonts| fonts.font_atlas_fill_ratio());
    store(ctx, Atlas { generation: generation(ctx), fill });
}

fn atlas(ctx: &Context) -> Atlas {
    ctx.data(|data| data.get_temp(Id::NULL)).unwrap_or_default()
}

fn store(ctx: &Context, atlas: Atlas) {
    ctx.data_mut(|data| data.insert_temp(Id::NULL, atlas));
}

#[cfg(test)]
mod tests {
    use eframe::egui::{Context, FontId, RawInput};

    use super::*;

    fn pass(ctx: &Context, sizes: std::ops::Range<u32>) -> u64 {
        let mut seen = 0;
        let mut output = ctx.run_ui(RawInput::default(), |ui| {
            begin_pass(ui.ctx());
            seen = generation(ui.ctx());
            for size in sizes.clone() {
                let font = FontId::proportional(size as f32);
                let _ = ui.painter().layout_no_wrap(
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".to_owned(),
                    font,
                    Default::default(),
                );
            }
            end_pass(ui.ctx());
        });
        // Nobody draws.
        output.textures_delta.clear();
        seen
    }

    #[test]
    fn an_atlas_keeps_its_number_until_it_overflows() {
        let ctx = Context::default();
        let first = pass(&ctx, 10..12);
        assert_ne!(first, 0);
        assert_eq!(pass(&ctx, 10..14), first);
        // Far more glyphs than an atlas holds.
        for begin in (100..1000).step_by(100) {
            pass(&ctx, begin..begin + 100);
        }
        assert_ne!(pass(&ctx, 10..12), first);
    }

    #[test]
    fn every_window_has_an_atlas_of_its_own() {
        assert_ne!(pass(&Context::default(), 10..11), pass(&Context::default(), 10..11));
    }
}
