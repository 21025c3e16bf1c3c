//! Whether there is a window, and what closing it means. A plain state machine: it knows no toolkit, no bus and no clock.

/// What closing the window does while a tray can bring it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Closing {
    /// Ask, and remember the answer.
    #[default]
    Ask,
    /// Go on without a window.
    Stay,
    /// Quit.
    Quit,
}

impl Closing {
    /// Name under which it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Stay => "stay",
            Self::Quit => "quit",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Ask, Self::Stay, Self::Quit].into_iter().find(|closing| closing.name() == name)
    }
}

/// Where the app is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A window is shown, or about to be.
    Shown,
    /// The window is going away; the app stays.
    Leaving,
    /// The window is going away and is wanted back.
    Returning,
    /// There is no window.
    Hidden,
    /// The app ends.
    Ending,
}

/// Answer to a request to close the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Let the window go.
    Go,
    /// Keep it and ask the user.
    Ask,
}

/// The life of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    stage: Stage,
    tray: bool,
    closing: Closing,
}

impl Life {
    /// Begins with a window and without a tray.
    pub fn new() -> Self {
        Self { stage: Stage::Shown, tray: false, closing: Closing::default() }
    }

    /// Begins without a window, in the hope of a tray; see [`Life::give_up_tray`].
    pub fn in_tray() -> Self {
        Self { stage: Stage::Hidden, ..Self::new() }
    }

    /// No tray came: what is hidden comes back, because nothing else leads to the app.
    pub fn give_up_tray(&mut self) {
        if !self.tray {
            self.show();
        }
    }

    /// Where it is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether a tray shows our item, so that the app can be reached without a window.
    pub fn has_tray(&self) -> bool {
        self.tray
    }

    /// What closing does.
    pub fn closing(&self) -> Closing {
        self.closing
    }

    /// Changes what closing does.
    pub fn set_closing(&mut self, closing: Closing) {
        self.closing = closing;
    }

    /// The tray came or went. Without one a hidden window comes back, because nothing else leads to the app.
    pub fn set_tray(&mut self, there: bool) {
        self.tray = there;
        if !there {
            self.show();
        }
    }

    /// The user or the desktop asks the window to close.
    pub fn close_requested(&mut self) -> Close {
        if self.stage == Stage::Shown {
            match (self.tray, self.closing) {
                (true, Closing::Ask) => return Close::Ask,
                (true, Closing::Stay) => self.stage = Stage::Leaving,
                (true, Closing::Quit) | (false, _) => self.stage = Stage::Ending,
            }
        }
        Close::Go
    }

    /// Wants the window gone and the app to stay; false (and nothing changed) where nobody could bring the window back.
    pub fn hide(&mut self) -> bool {
        if self.tray && self.stage == Stage::Shown {
            self.stage = Stage::Leaving;
        }
        self.stage == Stage::Leaving
    }

    /// Wants a window.
    pub fn show(&mut self) {
        self.stage = match self.stage {
            Stage::Hidden => Stage::Shown,
            Stage::Leaving => Stage::Returning,
            other => other,
        };
    }

    /// Wants a new window in the place of the one that is there.
    pub fn reopen(&mut self) {
        if self.stage == Stage::Shown {
            self.stage = Stage::Returning;
        }
    }

    /// Wants the end.
    pub fn quit(&mut self) {
        self.stage = Stage::Ending;
    }

