//! Recordings: heard in ranges, drawn from stored peaks, taken away as a file. Each listen is a row of the audit log.

use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use serde_json::{Value, json};

use super::notes::own_call;
use super::one_call::{marks, parse};
use crate::ids::CallId;
use crate::io::playback::{MOST, Open, PlaybackError, Recordings};
use crate::store::audit::Deed;
use crate::web::desk::Desk;
use crate::web::page::{Asked, Refusal, Reply};

/// Points of a waveform that are sent: more than a screen has columns.
const POINTS: usize = 2_000;

/// Octets before the buckets of a `.peaks` file (see [`crate::media::record::peaks`]), and of each bucket.
const HEAD: usize = 20;
const BUCKET: usize = 4;

impl From<PlaybackError> for Refusal {
    fn from(error: PlaybackError) -> Refusal {
        match error {
            PlaybackError::None | PlaybackError::Gone(_) | PlaybackError::Beyond { .. } => Refusal::NotFound,
            other => Refusal::Fault(other.to_string()),
        }
    }
}

async fn read<T: Send + 'static>(
    desk: &Desk,
    read: impl FnOnce(&Recordings) -> Result<T, PlaybackError> + Send + 'static,
) -> Result<Result<T, PlaybackError>, Refusal> {
    let recordings = desk.recordings();
    tokio::task::spawn_blocking(move || read(&recordings)).await.map_err(|_| Refusal::Busy)
}

/// Whether this call is the agent's own and agents may hear theirs.
async fn expect_own(asked: &Asked, id: &str) -> Result<(), Refusal> {
    if !asked.desk().agents_hear() {
        return Err(Refusal::Told("agent-hears-not"));
    }
    let agent = asked.person()?.agent.clone().ok_or(Refusal::Told("agent-no-number"))?;
    own_call(asked, &agent, parse(id)?).await.map(drop)
}

/// An agent hears a call of his or her own.
pub(in crate::web) async fn own(asked: Asked, id: Path<String>, headers: HeaderMap) -> Reply {
    expect_own(&asked, &id).await?;
    sound(asked, id, headers).await
}

pub(in crate::web) async fn own_peaks(asked: Asked, id: Path<String>) -> Reply {
    expect_own(&asked, &id).await?;
    peaks(asked, id).await
}

/// The waveform and what is marked in it.
pub(in crate::web) async fn peaks(asked: Asked, Path(id): Path<String>) -> Reply {
    let id = parse(&id)?;
    let call = asked.desk().read(move |reader| Ok((reader.call(id)?, reader.recording(id)?)));
    let (call, kept) = call.await?;
    let call = call.ok_or(Refusal::NotFound)?;
    let drawn = read(asked.desk(), move |recordings| recordings.waveform(id)).await??;
    let lanes = drawn.as_deref().map_or_else(|| vec![Vec::new(), Vec::new()], lanes);
    let duration = kept.map_or(0, |kept| kept.duration_ms) as f64 / 1_000.0;
    let found: Value = json!({ "duration": duration, "peaks": lanes, "marks": marks(&call, &asked.page()) });
    Ok(([(header::CONTENT_TYPE, "application/json")], found.to_string()).into_response())
}

/// The greatest distance from zero of each stretch, left and right, 0 to 1.
fn lanes(drawn: &[u8]) -> Vec<Vec<f64>> {
    let buckets: Vec<&[u8]> = drawn.get(HEAD..).unwrap_or_default().chunks_exact(BUCKET).collect();
    let together = buckets.len().div_ceil(POINTS).max(1);
    let reach = |pair: &[u8]| pair.iter().map(|octet| octet.cast_signed().unsigned_abs()).max().unwrap_or_default();
    let lane = |at: usize| {
        let stretches = buckets.chunks(together);
        let highest =
            stretches.map(|all| all.iter().map(|bucket| reach(&bucket[at..at + 2])).max().unwrap_or_default());
        highest.map(|reach| (f64::from(reach) / 128.0 * 100.0).round() / 100.0).collect()
    };
    vec![lane(0), lane(2)]
}

/// The recording, or the range of it that the player asks for (RFC 9110 section 14).
pub(in crate::web) async fn sound(asked: Asked, Path(id): Path<String>, headers: HeaderMap) -> Reply {
    let id = parse(&id)?;
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let response = answer(asked.desk(), id, range).await?;
    if response.status().is_success() {
        let visitor = asked.person()?;
        // Noted before the first octet goes out; a player asks for one listen many times.
        if asked.desk().is_new_listen(visitor.id, id) {
            note(&asked, id, "recording.listened").await?;
        }
    }
    Ok(response)
}

