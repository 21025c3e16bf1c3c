//! The look: colours by role, text styles, fonts and spacing, and how they become an `egui::Style`. Panes use roles and styles of
//! this module and never a colour value or a font size of their own.

mod fonts;
pub mod glyphs;
pub mod icons;
mod text;
mod tokens;

use eframe::egui::style::{
    HandleShape, NumericColorSpace, ScrollStyle, Selection, TextCursorStyle, WidgetVisuals, Widgets,
};
use eframe::egui::{
    self, Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme,
    ThemePreference, vec2,
};

pub use fonts::definitions;
pub use text::Text;
pub use tokens::{Tokens, TrayColors};

/// Corner radius of tags, keycaps and checkboxes.
pub const R1: u8 = 4;
/// Corner radius of buttons, fields, rows and tooltips.
pub const R2: u8 = 6;
/// Corner radius of rail items, code blocks, menus and Send.
pub const R3: u8 = 8;
/// Corner radius of cards and toasts.
pub const R4: u8 = 10;
/// Corner radius of bubbles, the composer and dialogs.
pub const R5: u8 = 12;

/// How long a fade takes.
const ANIMATION_SECS: f32 = 0.12;

/// Which theme the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Appearance {
    /// As the desktop says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Appearance {
    /// Name under which it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|appearance| appearance.name() == name)
    }
}

/// How high a popup floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elevation {
    /// Tooltips.
    Tooltip,
    /// Menus and toasts.
    Menu,
    /// Dialogs.
    Dialog,
}

/// Installs fonts and both styles. Once per context.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(definitions());
    // The size of text is a setting with keys of its own.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
    ctx.set_style_of(Theme::Dark, style(&Tokens::dark()));
    ctx.set_style_of(Theme::Light, style(&Tokens::light()));
}

/// Switches the theme. `egui` passes the preference on to the window, so that a title bar which the window draws itself looks the same; it
/// is not read back, because nothing follows the window once the preference is light or dark.
fn choose(ctx: &egui::Context, appearance: Appearance, desktop_is_dark: Option<bool>) {
    ctx.set_theme(match appearance {
        Appearance::System => match desktop_is_dark {
            Some(true) => ThemePreference::Dark,
            Some(false) => ThemePreference::Light,
            // No window system here says more; and a title bar is dark then, too.
            None => ThemePreference::Dark,
        },
        Appearance::Light => ThemePreference::Light,
        Appearance::Dark => ThemePreference::Dark,
    });
}

/// How the window looks by choice of the user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Which theme.
    pub appearance: Appearance,
    /// Whether the desktop is dark or light, once it has said so.
    pub desktop_is_dark: Option<bool>,
    /// Factor by which everything is larger than designed.
    pub zoom: f32,
    /// Whether nothing may move by itself.
    pub reduced_motion: bool,
}

/// Applies a look; costs nothing when it is applied already.
pub fn apply(ctx: &egui::Context, look: Look) {
    choose(ctx, look.appearance, look.desktop_is_dark);
    if ctx.zoom_factor() != look.zoom {
        ctx.set_zoom_factor(look.zoom);
    }
    let animation_secs = if look.reduced_motion { 0.0 } else { ANIMATION_SECS };
    ctx.all_styles_mut(|style| style.animation_time = animation_secs);
}

/// Whether anything may move by itself.
pub fn moves(ctx: &egui::Context) -> bool {
    ctx.global_style().animation_time > 0.0
}

/// The roles of the theme in use.
pub fn tokens(ctx: &egui::Context) -> Tokens {
    match ctx.theme() {
        Theme::Dark => Tokens::dark(),
        Theme::Light => Tokens::light(),
    }
}

/// Shadow of a popup.
pub fn shadow(tokens: &Tokens, elevation: Elevation) -> Shadow {
    let (offset, blur) = match elevation {
        Elevation::Tooltip => (4, 12),
        Elevation::Menu => (8, 24),
        Elevation::Dialog => (16, 48),
    };
    Shadow { offset: [0, offset], blur, spread: 0, color: tokens.shadow }
}

/// Font of an outline icon.
pub fn icon_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(fonts::ICON.into()))
}