    /// The window is gone. One that went unasked (its display is gone, for example) takes the app with it.
    pub fn window_gone(&mut self) {
        self.stage = match self.stage {
            Stage::Leaving if self.tray => Stage::Hidden,
            Stage::Leaving | Stage::Returning => Stage::Shown,
            Stage::Shown | Stage::Hidden | Stage::Ending => Stage::Ending,
        };
    }
}

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tray(closing: Closing) -> Life {
        let mut life = Life::new();
        life.set_tray(true);
        life.set_closing(closing);
        life
    }

    #[test]
    fn without_a_tray_closing_quits_whatever_was_chosen() {
        for closing in [Closing::Ask, Closing::Stay, Closing::Quit] {
            let mut life = Life::new();
            life.set_closing(closing);
            assert_eq!(life.close_requested(), Close::Go);
            life.window_gone();
            assert_eq!(life.stage(), Stage::Ending, "{closing:?}");
        }
    }

    #[test]
    fn with_a_tray_closing_asks_stays_or_quits_as_chosen() {
        let mut life = with_tray(Closing::Ask);
        assert_eq!(life.close_requested(), Close::Ask);
        assert_eq!(life.stage(), Stage::Shown);
        for (closing, after) in [(Closing::Stay, Stage::Hidden), (Closing::Quit, Stage::Ending)] {
            let mut life = with_tray(closing);
            assert_eq!(life.close_requested(), Close::Go);
            life.window_gone();
            assert_eq!(life.stage(), after, "{closing:?}");
        }
    }

    #[test]
    fn a_hidden_window_comes_back_when_it_is_wanted_and_when_the_tray_dies() {
        let mut life = with_tray(Closing::Stay);
        assert!(life.hide());
        life.window_gone();
        let mut orphan = life;
        life.show();
        assert_eq!(life.stage(), Stage::Shown);
        orphan.set_tray(false);
        assert_eq!(orphan.stage(), Stage::Shown);
        assert!(!orphan.hide(), "nobody could bring it back");
        assert_eq!(orphan.stage(), Stage::Shown);
    }

    #[test]
    fn a_start_in_the_tray_opens_a_window_only_when_no_tray_comes() {
        let mut life = Life::in_tray();
        life.give_up_tray();
        assert_eq!(life.stage(), Stage::Shown);
        let mut life = Life::in_tray();
        life.set_tray(true);
        life.give_up_tray();
        assert_eq!(life.stage(), Stage::Hidden);
        life.set_tray(false);
        assert_eq!(life.stage(), Stage::Shown);
    }

    #[test]
    fn a_window_that_is_wanted_or_orphaned_while_it_goes_is_opened_again() {
        for orphaned in [false, true] {
            let mut life = with_tray(Closing::Stay);
            assert_eq!(life.close_requested(), Close::Go);
            if orphaned {
                life.set_tray(false);
            } else {
                life.show();
            }
            assert_eq!(life.close_requested(), Close::Go, "it is on its way already");
            life.window_gone();
            assert_eq!(life.stage(), Stage::Shown);
        }
    }

    #[test]
    fn a_window_is_opened_anew_with_and_without_a_tray() {
        for mut life in [Life::new(), with_tray(Closing::Ask)] {
            life.reopen();
            assert_eq!(life.close_requested(), Close::Go, "nobody is asked");
            life.window_gone();
            assert_eq!(life.stage(), Stage::Shown);
        }
        let mut life = Life::in_tray();
        life.reopen();
        assert_eq!(life.stage(), Stage::Hidden, "there is none to open anew");
    }

    #[test]
    fn the_end_is_final() {
        let mut life = with_tray(Closing::Ask);
        life.quit();
        life.show();
        assert!(!life.hide());
        assert_eq!(life.close_requested(), Close::Go);
        life.set_tray(false);
        life.window_gone();
        assert_eq!(life.stage(), Stage::Ending);
    }

    #[test]
    fn a_window_that_vanishes_unasked_ends_the_app() {
        let mut life = with_tray(Closing::Stay);
        life.window_gone();
        assert_eq!(life.stage(), Stage::Ending);
    }

    #[test]
    fn the_choice_has_a_name_that_leads_back_to_it() {
        for closing in [Closing::Ask, Closing::Stay, Closing::Quit] {
            assert_eq!(Closing::named(closing.name()), Some(closing));
        }
        assert_eq!(Closing::named(""), None);
    }
}
