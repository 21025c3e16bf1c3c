//! The icon: the mark, drawn in code, one picture for each mood. It stands on panels of either theme, so it has colours of its own
//! with a contrast of at least 3 on both; shape tells the moods apart as well.

use super::Mood;
use crate::theme::TrayColors;

/// Edges of the pictures, in pixels; the panel takes the one that fits.
const EDGES: [i32; 4] = [22, 24, 32, 48];
/// Samples a pixel and direction.
const SAMPLES: i32 = 4;

/// Pictures of a mood: width, height, and ARGB with the alpha first, as the tray wants them.
pub fn pictures(mood: Mood) -> Vec<(i32, i32, Vec<u8>)> {
    EDGES.iter().map(|&edge| (edge, edge, picture(mood, edge))).collect()
}

fn picture(mood: Mood, edge: i32) -> Vec<u8> {
    let mut data = Vec::with_capacity((edge * edge * 4) as usize);
    for y in 0..edge {
        for x in 0..edge {
            data.extend_from_slice(&pixel(mood, edge, x, y));
        }
    }
    data
}

/// Colour of a pixel: the mean over its samples, weighted by what they cover.
fn pixel(mood: Mood, edge: i32, x: i32, y: i32) -> [u8; 4] {
    let mut sum = [0_u32; 3];
    let mut covered = 0_u32;
    for sample in 0..SAMPLES * SAMPLES {
        let at =
            |pixel: i32, sub: i32| (pixel as f32 + (sub as f32 + 0.5) / SAMPLES as f32) * 24.0 / edge as f32;
        if let Some(color) = color_at(mood, at(x, sample % SAMPLES), at(y, sample / SAMPLES)) {
            covered += 1;
            for (sum, part) in sum.iter_mut().zip(color) {
                *sum += u32::from(part);
            }
        }
    }
    let mean = |sum: u32| u8::try_from(sum / covered.max(1)).unwrap_or(u8::MAX);
    let alpha = covered * 255 / (SAMPLES * SAMPLES) as u32;
    [u8::try_from(alpha).unwrap_or(u8::MAX), mean(sum[0]), mean(sum[1]), mean(sum[2])]
}

/// The mark in a box of 24: −1 at the lower left, 0 hollow in the middle, +1 at the upper right. While working the middle is
/// filled; for a problem a disc with an exclamation mark covers the lower right.
fn color_at(mood: Mood, x: f32, y: f32) -> Option<[u8; 3]> {
    let colors = TrayColors::new();
    let rgb = |color: eframe::egui::Color32| Some([color.r(), color.g(), color.b()]);
    if mood == Mood::Problem {
        let from_center = (x - 17.0).hypot(y - 17.0);
        if from_center < 6.5 {
            let bar = (x - 17.0).abs() < 1.1 && (12.8..18.2).contains(&y);
            let dot = (x - 17.0).hypot(y - 20.1) < 1.3;
            return if bar || dot { rgb(colors.on_problem) } else { rgb(colors.problem) };
        }
        if from_center < 7.8 {
            return None;
        }
    }
    if in_square(x, y, 1.0, 15.5, 7.5) {
        return rgb(colors.minus);
    }
    if in_square(x, y, 15.5, 1.0, 7.5) {
        return rgb(colors.plus);
    }
    let middle = in_square(x, y, 8.5, 8.5, 7.0);
    match mood {
        Mood::Working if middle => rgb(colors.plus),
        _ if middle && !in_square(x, y, 10.5, 10.5, 3.0) => rgb(colors.zero),
        _ => None,
    }
}

/// Whether a point is in a square with corners of radius 1.8.
fn in_square(x: f32, y: f32, left: f32, top: f32, edge: f32) -> bool {
    let radius = 1.8_f32.min(edge / 2.0);
    let beyond = |at: f32, low: f32| {
        let center = low + edge / 2.0;
        ((at - center).abs() - (edge / 2.0 - radius)).max(0.0)
    };
    beyond(x, left).hypot(beyond(y, top)) <= radius
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOODS: [Mood; 3] = [Mood::Idle, Mood::Working, Mood::Problem];

    #[test]
    fn each_mood_has_every_size_with_the_alpha_first() {
        for mood in MOODS {
            for (width, height, data) in pictures(mood) {
                assert_eq!(data.len(), (width * height * 4) as usize);
                // The upper left corner is empty, the middle of the upper right square is not.
                assert_eq!(data[0], 0);
                let (x, y) = (width * 19 / 24, width * 4 / 24);
                assert_eq!(data[((y * width + x) * 4) as usize], 255, "{mood:?}");
            }
        }
    }

    #[test]
    fn moods_differ_in_shape_not_only_in_colour() {
        let covered = |mood| picture(mood, 24).chunks(4).map(|pixel| pixel[0] > 127).collect::<Vec<_>>();
        assert_ne!(covered(Mood::Idle), covered(Mood::Working));
        assert_ne!(covered(Mood::Idle), covered(Mood::Problem));
        assert_ne!(covered(Mood::Working), covered(Mood::Problem));
    }

    #[test]
    fn every_colour_stands_out_on_a_dark_and_on_a_light_panel() {
        let colors = TrayColors::new();
        let light = |color: [u8; 3]| {
            let linear = color.map(|part| {
                let part = f32::from(part) / 255.0;
                if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let contrast = |a: f32, b: f32| (a.max(b) + 0.05) / (a.min(b) + 0.05);
        for color in [colors.minus, colors.zero, colors.plus, colors.problem] {
            let own = light([color.r(), color.g(), color.b()]);
            for panel in [[0x1b, 0x1e, 0x20], [0xf7, 0xf7, 0xf7]] {
                let ratio = contrast(own, light(panel));
                assert!(ratio >= 3.0, "{color:?} on {panel:?}: {ratio:.2}");
            }
        }
    }
}