/// The whole file, to keep.
pub(in crate::web) async fn file(asked: Asked, Path(id): Path<String>) -> Reply {
    let id = parse(&id)?;
    let mut response = answer(asked.desk(), id, None).await?;
    note(&asked, id, "recording.downloaded").await?;
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{id}.wav\""));
    name.into_iter().for_each(|name| {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    });
    Ok(response)
}

async fn note(asked: &Asked, id: CallId, what: &'static str) -> Result<(), Refusal> {
    let who = asked.person()?.name.clone();
    let noted = asked.desk().change(move |people, at| {
        let details = Value::Null;
        people.note(Deed { at, who: &who, what, about: &id.to_string(), details: &details })
    });
    noted.await.map(drop)
}

/// What a Range field asks for, of so many octets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    /// Beyond the end.
    Nothing,
}

/// Of several ranges, or of what is no range in octets, the whole: a server may ignore the field.
fn wanted(range: Option<&str>, total: u64) -> Wanted {
    let Some((first, last)) = range.and_then(|range| range.trim().strip_prefix("bytes=")?.split_once('-')) else {
        return Wanted::Whole;
    };
    let part = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(total),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..total,
        (Err(_), Ok(last)) if first.trim().is_empty() => total.saturating_sub(last)..total,
        _ => return Wanted::Whole,
    };
    if part.start < part.end { Wanted::Part(part) } else { Wanted::Nothing }
}

async fn answer(desk: &Desk, id: CallId, range: Option<&str>) -> Reply {
    let open = read(desk, move |recordings| recordings.open(id)).await??;
    let total = open.total();
    let (status, part) = match wanted(range, total) {
        Wanted::Whole => (StatusCode::OK, 0..total),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            let unsatisfied = [(header::CONTENT_RANGE, format!("bytes */{total}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, unsatisfied).into_response());
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{total}", part.start, part.end - 1);
        headers.extend(HeaderValue::from_str(&text).ok().map(|value| (header::CONTENT_RANGE, value)));
    }
    let mut response = Response::new(body(open, part));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    Ok(response)
}

/// The first piece is small, so that the player begins at once; each next one is twice as long, up to [`MOST`].
const FIRST: u64 = 64 * 1024;

/// Pieces as the browser takes them: no more than one is in memory.
fn body(open: Open, part: Range<u64>) -> Body {
    let stream = unfold((Some(open), part, FIRST), |(open, part, most)| async move {
        // After a fault nothing more comes.
        let mut open = open?;
        if part.is_empty() {
            return None;
        }
        let piece = part.start..part.end.min(part.start + most);
        let read = tokio::task::spawn_blocking(move || open.read(piece).map(|piece| (piece.bytes, open))).await;
        Some(match read {
            Ok(Ok((bytes, open))) if !bytes.is_empty() => {
                let next = part.start + bytes.len() as u64;
                (Ok(Bytes::from(bytes)), (Some(open), next..part.end, MOST.min(most * 2)))
            }
            Ok(Err(error)) => (Err(std::io::Error::other(error.to_string())), (None, part, most)),
            _ => (Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)), (None, part, most)),
        })
    });
    Body::from_stream(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_file() {
        for (field, found) in [
            (None, Wanted::Whole),
            (Some("bytes=0-"), Wanted::Part(0..100)),
            (Some("bytes=40-49"), Wanted::Part(40..50)),
            (Some("bytes=40-4000"), Wanted::Part(40..100)),
            (Some("bytes=-10"), Wanted::Part(90..100)),
            (Some("bytes=-1000"), Wanted::Part(0..100)),
            (Some("bytes=100-"), Wanted::Nothing),
            (Some("bytes=-0"), Wanted::Nothing),
            (Some("bytes=7-3"), Wanted::Whole),
            (Some("bytes=0-1,5-6"), Wanted::Whole),
            (Some("lines=0-1"), Wanted::Whole),
            (Some("bytes=-"), Wanted::Whole),
        ] {
            assert_eq!(wanted(field, 100), found, "{field:?}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }

    #[test]
    fn a_waveform_has_no_more_points_than_a_screen() {
        let mut drawn = vec![0; HEAD];
        for n in 0..5_000_u16 {
            drawn.extend([0, if n == 2_500 { 0x40 } else { 1 }, 0xff, 0x80_u8]);
        }
        let lanes = lanes(&drawn);
        assert_eq!(lanes.iter().map(Vec::len).collect::<Vec<_>>(), [1_667, 1_667]);
        assert_eq!(lanes[0].iter().copied().fold(0.0, f64::max), 0.5);
        assert_eq!(lanes[1][0], 1.0);
        assert_eq!(super::lanes(b""), [Vec::<f64>::new(), Vec::new()]);
    }
}
