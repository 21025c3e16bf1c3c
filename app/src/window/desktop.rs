//! The application behind the window: takes what has arrived, draws the page, carries out commands. The only place where commands
//! act.

use std::time::Instant;

use eframe::egui::{self, Context, Id, LayerId, OpenUrl, Order, Ui};

use super::anywhere::Anywhere;
use super::dialogs::{self, Outcome, Question};
use super::life::Life;
use super::outside::Outside;
use super::picker::{Picked, Picker, Wanted};
use super::preferences::Preferences;
use super::settling::Settling;
use crate::anywhere::Ask;
use crate::chat::{ChatCommand, Controller, LAST_MODEL, Severity, attach};
use crate::panes::chat::{ChatPane, message_id, search_id};
use crate::panes::palette::Palette;
use crate::panes::settings::{self, SettingsPane, View};
use crate::shell::{self, Command, Metrics, Page, Part, STATUS, Situation, region, words};
use crate::store::Saving;
use crate::store::state::DRAFT;
use crate::theme::{self, Text, icons};
use crate::tray::Face;
use crate::ui::{self, Pressed, Toast, Toasts};

/// Name under which the size of the window is remembered.
pub const WINDOW_SIZE: &str = "window_size";

/// The application.
pub struct Desktop {
    /// Engine and store.
    pub controller: Controller,
    /// The chat page.
    pub chat: ChatPane,
    /// The settings page.
    pub settings: SettingsPane,
    /// Settings, their file, the log.
    pub preferences: Preferences,
    /// Whether there is a window, and what closing it does.
    pub life: Life,
    /// What there is besides the window.
    pub(super) outside: Outside,
    /// What the tray was shown last.
    pub(super) face: Face,
    /// Context of the window, or of the last one.
    pub(super) ctx: Context,
    /// Whether the window has the keyboard.
    pub(super) focused: bool,
    /// When it lost the keyboard.
    pub(super) unfocused: Option<Instant>,
    /// Whether it can bring itself to the front.
    pub raises_itself: bool,
    /// What lets the next window come to the front.
    pub(super) token: Option<String>,
    /// What the tray lends to what is pressed in it next.
    pub(super) lent: Option<String>,
    /// How it stands with keys that work from anywhere.
    pub(super) anywhere: Anywhere,
    pub(super) question: Option<Question>,
    pub(super) page: Page,
    palette: Palette,
    toasts: Toasts<Command>,
    picker: Picker,
    restored: bool,
    pub(super) focus: Option<Id>,
    /// What was given the keyboard in the last pass.
    handed: Option<Id>,
    size: Settling,
    draft: Settling,
}

impl Desktop {
    /// Begins with what the store remembers.
    pub fn without_window(mut controller: Controller, preferences: Preferences, outside: Outside) -> Self {
        for name in [DRAFT, LAST_MODEL] {
            controller.recall(name);
        }
        Self {
            controller,
            chat: ChatPane::default(),
            settings: SettingsPane::default(),
            preferences,
            life: Life::new(),
            outside,
            face: Face::default(),
            ctx: Context::default(),
            focused: false,
            unfocused: None,
            raises_itself: true,
            token: None,
            lent: None,
            anywhere: Anywhere::default(),
            page: Page::default(),
            palette: Palette::default(),
            question: None,
            toasts: Toasts::default(),
            picker: Picker::default(),
            restored: false,
            focus: Some(message_id()),
            handed: None,
            size: Settling::default(),
            draft: Settling::default(),
        }
    }

    /// Takes a window into use.
    pub fn enter(&mut self, ctx: &Context) {
        theme::install(ctx);
        self.preferences.enter(ctx);
        self.ctx = ctx.clone();
        self.focus = Some(message_id());
    }

    /// Size of the last window, once there was one.
    pub fn size(&self) -> Option<[f32; 2]> {
        super::parse_size(&self.size.now)
    }

    /// The window is gone.
    pub fn leave(&mut self) {
        self.life.window_gone();
        // What the window held is freed.
        self.ctx = Context::default();
        (self.focused, self.unfocused) = (false, None);
        self.question = None;
        self.outside.vitals.window_gone();
    }

    /// Saves and ends; says whether everything reached the disk. Waits for the disk.
    pub fn end(mut self) -> Saving {
        self.remember_now();
        self.controller.close()
    }

    /// Remembers draft and size without waiting for them to settle.
    fn remember_now(&mut self) {
        if self.restored {
            self.draft.saved.clone_from(&self.chat.draft);
            self.controller.remember(DRAFT, &self.chat.draft);
        }
        if !self.size.now.is_empty() {
            self.controller.remember(WINDOW_SIZE, &self.size.now);
        }
    }

