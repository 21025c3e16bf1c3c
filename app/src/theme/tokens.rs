//! Every colour of the window, by role, for the dark and the light theme. Nothing else in the crate names a colour value: panes
//! take a role from [`Tokens`].

use eframe::egui::Color32;

/// Colours of one theme. A `soft` colour is the tint behind text in the state's own colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Whether this is the dark theme.
    pub dark: bool,
    /// Rail and status bar.
    pub bg_rail: Color32,
    /// Lists and side panels.
    pub bg_panel: Color32,
    /// Content.
    pub bg_base: Color32,
    /// Cards and the composer.
    pub surface: Color32,
    /// Dialogs, menus, toasts, tooltips.
    pub raised: Color32,
    /// Row or button under the pointer.
    pub hover: Color32,
    /// Selected or pressed; the track of a bar.
    pub active: Color32,
    /// Code.
    pub well: Color32,
    /// Lines between panels and around cards.
    pub border: Color32,
    /// Edges of popups and secondary buttons.
    pub border_strong: Color32,
    /// Edges of fields.
    pub border_input: Color32,
    /// Content text.
    pub text: Color32,
    /// Secondary text.
    pub text2: Color32,
    /// Labels and placeholders.
    pub text3: Color32,
    /// Text of what cannot be used now.
    pub disabled: Color32,
    /// Primary button, progress, text cursor.
    pub accent: Color32,
    /// Accent under the pointer.
    pub accent_hover: Color32,
    /// Accent while pressed.
    pub accent_press: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Links and selected icons.
    pub accent_text: Color32,
    /// Accent tint.
    pub accent_soft: Color32,
    /// Done, fits, on.
    pub success: Color32,
    /// Success tint.
    pub success_soft: Color32,
    /// Tight, fallback, context over 80 %.
    pub warning: Color32,
    /// Warning tint.
    pub warning_soft: Color32,
    /// Failed, context over 95 %.
    pub danger: Color32,
    /// Danger tint.
    pub danger_soft: Color32,
    /// Destructive button.
    pub danger_fill: Color32,
    /// Destructive button under the pointer.
    pub danger_hover: Color32,
    /// Destructive button while pressed.
    pub danger_press: Color32,
    /// Text on the destructive button.
    pub on_danger: Color32,
    /// Focus ring.
    pub focus: Color32,
    /// Behind selected text.
    pub sel: Color32,
    /// Behind dialogs.
    pub scrim: Color32,
    /// Under popups.
    pub shadow: Color32,
    /// User messages.
    pub bubble: Color32,
    /// Keywords in code.
    pub code_keyword: Color32,
    /// Names of functions in code.
    pub code_function: Color32,
    /// Names of types in code.
    pub code_type: Color32,
    /// Numbers in code.
    pub code_number: Color32,
    /// Strings in code. Comments are `text3`.
    pub code_string: Color32,
    /// Series of charts, 1 to 8.
    pub series: [Color32; 8],
    /// Trit −1.
    pub trit_minus: Color32,
    /// Trit 0.
    pub trit_zero: Color32,
    /// Trit +1.
    pub trit_plus: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Tokens {
    /// The dark theme.
    pub const fn dark() -> Self {
        Self {
            dark: true,
            bg_rail: rgb(0x0A_0C_0F),
            bg_panel: rgb(0x0E_11_15),
            bg_base: rgb(0x12_15_19),
            surface: rgb(0x19_1D_23),
            raised: rgb(0x20_25_2C),
            hover: rgb(0x1D_22_29),
            active: rgb(0x26_2C_34),
            well: rgb(0x0C_0F_13),
            border: rgb(0x26_2C_34),
            border_strong: rgb(0x3A_42_4D),
            border_input: rgb(0x6A_75_83),
            text: rgb(0xEC_EF_F3),
            text2: rgb(0xB2_BA_C5),
            text3: rgb(0x8D_97_A4),
            disabled: rgb(0x6F_7A_86),
            accent: rgb(0x5B_B8_F5),
            accent_hover: rgb(0x7C_C7_F8),
            accent_press: rgb(0x3F_A3_E6),
            on_accent: rgb(0x05_20_2F),
            accent_text: rgb(0x6E_C1_F7),
            accent_soft: rgb(0x14_29_3A),
            success: rgb(0x4F_CB_8D),
            success_soft: rgb(0x11_29_1F),
            warning: rgb(0xF2_B8_4B),
            warning_soft: rgb(0x2E_24_10),
            danger: rgb(0xFF_83_78),
            danger_soft: rgb(0x35_1A_1A),
            danger_fill: rgb(0xD0_3D_34),
            danger_hover: rgb(0xBD_34_2C),
            danger_press: rgb(0xA6_2B_24),
            on_danger: rgb(0xFF_FF_FF),
            focus: rgb(0x8F_D0_FA),
            sel: rgb(0x1D_45_66),
            scrim: Color32::from_rgba_unmultiplied_const(0x06, 0x08, 0x0A, 153),
            shadow: Color32::from_rgba_unmultiplied_const(0, 0, 0, 128),
            bubble: rgb(0x20_25_2C),
            code_keyword: rgb(0xF2_A9_74),
            code_function: rgb(0x7C_C7_F8),
            code_type: rgb(0x7F_D6_C2),
            code_number: rgb(0xE8_C7_6A),
            code_string: rgb(0xA9_D4_8E),
            series: [
                rgb(0x52_B5_F4),
                rgb(0xF6_9A_65),
                rgb(0x57_6E_C0),
                rgb(0xFC_D7_6F),
                rgb(0x96_55_6A),
                rgb(0x76_F1_F7),
                rgb(0xBE_71_25),
                rgb(0xB6_89_9D),
            ],
            trit_minus: rgb(0xF2_9B_5C),
            trit_zero: rgb(0x6F_7A_87),
            trit_plus: rgb(0x5B_B8_F5),
        }
    }

    /// The light theme.
    pub const fn light() -> Self {
        Self {
            dark: false,
            bg_rail: rgb(0xE9_EC_F0),
            bg_panel: rgb(0xF3_F5_F7),
            bg_base: rgb(0xFF_FF_FF),
            surface: rgb(0xF6_F7_F9),
            raised: rgb(0xFF_FF_FF),
            hover: rgb(0xEC_EF_F3),
            active: rgb(0xE1_E6_EC),
            well: rgb(0xF3_F5_F8),
            border: rgb(0xDF_E3_E9),
            border_strong: rgb(0xC2_CA_D4),
            border_input: rgb(0x79_83_8F),
            text: rgb(0x13_17_1C),
            text2: rgb(0x43_4D_5A),
            text3: rgb(0x5C_66_73),
            disabled: rgb(0x79_83_8F),
            accent: rgb(0x0B_69_AE),
            accent_hover: rgb(0x09_5A_96),
            accent_press: rgb(0x07_4B_7E),
            on_accent: rgb(0xFF_FF_FF),
            accent_text: rgb(0x0A_61_A2),
            accent_soft: rgb(0xE2_EF_FA),
            success: rgb(0x12_69_3F),
            success_soft: rgb(0xE1_F3_E9),
            warning: rgb(0x7D_52_00),
            warning_soft: rgb(0xFB_F0_D9),
            danger: rgb(0xB0_25_1D),
            danger_soft: rgb(0xFC_E8_E6),
            danger_fill: rgb(0xC2_32_2A),
            danger_hover: rgb(0xAE_2A_22),
            danger_press: rgb(0x97_21_1B),
            on_danger: rgb(0xFF_FF_FF),
            focus: rgb(0x0B_69_AE),
            sel: rgb(0xCB_E3_F6),
            scrim: Color32::from_rgba_unmultiplied_const(0x1A, 0x20, 0x27, 153),
            shadow: Color32::from_rgba_unmultiplied_const(0x10, 0x18, 0x20, 41),
            bubble: rgb(0xED_F1_F5),
            code_keyword: rgb(0x9A_43_0A),
            code_function: rgb(0x0A_5C_9A),
            code_type: rgb(0x0D_62_5A),
            code_number: rgb(0x7A_50_00),
            code_string: rgb(0x35_61_1A),
            series: [
                rgb(0x2A_69_AE),
                rgb(0xD2_6E_05),
                rgb(0x82_68_F2),
                rgb(0x02_96_BC),
                rgb(0x82_2B_2B),
                rgb(0x00_56_6D),
                rgb(0xA7_4A_04),
                rgb(0xAF_6F_73),
            ],
            trit_minus: rgb(0xB8_5A_14),
            trit_zero: rgb(0x86_8F_9B),
            trit_plus: rgb(0x0B_69_AE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2 relative luminance.
    fn luminance(color: Color32) -> f64 {
        let channel = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(color.r()) + 0.7152 * channel(color.g()) + 0.0722 * channel(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_roles_reach_their_contrast_on_every_layer() {
        for tokens in [Tokens::dark(), Tokens::light()] {
            let layers = [
                tokens.bg_rail,
                tokens.bg_panel,
                tokens.bg_base,
                tokens.surface,
                tokens.raised,
                tokens.hover,
                tokens.active,
            ];
            for layer in layers {
                for (name, role, least) in [
                    ("text", tokens.text, 7.0),
                    ("text2", tokens.text2, 4.5),
                    ("text3", tokens.text3, 4.5),
                    ("accent_text", tokens.accent_text, 4.5),
                    ("success", tokens.success, 4.5),
                    ("warning", tokens.warning, 4.5),
                    ("danger", tokens.danger, 4.5),
                    ("disabled", tokens.disabled, 3.0),
                    ("border_input", tokens.border_input, 3.0),
                    ("focus", tokens.focus, 3.0),
                ] {
                    let ratio = contrast(role, layer);
                    assert!(
                        ratio >= least - 0.05,
                        "{name} on {layer:?} (dark {}): {ratio:.2} < {least}",
                        tokens.dark
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_drawn_without_words_is_told_from_what_is_behind_it() {
        for t in [Tokens::dark(), Tokens::light()] {
            for (name, mark, layer) in [
                ("trit -1", t.trit_minus, t.surface),
                ("trit 0", t.trit_zero, t.surface),
                ("trit +1", t.trit_plus, t.surface),
                ("progress", t.accent, t.border_strong),
                ("toggle that is off", t.border_input, t.bg_base),
                ("knob of a toggle that is on", t.on_accent, t.accent),
                ("cursor", t.accent, t.surface),
            ] {
                let ratio = contrast(mark, layer);
                assert!(ratio >= 3.0, "{name} (dark {}): {ratio:.2}", t.dark);
            }
        }
    }

    #[test]
    fn state_words_are_readable_on_their_tint() {
        for t in [Tokens::dark(), Tokens::light()] {
            for (word, tint) in [
                (t.success, t.success_soft),
                (t.warning, t.warning_soft),
                (t.danger, t.danger_soft),
                (t.accent_text, t.accent_soft),
                (t.on_accent, t.accent),
                (t.on_accent, t.accent_hover),
                (t.on_accent, t.accent_press),
                (t.on_danger, t.danger_fill),
                (t.on_danger, t.danger_hover),
                (t.on_danger, t.danger_press),
                (t.text, t.danger_soft),
                (t.text2, t.danger_soft),
                (t.text, t.warning_soft),
                (t.text, t.well),
                (t.text2, t.well),
                (t.text3, t.well),
                (t.text, t.sel),
                (t.text, t.bubble),
                (t.code_keyword, t.well),
                (t.code_function, t.well),
                (t.code_type, t.well),
                (t.code_number, t.well),
                (t.code_string, t.well),
                (t.text3, t.well),
            ] {
                assert!(contrast(word, tint) >= 4.5, "{word:?} on {tint:?}: {:.2}", contrast(word, tint));
            }
        }
    }
}

/// Colours of the tray icon, which stands on panels whose colour nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrayColors {
    /// The square of −1.
    pub minus: Color32,
    /// The hollow square of 0.
    pub zero: Color32,
    /// The square of +1.
    pub plus: Color32,
    /// The disc of a problem.
    pub problem: Color32,
    /// The exclamation mark on it.
    pub on_problem: Color32,
}

impl TrayColors {
    /// The only set there is.
    pub const fn new() -> Self {
        Self {
            minus: rgb(0xD6_6F_1F),
            zero: rgb(0x7F_8A_96),
            plus: rgb(0x2B_87_CC),
            problem: rgb(0xD8_3F_36),
            on_problem: rgb(0xFF_FF_FF),
        }
    }
}

impl Default for TrayColors {
    fn default() -> Self {
        Self::new()
    }
}
