//! Style sheets and scripts, in the binary. Each address holds the file's hash, so browsers may keep it for ever.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::page::Refusal;

#[derive(RustEmbed)]
#[folder = "src/web/assets"]
struct Assets;

/// So many hex digits of the SHA-256 stand in the address.
const DIGITS: usize = 16;

/// Where a file is found: `/assets/0123456789abcdef/console.css`.
pub(super) fn address(name: &str) -> String {
    let hash = Assets::get(name).map(|file| hex(&file.metadata.sha256_hash()));
    debug_assert!(hash.is_some(), "there is no asset {name}");
    format!("/assets/{}/{name}", hash.unwrap_or_default())
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().take(DIGITS / 2).map(|octet| format!("{octet:02x}")).collect()
}

pub(super) async fn serve(Path((hash, name)): Path<(String, String)>) -> Result<Response, Refusal> {
    let file = Assets::get(&name).filter(|file| hex(&file.metadata.sha256_hash()) == hash).ok_or(Refusal::NotFound)?;
    let kind = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, file.data).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendored_files_are_those_that_the_table_names() {
        let table = include_str!("assets/vendor/README.md");
        let vendored: Vec<_> =
            Assets::iter().filter(|name| name.starts_with("vendor/") && !name.ends_with(".md")).collect();
        assert!(vendored.len() >= 6, "{vendored:?}");
        for name in vendored {
            let hash = Assets::get(&name).expect("listed").metadata.sha256_hash();
            let hash: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
            let short = name.trim_start_matches("vendor/");
            let row = table.lines().find(|line| line.starts_with(&format!("| {short} |")));
            assert!(row.is_some_and(|row| row.ends_with(&format!("| {hash} |"))), "{short}: {row:?}, is {hash}");
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let ours = Assets::iter().filter(|name| !name.starts_with("vendor/") && !name.ends_with(".svg"));
        for name in ours {
            let file = Assets::get(&name).expect("listed");
            let text = String::from_utf8_lossy(&file.data).into_owned();
            assert!(!text.contains("http://") && !text.contains("https://"), "{name}");
        }
    }
}
