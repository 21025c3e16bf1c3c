//! The item on the bus: interface `org.kde.StatusNotifierItem`.

use zbus::object_server::SignalEmitter;
use zbus::zvariant::ObjectPath;

use super::{Press, State, dbusmenu, icon};

/// Where the item is.
pub const PATH: &str = "/StatusNotifierItem";
/// Title of the item and of its tooltip.
const TITLE: &str = "1bit Desktop";

/// Pictures as the bus takes them: width, height, ARGB.
type Pictures = Vec<(i32, i32, Vec<u8>)>;

/// See the module documentation.
pub struct Item(pub State);

#[zbus::interface(name = "org.kde.StatusNotifierItem")]
impl Item {
    #[zbus(property)]
    fn category(&self) -> &str {
        "ApplicationStatus"
    }

    #[zbus(property)]
    fn id(&self) -> &str {
        crate::window::APP_ID
    }

    #[zbus(property)]
    fn title(&self) -> &str {
        TITLE
    }

    #[zbus(property)]
    fn status(&self) -> &str {
        "Active"
    }

    #[zbus(property)]
    fn window_id(&self) -> i32 {
        0
    }

    #[zbus(property)]
    fn icon_name(&self) -> &str {
        ""
    }

    #[zbus(property)]
    fn icon_pixmap(&self) -> Pictures {
        icon::pictures(self.0.lock().face.mood)
    }

    #[zbus(property)]
    fn icon_theme_path(&self) -> &str {
        ""
    }

    #[zbus(property)]
    fn overlay_icon_name(&self) -> &str {
        ""
    }

    #[zbus(property)]
    fn attention_icon_name(&self) -> &str {
        ""
    }

    /// Icon name, pictures, first and second line.
    #[zbus(property)]
    fn tool_tip(&self) -> (String, Pictures, String, String) {
        (String::new(), Vec::new(), TITLE.to_owned(), self.0.lock().face.words.clone())
    }

    #[zbus(property)]
    fn item_is_menu(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn menu(&self) -> ObjectPath<'static> {
        ObjectPath::from_static_str_unchecked(dbusmenu::PATH)
    }

    /// Trays of Wayland desktops call it before what follows a click.
    fn provide_xdg_activation_token(&self, token: &str) {
        self.0.lend(token);
    }

    fn activate(&self, _x: i32, _y: i32) {
        self.0.press(Press::Show);
    }

    fn secondary_activate(&self, _x: i32, _y: i32) {
        self.0.press(Press::Show);
    }

    /// Trays that draw the menu themselves, which is all of them, need nothing of us here.
    fn context_menu(&self, _x: i32, _y: i32) {}

    fn scroll(&self, _delta: i32, _orientation: &str) {}

    #[zbus(signal)]
    pub async fn new_icon(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    pub async fn new_tool_tip(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}
