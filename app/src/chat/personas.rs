//! Personas: system prompts with sampling under a name, which a chat can take. A chat keeps what it took when the persona changes.

use super::{Controller, Notice, Severity, Undo};
use crate::store::{Persona, PersonaId, Query, Write};

impl Controller {
    /// The personas, by name.
    pub fn personas(&self) -> &[Persona] {
        &self.personas
    }

    /// Asks the store for the personas.
    pub(super) fn ask_for_personas(&mut self) {
        self.questions.push_back(Query::Personas);
        self.send_out();
    }

    /// Sets the chat shown, or the one to come, up like a persona; `None` goes back to no system prompt and default sampling.
    pub fn take_persona(&mut self, id: Option<PersonaId>) {
        let taken = self.personas.iter().find(|persona| Some(persona.id) == id);
        let (system, sampling) =
            taken.map(|persona| (persona.system.clone(), persona.sampling.clone())).unwrap_or_default();
        self.set_up(system, sampling, id);
    }

    /// Keeps how the chat shown is answered under a name; one of this name is replaced.
    pub fn save_persona(&mut self, name: &str) {
        let name = name.trim();
        if name.is_empty() {
            return;
        }
        let (system, sampling, _) = self.set_up_now();
        let (system, sampling) = (system.to_owned(), sampling.clone());
        let mut persona = Persona::new(name, system.clone(), sampling.clone());
        if let Some(known) =
            self.personas.iter().find(|known| known.name.to_lowercase() == name.to_lowercase())
        {
            (persona.id, persona.created_millis) = (known.id, known.created_millis);
        }
        let id = persona.id;
        self.write_all([Write::PutPersona(persona)]);
        self.set_up(system, sampling, Some(id));
        self.ask_for_personas();
    }

    /// Deletes a persona and offers to undo that. Chats that took it stay as they are.
    pub fn delete_persona(&mut self, id: PersonaId) {
        let Some(persona) = self.personas.iter().find(|persona| persona.id == id) else { return };
        let title = format!("Persona “{}” deleted", persona.name);
        self.write_all([Write::DeletePersona(id)]);
        self.ask_for_personas();
        self.notices.push_back(Notice {
            undo: Some(Undo::Persona(id)),
            ..Notice::new(Severity::Info, &title, "Chats that took it stay as they are.")
        });
    }
}