    /// Carries a command out that came from outside the window.
    pub(super) fn act_outside(&mut self, command: Command) {
        let ctx = self.ctx.clone();
        self.act(&ctx, command);
    }

    /// Takes the draft over from the last run, once the store has answered.
    fn restore(&mut self) {
        if self.restored {
            return;
        }
        let Some(draft) = self.controller.remembered(DRAFT) else { return };
        self.restored = true;
        if let (Some(draft), true) = (draft, self.chat.draft.is_empty()) {
            draft.clone_into(&mut self.chat.draft);
        }
        self.draft.saved.clone_from(&self.chat.draft);
    }

    fn remember(&mut self, ctx: &Context) {
        let (time, size) = ctx.input(|input| (input.time, input.viewport_rect().size()));
        // Kept as it would be without the zoom, which the next start applies again.
        let size = size * ctx.zoom_factor();
        let size = format!("{}x{}", size.x.round(), size.y.round());
        if self.size.saved.is_empty() {
            self.size.saved.clone_from(&size);
        }
        if let Some(size) = self.size.take(&size, time, ctx) {
            self.controller.remember(WINDOW_SIZE, &size);
        }
        if self.restored
            && let Some(draft) = self.draft.take(&self.chat.draft, time, ctx)
        {
            self.controller.remember(DRAFT, &draft);
        }
    }

    fn take_notices(&mut self) {
        while let Some(notice) = self.controller.next_notice() {
            let (glyph, tone) = match notice.severity {
                Severity::Done => (icons::CHECK_CIRCLE, ui::ToastTone::Success),
                Severity::Info => (icons::INFO, ui::ToastTone::Info),
                Severity::Warning => (icons::WARNING, ui::ToastTone::Warning),
                Severity::Problem => (icons::X_CIRCLE, ui::ToastTone::Danger),
            };
            let stays = matches!(notice.severity, Severity::Warning | Severity::Problem);
            let detail = words::sentence(&notice.detail);
            let toast = Toast { glyph, tone, title: notice.title, detail, stays };
            match notice.undo {
                Some(undo) => self.toasts.offer(toast, "Undo", Command::InChat(ChatCommand::Undo(undo))),
                None => self.toasts.add(toast),
            }
        }
    }

    /// A dropped model is loaded, other files go with the next message.
    fn take_files(&mut self, ctx: &Context) {
        let dropped: Vec<_> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        let (models, texts): (Vec<_>, Vec<_>) = dropped.into_iter().partition(|path| attach::is_model(path));
        self.controller.attach(texts);
        match self.picker.try_next() {
            Some(Picked::Model(path)) => self.controller.open_model(&path),
            Some(Picked::Texts(paths)) => {
                self.controller.attach(paths);
                self.focus = Some(message_id());
            }
            Some(Picked::Import(path)) => self.controller.import(&path),
            Some(Picked::Export(path, export)) => self.controller.export(export.chats, export.format, path),
            None => {}
        }
        if let Some(path) = models.first() {
            self.controller.open_model(path);
        }
    }

    /// The page shown.
    pub fn page(&self) -> Page {
        self.page
    }