/// Font of a filled icon.
pub fn icon_fill_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(fonts::ICON_FILL.into()))
}

/// The `egui` style of a theme.
pub fn style(tokens: &Tokens) -> Style {
    let mut style = if tokens.dark { Theme::Dark.default_style() } else { Theme::Light.default_style() };
    style.text_styles = [
        (TextStyle::Small, Text::Small.font()),
        (TextStyle::Body, Text::Body.font()),
        (TextStyle::Button, Text::Button.font()),
        (TextStyle::Heading, Text::Heading.font()),
        (TextStyle::Monospace, Text::Mono.font()),
    ]
    .into();
    style.animation_time = ANIMATION_SECS;
    style.interaction.tooltip_delay = 0.5;
    style.interaction.selectable_labels = false;
    spacing(&mut style.spacing);
    visuals(tokens, &mut style.visuals);
    style
}

fn spacing(spacing: &mut egui::Spacing) {
    spacing.item_spacing = vec2(8.0, 8.0);
    spacing.button_padding = vec2(12.0, 6.0);
    spacing.interact_size = vec2(28.0, 28.0);
    spacing.window_margin = Margin::same(20);
    spacing.menu_margin = Margin::same(4);
    spacing.indent = 16.0;
    spacing.slider_width = 160.0;
    spacing.slider_rail_height = 4.0;
    spacing.icon_width = 16.0;
    spacing.icon_spacing = 8.0;
    spacing.tooltip_width = 320.0;
    spacing.menu_spacing = 4.0;
    spacing.scroll = ScrollStyle {
        bar_width: 6.0,
        floating_width: 6.0,
        bar_inner_margin: 4.0,
        bar_outer_margin: 4.0,
        dormant_handle_opacity: 0.0,
        active_handle_opacity: 1.0,
        interact_handle_opacity: 1.0,
        active_background_opacity: 0.0,
        interact_background_opacity: 0.0,
        foreground_color: false,
        ..ScrollStyle::floating()
    };
    spacing.scroll.fade.strength = 0.0;
}

fn visuals(tokens: &Tokens, visuals: &mut egui::Visuals) {
    visuals.dark_mode = tokens.dark;
    visuals.weak_text_color = Some(tokens.text3);
    visuals.selection = Selection { bg_fill: tokens.sel, stroke: Stroke::new(1.0, tokens.text) };
    visuals.hyperlink_color = tokens.accent_text;
    visuals.faint_bg_color = tokens.surface;
    visuals.extreme_bg_color = tokens.well;
    visuals.text_edit_bg_color = Some(tokens.bg_base);
    visuals.code_bg_color = tokens.surface;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.danger;
    visuals.window_corner_radius = CornerRadius::same(R5);
    visuals.window_shadow = shadow(tokens, Elevation::Dialog);
    visuals.window_fill = tokens.raised;
    visuals.window_stroke = Stroke::new(1.0, tokens.border_strong);
    visuals.menu_corner_radius = CornerRadius::same(R3);
    visuals.panel_fill = tokens.bg_base;
    visuals.popup_shadow = shadow(tokens, Elevation::Menu);
    visuals.text_cursor = TextCursorStyle {
        stroke: Stroke::new(1.5, tokens.accent),
        preview: false,
        blink: false,
        ..visuals.text_cursor.clone()
    };
    visuals.indent_has_left_vline = false;
    visuals.striped = false;
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = HandleShape::Circle;
    visuals.numeric_color_space = NumericColorSpace::GammaByte;
    visuals.widgets = Widgets {
        noninteractive: widget(tokens.surface, tokens.border, tokens.text2),
        inactive: widget(tokens.surface, tokens.border_strong, tokens.text),
        hovered: widget(tokens.hover, tokens.border_input, tokens.text),
        active: widget(tokens.active, tokens.border_input, tokens.text),
        open: widget(tokens.active, tokens.border_strong, tokens.text),
    };
}

fn widget(fill: Color32, edge: Color32, text: Color32) -> WidgetVisuals {
    WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, edge),
        corner_radius: CornerRadius::same(R2),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    }
}
