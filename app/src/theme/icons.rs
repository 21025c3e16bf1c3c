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
/// Phosphor `waveform`.
pub const WAVEFORM: char = '\u{e802}';
/// Phosphor `grid-nine`.
pub const GRID_NINE: char = '\u{ec8c}';
/// Phosphor `hard-drives`.
pub const HARD_DRIVES: char = '\u{e2a0}';
/// Phosphor `stethoscope`.
pub const STETHOSCOPE: char = '\u{e7ea}';
/// Phosphor `keyboard`.
pub const KEYBOARD: char = '\u{e2d8}';
/// Phosphor `palette`.
pub const PALETTE: char = '\u{e6c8}';
/// Phosphor `bell`.
pub const BELL: char = '\u{e0ce}';
/// Phosphor `lock`.
pub const LOCK: char = '\u{e2fa}';
/// Phosphor `terminal-window`.
pub const TERMINAL_WINDOW: char = '\u{eae8}';
/// Phosphor `push-pin`.
pub const PUSH_PIN: char = '\u{e3e2}';
/// Phosphor `push-pin-slash`.
pub const PUSH_PIN_SLASH: char = '\u{e3e4}';
/// Phosphor `paperclip`.
pub const PAPERCLIP: char = '\u{e39a}';
/// Phosphor `file-text`.
pub const FILE_TEXT: char = '\u{e23a}';
/// Phosphor `export`.
pub const EXPORT: char = '\u{eaf0}';
/// Phosphor `download-simple`.
pub const DOWNLOAD_SIMPLE: char = '\u{e20c}';
/// Phosphor `upload-simple`.
pub const UPLOAD_SIMPLE: char = '\u{e4c0}';
/// Phosphor `user-circle`.
pub const USER_CIRCLE: char = '\u{e4c4}';
/// Phosphor `users-three`.
pub const USERS_THREE: char = '\u{e68e}';
/// Phosphor `funnel`.
pub const FUNNEL: char = '\u{e266}';
/// Phosphor `caret-right`.
pub const CARET_RIGHT: char = '\u{e13a}';
/// Phosphor `caret-left`.
pub const CARET_LEFT: char = '\u{e138}';
/// Phosphor `caret-up`.
pub const CARET_UP: char = '\u{e13c}';
/// Phosphor `plus`.
pub const PLUS: char = '\u{e3d4}';
/// Phosphor `minus`.
pub const MINUS: char = '\u{e32a}';
/// Phosphor `brain`.
pub const BRAIN: char = '\u{e74e}';
/// Phosphor `eye`.
pub const EYE: char = '\u{e220}';
/// Phosphor `eye-slash`.
pub const EYE_SLASH: char = '\u{e224}';
/// Phosphor `sliders-horizontal`.
pub const SLIDERS_HORIZONTAL: char = '\u{e434}';
/// Phosphor `swap`.
pub const SWAP: char = '\u{e83c}';
/// Phosphor `arrow-counter-clockwise`.
pub const ARROW_COUNTER_CLOCKWISE: char = '\u{e038}';
/// Phosphor `arrow-bend-up-left`.
pub const ARROW_BEND_UP_LEFT: char = '\u{e024}';
/// Phosphor `clock`.
pub const CLOCK: char = '\u{e19a}';
/// Phosphor `archive`.
pub const ARCHIVE: char = '\u{e00c}';
/// Phosphor `tray`.
pub const TRAY: char = '\u{e4aa}';
/// Phosphor `power`.
pub const POWER: char = '\u{e3da}';
/// Phosphor `play`.
pub const PLAY: char = '\u{e3d0}';
/// Phosphor `scroll`.
pub const SCROLL: char = '\u{eb7a}';
/// Phosphor `cpu`.
pub const CPU: char = '\u{e610}';
/// Phosphor `microphone`.
pub const MICROPHONE: char = '\u{e326}';
/// Phosphor `microphone-slash`.
pub const MICROPHONE_SLASH: char = '\u{e328}';
/// Phosphor `speaker-high`.
pub const SPEAKER_HIGH: char = '\u{e44a}';
/// Phosphor `speaker-x`.
pub const SPEAKER_X: char = '\u{e45c}';
/// Phosphor `git-branch`.
pub const GIT_BRANCH: char = '\u{e278}';
/// Phosphor `minus-circle`.
pub const MINUS_CIRCLE: char = '\u{e32c}';
/// Phosphor `command`.
pub const COMMAND: char = '\u{e1c4}';
/// Phosphor `hash`.
pub const HASH: char = '\u{e2a2}';
/// Phosphor `arrow-elbow-down-left`.
pub const ARROW_ELBOW_DOWN_LEFT: char = '\u{e044}';
/// Phosphor `sign-out`.
pub const SIGN_OUT: char = '\u{e42a}';
/// Phosphor `plug`.
pub const PLUG: char = '\u{e946}';
/// Phosphor `floppy-disk`.
pub const FLOPPY_DISK: char = '\u{e248}';
/// Phosphor `text-align-left`.
pub const TEXT_ALIGN_LEFT: char = '\u{e484}';
/// Phosphor `arrows-down-up`.
pub const ARROWS_DOWN_UP: char = '\u{e098}';
/// Phosphor `arrow-u-up-left`.
pub const ARROW_U_UP_LEFT: char = '\u{e08a}';
/// Phosphor `clipboard-text`.
pub const CLIPBOARD_TEXT: char = '\u{e198}';
/// Phosphor `quotes`.
pub const QUOTES: char = '\u{e660}';
/// Phosphor `link`.
pub const LINK: char = '\u{e2e2}';
/// Phosphor `globe-simple`.
pub const GLOBE_SIMPLE: char = '\u{e28e}';
/// Phosphor `chat-text`.
pub const CHAT_TEXT: char = '\u{e17a}';
/// Phosphor `fast-forward`.
pub const FAST_FORWARD: char = '\u{e6a6}';
/// Phosphor `file-code`.
pub const FILE_CODE: char = '\u{e914}';
/// Phosphor `list`.
pub const LIST: char = '\u{e2f0}';
/// Phosphor `sort-ascending`.
pub const SORT_ASCENDING: char = '\u{e444}';
/// Phosphor `star`.
pub const STAR: char = '\u{e46a}';
/// Phosphor `tag`.
pub const TAG: char = '\u{e478}';
/// Phosphor `robot`.
pub const ROBOT: char = '\u{e762}';
/// Phosphor `smiley`.
pub const SMILEY: char = '\u{e436}';
/// Phosphor `bug`.
pub const BUG: char = '\u{e5f4}';
/// Phosphor `question`.
pub const QUESTION: char = '\u{e3e8}';
/// Phosphor `database`.
pub const DATABASE: char = '\u{e1de}';
/// Phosphor `hard-drive`.
pub const HARD_DRIVE: char = '\u{e29e}';
/// Phosphor `textbox`.
pub const TEXTBOX: char = '\u{eb0a}';
/// Phosphor `rows`.
pub const ROWS: char = '\u{e5a2}';
/// Phosphor `folder`.
pub const FOLDER: char = '\u{e24a}';
/// Phosphor `pulse`.
pub const PULSE: char = '\u{e000}';
/// Phosphor `seal-check`.
pub const SEAL_CHECK: char = '\u{e606}';