    /// Carries a command out.
    pub fn act(&mut self, ctx: &Context, command: Command) {
        match command {
            Command::NewChat => {
                self.controller.new_chat();
                self.page = Page::Chat;
                self.focus = Some(message_id());
            }
            Command::OpenChat(id) => {
                self.controller.open_chat(id);
                self.page = Page::Chat;
                self.focus = Some(message_id());
            }
            Command::Search(text) => self.controller.search(&text),
            Command::FocusSearch => {
                self.page = Page::Chat;
                self.chat.list_open = true;
                self.focus = Some(search_id());
            }
            Command::FocusComposer => self.go(Page::Chat),
            Command::Send(text) => {
                if self.controller.send(&text) {
                    self.chat.transcript.go_to_end();
                } else if self.chat.draft.is_empty() {
                    // It was not taken, so it must not be lost.
                    self.chat.draft = text;
                }
                self.focus = Some(message_id());
            }
            Command::Stop => self.controller.stop(),
            Command::StopAll => self.controller.stop_all(),
            Command::InChat(command) => self.act_in_chat(ctx, command),
            Command::AskRename(chat) => {
                let title = self.title(chat);
                self.question = Some(Question::Rename { chat, title, focused: false });
            }
            Command::AskPersonaName => {
                let name = self.controller.persona().map_or_else(String::new, |taken| taken.name.clone());
                let taken = self.controller.personas().iter().map(|known| known.name.clone()).collect();
                self.question = Some(Question::PersonaName { name, taken, focused: false });
            }
            Command::EditPersona(id) => {
                self.go(Page::Settings);
                self.settings.open(Part::Personas);
                let known = self.controller.personas().iter().find(|persona| Some(persona.id) == id);
                self.settings.personas.edit(known);
            }
            Command::InList(command) => self.act_in_list(command),
            Command::ChooseModel(choice) => {
                self.controller.choose_model(&choice);
                self.focus = Some(message_id());
            }
            Command::PickModelFile => self.pick(Wanted::Model),
            Command::OpenModel(path) => self.controller.open_model(&path),
            Command::DismissRefusal => self.controller.shelf.refusal = None,
            Command::UnloadModel(id) => self.controller.unload_model(&id),
            Command::Copy(text) => ctx.copy_text(text),
            Command::AskLink(target) => self.question = Some(Question::Link(target)),
            Command::ToggleList => match self.page {
                Page::Chat => self.chat.list_open = !self.chat.list_open,
                Page::Settings => self.settings.list_open = !self.settings.list_open,
            },
            Command::Go(page) => self.go(page),
            Command::ShowSettings(part) => {
                self.go(Page::Settings);
                self.settings.open(part);
            }
            Command::SearchSettings => {
                self.go(Page::Settings);
                self.focus = Some(settings::search_id());
            }
            Command::Change(change) => {
                self.preferences.change(ctx, &mut self.controller, change);
                self.ask_for_keys();
            }
            Command::ChangeKeysFromAnywhere => (self.outside.anywhere)(Ask::Change),
            Command::AskResetSettings => self.question = Some(Question::ResetSettings),
            Command::ApplyEngineSettings => self.controller.apply_settings(),
            Command::OpenPlace(path) => self.preferences.opener.open(&path, self.controller.waker()),
            Command::TogglePalette => self.palette.toggle(),
            Command::NextRegion { forward } => region::jump(ctx, forward),
            Command::HideWindow => self.hide_window(),
            Command::Quit => self.quit(),
            Command::CloseAs(closing) => self.close_as(closing),
        }
    }

    /// Shows a page.
    pub(super) fn go(&mut self, page: Page) {
        self.page = page;
        self.focus = match page {
            Page::Chat => Some(message_id()),
            Page::Settings => None,
        };
    }

    /// Commands of the keys pressed in this pass. While a question is open they are the question's.
    fn pressed(&self, ctx: &Context, metrics: &Metrics) -> Vec<Command> {
        if self.question.is_some() || self.settings.is_capturing() {
            return Vec::new();
        }
        let now = self.situation(metrics);
        let pressed = shell::keymap::keymap(ctx).take_pressed(ctx);
        let commands =
            pressed.into_iter().filter_map(|action| self.of_row(action).or_else(|| (action.command)(&now)));
        // While the palette is open the keys are its own, but the one that opened it closes it.
        commands.filter(|command| !self.palette.is_open() || *command == Command::TogglePalette).collect()
    }

