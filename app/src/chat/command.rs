//! What the user can ask for inside a conversation. Panes send it, the window carries it out.

use super::Undo;
use crate::store::{ChatSampling, MessageId, Persona, PersonaId};

/// A command inside the conversation shown.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatCommand {
    /// Begin to edit a question in its place.
    StartEdit(MessageId),
    /// Begin to edit the last question.
    EditLast,
    /// Ask the edited question beside the old one.
    SendEdit(MessageId, String),
    /// Leave the editor.
    CancelEdit,
    /// Ask for another answer beside this one.
    Again(MessageId),
    /// Ask for another answer beside the last one.
    AgainLast,
    /// Go on with the last answer, which broke off.
    GoOn,
    /// Show the sibling so many places after this message.
    Sibling(MessageId, isize),
    /// Show a sibling of the message that has the keyboard, or of the last one that has siblings.
    StepSibling(isize),
    /// Delete a message with everything below it.
    Delete(MessageId),
    /// Undo a deletion.
    Undo(Undo),
    /// Copy the conversation up to a message into a new chat.
    Fork(MessageId),
    /// Put the last answer on the clipboard.
    CopyLastAnswer,
    /// Let the user pick files to attach.
    PickFiles,
    /// Attach a long pasted text as a file.
    AttachPasted(String),
    /// Take an attached file away.
    Detach(usize),
    /// Show or hide the inspector.
    ToggleInspector,
    /// Set how this chat is answered.
    SetUp {
        /// System prompt.
        system: String,
        /// Sampling.
        sampling: ChatSampling,
        /// Where both were taken from.
        persona: Option<PersonaId>,
    },
    /// Set this chat up like a persona.
    TakePersona(Option<PersonaId>),
    /// Keep how this chat is answered as a persona of this name.
    SavePersona(String),
    /// Add a persona, or change the one with its id.
    PutPersona(Persona),
    /// Add a copy of a persona.
    DuplicatePersona(PersonaId),
    /// Delete a persona.
    DeletePersona(PersonaId),
}
