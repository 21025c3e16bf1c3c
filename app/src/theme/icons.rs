//! The icons the window uses, as code points of the Phosphor faces. `assets/fonts/subset.sh` reads this file: an icon that is not
//! named here is not in the bundled fonts.

/// Phosphor `chat-circle`.
pub const CHAT_CIRCLE: char = '\u{e168}';
/// Phosphor `magnifying-glass`.
pub const MAGNIFYING_GLASS: char = '\u{e30c}';
/// Phosphor `note-pencil`.
pub const NOTE_PENCIL: char = '\u{e34c}';
/// Phosphor `pencil`.
pub const PENCIL: char = '\u{e3b4}';
/// Phosphor `trash`.
pub const TRASH: char = '\u{e4a6}';
/// Phosphor `dots-three`.
pub const DOTS_THREE: char = '\u{e1fe}';
/// Phosphor `copy`.
pub const COPY: char = '\u{e1ca}';
/// Phosphor `check`.
pub const CHECK: char = '\u{e182}';
/// Phosphor `check-circle`.
pub const CHECK_CIRCLE: char = '\u{e184}';
/// Phosphor `warning`.
pub const WARNING: char = '\u{e4e0}';
/// Phosphor `warning-circle`.
pub const WARNING_CIRCLE: char = '\u{e4e2}';
/// Phosphor `x-circle`.
pub const X_CIRCLE: char = '\u{e4f8}';
/// Phosphor `info`.
pub const INFO: char = '\u{e2ce}';
/// Phosphor `x`.
pub const X: char = '\u{e4f6}';
/// Phosphor `caret-down`.
pub const CARET_DOWN: char = '\u{e136}';
/// Phosphor `cube`.
pub const CUBE: char = '\u{e1da}';
/// Phosphor `folder-open`.
pub const FOLDER_OPEN: char = '\u{e256}';
/// Phosphor `arrow-up`.
pub const ARROW_UP: char = '\u{e08e}';
/// Phosphor `arrow-down`.
pub const ARROW_DOWN: char = '\u{e03e}';
/// Phosphor `arrow-right`.
pub const ARROW_RIGHT: char = '\u{e06c}';
/// Phosphor `arrows-clockwise`.
pub const ARROWS_CLOCKWISE: char = '\u{e094}';
/// Phosphor `stop`.
pub const STOP: char = '\u{e46c}';
/// Phosphor `sun`.
pub const SUN: char = '\u{e472}';
/// Phosphor `moon`.
pub const MOON: char = '\u{e330}';
/// Phosphor `desktop`.
pub const DESKTOP: char = '\u{e560}';
/// Phosphor `circle-half`.
pub const CIRCLE_HALF: char = '\u{e18c}';
/// Phosphor `sidebar`.
pub const SIDEBAR: char = '\u{ec24}';
/// Phosphor `memory`.
pub const MEMORY: char = '\u{e9c4}';
/// Phosphor `arrow-square-out`.
pub const ARROW_SQUARE_OUT: char = '\u{e5de}';
/// Phosphor `eject`.
pub const EJECT: char = '\u{e212}';
/// Phosphor `chats-circle`.
pub const CHATS_CIRCLE: char = '\u{e17e}';
/// Phosphor `lightbulb`.
pub const LIGHTBULB: char = '\u{e2dc}';
/// Phosphor `code`.
pub const CODE: char = '\u{e1bc}';
/// Phosphor `text-aa`.
pub const TEXT_AA: char = '\u{e6ee}';
/// Phosphor `list-checks`.
pub const LIST_CHECKS: char = '\u{eadc}';
/// Phosphor `image`.
pub const IMAGE: char = '\u{e2ca}';
/// Phosphor `gear-six`.
pub const GEAR_SIX: char = '\u{e272}';
