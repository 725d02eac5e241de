use crate::{clock::Wall, ids::CallId};
pub fn recording_path(offered: Wall, id: CallId) -> String {
    let text = offered.to_string();
    format!("recordings/{}/{}/{}/{}/{id}.wav", &text[..4], &text[5..7], &text[8..10], &text[11..13])
}
