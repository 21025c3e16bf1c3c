//! The bundled faces and the families they form. Icon families hold the icon face alone, so that their box is square.

use std::sync::Arc;

use eframe::egui::{FontData, FontDefinitions, FontFamily};

/// Medium weight of the interface face.
pub const MEDIUM: &str = "ui-medium";
/// SemiBold weight of the interface face.
pub const SEMIBOLD: &str = "ui-semibold";
/// Italic of the interface face.
pub const ITALIC: &str = "ui-italic";
/// Medium weight of the monospace face.
pub const MONO_MEDIUM: &str = "mono-medium";
/// Outline icons.
pub const ICON: &str = "icon";
/// Filled icons.
pub const ICON_FILL: &str = "icon-fill";

macro_rules! face {
    ($file:literal) => {
        Arc::new(FontData::from_static(include_bytes!(concat!("../../../assets/fonts/", $file))))
    };
}

/// All families. Scripts that no bundled face covers come from the system's fonts, found at run time by the window.
pub fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let faces = [
        ("inter", face!("Inter-Regular.otf")),
        ("inter-medium", face!("Inter-Medium.otf")),
        ("inter-semibold", face!("Inter-SemiBold.otf")),
        ("inter-italic", face!("Inter-Italic.otf")),
        ("jetbrains-mono", face!("JetBrainsMono-Regular.ttf")),
        ("jetbrains-mono-medium", face!("JetBrainsMono-Medium.ttf")),
        ("phosphor", face!("Phosphor-Regular.ttf")),
        ("phosphor-fill", face!("Phosphor-Fill.ttf")),
    ];
    for (name, data) in faces {
        fonts.font_data.insert(name.to_owned(), data);
    }
    let families: [(FontFamily, &[&str]); 8] = [
        (FontFamily::Proportional, &["inter", "jetbrains-mono"]),
        (FontFamily::Name(MEDIUM.into()), &["inter-medium", "jetbrains-mono-medium"]),
        (FontFamily::Name(SEMIBOLD.into()), &["inter-semibold", "jetbrains-mono-medium"]),
        (FontFamily::Name(ITALIC.into()), &["inter-italic", "jetbrains-mono"]),
        (FontFamily::Monospace, &["jetbrains-mono", "inter"]),
        (FontFamily::Name(MONO_MEDIUM.into()), &["jetbrains-mono-medium", "inter-medium"]),
        (FontFamily::Name(ICON.into()), &["phosphor"]),
        (FontFamily::Name(ICON_FILL.into()), &["phosphor-fill"]),
    ];
    for (family, names) in families {
        fonts.families.insert(family, names.iter().map(|name| (*name).to_owned()).collect());
    }
    fonts
}
