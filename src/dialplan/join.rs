//! Joining recorded pieces so that they sound like one sentence.

/// Silence left on either side of a joint. The contract allows 60 ms together; a breath or a soft consonant that this
/// detector takes for speech and another one for silence must still fit in.
const SIDE_MS: usize = 15;
/// The step of the silence detector.
const FRAME_MS: usize = 5;
/// A frame this far below the loudest one of its piece is silence.
const BELOW_LOUDEST_DB: f64 = 38.0;
/// -60 dBov: silence in any piece, however soft.
const FLOOR_RMS: f64 = 33.0;
/// A cut edge fades over this, lest it click.
const FADE_US: usize = 2_500;

/// The pieces one after the other, each joint trimmed; the outer ends stay as they are. `rate_hz`: of all of them.
pub(super) fn join(pieces: &[&[i16]], rate_hz: u32) -> Vec<i16> {
    let samples_a_ms = rate_hz as usize / 1_000;
    let side = SIDE_MS * samples_a_ms;
    let mut joined = Vec::with_capacity(pieces.iter().map(|p| p.len()).sum());
    for (i, piece) in pieces.iter().enumerate() {
        let (lead, tail) = silence(piece, FRAME_MS * samples_a_ms);
        let begin = if i == 0 { 0 } else { lead.saturating_sub(side) };
        let cut = if i + 1 == pieces.len() { 0 } else { tail.saturating_sub(side) };
        let end = (piece.len() - cut).max(begin);
        let start = joined.len();
        joined.extend_from_slice(&piece[begin..end]);
        fade(&mut joined[start..], FADE_US * samples_a_ms / 1_000, (begin > 0, cut > 0));
    }
    joined
}

/// How many samples of silence a piece begins and ends with. A piece that is all silence has no tail.
fn silence(piece: &[i16], frame: usize) -> (usize, usize) {
    let loudest = piece.chunks(frame).map(rms).fold(0.0, f64::max);
    let mark = (loudest * 10f64.powf(-BELOW_LOUDEST_DB / 20.0)).max(FLOOR_RMS);
    let lead = piece.chunks(frame).take_while(|f| rms(f) < mark).map(<[i16]>::len).sum::<usize>();
    if lead == piece.len() {
        return (lead, 0);
    }
    (lead, piece.rchunks(frame).take_while(|f| rms(f) < mark).map(<[i16]>::len).sum())
}

fn rms(frame: &[i16]) -> f64 {
    let power: f64 = frame.iter().map(|s| f64::from(*s).powi(2)).sum();
    (power / frame.len().max(1) as f64).sqrt()
}

fn fade(piece: &mut [i16], longest: usize, (front, back): (bool, bool)) {
    let length = longest.min(piece.len() / 2);
    let scaled = |sample: i16, n: usize| (f64::from(sample) * n as f64 / length as f64) as i16;
    for n in 0..length {
        if front {
            piece[n] = scaled(piece[n], n);
        }
        if back {
            let last = piece.len() - 1 - n;
            piece[last] = scaled(piece[last], n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::SAMPLE_RATE_HZ;

    const SAMPLES_A_MS: usize = SAMPLE_RATE_HZ as usize / 1_000;

    fn piece(lead_ms: usize, tone_ms: usize, tail_ms: usize) -> Vec<i16> {
        let mut out = vec![3; lead_ms * SAMPLES_A_MS];
        out.extend((0..tone_ms * SAMPLES_A_MS).map(|i| if i % 16 < 8 { 5_000 } else { -5_000 }));
        out.extend(vec![-3; tail_ms * SAMPLES_A_MS]);
        out
    }

    #[test]
    fn a_joint_is_trimmed_and_the_ends_are_not() {
        let (a, b) = (piece(50, 300, 55), piece(47, 200, 50));
        let joined = join(&[&a, &b], SAMPLE_RATE_HZ);
        let loud = |s: &i16| s.abs() > 100;
        let first = joined.iter().position(loud).unwrap();
        let gap = joined[first..].iter().skip(300 * SAMPLES_A_MS).position(loud).unwrap();
        assert_eq!(first, 50 * SAMPLES_A_MS);
        assert!((20 * SAMPLES_A_MS..=40 * SAMPLES_A_MS).contains(&gap), "{gap} samples");
        assert_eq!(joined.iter().rev().position(loud), Some(50 * SAMPLES_A_MS));
    }

    #[test]
    fn short_silence_stays_and_silent_pieces_shrink() {
        let tight = piece(10, 100, 10);
        assert_eq!(join(&[&tight, &tight], SAMPLE_RATE_HZ).len(), 2 * tight.len());
        let silent = vec![0; 8_000];
        assert!(join(&[&tight, &silent, &tight], SAMPLE_RATE_HZ).len() <= 2 * tight.len() + SIDE_MS * SAMPLES_A_MS);
        assert!(join(&[&[], &[]], SAMPLE_RATE_HZ).is_empty());
        assert_eq!(join(&[&tight], SAMPLE_RATE_HZ), tight);
    }
}
