//! Which chats of the list stand in which folder. Made anew when chats or folders change, so that drawing a pass walks no chat that is
//! not in view.

use std::collections::HashMap;

use crate::store::{ChatHead, Folder, FolderId};

/// Places of chats in the list of all chats, in its order.
#[derive(Default)]
pub(super) struct Filing {
    /// Chats in no folder that is there.
    pub loose: Vec<usize>,
    /// Chats of each folder.
    pub inside: Vec<Vec<usize>>,
}

impl Filing {
    pub fn of(chats: &[ChatHead], folders: &[Folder]) -> Self {
        let places: HashMap<FolderId, usize> =
            folders.iter().enumerate().map(|(place, folder)| (folder.id, place)).collect();
        let mut filing = Self { loose: Vec::new(), inside: vec![Vec::new(); folders.len()] };
        for (place, chat) in chats.iter().enumerate() {
            let folder = chat.folder.and_then(|folder| places.get(&folder));
            folder.map_or(&mut filing.loose, |folder| &mut filing.inside[*folder]).push(place);
        }
        filing
    }
}
