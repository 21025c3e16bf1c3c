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
        self.personas_asked += 1;
        self.questions.push_back(Query::Personas);
        self.send_out();
    }

    /// Takes what the store answers; only the last answer knows what has been changed here since the others were asked for.
    pub(super) fn take_personas(&mut self, personas: Vec<Persona>) {
        self.personas_asked = self.personas_asked.saturating_sub(1);
        if self.personas_asked == 0 {
            self.personas = personas;
        }
    }

    /// Sets the chat shown, or the one to come, up like a persona; `None` goes back to no system prompt and default sampling.
    pub fn take_persona(&mut self, id: Option<PersonaId>) {
        let taken = self.personas.iter().find(|persona| Some(persona.id) == id);
        let (system, sampling) =
            taken.map(|persona| (persona.system.clone(), persona.sampling.clone())).unwrap_or_default();
        self.set_up(system, sampling, id);
    }

    /// The persona that the chat shown, or the one to come, was set up like.
    pub fn persona(&self) -> Option<&Persona> {
        let (.., chosen) = self.set_up_now();
        self.personas.iter().find(|persona| Some(persona.id) == chosen)
    }

    /// Whether the chat shown is answered otherwise than its persona says, or than without one.
    pub fn differs_from_persona(&self) -> bool {
        let (system, sampling, _) = self.set_up_now();
        match self.persona() {
            Some(persona) => persona.system != system || persona.sampling != *sampling,
            None => !system.is_empty() || !sampling.is_default(),
        }
    }

    /// Whether a name is free for a persona: not blank, and no other one is called so, whatever the case of its letters.
    pub fn persona_name_is_free(&self, name: &str, own: Option<PersonaId>) -> bool {
        let wanted = name.trim().to_lowercase();
        let taken = |known: &Persona| Some(known.id) != own && known.name.to_lowercase() == wanted;
        !wanted.is_empty() && !self.personas.iter().any(taken)
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
        self.put_persona(persona);
        self.set_up(system, sampling, Some(id));
    }

    /// Adds a persona, or changes the one with its id. Chats that took it keep what they took.
    pub fn put_persona(&mut self, persona: Persona) {
        self.personas.retain(|known| known.id != persona.id);
        self.personas.push(persona.clone());
        self.personas.sort_by_cached_key(|known| (known.name.to_lowercase(), known.id));
        self.write_all([Write::PutPersona(persona)]);
        self.ask_for_personas();
    }

    /// Adds a copy of a persona under a name that is free.
    pub fn duplicate_persona(&mut self, id: PersonaId) {
        let Some(persona) = self.personas.iter().find(|persona| persona.id == id) else { return };
        let named = |number: usize| match number {
            1 => format!("{} copy", persona.name),
            _ => format!("{} copy {number}", persona.name),
        };
        // Among so many names as there are personas and one more, one is free.
        let name =
            (1..=self.personas.len() + 1).map(named).find(|name| self.persona_name_is_free(name, None));
        let copy = name.map(|name| Persona::new(name, persona.system.clone(), persona.sampling.clone()));
        if let Some(copy) = copy {
            self.put_persona(copy);
        }
    }

    /// Deletes a persona and offers to undo that. Chats that took it stay as they are.
    pub fn delete_persona(&mut self, id: PersonaId) {
        let Some(persona) = self.personas.iter().find(|persona| persona.id == id) else { return };
        let title = format!("Persona “{}” deleted", persona.name);
        self.personas.retain(|persona| persona.id != id);
        self.write_all([Write::DeletePersona(id)]);
        self.bin.changed();
        self.ask_for_personas();
        self.notices.push_back(Notice {
            undo: Some(Undo::Persona(id)),
            ..Notice::new(Severity::Info, &title, "Chats that took it stay as they are.")
        });
    }
}