    fn situation(&self, metrics: &Metrics) -> Situation<'_> {
        Situation {
            controller: &self.controller,
            settings: &self.preferences.settings,
            page: self.page,
            list_is_sheet: metrics.list_is_sheet,
            has_tray: self.life.has_tray(),
        }
    }

    fn draw_page(
        &mut self,
        ui: &mut Ui,
        regions: &shell::Regions,
        metrics: &Metrics,
        commands: &mut Vec<Command>,
    ) {
        match self.page {
            Page::Chat => self.chat.show(ui, regions, metrics, &self.controller, commands),
            Page::Settings => {
                let view = View {
                    settings: &self.preferences.settings,
                    controller: &self.controller,
                    logbook: self.preferences.logbook,
                    places: &self.preferences.places,
                    anywhere: &self.anywhere.standing,
                };
                self.settings.show(ui, regions, metrics, &view, commands);
            }
        }
    }

    /// Title of a chat.
    pub(super) fn title(&self, chat: crate::store::ChatId) -> String {
        let open = self.controller.conversation().filter(|conversation| conversation.chat.id == chat);
        let listed = || {
            let head = self.controller.library.chats.iter().find(|listed| listed.id == chat);
            head.map(|head| &head.title)
        };
        open.map(|open| &open.chat.title).or_else(listed).cloned().unwrap_or_default()
    }

    /// Opens the dialog that picks files.
    pub(super) fn pick(&mut self, wanted: Wanted) {
        if let Err(err) = self.picker.open(wanted, self.controller.waker()) {
            self.toasts.add(Toast {
                glyph: icons::X_CIRCLE,
                tone: ui::ToastTone::Danger,
                title: "The file dialog could not be opened".to_owned(),
                detail: format!("{err}. Drop the file onto this window instead."),
                stays: true,
            });
        }
    }

    /// Gives the keyboard to what was asked for. The first pass of a sheet only measures, and its fields let go of the keyboard again:
    /// then it is given to them once more.
    fn hand_keyboard(&mut self, ctx: &Context) {
        if let Some(id) = self.focus.take_if(|_| self.question.is_none()) {
            ctx.memory_mut(|memory| memory.request_focus(id));
            self.handed = Some(id);
        } else if let Some(id) = self.handed.take()
            && self.question.is_none()
            && ctx.memory(|memory| memory.focused().is_none())
        {
            ctx.memory_mut(|memory| memory.request_focus(id));
            ctx.request_repaint();
        }
    }

    fn over_page(&mut self, ctx: &Context, commands: &mut Vec<Command>) {
        let free = match self.page {
            Page::Chat => self.chat.free_of_toasts(ctx.content_rect()),
            Page::Settings => STATUS,
        };
        commands.extend(self.toasts.show(ctx, free).map(|pressed| match pressed {
            Pressed::Copy(text) => Command::Copy(text),
            Pressed::Action(command) => command,
        }));
        if let Some(outcome) = dialogs::show(ctx, &mut self.question, &self.controller) {
            match outcome {
                Outcome::Rename(chat, title) => self.controller.rename(chat, &title),
                Outcome::DeleteForGood(ids) => self.controller.delete_for_good(ids),
                Outcome::OpenLink(target) => ctx.open_url(OpenUrl::new_tab(target)),
                Outcome::Command(command) => commands.push(command),
            }
            self.focus = Some(message_id());
        }
        if ctx.input(|input| !input.raw.hovered_files.is_empty()) {
            drop_hint(ctx);
        }
    }
}

/// Covers the page while a file is held over it.
fn drop_hint(ctx: &Context) {
    let tokens = theme::tokens(ctx);
    let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("drop hint")));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0, tokens.scrim);
    let galley = painter.layout_no_wrap(
        "Drop text files to attach them, or a model to load it".to_owned(),
        Text::Heading.font(),
        tokens.text,
    );
    let card = egui::Rect::from_center_size(rect.center(), galley.size() + egui::vec2(48.0, 32.0));
    painter.rect(
        card,
        theme::R5,
        tokens.raised,
        egui::Stroke::new(2.0, tokens.focus),
        egui::StrokeKind::Inside,
    );
    painter.galley(card.center() - galley.size() / 2.0, galley, tokens.text);
}

impl eframe::App for Desktop {
    /// Runs also while the window is hidden.
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        let focused = ctx.input(|input| input.viewport().focused.unwrap_or(true));
        if std::mem::replace(&mut self.focused, focused) && !focused {
            self.unfocused = Some(Instant::now());
        }
        self.outside.vitals.count_pass(self.focused);
        if self.attend() {
            ctx.request_repaint();
        }
        if let Some(message) = self.controller.take_revealed() {
            self.chat.transcript.go_to(message);
        }
        self.take_close_request(ctx);
        self.restore();
        self.controller.draft_is(&self.chat.draft);
        self.preferences.attend(ctx, &mut self.controller);
        self.controller.find_chats(self.palette.wanted_chats());
        self.take_notices();
        self.take_files(ctx);
        self.remember(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        theme::glyphs::begin_pass(&ctx);
        let metrics = Metrics::of(ui.max_rect().size(), self.page);
        let mut commands = self.pressed(&ctx, &metrics);
        self.chat.covered = self.question.is_some() || self.palette.is_open();
        let regions = shell::show(ui, &metrics, self.page, &mut commands);
        self.draw_page(ui, &regions, &metrics, &mut commands);
        shell::show_status(ui, &metrics, &self.controller, &mut commands);
        let mut palette = std::mem::take(&mut self.palette);
        palette.show(&ctx, &self.situation(&metrics), &mut commands);
        self.palette = palette;
        self.over_page(&ctx, &mut commands);
        for command in commands {
            self.act(&ctx, command);
        }
        self.hand_keyboard(&ctx);
        theme::glyphs::end_pass(&ctx);
    }

    fn on_exit(&mut self) {
        self.remember_now();
    }

    fn persist_egui_memory(&self) -> bool {
        false
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
